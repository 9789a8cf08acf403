//! `tagging`, from a ring or the schedule to the table. Whole histories and races, in which the console's
//! functions take part, are among the tests of the testkit.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::account::{IdleLimit, Role, Status, User};
use belfry_domain::attribute::UserAttribute;
use belfry_domain::audit::Entry;
use belfry_domain::id::{TagId, TenantId};
use belfry_domain::policy::{Action, Actor, Grant, Origin};
use belfry_domain::tag::rule::Rule;
use belfry_domain::tag::work::{Among, Assignment, LEASE, Requester, Stage, Tagging, Walk};
use belfry_domain::tag::{Kind, NewTag, Subject, Tag};
use belfry_domain::users::Filter;
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::metrics::Metrics;
use belfry_store::keys;
use belfry_store::transaction::Transaction;
use belfry_testkit::{Member, World};
use serde_json::{Value, json};
use std::sync::Arc;
use tagging::{App, Ran};

struct House {
    world: World,
    tenant: TenantId,
    admin: Member,
    app: App,
}

impl House {
    /// A tenant of so many users, every other of whom is of the sales.
    async fn new(users: usize) -> Self {
        let world = World::new();
        let house = Self::within(&world, "Globex", users).await;
        world.wait(1);
        house
    }

    async fn within(world: &World, company: &str, users: usize) -> Self {
        let tenant = world.tenant(company).await;
        let domain = format!("{}.example", company.to_lowercase());
        let admin = world.member(tenant, &format!("admin@{domain}"), Role::Admin).await;
        let own = |n: usize| {
            let department = if n.is_multiple_of(2) { "Sales" } else { "IT" };
            (format!("u{n}@{domain}"), [(UserAttribute::Department, department.to_owned())])
        };
        world.users(tenant, users, own).await;
        let (clock, entropy) = (Arc::new(world.clock.clone()), world.entropy.clone());
        let app = App { table: world.table(), clock, entropy };
        Self { world: world.clone(), tenant, admin, app }
    }

    /// Leave for what the admin may do.
    async fn grant(&self, action: Action) -> Grant {
        let (session, _) = self.world.session(&self.admin).await;
        let person = self.world.get(&keys::identity(self.admin.identity)).await.unwrap();
        let user = self.world.get(&keys::user(self.tenant, self.admin.user)).await.unwrap();
        let (idle, now) = (IdleLimit::default(), self.world.now());
        let actor = Actor::of(&session, &person, &user, idle, now, Origin::default());
        actor.unwrap().may(action).unwrap()
    }

    fn by(&self) -> Requester {
        Requester { user: self.admin.user, role: Role::Admin, request_id: "r".to_owned() }
    }

    /// A tag of users; with a rule, one that everybody has to come to.
    async fn tag(&self, key: &str, rule: Option<Value>) -> Tag {
        let (now, entropy) = (self.world.now(), self.world.entropy.as_ref());
        let read = |rule: &Value| Rule::read(rule, Subject::Users, "", &mut Vec::new()).unwrap();
        let before = self.app.table.tagging(self.tenant).await.unwrap();
        let walk = rule.as_ref().map(|_| self.by());
        let after = before.with_rules(walk.as_ref(), now);
        let number = before.next_number;
        let after = Tagging { tags: before.tags + 1, next_number: number + 1, ..after };
        let new = NewTag {
            key: key.parse().unwrap(),
            applies_to: Subject::Users,
            kind: if rule.is_some() { Kind::Dynamic } else { Kind::Static },
            values: vec![("yes".parse().unwrap(), rule.as_ref().map(read))],
        };
        let tag = Tag::new(self.tenant, (number, after.rules), new, now, entropy).unwrap();
        let (grant, entry) = (self.grant(Action::CreateTag).await, Entry::about("tag", &tag.id));
        let none = Transaction::new();
        let taggings = (&before, &after);
        let made = self.app.table.create_tag(&grant, &entry, &tag, taggings, none, now, entropy);
        made.await.unwrap();
        tag
    }

    async fn assign(&self, tag: &Tag, filter: Filter) {
        let (now, entropy) = (self.world.now(), self.world.entropy.as_ref());
        let assignment = Assignment {
            tenant: self.tenant,
            tag: tag.id,
            number: tag.number,
            value: 0,
            assign: true,
            among: Among::Users(filter),
            by: self.by(),
            stage: Stage::Running,
            walk: Walk::default(),
            created_at: now,
            finished_at: None,
            due_at: now + LEASE,
            version: 1,
        };
        let (grant, entry) = (self.grant(Action::AssignTag).await, Entry::about("tag", &tag.id));
        let begun = self.app.table.start_assignment(&grant, &entry, &assignment, now, entropy);
        assert!(begun.await.unwrap());
    }

    async fn count(&self, tag: &Tag) -> i32 {
        let value = tag.values.first().unwrap();
        self.world.table().tag_counts(self.tenant).await.unwrap().of(tag.mark(value))
    }

    async fn stage(&self, tag: TagId) -> Stage {
        self.app.table.assignment(self.tenant, tag).await.unwrap().unwrap().stage
    }
}

async fn rings(app: &App, bodies: &[&str]) -> (Vec<String>, Value) {
    let ring =
        |body: &&str| SqsMessage { id: (*body).into(), body: (*body).into(), ..Default::default() };
    let mut metrics = Metrics::new("tagging", "test");
    let failed = app.messages(bodies.iter().map(ring).collect(), &mut metrics).await;
    let line = metrics.line(jiff::Timestamp::UNIX_EPOCH);
    (failed, serde_json::from_str(&line).unwrap())
}

async fn sweep(app: &App) -> Value {
    let mut metrics = Metrics::new("tagging", "test");
    app.invoked(json!({"sweep": true}), &mut metrics).await.unwrap()
}

fn sales() -> Value {
    json!({"attribute": "department", "eq": "sales"})
}

#[tokio::test]
async fn a_ring_brings_everybody_to_the_rules_and_says_how_many() {
    let house = House::new(250).await;
    let tag = house.tag("Dept", Some(sales())).await;
    let tenant = house.tenant.to_string();
    let (failed, line) = rings(&house.app, &[&tenant]).await;
    assert!(failed.is_empty());
    assert_eq!((&line["tags.members"], &line["tags.changed"]), (&json!(251.0), &json!(125.0)));
    assert_eq!(house.count(&tag).await, 125);
    // Again there is nothing to do: not even a look at anybody.
    assert_eq!(house.app.evaluate(house.tenant).await.unwrap(), Ran::default());
}

#[tokio::test]
async fn a_ring_that_names_nothing_comes_again_until_it_is_dead() {
    let house = House::new(0).await;
    let tenant = house.tenant.to_string();
    let bad = ["", "x", "usr_1", &format!("{tenant} x"), &format!(" {tenant}")];
    let mut bodies = bad.to_vec();
    bodies.push(&tenant);
    assert_eq!(rings(&house.app, &bodies).await.0, bad);
    let mut metrics = Metrics::new("tagging", "test");
    assert!(house.app.invoked(json!({"sweep": false}), &mut metrics).await.is_err());
}

#[tokio::test]
async fn what_nobody_rang_for_is_swept_for_all_tenants() {
    let house = House::new(4).await;
    let other = House::within(&house.world, "Initech", 6).await;
    let mut all = Vec::new();
    for house in [&house, &other] {
        let dynamic = house.tag("Dept", Some(sales())).await;
        let fixed = house.tag("Team", None).await;
        house.assign(&fixed, Filter { role: Some(Role::User), ..Filter::default() }).await;
        all.push((house, dynamic, fixed));
    }
    // Rules are due at once, as they stand, an assignment when its ring must have been lost.
    house.world.wait(1);
    assert_eq!(sweep(&house.app).await, json!({"due": 2}));
    house.world.wait(361);
    assert_eq!(sweep(&house.app).await, json!({"due": 2}));
    assert_eq!(sweep(&house.app).await, json!({"due": 0}));
    for (house, dynamic, fixed) in all {
        let users = if house.tenant == other.tenant { 6 } else { 4 };
        assert_eq!((house.count(&dynamic).await, house.count(&fixed).await), (users / 2, users));
        assert_eq!(house.stage(fixed.id).await, Stage::Done);
    }
}

#[tokio::test]
async fn an_assignment_stops_when_who_asked_for_it_may_no_longer() {
    type Change = fn(&mut User);
    let changes: [Change; 3] = [
        |user| user.role = Role::ReadOnly,
        |user| user.status = Status::Deactivated,
        // Another role than the one that it was asked for with, though it may as well.
        |user| user.role = Role::SuperAdmin,
    ];
    for change in changes {
        let house = House::new(3).await;
        let tag = house.tag("Team", None).await;
        house.assign(&tag, Filter::default()).await;
        house.world.change(&house.admin, change).await;
        let ring = format!("{} {}", house.tenant, tag.id);
        assert!(rings(&house.app, &[&ring]).await.0.is_empty());
        assert_eq!(house.stage(tag.id).await, Stage::Stopped);
        assert_eq!(house.count(&tag).await, 0);
        house.world.wait(10_000);
        assert_eq!(sweep(&house.app).await, json!({"due": 0}));
    }
}

#[tokio::test]
async fn work_of_an_unknown_tenant_or_tag_is_no_work() {
    let house = House::new(1).await;
    let tag = house.tag("Team", None).await;
    let nobody = TenantId::new(house.world.now(), house.world.entropy.as_ref());
    for ring in
        [nobody.to_string(), format!("{nobody} {}", tag.id), format!("{} {}", house.tenant, tag.id)]
    {
        assert!(rings(&house.app, &[&ring]).await.0.is_empty());
    }
}
