//! The mailed link: what begins with it, once.

use crate::{CONFIRM, Door, REGISTRATIONS, TRIALS, registration, trial};
use belfry_domain::account::{Identity, Link, LinkPurpose, Role, Status, Tenant, User};
use belfry_domain::id::TenantId;
use belfry_domain::license::LicenseKind;
use belfry_domain::license::product_key::KeyState;
use belfry_domain::product::Product;
use belfry_domain::second_factor::{RecoveryCode, SecondFactor};
use belfry_domain::secret::Secret;
use belfry_domain::sign_up::Profile;
use belfry_store::keys;
use belfry_testkit::{Crash, Moment, Turnstile, ask, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;

fn tenant_of(answer: &belfry_testkit::Answer) -> TenantId {
    answer.at("/tenant/id").parse().unwrap()
}

#[tokio::test]
async fn a_trial_begins_when_the_link_is_used() {
    let door = Door::new().await;
    let world = &door.world;
    let token = door.mailed(TRIALS, &trial("Zed@Umbrella.example")).await;
    world.wait(71 * 3_600);
    let answer = door.confirm(&token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = tenant_of(&answer);
    let user: User = {
        let user = answer.at("/user/id").parse().unwrap();
        world.get(&keys::user(id, user)).await.unwrap()
    };
    assert_eq!(
        answer.json,
        json!({"status": "confirmed", "tenant": {"id": id, "name": "Umbrella Works"},
            "user": {"id": user.id, "first_name": "Zed", "last_name": "Okafor",
                "email": "zed@umbrella.example"},
            "products": ["EPP"]})
    );
    let tenant: Tenant = world.get(&keys::tenant(id)).await.unwrap();
    assert_eq!((tenant.language.name(), tenant.country.as_str()), ("ja", "IN"));
    assert_eq!(tenant.registered_email.as_str(), "zed@umbrella.example");
    assert_eq!((tenant.users, tenant.super_admins), (1, 0), "nobody is active yet");
    let profile: Profile = world.get(&keys::profile(id)).await.unwrap();
    assert_eq!(profile.city.as_str(), "Bengaluru");
    assert_eq!(profile.state.unwrap().as_str(), "IN-KA");
    assert_eq!(profile.agreements_accepted_at, None);
    assert_eq!((user.role, user.status), (Role::SuperAdmin, Status::Invited));
    assert!(user.two_factor_required, "the first super admin's second factor is on");
    let identity: Identity = world.get(&keys::identity(user.identity.unwrap())).await.unwrap();
    assert_eq!((identity.password, identity.language.name()), (None, "ja"));
    let license = world.table().license(id, Product::Epp).await.unwrap().unwrap();
    assert_eq!(
        (license.kind, license.seats, license.starts_at),
        (LicenseKind::Trial, 100, world.now())
    );
    assert_eq!(license.ends_at.to_string(), "2026-12-25T11:00:00Z", "30 days from now");
    // The same link activates the account, for another 72 hours.
    let hash = token.parse::<Secret>().unwrap().hash();
    assert_eq!(user.invitation, Some(hash));
    let link: Link = world.get(&keys::link(&hash)).await.unwrap();
    assert_eq!(link.purpose, LinkPurpose::Activation { tenant: id, user: user.id });
    let (records, _) = world.table().audit_trail(id, 0, 10).await.unwrap();
    let record: Value = serde_json::from_str(&records[0].text).unwrap();
    assert_eq!((records.len(), &record["action"]), (1, &json!("tenant.sign_up")));
    assert_eq!(record["actor"]["id"], json!(user.id));
    assert!(!record.to_string().to_lowercase().contains("umbrella"));
    assert_eq!(world.posted().await.len(), 0, "one mail was enough");
    let listed = world.table().tenants(None, 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].tenant.id), (1, id));

    // Again: the same, until the account is activated.
    let dump = world.db.dump();
    assert_eq!(door.confirm(&token).await.text, answer.text);
    assert_eq!(world.db.dump(), dump);
    world.remove(&keys::link(&hash)).await;
    assert_eq!(door.confirm(&token).await.verdict(), (410, "link_gone"));
}

#[tokio::test]
async fn what_was_bought_begins_with_all_its_keys() {
    let door = Door::new().await;
    let world = &door.world;
    let (epp, ztna) =
        (world.product_key(Product::Epp).await, world.product_key(Product::Ztna).await);
    let products = json!([{"product": "ZTNA", "product_key": ztna},
        {"product": "EPP", "product_key": epp.to_string().to_lowercase()}]);
    let token = door.mailed(REGISTRATIONS, &registration("zed@umbrella.example", products)).await;
    for key in [epp, ztna] {
        let issued = world.table().product_key(key).await.unwrap().unwrap();
        assert!(matches!(issued.state, KeyState::Held { .. }), "{issued:?}");
    }
    let answer = door.confirm(&token).await;
    assert_eq!(answer.json["products"], json!(["ZTNA", "EPP"]), "{}", answer.text);
    let id = tenant_of(&answer);
    for (product, key) in [(Product::Epp, epp), (Product::Ztna, ztna)] {
        let license = world.table().license(id, product).await.unwrap().unwrap();
        assert_eq!((license.kind, license.product_key), (LicenseKind::Commercial, key));
        assert_eq!((license.seats, license.edition.as_str()), (50, "Total"));
        let issued = world.table().product_key(key).await.unwrap().unwrap();
        assert_eq!(issued.state, KeyState::Used { tenant: id });
    }
    let profile: Profile = world.get(&keys::profile(id)).await.unwrap();
    assert_eq!(profile.agreements_accepted_at, Some(world.now()));
    let again = door.confirm(&token).await;
    assert_eq!((again.status, tenant_of(&again)), (200, id));
}

#[tokio::test]
async fn a_key_is_held_for_72_hours_and_for_the_newest_link_of_its_address() {
    let door = Door::new().await;
    let world = &door.world;
    let key = world.product_key(Product::Epp).await;
    let form = |email: &str| registration(email, json!([{"product": "EPP", "product_key": key}]));
    let first = door.mailed(REGISTRATIONS, &form("zed@umbrella.example")).await;
    let rival = door.send(REGISTRATIONS, &form("eve@tyrell.example")).await;
    assert_eq!(rival.verdict(), (409, "product_key_held"));
    assert_eq!(rival.faults(), [("/products/0/product_key", "product_key_held")]);
    let second = door.mailed(REGISTRATIONS, &form("zed@umbrella.example")).await;
    assert_eq!(door.confirm(&first).await.verdict(), (409, "product_key_held"));
    world.wait(72 * 3_600);
    let third = door.mailed(REGISTRATIONS, &form("eve@tyrell.example")).await;
    assert_eq!(door.confirm(&second).await.verdict(), (410, "link_gone"));
    assert_eq!(door.confirm(&third).await.status, 200);
    world.wait(3_600);
    let used = door.send(REGISTRATIONS, &form("zed@umbrella.example")).await;
    assert_eq!(used.verdict(), (409, "product_key_used"));
}

#[tokio::test]
async fn a_known_person_keeps_password_and_second_factor() {
    let door = Door::new().await;
    let world = &door.world;
    let home = world.tenant("Initech").await;
    let zed = world.member(home, "zed@umbrella.example", Role::ReadOnly).await;
    let codes = RecoveryCode::set(world.entropy.as_ref());
    let factor = SecondFactor::enrolled(vec![1], 1, &codes, world.now());
    world.change_person(&zed, |person| person.second_factor = Some(factor)).await;
    let before: Identity = world.get(&keys::identity(zed.identity)).await.unwrap();
    let token = door.mailed(TRIALS, &trial("zed@umbrella.example")).await;
    let answer = door.confirm(&token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let user: User = {
        let user = answer.at("/user/id").parse().unwrap();
        world.get(&keys::user(tenant_of(&answer), user)).await.unwrap()
    };
    assert_eq!((user.identity, user.status), (Some(zed.identity), Status::Invited));
    assert_eq!(world.get::<Identity>(&keys::identity(zed.identity)).await, Some(before));
    assert_eq!(world.table().memberships(zed.identity).await.unwrap().len(), 1, "not accepted yet");
}

#[tokio::test(start_paused = true)]
async fn many_at_once_with_one_link_begin_one_tenant() {
    let door = Door::new().await;
    let world = &door.world;
    let token = door.mailed(TRIALS, &trial("zed@umbrella.example")).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(door.app_over(world.db.shared("onboarding", gate.clone()).table()));
    let rivals = (0..6).map(|_| {
        let (app, body) = (app.clone(), json!({"token": token}));
        tokio::spawn(async move { ask(CONFIRM).json(body).of(app.as_ref()).await })
    });
    let answers = in_lockstep(&gate, rivals.collect()).await;
    let texts: std::collections::HashSet<_> =
        answers.iter().map(|answer| (answer.status, answer.text.clone())).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(answers[0].status, 200);
    assert_eq!(world.table().tenants(None, 10).await.unwrap().len(), 1);
    assert_eq!(world.db.dump_of("PK#").len(), 1);
}

/// A crash before or after each call: all of it or nothing, and the same link ends it.
#[tokio::test]
async fn a_crash_leaves_a_whole_tenant_or_none() {
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let door = Door::new().await;
            let world = &door.world;
            let key = world.product_key(Product::Epp).await;
            let products = json!([{"product": "EPP", "product_key": key}]);
            let form = registration("zed@umbrella.example", products);
            let token = door.mailed(REGISTRATIONS, &form).await;
            let crash = Arc::new(Crash::new(at, moment));
            let table = world.db.shared("onboarding", crash.clone()).table();
            let asked = || ask(CONFIRM).json(json!({"token": token}));
            let answer = asked().of(&door.app_over(table)).await;
            if !crash.happened() {
                assert_eq!(answer.status, 200, "{}", answer.text);
                break;
            }
            let count = |entity: &str| {
                world.db.dump().iter().filter(|item| item["et"]["S"] == entity).count()
            };
            let begun = count("tenant");
            for entity in
                ["tenant_entry", "profile", "user", "identity", "license", "audit", "link"]
            {
                assert_eq!(count(entity), begun, "{entity} after {moment:?} {at}");
            }
            assert_eq!(count("sign_up"), 1 - begun);
            assert_eq!(asked().of(&door.app()).await.status, 200);
            assert_eq!((count("tenant"), count("license")), (1, 1));
        }
    }
}
