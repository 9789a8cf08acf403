//! Every route to every role, without a token, with another tenant's and with a product's credential:
//! what is answered (`matrix.tsv`, reviewed as data), that nothing of another tenant's is in it or is
//! touched by it, and that a refusal writes nothing but that it was one. Routes that this walk leaves
//! out are named in `uncovered-routes.txt`, which may only shrink.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod description;
mod golden;
mod house;
mod user_matrix;

use belfry_api::routes::{Caller, ROUTES, Route};
use belfry_domain::account::{Role, Status, Tenant};
use belfry_domain::captcha::Captcha;
use belfry_domain::id::TenantId;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::license::{License, Terms};
use belfry_domain::product::Product;
use belfry_domain::second_factor::{RecoveryCode, SecondFactor};
use belfry_runtime::events::Events as _;
use belfry_runtime::metrics::Metrics;
use belfry_store::keys;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, Ask, Member, World, ask};
use golden::Stood;
use house::{EVENTS, House, code, sign_up_form};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const NEW_PASSWORD: &str = "another-mustard-ninety-kelp";
/// Seconds after which a log-in proves nothing more.
const PROOF_LIFE: i64 = 600;
const CREATE_CREDENTIAL: &str = "POST /products/{product}/credentials";

/// Who asks: a column of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// At the console of the tenant.
    Member(Role),
    /// A super admin of it whose log-in was longer ago than a proof is good for.
    Unproven,
    /// A super admin of another tenant.
    Outsider,
    /// With the tenant's product credential.
    Product,
    /// With another tenant's.
    OtherProduct,
    /// A super admin of the tenant, which the vendor has suspended.
    Suspended,
    /// With the product credential of the tenant, which is suspended.
    SuspendedProduct,
}

impl Who {
    const ALL: [(&str, Self); 11] = [
        ("no token", Self::Nobody),
        ("super_admin", Self::Member(Role::SuperAdmin)),
        ("super_admin without a fresh proof", Self::Unproven),
        ("admin", Self::Member(Role::Admin)),
        ("help_desk", Self::Member(Role::HelpDesk)),
        ("read_only", Self::Member(Role::ReadOnly)),
        ("super_admin of another tenant", Self::Outsider),
        ("product credential", Self::Product),
        ("product credential of another tenant", Self::OtherProduct),
        ("super_admin of a suspended tenant", Self::Suspended),
        ("product credential of a suspended tenant", Self::SuspendedProduct),
    ];

    const fn is_suspended(self) -> bool {
        matches!(self, Self::Suspended | Self::SuspendedProduct)
    }

    const fn is_foreign(self) -> bool {
        matches!(self, Self::Outsider | Self::OtherProduct)
    }
}

/// A console session of somebody.
struct Session {
    member: Member,
    access: String,
    refresh: String,
}

/// A tenant and what a request finds in it, and who asks.
struct Scene {
    house: House,
    globex: TenantId,
    /// Of the tenant, beside whoever asks; does what comes before.
    boss: Session,
    /// Whoever asks at the console; the boss when nobody does.
    own: Session,
    bearer: Option<String>,
    /// What is the tenant's alone: its ids, addresses, names.
    marks: Vec<String>,
    /// What is the other tenant's, and so shown to its own people by these routes.
    others: BTreeMap<&'static str, String>,
    /// What of the first tenant the request names.
    target: Target,
}

/// What a request is about, where it is about something.
#[derive(Default)]
struct Target {
    path: Vec<(&'static str, String)>,
    body: Value,
    /// Of the directory that the request is about, when it is one's.
    token: Option<String>,
}

async fn session(world: &World, member: Member) -> Session {
    let (session, refresh) = world.session(&member).await;
    Session { member, access: world.token_of(&session), refresh: refresh.expose_text() }
}

async fn enrolled(world: &World, member: &Member) {
    let codes = RecoveryCode::set(world.entropy.as_ref());
    let factor = SecondFactor::enrolled(vec![1], 1, &codes, world.now());
    world.change_person(member, |person| person.second_factor = Some(factor)).await;
}

/// A SIEM destination that gets everything.
fn destination(transport: &str) -> Value {
    let mut body = json!({"name": "Head office", "transport": transport, "format": "ocsf",
        "event_types": {"EPP": ["infection.detected"], "CONSOLE": ["change", "access"]}});
    if transport != "pull" {
        body["host"] = "siem.example.net".into();
    }
    body
}

fn provider(name: &str) -> Value {
    json!({"name": name, "type": "scim"})
}

/// A directory that is read.
fn read() -> Value {
    json!({"name": "Corporate", "type": "ldap", "ldap": {"host": "dc1.example.com", "base_dn": "dc=example",
        "bind_dn": "cn=belfry", "password": "secret", "flavor": "openldap"}})
}

/// A user as a directory has one.
fn scim_user(name: &str) -> Value {
    json!({"userName": name, "emails": [{"value": format!("{name}@initech.com")}]})
}

impl House {
    /// A SIEM destination, made at the console.
    async fn destination(&self, by: &Session, transport: &str) -> Answer {
        let route = "POST /siem/destinations";
        let asked = ask(route).bearer(&by.access);
        self.send(&self.siem, route, asked, destination(transport)).await
    }

    /// A change, delivered to the tenant's destinations.
    async fn export_something(&self, by: &Session) {
        self.credential(by).await;
        self.world.wait(1);
        let sweep = json!({"sweep": true});
        self.forward.invoked(sweep, &mut Metrics::new("siem-forward", "test")).await.unwrap();
        self.forward_rings().await;
        assert!(!self.receiver.arrived().is_empty());
    }

    /// A product credential, made at the console.
    async fn credential(&self, by: &Session) -> (String, String) {
        let asked = ask(CREATE_CREDENTIAL).path("product", "EPP").bearer(&by.access);
        let scopes = json!({"scopes": ["telemetry:write", "directory:read"]});
        let made = self.send(&self.tenant, CREATE_CREDENTIAL, asked, scopes).await;
        (made.at("/id").to_owned(), made.at("/secret").to_owned())
    }

    /// A batch of EPP's events that call the endpoint so.
    fn batch(&self, endpoint: &str) -> String {
        Value::from(self.events("EPP")).to_string().replace("pc-1", endpoint)
    }

    /// An identity provider, made at the console.
    async fn provider(&self, by: &Session, body: Value) -> Answer {
        let route = "POST /identity-providers";
        let asked = ask(route).bearer(&by.access);
        self.send(&self.directory, route, asked, body).await
    }

    /// A user or group of a directory, made with its token.
    async fn scim(&self, token: &str, of: &str, body: Value) -> String {
        let route = format!("POST /scim/v2/{of}");
        let asked = ask(&route).bearer(token).json(body);
        self.tell(&self.directory, &route, asked).await.at("/id").to_owned()
    }

    /// An endpoint, reported with this credential.
    async fn report(&self, endpoint: &str, secret: &str) {
        let route = "POST /telemetry";
        let asked = ask(route).bearer(secret).text(EVENTS, &self.batch(endpoint));
        assert_eq!(self.tell(&self.ingest, route, asked).await.status, 202);
        self.settle().await;
    }
}

impl Scene {
    async fn new(route: &Route, who: Who) -> Option<Self> {
        let house = House::new();
        let world = &house.world;
        // Ann is invited to be the first super admin.
        let globex = house.create_tenant().await;
        house.settle().await;
        let boss = world.member(globex, "boss@globex.com", Role::SuperAdmin).await;
        let boss = session(world, boss).await;
        let (credential, secret) = house.credential(&boss).await;
        let with_endpoints = route.function == "dashboard";
        if with_endpoints {
            house.report("pc-1", &secret).await;
        }
        let target = target(&house, globex, &boss, &credential, route).await?;
        let mut marks = golden::ids(&house.db);
        marks.extend(["Globex", "globex.com", "pc-1"].map(str::to_owned));
        let licenses = world.table().licenses(globex).await.unwrap();
        marks.extend(licenses.iter().map(|license| license.product_key.to_string()));
        let mut others = BTreeMap::new();
        let (own, bearer) = match who {
            Who::Nobody => (None, None),
            Who::Product | Who::SuspendedProduct if route.caller == Caller::Puller => {
                let made = house.destination(&boss, "pull").await;
                (None, Some(made.at("/token").to_owned()))
            }
            Who::Product | Who::SuspendedProduct if route.caller == Caller::Directory => {
                (None, target.token.clone())
            }
            Who::Product | Who::SuspendedProduct => (None, Some(secret)),
            Who::Member(_) | Who::Suspended => {
                let role = if let Who::Member(role) = who { role } else { Role::SuperAdmin };
                let member = world.member(globex, "own@globex.com", role).await;
                let own = session(world, member).await;
                (Some(own), None)
            }
            Who::Unproven => {
                let member = world.member(globex, "own@globex.com", Role::SuperAdmin).await;
                let (session, refresh) = world.session(&member).await;
                world.wait(PROOF_LIFE + 1);
                let access = world.token_of(&session);
                (Some(Session { member, access, refresh: refresh.expose_text() }), None)
            }
            Who::Outsider | Who::OtherProduct => {
                let initech = world.tenant("Initech").await;
                let license = world.license(initech, Product::Epp, 1).await;
                let eve = world.member(initech, "eve@initech.com", Role::SuperAdmin).await;
                let eve = session(world, eve).await;
                let (id, secret) = house.credential(&eve).await;
                if with_endpoints {
                    house.report("mac-9", &secret).await;
                }
                let key = license.product_key.to_string();
                let (company, email) = ("Initech".to_owned(), "eve@initech.com".to_owned());
                others = BTreeMap::from([
                    ("GET /me", company.clone()),
                    ("GET /me/sessions", company),
                    ("GET /users", email.clone()),
                    ("GET /users/export", email),
                    ("GET /licenses", key.clone()),
                    ("GET /licenses/{product}", key),
                    ("GET /audit", eve.member.user.to_string()),
                    ("GET /products/{product}/credentials", id),
                    ("GET /endpoints", "mac-9".to_owned()),
                ]);
                let secret = match route.caller {
                    Caller::Puller => house.destination(&eve, "pull").await.at("/token").to_owned(),
                    Caller::Directory => {
                        house.provider(&eve, provider("Entra ID")).await.at("/token").to_owned()
                    }
                    _ => secret,
                };
                let bearer = (who == Who::OtherProduct).then_some(secret);
                (Some(eve), bearer)
            }
        };
        let bearer = match (&own, bearer) {
            (Some(own), None) => Some(own.access.clone()),
            (_, bearer) => bearer,
        };
        let own = match own {
            Some(own) => own,
            None => session(world, boss.member.clone()).await,
        };
        Some(Self { house, globex, boss, own, bearer, marks, others, target })
    }

    /// The request, right in every respect but, perhaps, who asks.
    async fn ask(&mut self, route: &Route, who: Who) -> Ask {
        let (house, own) = (&self.house, &self.own);
        let world = &house.world;
        let of_target = std::mem::take(&mut self.target);
        let (mut path, mut body) = (of_target.path, of_target.body);
        match route.route {
            "POST /auth/login" => {
                body = json!({"email": own.member.email.as_str(), "password": PASSWORD});
            }
            "POST /auth/password/forgotten" => body = json!({"email": own.member.email.as_str()}),
            "POST /auth/refresh" | "POST /auth/logout" => {
                body = json!({"refresh_token": own.refresh});
            }
            "POST /auth/tenant" => {
                // The person's other company; the outsider is no member of the tenant.
                let wanted = if who == Who::Outsider {
                    self.globex
                } else {
                    let hooli = world.tenant("Hooli").await;
                    world.member(hooli, own.member.email.as_str(), Role::ReadOnly).await;
                    hooli
                };
                body = json!({"tenant_id": wanted, "refresh_token": own.refresh});
            }
            "DELETE /me/sessions/{id}" => {
                let of = if who.is_foreign() { &self.boss } else { own };
                let (other, _) = world.session(&of.member).await;
                path = vec![("id", other.id.to_string())];
            }
            "POST /me/two-factor/enrolment" => body = first_code(house, own, &self.boss).await,
            "POST /me/recovery-codes" => enrolled(world, &own.member).await,
            "PUT /settings" => {
                let tenant: Tenant = world.get(&keys::tenant(own.member.tenant)).await.unwrap();
                body = json!({"session_timeout_minutes": 30, "version": tenant.version});
            }
            _ => {}
        }
        if body.is_object() {
            house.description.check_request(route.route, &body);
        }
        let mut asked = ask(route.route);
        for (name, value) in path {
            asked = asked.path(name, value);
        }
        if let Some(bearer) = &self.bearer {
            asked = asked.bearer(bearer);
        }
        if route.route == "DELETE /identity-providers/{id}" {
            asked = asked.query("users", "archive");
        }
        if route.route == "DELETE /tags/{id}/members" {
            asked = asked.query("value", "x").query("all", "true");
        }
        match (route.body, body) {
            (Some((media, _)), Value::Object(body)) => {
                asked.text(media, &Value::Object(body).to_string())
            }
            (_, Value::Object(body)) => asked.json(body.into()),
            (Some((media, _)), Value::String(text)) => asked.text(media, &text),
            _ => asked,
        }
    }
}

impl Scene {
    /// What of the first tenant another one's person or product is shown, or touches; and what of
    /// their own they are not shown.
    fn mixed(&self, route: &Route, who: Who, before: &Stood, answer: &Answer) -> Vec<String> {
        // What a mailed token is about is its holder's to see and to accept.
        if route.route.starts_with("POST /auth/activation") {
            return Vec::new();
        }
        let whole = format!("{:?} {}", answer.headers, answer.text);
        let marks = self.marks.iter().filter(|mark| whole.contains(*mark));
        let mut found: Vec<_> =
            marks.map(|mark| format!("{mark} of the first tenant is in {whole}")).collect();
        let after = Stood::in_table(&self.house.db);
        let changed = before.changed(&after, &self.marks);
        if !changed.is_empty() {
            found.push(format!("of the first tenant has changed {}", golden::shown(&changed)));
        }
        let own = self.others.get(route.route).filter(|_| who == Who::Outsider);
        let missing = own.filter(|own| !whole.contains(*own));
        found.extend(missing.map(|own| format!("{own} of the own tenant is not in {whole}")));
        found
    }
}

/// The first code of a secret that the profile showed; of one that it shows the boss, to whom it
/// shows none.
async fn first_code(house: &House, own: &Session, boss: &Session) -> Value {
    let route = "POST /me/two-factor";
    let on = || json!({"enabled": true});
    let mut offer = house.send(&house.auth, route, ask(route).bearer(&own.access), on()).await;
    if offer.status != 200 {
        let boss = session(&house.world, boss.member.clone()).await;
        offer = house.send(&house.auth, route, ask(route).bearer(&boss.access), on()).await;
    }
    json!({"challenge": offer.at("/challenge"), "code": code(house, offer.at("/secret"))})
}

fn unknown_challenge() -> Value {
    json!({"challenge": "unknown", "code": "123456"})
}

/// A file of one user.
const CSV: &str = "First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA\r\n\
                   Cy,Ng,cy@initech.com,,,,Read Only,\r\n";

/// Makes in the tenant what the route's request is about. None when the walk leaves the route out.
async fn target(
    house: &House,
    globex: TenantId,
    boss: &Session,
    credential: &str,
    route: &Route,
) -> Option<Target> {
    let world = &house.world;
    let bob = || json!({"first_name": "Bob", "last_name": "Lee", "email": "bob@initech.com", "role": "read_only"});
    let body = |body: Value| Target { body, ..Target::default() };
    let product = || ("product", "EPP".to_owned());
    let at =
        |id: &str| Target { path: vec![product(), ("id", id.to_owned())], ..Target::default() };
    Some(match route.route {
        // Who may is told below, or by the profile.
        "POST /auth/login"
        | "POST /auth/password/forgotten"
        | "POST /auth/refresh"
        | "POST /auth/logout"
        | "POST /auth/tenant"
        | "DELETE /me/sessions/{id}"
        | "POST /me/two-factor/enrolment"
        | "POST /me/recovery-codes"
        | "PUT /settings"
        | "GET /me"
        | "GET /me/sessions"
        | "POST /me/two-factor/reset"
        | "GET /users"
        | "GET /users/export"
        | "GET /users/imports/template"
        | "GET /settings"
        | "GET /support"
        | "GET /products"
        | "GET /licenses"
        | "GET /onboarding/options"
        | "GET /audit"
        | "GET /audit/verification"
        | "GET /.well-known/jwks.json"
        | "GET /dashboard"
        | "GET /events"
        | "GET /product/users"
        | "GET /endpoints" => Target::default(),
        "POST /auth/two-factor" | "POST /auth/two-factor/enrolment" => body(unknown_challenge()),
        "POST /auth/two-factor/reset"
        | "POST /onboarding/confirmation"
        | "POST /recoveries/stop" => body(json!({"token": "unknown"})),
        "POST /auth/password/reset" => body(json!({"token": "unknown", "password": NEW_PASSWORD})),
        "POST /auth/confirm" => body(json!({"password": PASSWORD})),
        "POST /auth/activation/check" => body(json!({"token": house.mailed_token()})),
        "POST /auth/activation" => {
            body(json!({"token": house.mailed_token(), "password": NEW_PASSWORD}))
        }
        "PATCH /me" => body(json!({"first_name": "Zoe", "version": 1})),
        "POST /me/password" => body(json!({"password": NEW_PASSWORD})),
        "POST /me/two-factor" => body(json!({"enabled": true})),
        "POST /users" => body(bob()),
        "POST /users/imports" => body(CSV.into()),
        "GET /users/imports/{id}" | "GET /users/imports/{id}/errors" => {
            let start = "POST /users/imports";
            let asked = ask(start).bearer(&boss.access).text("text/csv", CSV);
            let import = house.tell(&house.users, start, asked).await;
            Target { path: vec![("id", import.at("/id").to_owned())], ..Target::default() }
        }
        "POST /support/tickets" => body(json!({"subject": "No log-in", "message": "It says 401."})),
        "GET /products/{product}/credentials" | "POST /products/{product}/launch" => {
            Target { path: vec![product()], ..Target::default() }
        }
        CREATE_CREDENTIAL => Target { path: vec![product()], body: json!({}), ..Target::default() },
        "DELETE /products/{product}/credentials/{id}" => at(credential),
        "POST /telemetry" => body(house.batch("phone-3").into()),
        "GET /endpoints/{product}/{id}" | "DELETE /endpoints/{product}/{id}" => at("pc-1"),
        name if ["/tags", "/applications"].iter().any(|path| name.contains(path)) => {
            Box::pin(tagged(house, boss, name)).await
        }
        name if name.contains("/siem/") => exported(house, boss, name).await,
        name if route.function == "directory" => directories(house, boss, name).await,
        name if name.contains("/onboarding/") || name.contains("/licenses/{product}") => {
            return sold(house, globex, name).await;
        }
        name if name.contains("/users/{id}") => {
            let user = world.member(globex, "target@globex.com", Role::ReadOnly).await;
            let body = match name {
                "GET /users/{id}" | "GET /users/{id}/data" | "DELETE /users/{id}" => Value::Null,
                "PATCH /users/{id}" => json!({"first_name": "Zoe", "version": 1}),
                "PUT /users/{id}/two-factor" => json!({"required": true}),
                "POST /users/{id}/two-factor/reset" => {
                    enrolled(world, &user).await;
                    Value::Null
                }
                "POST /users/{id}/activation" => {
                    world.change(&user, |user| user.status = Status::Invited).await;
                    Value::Null
                }
                "POST /users/{id}/erasure" => {
                    let delete = "DELETE /users/{id}";
                    let asked = ask(delete).path("id", user.user).bearer(&boss.access);
                    assert_eq!(house.tell(&house.users, delete, asked).await.status, 204);
                    Value::Null
                }
                _ => return None,
            };
            Target { path: vec![("id", user.user.to_string())], body, ..Target::default() }
        }
        _ => return None,
    })
}

/// The same for tags and applications.
async fn tagged(house: &House, boss: &Session, name: &str) -> Target {
    let tag =
        || json!({"key": "Team", "applies_to": "applications", "kind": "static", "values": ["x"]});
    let application = || json!({"name": "Ledger", "host": "ledger.example"});
    let of_tags = name.contains("/tags");
    let (create, new) =
        if of_tags { ("POST /tags", tag()) } else { ("POST /applications", application()) };
    let plain = !name.contains("{id}");
    if plain || name.starts_with("GET /product/") {
        let body = match name {
            "POST /tags" | "POST /applications" => new,
            "POST /tags/preview" => {
                json!({"applies_to": "users", "when": {"attribute": "email", "prefix": "boss"}})
            }
            _ => Value::Null,
        };
        return Target { body, ..Target::default() };
    }
    let made = house.send(&house.tags, create, ask(create).bearer(&boss.access), new).await;
    let body = match name {
        "PUT /tags/{id}" => json!({"values": ["x", "y"], "version": 1}),
        "POST /tags/{id}/members" => json!({"value": "x", "filter": {}}),
        "PUT /applications/{id}" => {
            json!({"name": "Ledger", "host": "books.example", "version": 1})
        }
        _ => Value::Null,
    };
    Target { path: vec![("id", made.at("/id").to_owned())], body, ..Target::default() }
}

/// The same for identity providers and what they push.
async fn directories(house: &House, boss: &Session, name: &str) -> Target {
    match name {
        "POST /identity-providers" => {
            return Target { body: provider("Entra ID"), ..Target::default() };
        }
        "POST /identity-providers/test" => return Target { body: read(), ..Target::default() },
        _ => {}
    }
    let reads = ["/test", "/preview"].iter().any(|end| name.ends_with(end));
    let made = house.provider(boss, if reads { read() } else { provider("Entra ID") }).await;
    let token = made.json["token"].as_str().unwrap_or_default().to_owned();
    let scim = name.contains("/scim/");
    let (of, new) = if name.contains("/Groups") {
        ("Groups", json!({"displayName": "Staff"}))
    } else {
        ("Users", scim_user("pushed"))
    };
    let id = match name {
        "GET /scim/v2/ResourceTypes/{id}" => "User".to_owned(),
        "GET /scim/v2/Schemas/{id}" => "urn:ietf:params:scim:schemas:core:2.0:User".to_owned(),
        "GET /scim/v2/{id}" => "Bulk".to_owned(),
        _ if scim && name.contains("{id}") => house.scim(&token, of, new.clone()).await,
        _ => made.at("/id").to_owned(),
    };
    let mut changed = provider("Okta");
    changed["version"] = 1.into();
    let body = match name {
        "PUT /identity-providers/{id}" => changed,
        "POST /identity-providers/{id}/token"
        | "POST /identity-providers/{id}/sync"
        | "POST /scim/v2/.search" => json!({}),
        _ if !scim || !(name.contains("/Users") || name.contains("/Groups")) => Value::Null,
        _ if name.starts_with("POST") || name.starts_with("PUT") => new,
        _ if name.starts_with("PATCH") => {
            json!({"Operations": [{"op": "replace", "path": "displayName", "value": "New"}]})
        }
        _ => Value::Null,
    };
    let path = if name.contains("{id}") { vec![("id", id)] } else { Vec::new() };
    Target { path, body, token: Some(token) }
}

/// The same for SIEM destinations.
async fn exported(house: &House, boss: &Session, name: &str) -> Target {
    if !name.contains("{id}") {
        let body = if name.starts_with("POST") { destination("webhook") } else { Value::Null };
        return Target { body, ..Target::default() };
    }
    let made = house.destination(boss, "webhook").await;
    let body = match name {
        "PUT /siem/destinations/{id}" => {
            let mut body = destination("webhook");
            body["version"] = 1.into();
            body
        }
        "POST /siem/destinations/{id}/replay" => {
            house.export_something(boss).await;
            json!({"stream": "CONSOLE/0", "from_sequence": 1})
        }
        _ => Value::Null,
    };
    Target { path: vec![("id", made.at("/id").to_owned())], body, ..Target::default() }
}

/// The same for what is sold: sign-ups, licences, products.
async fn sold(house: &House, globex: TenantId, name: &str) -> Option<Target> {
    let world = &house.world;
    let body = |body: Value| Target { body, ..Target::default() };
    let product = || ("product", "EPP".to_owned());
    Some(match name {
        "GET /onboarding/countries/{code}/states" => {
            Target { path: vec![("code", "IN".to_owned())], ..Target::default() }
        }
        "POST /onboarding/trials" | "POST /onboarding/registrations" => {
            world.put(&keys::captcha(), &Captcha::Off).await;
            let mut form = sign_up_form("zed@umbrella.example");
            if name == "POST /onboarding/trials" {
                form["product"] = "EPP".into();
            } else {
                let key = world.product_key(Product::Epp).await;
                form["products"] = json!([{"product": "EPP", "product_key": key}]);
                form["license_agreement_accepted"] = true.into();
                form["privacy_policy_accepted"] = true.into();
            }
            body(form)
        }
        "GET /licenses/{product}" => Target { path: vec![product()], ..Target::default() },
        "POST /licenses/{product}/activation" => {
            // A trial, which everybody at the console may convert.
            let terms = Terms::trial(Product::Epp, "Standard".parse().unwrap());
            let trial = License::new(terms, world.now(), world.entropy.as_ref());
            world.keep_license(globex, &trial).await;
            let code = (Purpose::Convert, Product::Epp, (10, 365), world.now());
            let code = house.seller.code(code.0, code.1, code.2, code.3);
            Target {
                path: vec![product()],
                body: json!({"activation_key": code}),
                ..Target::default()
            }
        }
        "POST /licenses/{product}/trial" | "POST /licenses/{product}/registration" => {
            world.remove(&keys::license(globex, Product::Ztna)).await;
            let body = if name.ends_with("trial") {
                json!({})
            } else {
                json!({"product_key": world.product_key(Product::Ztna).await})
            };
            Target { path: vec![("product", "ZTNA".to_owned())], body, ..Target::default() }
        }
        _ => return None,
    })
}

/// What one cell of the file says; what is wrong beside it goes to `faults`.
async fn cell(route: &Route, who: Who, faults: &mut Vec<String>) -> Option<String> {
    let mut scene = Box::pin(Scene::new(route, who)).await?;
    let asked = scene.ask(route, who).await;
    let house = &scene.house;
    if who.is_suspended() {
        house.suspend(scene.globex).await;
    }
    house.bell.drain();
    house.world.imports.drain();
    house.tag_rings().await;
    let before = Stood::in_table(&house.db);
    let answer = house.at(route, asked).await;
    let mut found = Vec::new();
    if answer.status >= 400 {
        found.extend(before.fault(&Stood::in_table(&house.db), &answer, &scene.own.member));
        let rings = [&house.bell, &house.world.imports, &house.world.tagging];
        if rings.iter().any(|bell| !bell.drain().is_empty()) {
            found.push("something is begun though it was refused".to_owned());
        }
    }
    if who.is_foreign() {
        house.settle().await;
        found.extend(scene.mixed(route, who, &before, &answer));
    }
    let found = found.into_iter().map(|what| format!("{} to {who:?}: {what}", route.route));
    faults.extend(found);
    Some(golden::verdict(&answer))
}

/// Which statuses of a line say that whoever may, may.
fn succeeds(route: &Route, cells: &[String]) -> bool {
    let good = |cell: &String| {
        route.answers.iter().any(|(status, _)| cell.trim_end() == status.to_string())
    };
    route.caller == Caller::Anyone || cells.iter().any(good)
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_file_says() {
    let names: Vec<_> = Who::ALL.iter().map(|(name, _)| *name).collect();
    let mut lines = vec![format!("route\t{}", names.join("\t"))];
    let (mut faults, mut uncovered) = (Vec::new(), BTreeSet::new());
    for route in ROUTES {
        let mut cells = Vec::new();
        for (_, who) in Who::ALL {
            cells.extend(Box::pin(cell(route, who, &mut faults)).await);
        }
        if cells.len() < Who::ALL.len() {
            uncovered.insert(route.route.to_owned());
            continue;
        }
        if !succeeds(route, &cells) {
            faults.push(format!("{} is allowed nobody", route.route));
        }
        lines.push(format!("{}\t{}", route.route, cells.join("\t")));
    }
    let listed = fs::read_to_string(golden::path("uncovered-routes.txt")).unwrap();
    let listed: BTreeSet<_> = listed.lines().map(str::to_owned).collect();
    let new = uncovered.difference(&listed);
    faults.extend(new.map(|route| format!("the walk leaves out {route}: let it cover the route")));
    let done = listed.difference(&uncovered);
    faults.extend(done.map(|route| format!("uncovered-routes.txt lists {route} for nothing")));
    faults.extend(golden::check("matrix.tsv", &lines).err());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
