//! What of users may be done by whom: every action by every role on every role from every source, asked
//! through the function, and held against `users-matrix.tsv`.

use crate::golden::{self, Stood};
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::second_factor::{RecoveryCode, SecondFactor};
use belfry_store::keys;
use belfry_testkit::{Answer, Member, World, ask};
use serde_json::{Value, json};
use std::sync::Arc;

/// Who asks, and how many seconds after the log-in.
const ACTORS: [(&str, Role, i64); 5] = [
    ("super_admin", Role::SuperAdmin, 0),
    ("super_admin without a fresh proof", Role::SuperAdmin, 601),
    ("admin", Role::Admin, 0),
    ("help_desk", Role::HelpDesk, 0),
    ("read_only", Role::ReadOnly, 0),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Add,
    AddWithTwoFactor,
    Edit,
    ChangeRole(Role),
    Deactivate,
    Delete,
    Resend,
    RequireTwoFactor,
    ResetTwoFactor,
    Erase,
}

impl Deed {
    fn all() -> impl Iterator<Item = Self> {
        let roles = Role::ALL.into_iter().map(Self::ChangeRole);
        let rest = [
            Self::Deactivate,
            Self::Delete,
            Self::Resend,
            Self::RequireTwoFactor,
            Self::ResetTwoFactor,
            Self::Erase,
        ];
        [Self::Add, Self::AddWithTwoFactor, Self::Edit].into_iter().chain(roles).chain(rest)
    }

    fn is_add(self) -> bool {
        matches!(self, Self::Add | Self::AddWithTwoFactor)
    }

    /// From where users come of whom this can be asked.
    fn sources(self) -> &'static [Source] {
        // Nobody adds by hand what comes from a directory.
        if self.is_add() { &[Source::Manual, Source::Csv] } else { &Source::ALL }
    }

    fn name(self) -> String {
        match self {
            Self::Add => "add".to_owned(),
            Self::AddWithTwoFactor => "add with 2FA".to_owned(),
            Self::Edit => "edit names".to_owned(),
            Self::ChangeRole(role) => format!("change role to {}", role.name()),
            Self::Deactivate => "deactivate".to_owned(),
            Self::Delete => "delete".to_owned(),
            Self::Resend => "resend activation".to_owned(),
            Self::RequireTwoFactor => "require 2FA".to_owned(),
            Self::ResetTwoFactor => "reset 2FA".to_owned(),
            Self::Erase => "erase".to_owned(),
        }
    }
}

struct Scene {
    world: World,
    users: users::App,
    tenant: TenantId,
    /// A super admin beside whoever asks, so that nobody is the last one.
    boss: String,
    actor: Member,
    token: String,
}

impl Scene {
    async fn new(role: Role, since: i64) -> Self {
        let world = World::new();
        let users = users::App {
            authenticator: world.authenticator(world.table()),
            table: world.table(),
            post: world.post(),
            imports: Arc::new(world.imports.clone()),
            clock: Arc::new(world.clock.clone()),
            entropy: world.entropy.clone(),
        };
        let tenant = world.tenant("Globex").await;
        let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
        let actor = world.member(tenant, "actor@globex.example", role).await;
        let (session, _) = world.session(&actor).await;
        world.wait(since);
        let (token, boss) = (world.token_of(&session), world.token(&boss).await);
        Self { world, users, tenant, boss, actor, token }
    }

    async fn send(
        &self,
        token: &str,
        route: &str,
        id: Option<UserId>,
        body: Option<Value>,
    ) -> Answer {
        let mut asked = ask(route).bearer(token);
        if let Some(id) = id {
            asked = asked.path("id", id);
        }
        if let Some(body) = body {
            asked = asked.json(body);
        }
        asked.of(&self.users).await
    }

    async fn change(&self, id: UserId, change: impl FnOnce(&mut User)) {
        let mut user: User = self.world.get(&keys::user(self.tenant, id)).await.unwrap();
        change(&mut user);
        self.world.keep(&user).await;
    }

    /// Somebody of this role and source, in the state in which `deed` can be done.
    async fn target(&self, deed: Deed, role: Role, source: Source) -> UserId {
        let world = &self.world;
        let id = if role == Role::User {
            let new = new(role, source, false);
            let made = self.send(&self.boss, "POST /users", None, Some(new)).await;
            made.at("/id").parse().unwrap()
        } else {
            let target = world.member(self.tenant, &address(role, source), role).await;
            if deed == Deed::Resend {
                world.change(&target, |user| user.status = Status::Invited).await;
            }
            if deed == Deed::ResetTwoFactor {
                let codes = RecoveryCode::set(world.entropy.as_ref());
                let factor = SecondFactor::enrolled(vec![1], 1, &codes, world.now());
                world.change_person(&target, |person| person.second_factor = Some(factor)).await;
            }
            target.user
        };
        if deed == Deed::Erase {
            let gone = self.send(&self.boss, "DELETE /users/{id}", Some(id), None).await;
            assert_eq!(gone.status, 204);
        }
        self.change(id, |user| user.source = source).await;
        id
    }

    async fn verdict(&self, deed: Deed, role: Role, source: Source) -> String {
        if deed.is_add() && source == Source::Csv {
            return self.import(deed, role).await;
        }
        let answer = self.deed(deed, role, source).await;
        if answer.status < 400 { "ok".to_owned() } else { golden::verdict(&answer) }
    }

    async fn deed(&self, deed: Deed, role: Role, source: Source) -> Answer {
        let target = if deed.is_add() { None } else { Some(self.target(deed, role, source).await) };
        let (route, body) = match deed {
            Deed::Add => ("POST /users", Some(new(role, source, false))),
            Deed::AddWithTwoFactor => ("POST /users", Some(new(role, source, true))),
            Deed::Edit => ("PATCH /users/{id}", Some(json!({"first_name": "Zoe", "version": 1}))),
            Deed::ChangeRole(to) => {
                ("PATCH /users/{id}", Some(json!({"role": to.name(), "version": 1})))
            }
            Deed::Deactivate => {
                ("PATCH /users/{id}", Some(json!({"status": "deactivated", "version": 1})))
            }
            Deed::Delete => ("DELETE /users/{id}", None),
            Deed::Resend => ("POST /users/{id}/activation", None),
            Deed::RequireTwoFactor => {
                ("PUT /users/{id}/two-factor", Some(json!({"required": true})))
            }
            Deed::ResetTwoFactor => ("POST /users/{id}/two-factor/reset", None),
            Deed::Erase => ("POST /users/{id}/erasure", None),
        };
        let before = Stood::in_table(&self.world.db);
        let answer = self.send(&self.token, route, target, body).await;
        if answer.status >= 400 {
            let fault = before.fault(&Stood::in_table(&self.world.db), &answer, &self.actor);
            assert!(fault.is_none(), "{deed:?} of {role:?} from {source:?}: {fault:?}");
        }
        answer
    }

    /// What a row of an import with this role is told; or the import itself.
    async fn import(&self, deed: Deed, role: Role) -> String {
        let role = match role {
            Role::SuperAdmin => "Super Admin",
            Role::Admin => "Admin",
            Role::HelpDesk => "Help Desk",
            Role::ReadOnly => "Read Only",
            Role::User => "User",
        };
        let two_factor = if deed == Deed::Add { "" } else { "Enable" };
        let csv = format!(
            "First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA\r\n\
             Cy,Ng,cy@globex.example,,,,{role},{two_factor}\r\n"
        );
        let route = "POST /users/imports";
        let asked = ask(route).bearer(&self.token).query("dry_run", "true").text("text/csv", &csv);
        let answer = asked.of(&self.users).await;
        match answer.json["verdicts"][0]["code"].as_str() {
            Some(code) => format!("row {code}"),
            None if answer.status < 400 => "ok".to_owned(),
            None => golden::verdict(&answer),
        }
    }
}

/// Each cell has somebody of its own.
fn address(role: Role, source: Source) -> String {
    format!("{}-{}@globex.example", role.name(), source.name())
}

fn new(role: Role, source: Source, two_factor: bool) -> Value {
    json!({"first_name": "Cy", "last_name": "Ng", "email": address(role, source),
        "role": role.name(), "two_factor_required": two_factor})
}

#[tokio::test]
async fn who_may_do_what_to_whom_from_where() {
    let actors = ACTORS.map(|(name, ..)| name).join("\t");
    let mut lines = vec![format!("action\ttarget role\tsource\t{actors}")];
    for deed in Deed::all() {
        let mut scenes = Vec::new();
        for (_, role, since) in ACTORS {
            scenes.push(Scene::new(role, since).await);
        }
        for role in Role::ALL {
            let mut of_sources = Vec::new();
            for source in deed.sources().iter().copied() {
                let mut cells = Vec::new();
                for scene in &scenes {
                    cells.push(scene.verdict(deed, role, source).await);
                }
                of_sources.push((source.name(), cells.join("\t")));
            }
            // One line for all sources to which the same is said.
            if of_sources.iter().all(|(_, cells)| *cells == of_sources[0].1) {
                of_sources = vec![("any", of_sources[0].1.clone())];
            }
            let deed = deed.name();
            lines.extend(
                of_sources
                    .into_iter()
                    .map(|(source, cells)| format!("{deed}\t{}\t{source}\t{cells}", role.name())),
            );
        }
    }
    let checked = golden::check("users-matrix.tsv", &lines);
    assert!(checked.is_ok(), "{}", checked.unwrap_err());
}
