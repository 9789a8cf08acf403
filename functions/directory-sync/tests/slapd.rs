//! A company of 15,000 with a real `slapd` that has Active Directory's attributes: read, read again, changed
//! three hundred times over, killed midway.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::account::{Role, Status, User};
use belfry_domain::directory::ldap::{Flavor, LdapSettings, Mapping, RootDse, Security};
use belfry_domain::directory::provider::{
    GroupRole, LdapSource, Protocol, Provider, Settings, Task,
};
use belfry_domain::directory::sync::{Counts, Outcome, Summary};
use belfry_domain::id::{IdentityProviderId, SyncId, TenantId};
use belfry_domain::ports::Clock;
use belfry_domain::tag::work::Requester;
use belfry_runtime::directory::{Failed, Ran, Worker};
use belfry_runtime::keys::Sealer as _;
use belfry_runtime::ldap::{self, Directory, Network, Page, Search, Session};
use belfry_runtime::outbound::{OutboundError, Trace};
use belfry_store::{Table, keys};
use belfry_testkit::gate::Open;
use belfry_testkit::slapd::{BASE, PASSWORD};
use belfry_testkit::{Crash, Ldif, Member, Moment, Slapd, World};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const TABLE_MD: &str = include_str!("../../../infra/table.md");
const USERS: usize = 15_000 - 1;
const GROUPS: usize = 200;

/// Somebody in the directory, as it should arrive here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Employee {
    dn: String,
    mail: String,
    last_name: String,
    title: String,
    enabled: bool,
    groups: BTreeSet<usize>,
}

/// All of them, by the numbers in their `objectGUID`.
struct Company {
    people: BTreeMap<usize, Employee>,
    groups: Vec<String>,
}

fn guid(kind: u8, n: usize) -> [u8; 16] {
    let mut guid = [kind; 16];
    guid[8..].copy_from_slice(&n.to_be_bytes());
    guid
}

fn group_dn(n: usize) -> String {
    format!("cn=group{n:03},{BASE}")
}

impl Company {
    fn new() -> Self {
        let people = (0..USERS).map(|n| {
            let employee = Employee {
                dn: format!("cn=user{n:05},{BASE}"),
                mail: format!("user{n:05}@globex.example"),
                last_name: "Lee".to_owned(),
                title: format!("Clerk {}", n % 7),
                enabled: true,
                groups: [n % GROUPS, (n / 7) % GROUPS].into(),
            };
            (n, employee)
        });
        // Who is in the last one may help others at the console.
        let groups = (0..GROUPS).map(|n| format!("Group {n:03}")).collect();
        Self { people: people.collect(), groups }
    }

    fn ldif(&self) -> Ldif {
        let mut ldif = Ldif::new();
        let moved = [("objectClass", "organizationalUnit"), ("ou", "Moved")];
        ldif.entry(&format!("ou=Moved,{BASE}"), &moved);
        let mut members: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (n, of) in &self.people {
            let first_name = format!("First{n}");
            let attributes: Vec<(&str, &[u8])> = vec![
                ("sn", of.last_name.as_bytes()),
                ("givenName", first_name.as_bytes()),
                ("mail", of.mail.as_bytes()),
                ("title", of.title.as_bytes()),
                ("userAccountControl", b"512"),
            ];
            ldif.active_directory_entry("user", &format!("user{n:05}"), &guid(1, *n), &attributes);
            for group in &of.groups {
                members.entry(*group).or_default().push(&of.dn);
            }
        }
        for (n, name) in self.groups.iter().enumerate() {
            let mut attributes: Vec<(&str, &[u8])> =
                vec![("groupType", b"2"), ("displayName", name.as_bytes())];
            let members = members.get(&n).into_iter().flatten();
            attributes.extend(members.map(|dn| ("member", dn.as_bytes())));
            ldif.active_directory_entry("group", &format!("group{n:03}"), &guid(2, n), &attributes);
        }
        ldif
    }

    /// What each should be here: by address, with title, last name and the names of its groups.
    fn expected(&self) -> BTreeMap<String, (String, String, BTreeSet<String>)> {
        let there = self.people.values().filter(|of| of.enabled);
        let shown = there.map(|of| {
            let groups = of.groups.iter().map(|n| format!("group{n:03}"));
            (of.mail.clone(), (of.title.clone(), of.last_name.clone(), groups.collect()))
        });
        shown.collect()
    }

    /// One change in this company and, as LDIF, in its directory. At most 45 of 300 take somebody out.
    fn change(&mut self, step: usize, n: usize, ldif: &mut String) {
        let of = self.people.get_mut(&n).unwrap();
        let modify = |ldif: &mut String, dn: &str, change: &str| {
            writeln!(ldif, "dn: {dn}\nchangetype: modify\n{change}\n-\n").unwrap();
        };
        match step % 20 {
            0 => {
                of.enabled = false;
                modify(ldif, &of.dn, "replace: userAccountControl\nuserAccountControl: 514");
            }
            1 => {
                of.mail = format!("moved{n:05}@globex.example");
                modify(ldif, &of.dn, &format!("replace: mail\nmail: {}", of.mail));
            }
            2 if step.is_multiple_of(3) => {
                writeln!(ldif, "dn: {}\nchangetype: delete\n", of.dn).unwrap();
                let gone = self.people.remove(&n).unwrap();
                for group in gone.groups {
                    modify(ldif, &group_dn(group), &format!("delete: member\nmember: {}", gone.dn));
                }
            }
            3..=6 => {
                // Another name, or another place: it is known by neither.
                let old = of.dn.clone();
                let (rdn, above) = if step.is_multiple_of(2) {
                    (format!("cn=renamed{n:05}"), BASE.to_owned())
                } else {
                    (format!("cn=user{n:05}"), format!("ou=Moved,{BASE}"))
                };
                of.dn = format!("{rdn},{above}");
                writeln!(
                    ldif,
                    "dn: {old}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {above}\n"
                )
                .unwrap();
                for group in &of.groups {
                    let change =
                        format!("delete: member\nmember: {old}\n-\nadd: member\nmember: {}", of.dn);
                    modify(ldif, &group_dn(*group), &change);
                }
            }
            7..=12 => {
                let group = (n * 31 + step) % GROUPS;
                let what = if of.groups.remove(&group) {
                    "delete"
                } else {
                    of.groups.insert(group);
                    "add"
                };
                modify(ldif, &group_dn(group), &format!("{what}: member\nmember: {}", of.dn));
            }
            13..=15 => {
                of.last_name = format!("Married{step}");
                modify(ldif, &of.dn, &format!("replace: sn\nsn: {}", of.last_name));
            }
            _ => {
                of.title = format!("Chief {step}");
                modify(ldif, &of.dn, &format!("replace: title\ntitle: {}", of.title));
            }
        }
    }
}

/// A directory that dies when it is asked for its nth page.
struct Dying<'a> {
    network: &'a Network,
    slapd: Arc<Mutex<Slapd>>,
    pages: Arc<AtomicUsize>,
    at: usize,
}

impl Directory for Dying<'_> {
    fn bind<'a>(
        &'a self,
        settings: &'a LdapSettings,
        password: &'a str,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, OutboundError>> {
        Box::pin(async move {
            let inner = self.network.bind(settings, password, trace).await?;
            let (slapd, pages, at) = (self.slapd.clone(), self.pages.clone(), self.at);
            Ok(Box::new(DyingSession { inner, slapd, pages, at }) as Box<dyn Session>)
        })
    }
}

struct DyingSession {
    inner: Box<dyn Session>,
    slapd: Arc<Mutex<Slapd>>,
    pages: Arc<AtomicUsize>,
    at: usize,
}

impl Session for DyingSession {
    fn root<'a>(
        &'a mut self,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<RootDse, OutboundError>> {
        self.inner.root(trace)
    }

    fn base<'a>(
        &'a mut self,
        base: &'a belfry_domain::directory::ldap::Dn,
        filter: &'a belfry_domain::directory::ldap::Filter,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<(), OutboundError>> {
        self.inner.base(base, filter, trace)
    }

    fn next_page<'a>(
        &'a mut self,
        search: &'a mut Search,
    ) -> BoxFuture<'a, Result<Option<Page>, OutboundError>> {
        if self.pages.fetch_add(1, Ordering::Relaxed) == self.at {
            self.slapd.lock().unwrap().kill();
        }
        self.inner.next_page(search)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.inner.close()
    }
}

/// A tenant whose users come from a `slapd`.
struct Office {
    world: World,
    tenant: TenantId,
    boss: Member,
    provider: IdentityProviderId,
    network: Network,
}

impl Office {
    async fn new(slapd: &Slapd) -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
        let (now, entropy) = (world.now(), world.entropy.as_ref());
        let id = IdentityProviderId::new(now, entropy);
        let source = LdapSource {
            server: slapd.settings(Security::Ldaps, Flavor::ActiveDirectory),
            flavor: Flavor::ActiveDirectory,
            mapping: Mapping::of(Flavor::ActiveDirectory),
            every: None,
        };
        let mut provider = Provider {
            id,
            tenant,
            settings: Settings {
                name: "Corporate".parse().unwrap(),
                protocol: Protocol::Ldap(Box::new(source)),
                enabled: true,
                group_roles: vec![GroupRole {
                    group: "group199".parse().unwrap(),
                    role: Role::User,
                }],
                adopt_existing: false,
            },
            tokens: Vec::new(),
            work: None,
            last_sync: None,
            next_sync_at: None,
            bound: BTreeMap::new(),
            sealed_password: None,
            created_at: now,
            version: 1,
            revision: 1,
        };
        let context = provider.sealed_for();
        let context = context.each_ref().map(|(name, value)| (*name, value.as_str()));
        let sealed = world.sealer.seal(PASSWORD.as_bytes(), &context).await.unwrap();
        provider.sealed_password = Some(sealed);
        world.put(&keys::provider(tenant, id), &provider).await;
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let network = Network::new(slapd.network(), ldap::Patience::default(), clock);
        Self { world, tenant, boss, provider: id, network }
    }

    async fn provider(&self) -> Provider {
        self.world.get(&keys::provider(self.tenant, self.provider)).await.unwrap()
    }

    /// Somebody wants it to be read.
    async fn wanted(&self) {
        let (now, entropy) = (self.world.now(), self.world.entropy.as_ref());
        let by = Requester { user: self.boss.user, role: Role::SuperAdmin, request_id: "r".into() };
        let task = Task::Pull { accepted: None };
        let wanted = self.provider().await.changed();
        let wanted = wanted.with_work(SyncId::new(now, entropy), task, Some(by), now);
        self.world.put(&keys::provider(self.tenant, self.provider), &wanted).await;
    }

    async fn carry_on(&self, table: &Table, directory: &dyn Directory) -> Result<Ran, Failed> {
        let clock: Arc<dyn Clock> = Arc::new(self.world.clock.clone());
        let post = self.world.post();
        let worker = Worker { table, post: &post, directory, clock: &clock };
        worker.carry_on(self.tenant, self.provider).await
    }

    /// A whole sync; what it came to, and what it cost as a row of infra/table.md.
    async fn synced(&self, what: &str) -> (Summary, String) {
        self.wanted().await;
        let transport = self.world.db.client("directory-sync", Open);
        self.carry_on(&transport.table(), &self.network).await.unwrap();
        (self.provider().await.last_sync.unwrap(), transport.cost(what))
    }

    async fn users(&self) -> Vec<User> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.world.table().users(self.tenant, false, after.as_deref(), 5_000).await;
            let (page, more) = page.unwrap();
            after = page.last().map(|(sk, _)| sk.clone());
            all.extend(page.into_iter().map(|(_, user)| user));
            if !more {
                return all;
            }
        }
    }

    /// Who is here and may use anything, as [`Company::expected`] has it.
    async fn found(&self) -> BTreeMap<String, (String, String, BTreeSet<String>)> {
        let users = self.users().await;
        let there = users
            .into_iter()
            .filter(|user| user.status != Status::Deactivated && user.id != self.boss.user);
        let shown = there.map(|user| {
            let title = user.attributes.values().next().map(|text| text.as_str().to_owned());
            let groups = user.groups.iter().map(|name| name.as_str().to_owned()).collect();
            let last_name = user.last_name.as_str().to_owned();
            (user.email.as_str().to_owned(), (title.unwrap_or_default(), last_name, groups))
        });
        shown.collect()
    }
}

fn equal(
    found: &BTreeMap<String, (String, String, BTreeSet<String>)>,
    expected: &BTreeMap<String, (String, String, BTreeSet<String>)>,
) {
    for (email, of) in expected {
        assert_eq!(found.get(email), Some(of), "{email}");
    }
    assert_eq!(found.len(), expected.len());
}

#[tokio::test]
async fn fifteen_thousand_come_stay_and_change() {
    let mut company = Company::new();
    let slapd = Slapd::start(&company.ldif());
    let office = Office::new(&slapd).await;
    let mut rows = Vec::new();

    let (first, row) = office.synced("LDAP, a first sync of 14,999 users in 200 groups").await;
    rows.push(row);
    let all = u32::try_from(USERS).unwrap();
    let counts = Counts { users: all, created: all, groups: 200, ..Counts::default() };
    assert_eq!((first.outcome, first.counts), (Outcome::Completed, counts), "{:?}", first.fault);
    equal(&office.found().await, &company.expected());

    let before = office.world.db.dump();
    let (second, row) = office.synced("LDAP, a sync of them without a change").await;
    rows.push(row);
    let counts = Counts { users: all, groups: 200, ..Counts::default() };
    assert_eq!((second.outcome, second.counts), (Outcome::Completed, counts));
    // But for the sync itself.
    let own = |item: &&serde_json::Value| {
        !["identity_provider", "directory_sync"].contains(&item["et"]["S"].as_str().unwrap())
    };
    let after = office.world.db.dump();
    assert!(before.iter().filter(own).eq(after.iter().filter(own)), "something was written");

    let mut ldif = String::new();
    for step in 0..300 {
        company.change(step, (step * 7_919) % USERS, &mut ldif);
    }
    slapd.change(&ldif);
    let (third, row) = office.synced("LDAP, a sync of them with 300 changes").await;
    rows.push(row);
    assert_eq!(third.outcome, Outcome::Completed, "{third:?}");
    equal(&office.found().await, &company.expected());
    assert_eq!((third.counts.deactivated, third.counts.replaced), (20, 15));
    let (fourth, _) = office.synced("").await;
    assert_eq!(fourth.counts.written(), 0, "{:?}", fourth.counts);

    let missing: Vec<_> = rows.iter().filter(|row| !TABLE_MD.contains(*row)).collect();
    assert!(missing.is_empty(), "infra/table.md does not have:\n{missing:#?}");
}

#[tokio::test]
async fn a_server_that_is_killed_midway_changes_nothing_and_the_next_run_completes() {
    let company = Company::new();
    let slapd = Slapd::start(&company.ldif());
    let office = Office::new(&slapd).await;
    let slapd = Arc::new(Mutex::new(slapd));
    office.wanted().await;
    // Forty pages of groups, some of users.
    let pages = Arc::new(AtomicUsize::new(0));
    let dying = Dying { network: &office.network, slapd: slapd.clone(), pages, at: 50 };
    office.carry_on(&office.world.table(), &dying).await.unwrap();
    let failed = office.provider().await.last_sync.unwrap();
    assert_eq!(failed.outcome, Outcome::Failed);
    assert_eq!(failed.fault.unwrap().step, "read");
    assert_eq!(office.users().await.len(), 1);

    // Then it is the worker that dies, amid the users.
    slapd.lock().unwrap().run();
    office.wanted().await;
    let crash = Arc::new(Crash::new(2_000, Moment::After));
    let transport = office.world.db.shared("directory-sync", crash.clone());
    office.carry_on(&transport.table(), &office.network).await.unwrap_err();
    assert!(crash.happened());
    let some = office.users().await.len();
    assert!((100..USERS).contains(&some), "{some}");
    // Nobody takes it up before it is due.
    let ran = office.carry_on(&office.world.table(), &office.network).await.unwrap();
    assert_eq!(ran, Ran::default());
    office.world.wait(400);
    office.carry_on(&office.world.table(), &office.network).await.unwrap();
    let done = office.provider().await.last_sync.unwrap();
    assert_eq!(done.outcome, Outcome::Completed);
    assert_eq!(usize::try_from(done.counts.created).unwrap(), USERS + 1 - some);
    equal(&office.found().await, &company.expected());
}
