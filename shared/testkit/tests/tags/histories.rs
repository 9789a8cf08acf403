//! Random histories: tags, users and applications changed by rivals with stale knowledge, whose calls are
//! let go in any order, broken off and killed, while work goes on in the background. At the end, when all
//! work is done, everybody has what the oracle says.

use crate::house::{Functions, House, answer, ring, sweep};
use crate::oracle::{Pair, Snapshot};
use belfry_domain::tag::marks::{Counts, Mark};
use belfry_testkit::gate::Gate;
use belfry_testkit::{Ask, Turnstile, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What somebody does; small numbers choose among what there is.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    CreateTag {
        users: bool,
        dynamic: bool,
        key: usize,
        values: Vec<(usize, Value, Value)>,
    },
    EditTag {
        tag: usize,
        values: Vec<(usize, Value, Value)>,
        force: bool,
    },
    DeleteTag {
        tag: usize,
        force: bool,
    },
    CreateUser {
        role: usize,
        domain: usize,
        department: Option<usize>,
        title: Option<usize>,
    },
    EditUser {
        user: usize,
        department: Option<usize>,
        title: Option<usize>,
        role: Option<usize>,
    },
    DeleteUser {
        user: usize,
    },
    CreateApplication {
        name: usize,
        category: Option<usize>,
        zone: Option<usize>,
    },
    EditApplication {
        application: usize,
        name: usize,
        category: Option<usize>,
        zone: Option<usize>,
    },
    DeleteApplication {
        application: usize,
    },
    Assign {
        tag: usize,
        value: usize,
        members: Vec<usize>,
        assign: bool,
    },
    Filter {
        tag: usize,
        value: usize,
        by: Option<usize>,
        assign: bool,
    },
    Ring,
    Sweep,
}

#[derive(Debug, Clone)]
enum Step {
    /// Somebody begins, in the place of whoever was there and is let end.
    Start { place: usize, with: usize, op: Op },
    /// So many calls are let go, one after the other.
    Go { calls: Vec<usize> },
    /// A call breaks off, before or after it is done.
    Break { call: usize },
    /// A process dies.
    Kill { place: usize },
    /// What is lent falls back.
    Wait,
}

const KEYS: [&str; 3] = ["Team", "Zone", "tier"];
const VALUES: [&str; 4] = ["red", "Blue", "grün", "x y"];
const WORDS: [&str; 5] = ["Sales", "ＳＡＬＥＳ force", "It", "hr", "x"];
const ROLES: [&str; 5] = ["super_admin", "admin", "help_desk", "read_only", "user"];
const NAMES: [&str; 5] = ["CRM", "Wiki", "crm two", "Mail", "Shop"];
/// Rivals at a time.
const PLACES: usize = 4;

fn condition(users: bool) -> impl Strategy<Value = Value> {
    let name = if users {
        vec!["department", "title", "role", "email_domain"]
    } else {
        vec!["category", "attributes.zone", "name", "host"]
    };
    let word = || prop::sample::select(WORDS.to_vec());
    let test = prop_oneof![
        word().prop_map(|word| ("eq", json!(word))),
        word().prop_map(|word| ("prefix", json!(word))),
        prop::collection::vec(word(), 1..3).prop_map(|words| ("in", json!(words))),
        any::<bool>().prop_map(|wanted| ("exists", json!(wanted))),
    ];
    (prop::sample::select(name), test, 0..5_usize).prop_map(|(name, (test, value), n)| {
        let value = match (name, test) {
            (_, "exists") => value,
            ("role", "in") => json!([ROLES[n], "USER"]),
            ("role", _) => json!(ROLES[n]),
            ("email_domain", "in") => json!(["globex.example"]),
            ("email_domain", _) => json!("globex.EXAMPLE"),
            ("name", "prefix") => json!("c"),
            ("host", _) => return json!({"attribute": "host", "prefix": "crm"}),
            _ => value,
        };
        json!({"attribute": name, test: value})
    })
}

fn rule(users: bool) -> impl Strategy<Value = Value> {
    condition(users).prop_recursive(2, 4, 2, |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            some().prop_map(|rules| json!({"all": rules})),
            some().prop_map(|rules| json!({"any": rules})),
            inner.clone().prop_map(|rule| json!({"not": rule})),
        ]
    })
}

fn values() -> impl Strategy<Value = Vec<(usize, Value, Value)>> {
    let one = (0..VALUES.len(), rule(true), rule(false));
    prop::collection::vec(one, 1..4).prop_map(|mut values| {
        values.sort_by_key(|(n, ..)| *n);
        values.dedup_by_key(|(n, ..)| *n);
        values
    })
}

/// What changes tags and who is assigned them, and the work that follows.
fn of_tags() -> impl Strategy<Value = Op> {
    let often = || prop::bool::weighted(0.7);
    prop_oneof![
        3 => (often(), any::<bool>(), 0..KEYS.len(), values())
            .prop_map(|(users, dynamic, key, values)| Op::CreateTag { users, dynamic, key, values }),
        4 => (any::<usize>(), values(), often())
            .prop_map(|(tag, values, force)| Op::EditTag { tag, values, force }),
        1 => (any::<usize>(), often()).prop_map(|(tag, force)| Op::DeleteTag { tag, force }),
        1 => (any::<usize>(), any::<usize>(), prop::option::of(0..5_usize), often())
            .prop_map(|(tag, value, by, assign)| Op::Filter { tag, value, by, assign }),
        10 => Just(Op::Ring),
        1 => Just(Op::Sweep),
    ]
}

/// What changes members.
fn of_members() -> impl Strategy<Value = Op> {
    let some = || prop::option::of(0..WORDS.len());
    let role = || prop_oneof![3 => Just(4_usize), 2 => 0..ROLES.len()];
    let often = || prop::bool::weighted(0.7);
    prop_oneof![
        3 => (role(), 0..2_usize, some(), some()).prop_map(|(role, domain, department, title)| {
            Op::CreateUser { role, domain, department, title }
        }),
        6 => (any::<usize>(), some(), some(), prop::option::of(role())).prop_map(
            |(user, department, title, role)| Op::EditUser { user, department, title, role }
        ),
        1 => any::<usize>().prop_map(|user| Op::DeleteUser { user }),
        2 => (0..NAMES.len(), some(), some())
            .prop_map(|(name, category, zone)| Op::CreateApplication { name, category, zone }),
        2 => (any::<usize>(), 0..NAMES.len(), some(), some()).prop_map(
            |(application, name, category, zone)| {
                Op::EditApplication { application, name, category, zone }
            }
        ),
        1 => any::<usize>().prop_map(|application| Op::DeleteApplication { application }),
        4 => (any::<usize>(), any::<usize>(), prop::collection::vec(any::<usize>(), 1..4), often())
            .prop_map(|(tag, value, members, assign)| {
                Op::Assign { tag, value, members, assign }
            }),
    ]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![of_tags(), of_members()]
}

fn step(op: impl Strategy<Value = Op>) -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..PLACES, 0..3_usize, op)
            .prop_map(|(place, with, op)| Step::Start { place, with, op }),
        14 => prop::collection::vec(any::<usize>(), 1..8).prop_map(|calls| Step::Go { calls }),
        2 => any::<usize>().prop_map(|call| Step::Break { call }),
        1 => (0..PLACES).prop_map(|place| Step::Kill { place }),
        1 => Just(Step::Wait),
    ]
}

/// A history: steps of all kinds, after which all work is done; and steps by members alone, after which
/// there is none to do.
fn story(steps: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let whole = prop::collection::vec(step(op()), steps);
    (whole, prop::collection::vec(step(of_members()), 0..20))
}

/// What a process is at.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Tag,
    Member(String),
    Assign { pair: Pair, ids: Vec<String>, assign: bool },
    Filter { tag: String },
    Other,
}

struct Flight {
    kind: Kind,
    /// Status of the answer.
    handle: JoinHandle<u16>,
}

/// An assignment by a filter that goes on.
struct Pending {
    tag: String,
    /// Who passed when it was asked for, and whether it is known that they still do.
    passing: BTreeMap<String, bool>,
    unsure: BTreeSet<String>,
    begun: bool,
}

struct History {
    house: House,
    gate: Arc<Turnstile>,
    instances: Vec<Arc<Functions>>,
    flights: Vec<Option<Flight>>,
    /// What is assigned, by member.
    assigned: BTreeMap<String, BTreeSet<Pair>>,
    asking: Asking,
}

/// What can be asked for, one after the other.
#[derive(Default)]
pub(crate) struct Asking {
    /// There is at most one at a time.
    pending: Option<Pending>,
    /// Users so far.
    born: usize,
}

/// Body and query of a tag's values.
fn tag_body(users: bool, dynamic: bool, values: &[(usize, Value, Value)]) -> Value {
    let texts: Vec<_> = values.iter().map(|(n, ..)| VALUES[*n]).collect();
    if dynamic {
        let rules = values.iter().map(|(n, of_users, of_applications)| {
            let when = if users { of_users } else { of_applications };
            json!({"value": VALUES[*n], "when": when})
        });
        json!({"rules": rules.collect::<Vec<_>>()})
    } else {
        json!({"values": texts})
    }
}

fn nth<T>(list: &[T], n: usize) -> Option<&T> {
    (!list.is_empty()).then(|| &list[n % list.len()])
}

impl Asking {
    /// What an operation asks for now; none when there is nothing that it could be about.
    #[expect(clippy::too_many_lines, reason = "one request after the other")]
    fn asked(&mut self, house: &House, op: &Op, now: &Snapshot) -> Option<(Kind, Ask)> {
        let word = |n: &Option<usize>| n.map(|n| WORDS[n]);
        let attributes = |department: &Option<usize>, title: &Option<usize>| json!({"department": word(department), "title": word(title)});
        Some(match op {
            Op::CreateTag { users, dynamic, key, values } => {
                let mut body = tag_body(*users, *dynamic, values);
                body["key"] = KEYS[*key].into();
                body["applies_to"] = if *users { "users" } else { "applications" }.into();
                body["kind"] = if *dynamic { "dynamic" } else { "static" }.into();
                (Kind::Tag, house.ask("POST /tags").json(body))
            }
            Op::EditTag { tag, values, force } => {
                let tag = nth(&now.tags, *tag)?;
                let mut body = tag_body(tag.users, tag.dynamic, values);
                body["version"] = tag.version.into();
                let asked = house.ask("PUT /tags/{id}").path("id", &tag.id);
                (Kind::Tag, asked.query("force", force).json(body))
            }
            Op::DeleteTag { tag, force } => {
                let tag = nth(&now.tags, *tag)?;
                let asked = house.ask("DELETE /tags/{id}").path("id", &tag.id);
                (Kind::Tag, asked.query("force", force))
            }
            Op::CreateUser { role, domain, department, title } => {
                self.born += 1;
                let domain = ["globex.example", "initech.example"][*domain];
                let email = format!("u{}@{domain}", self.born);
                let body = json!({"first_name": "Kim", "last_name": "Berg", "email": email,
                    "role": ROLES[*role], "attributes": attributes(department, title)});
                (Kind::Other, house.ask("POST /users").json(body))
            }
            Op::EditUser { user, department, title, role } => {
                let live = now.live(true);
                let user = nth(&live, *user)?;
                let mut body = json!({"attributes": attributes(department, title),
                    "version": user.item["version"]});
                if let Some(role) = role {
                    body["role"] = ROLES[*role].into();
                }
                let asked = house.ask("PATCH /users/{id}").path("id", &user.id).json(body);
                (Kind::Member(user.id.clone()), asked)
            }
            Op::DeleteUser { user } => {
                let live = now.live(true);
                let user = nth(&live, *user)?;
                let asked = house.ask("DELETE /users/{id}").path("id", &user.id);
                (Kind::Member(user.id.clone()), asked)
            }
            Op::CreateApplication { name, category, zone } => {
                let body = application(*name, word(category), word(zone));
                (Kind::Other, house.ask("POST /applications").json(body))
            }
            Op::EditApplication { application: which, name, category, zone } => {
                let which = nth(&now.applications, *which)?;
                let mut body = application(*name, word(category), word(zone));
                body["version"] = which.item["version"].clone();
                let asked = house.ask("PUT /applications/{id}").path("id", &which.id).json(body);
                (Kind::Member(which.id.clone()), asked)
            }
            Op::DeleteApplication { application } => {
                let which = nth(&now.applications, *application)?;
                let asked = house.ask("DELETE /applications/{id}").path("id", &which.id);
                (Kind::Member(which.id.clone()), asked)
            }
            Op::Assign { tag, value, members, assign } => {
                let fixed: Vec<_> = now.tags.iter().filter(|tag| !tag.dynamic).collect();
                let tag = nth(&fixed, *tag)?;
                // One at a time at the same tag: which of two came last is not known from outside.
                if self.pending.as_ref().is_some_and(|pending| pending.tag == tag.id) {
                    return None;
                }
                let (number, text, _) = nth(&tag.values, *value)?;
                let live = now.live(tag.users);
                let ids: BTreeSet<_> =
                    members.iter().filter_map(|n| nth(&live, *n)).map(|m| m.id.clone()).collect();
                let ids: Vec<_> = ids.into_iter().collect();
                let kind =
                    Kind::Assign { pair: (tag.number, *number), ids: ids.clone(), assign: *assign };
                let asked = if *assign {
                    let body = json!({"value": text, "ids": ids});
                    house.ask("POST /tags/{id}/members").json(body)
                } else {
                    let asked = house.ask("DELETE /tags/{id}/members").query("value", text);
                    asked.query("ids", ids.join(","))
                };
                (kind, asked.path("id", &tag.id))
            }
            Op::Filter { tag, value, by, assign } => {
                let fixed: Vec<_> = now.tags.iter().filter(|tag| !tag.dynamic).collect();
                let tag = nth(&fixed, *tag)?;
                if self.pending.is_some() {
                    return None;
                }
                let (_, text, _) = nth(&tag.values, *value)?;
                let (name, wanted) = if tag.users {
                    ("role", by.map(|n| ROLES[n]))
                } else {
                    ("category", by.map(|n| WORDS[n]))
                };
                let passes = |item: &Value| match wanted {
                    None => true,
                    Some(wanted) if tag.users => item["role"] == wanted,
                    Some(wanted) => {
                        crate::oracle::fits(&json!({"attribute": "category", "eq": wanted}), item)
                    }
                };
                let passing = now.live(tag.users).into_iter();
                let passing = passing.map(|m| (m.id.clone(), passes(&m.item))).collect();
                self.pending = Some(Pending {
                    tag: tag.id.clone(),
                    passing,
                    unsure: BTreeSet::new(),
                    begun: false,
                });
                let asked = if *assign {
                    let filter = wanted.map_or(json!({}), |wanted| json!({name: wanted}));
                    let body = json!({"value": text, "filter": filter});
                    house.ask("POST /tags/{id}/members").json(body)
                } else {
                    let asked = house.ask("DELETE /tags/{id}/members").query("value", text);
                    match wanted {
                        Some(wanted) => asked.query(name, wanted),
                        None => asked.query("all", true),
                    }
                };
                (Kind::Filter { tag: tag.id.clone() }, asked.path("id", &tag.id))
            }
            Op::Ring | Op::Sweep => return None,
        })
    }

    /// The same, of which nothing is remembered but that there is one user more.
    pub(crate) fn only(&mut self, house: &House, op: &Op, now: &Snapshot) -> Option<Ask> {
        let asked = self.asked(house, op, now);
        self.pending = None;
        Some(asked?.1)
    }
}

impl History {
    async fn new(users: usize) -> Self {
        let house = House::new().await;
        if users > 0 {
            let own = |n: usize| {
                let word = WORDS[n % WORDS.len()].to_owned();
                let own = [(belfry_domain::attribute::UserAttribute::Department, word)];
                (format!("old{n}@globex.example"), own)
            };
            house.world.users(house.tenant, users, own).await;
        }
        let gate = Arc::new(Turnstile::both_sides());
        let shared: Arc<dyn Gate> = gate.clone();
        let instances =
            (0..3).map(|n| Arc::new(house.functions(&format!("{n}"), &shared))).collect();
        let flights = (0..PLACES).map(|_| None).collect();
        let (assigned, asking) = (BTreeMap::new(), Asking::default());
        Self { house, gate, instances, flights, assigned, asking }
    }

    async fn now(&self) -> Snapshot {
        Snapshot::of(&self.house.world, self.house.tenant).await
    }

    async fn start(&mut self, place: usize, with: usize, op: &Op) {
        self.end(place).await;
        let functions = self.instances[with].clone();
        let handle = match op {
            Op::Ring => {
                let tag = self.asking.pending.as_ref().map(|pending| pending.tag.clone());
                let tenant = self.house.tenant;
                let body = match tag {
                    Some(tag) if place == 0 => format!("{tenant} {tag}"),
                    _ => tenant.to_string(),
                };
                let ringing =
                    async move { u16::from(!ring(&functions.tagging, &body).await) * 503 };
                Flight { kind: Kind::Other, handle: tokio::spawn(ringing) }
            }
            Op::Sweep => {
                let sweeping = async move {
                    sweep(&functions.tagging).await;
                    0
                };
                Flight { kind: Kind::Other, handle: tokio::spawn(sweeping) }
            }
            _ => {
                // Who assigns and who changes tags take turns: which value a text meant is not known
                // from outside. Races of the two are tested by themselves.
                let alone = |kind: &Kind| !matches!(kind, Kind::Other | Kind::Member(_));
                let now = self.now().await;
                let Some(kind) = self.kind(op, &now) else { return };
                if alone(&kind) {
                    for other in 0..PLACES {
                        if self.flights[other].as_ref().is_some_and(|f| alone(&f.kind)) {
                            self.end(other).await;
                        }
                    }
                }
                let now = self.now().await;
                let asked = self.asking.asked(&self.house, op, &now);
                let Some((kind, asked)) = asked else { return };
                if let Some(pending) = &mut self.asking.pending {
                    let flying = self.flights.iter().flatten().map(|flight| &flight.kind);
                    for kind in flying.chain([&kind]) {
                        if let Kind::Member(id) = kind {
                            pending.unsure.insert(id.clone());
                        }
                    }
                }
                let asking = async move {
                    let answer = answer(&functions, asked).await;
                    assert_ne!(answer.status, 500, "{}", answer.text);
                    answer.status
                };
                Flight { kind, handle: tokio::spawn(asking) }
            }
        };
        self.flights[place] = Some(handle);
    }

    /// What kind of thing is asked for, leaving nothing behind.
    fn kind(&mut self, op: &Op, now: &Snapshot) -> Option<Kind> {
        let (had, born) = (self.asking.pending.is_some(), self.asking.born);
        let asked = self.asking.asked(&self.house, op, now);
        self.asking.born = born;
        if !had {
            self.asking.pending = None;
        }
        Some(asked?.0)
    }

    /// Lets calls go until a process has ended.
    async fn end(&mut self, place: usize) {
        while self.flights[place].as_ref().is_some_and(|flight| !flight.handle.is_finished()) {
            for held in self.gate.settle().await {
                self.gate.release(held.ticket, Verdict::Proceed);
            }
        }
        if let Some(Flight { kind, handle }) = self.flights[place].take() {
            let status = match handle.await {
                Ok(status) => status,
                Err(error) if error.is_cancelled() => 503,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            self.learn(kind, status).await;
        }
    }

    /// What is known by an answer, and where there is none, by a look.
    async fn learn(&mut self, kind: Kind, status: u16) {
        match kind {
            Kind::Assign { pair, ids, assign } => {
                let now = self.now().await;
                let members = now.users.iter().chain(&now.applications).filter(|m| m.there);
                let members: BTreeMap<_, _> = members.map(|m| (&m.id, m)).collect();
                let known = now.tags.iter().any(|tag| {
                    tag.number == pair.0 && tag.values.iter().any(|(n, ..)| *n == pair.1)
                });
                let mut moved = BTreeSet::new();
                for id in &ids {
                    let own = self.assigned.entry(id.clone()).or_default();
                    let Some(member) = members.get(id) else { continue };
                    if own.contains(&pair) != assign && known {
                        moved.insert(member.marks.contains(&pair) == assign);
                    }
                    let done = match status {
                        200 => true,
                        503 => member.marks.contains(&pair) == assign,
                        _ => false,
                    };
                    if done && assign {
                        own.insert(pair);
                    } else if done {
                        own.remove(&pair);
                    }
                }
                assert!(moved.len() <= 1, "all or none of {ids:?}");
            }
            Kind::Filter { tag } => {
                let now = self.now().await;
                let runs = now.assignments.get(&tag).is_some_and(|a| a["stage"] == "running");
                let ended = status == 202 && !runs;
                match &mut self.asking.pending {
                    Some(pending) if runs || ended => pending.begun = true,
                    _ => self.asking.pending = None,
                }
            }
            Kind::Tag | Kind::Member(_) | Kind::Other => {}
        }
    }

    /// What an assignment by a filter has done when it is over.
    async fn look(&mut self) {
        let Some(pending) = self.asking.pending.take_if(|pending| pending.begun) else { return };
        let now = self.now().await;
        let Some(item) = now.assignments.get(&pending.tag) else {
            return;
        };
        if item["stage"] == "running" {
            self.asking.pending = Some(pending);
            return;
        }
        let Some(tag) = now.tag(&pending.tag) else { return };
        let value = item["value"].as_u64().unwrap();
        if !tag.values.iter().any(|(number, ..)| *number == value) {
            return;
        }
        assert_eq!(item["stage"], "done", "nobody stopped it");
        let (pair, assign) = ((tag.number, value), item["assign"] == true);
        for member in now.live(tag.users) {
            let own = self.assigned.entry(member.id.clone()).or_default();
            let has = match pending.passing.get(&member.id) {
                Some(true) if !pending.unsure.contains(&member.id) => assign,
                Some(false) if !pending.unsure.contains(&member.id) => own.contains(&pair),
                _ => member.marks.contains(&pair),
            };
            if has {
                own.insert(pair);
            } else {
                own.remove(&pair);
            }
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Start { place, with, op } => self.start(*place, *with, op).await,
            Step::Go { calls } => {
                for call in calls {
                    let held = self.gate.settle().await;
                    let Some(held) = nth(&held, *call) else { break };
                    self.gate.release(held.ticket, Verdict::Proceed);
                }
            }
            Step::Break { call } => {
                let held = self.gate.settle().await;
                if let Some(held) = nth(&held, *call) {
                    self.gate.release(held.ticket, Verdict::Fail);
                }
            }
            Step::Kill { place } => {
                if let Some(flight) = &self.flights[*place] {
                    flight.handle.abort();
                    self.end(*place).await;
                }
            }
            Step::Wait => self.house.wait(361).await,
        }
        for place in 0..PLACES {
            if self.flights[place].as_ref().is_some_and(|flight| flight.handle.is_finished()) {
                self.end(place).await;
            }
        }
        self.look().await;
    }

    /// Everybody comes to an end; what they leave for later is done, if there may be any.
    async fn settle(&mut self, work: bool) {
        for place in 0..PLACES {
            self.end(place).await;
        }
        if work {
            self.house.work().await;
            self.look().await;
        }
        assert!(self.asking.pending.is_none());
        self.check().await;
    }

    async fn check(&self) {
        let now = self.now().await;
        let Snapshot { users, applications, .. } = &now;
        for (member, of_users) in
            users.iter().map(|m| (m, true)).chain(applications.iter().map(|m| (m, false)))
        {
            let mut expected = BTreeSet::new();
            if member.there {
                expected = now.by_rules(member, of_users);
                let fixed = now.tags.iter().filter(|tag| !tag.dynamic && tag.users == of_users);
                let fixed: BTreeSet<_> = fixed
                    .flat_map(|tag| tag.values.iter().map(|(number, ..)| (tag.number, *number)))
                    .collect();
                let own = self.assigned.get(&member.id).into_iter().flatten();
                expected.extend(own.filter(|pair| fixed.contains(pair)));
            }
            assert_eq!(
                (now.shown(&member.marks), &member.marks),
                (now.shown(&expected), &expected),
                "{}",
                member.item
            );
        }
        let mut counts = Counts::default();
        for ((tag, value), count) in now.counts() {
            let mark = Mark { tag: tag.try_into().unwrap(), value: value.try_into().unwrap() };
            counts.add(mark, count);
        }
        let table = self.house.world.table();
        assert_eq!(table.tag_counts(self.house.tenant).await.unwrap(), counts);
        let listed = self.house.must(self.house.ask("GET /tags").query("limit", 200)).await;
        let listed = listed["items"].as_array().unwrap();
        assert_eq!(listed.len(), now.tags.len());
        assert_eq!(now.tagging["tags"].as_u64().unwrap_or_default(), now.tags.len() as u64);
        let many = now.applications.len() as u64;
        assert_eq!(now.tagging["applications"].as_u64().unwrap_or_default(), many);
        for tag in listed {
            assert_eq!(tag["evaluation"], json!({"state": "done"}));
        }
    }
}

fn application(name: usize, category: Option<&str>, zone: Option<&str>) -> Value {
    let host = ["crm.globex.example", "wiki", "10.0.0.7", "*.mail.example", "shop"][name];
    let mut body = json!({"name": NAMES[name], "host": host, "category": category});
    if let Some(zone) = zone {
        body["attributes"] = json!({"zone": zone});
    }
    body
}

fn history(users: usize, (steps, rest): &(Vec<Step>, Vec<Step>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut history = History::new(users).await;
        for step in steps {
            history.step(step).await;
        }
        history.settle(true).await;
        for step in rest {
            history.step(step).await;
        }
        history.settle(false).await;
    });
}

/// How many histories each test has; more of them by hand, by `PROPTEST_CASES`.
fn cases(usual: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    // What proptest has when nobody says otherwise.
    let cases = if config.cases == 256 { usual } else { config.cases };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 300, ..config }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn everybody_has_in_the_end_what_the_rules_say(story in story(10..50)) {
        history(6, &story);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn so_it_is_after_longer_histories(story in story(50..120)) {
        history(6, &story);
    }
}

proptest! {
    #![proptest_config(cases(10))]

    /// More members than a page of the walk and than a transaction.
    #[test]
    fn so_have_many(story in story(20..60)) {
        history(230, &story);
    }
}
