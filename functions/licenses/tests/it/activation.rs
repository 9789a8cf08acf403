//! Activation keys: what each does, what is refused, and that each is redeemed once.

use crate::{Office, key};
use belfry_domain::account::Role;
use belfry_domain::id::ActivationKeyId;
use belfry_domain::license::LicenseKind;
use belfry_domain::license::activation_key::{ActivationKey, Draft, NotAccepted, Purpose};
use belfry_domain::product::Product;
use belfry_runtime::vendor::Ed25519;
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::{Ask, Crash, Moment, Vendor, World, ask};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

const ACTIVATE: &str = "POST /licenses/{product}/activation";

#[tokio::test]
async fn a_trial_becomes_commercial_and_its_product_key_stays() {
    let office = Office::new(Role::HelpDesk).await;
    let before = office.license(Product::Epp).await;
    office.world.wait(3 * 86_400);
    let help = office.world.member(office.tenant, "kim@globex.example", Role::HelpDesk).await;
    let office = Office { token: office.world.token(&help).await, ..office };
    let code = office.vendor.code(Purpose::Convert, Product::Epp, (250, 365), office.world.now());

    let mut body = key(&code);
    body["dry_run"] = true.into();
    let table = office.world.db.dump();
    let dry = office.send(ACTIVATE, "EPP", body).await;
    assert_eq!((dry.status, dry.json["dry_run"].as_bool()), (200, Some(true)), "{}", dry.text);
    let sessions = |dump: Vec<Value>| dump.into_iter().filter(|i| i["et"]["S"] != "session");
    assert!(sessions(table).eq(sessions(office.world.db.dump())), "a dry run writes nothing");

    let done = office.send(ACTIVATE, "EPP", key(&code)).await;
    assert_eq!((done.status, done.at("/purpose")), (200, "convert"), "{}", done.text);
    assert_eq!(done.json["license"], dry.json["license"], "as the dry run showed it");
    let after = office.license(Product::Epp).await;
    assert_eq!(after.product_key, before.product_key);
    assert_eq!((after.kind, after.seats), (LicenseKind::Commercial, 250));
    assert_eq!(after.edition.as_str(), "Total");
    let now = office.world.now();
    assert_eq!((after.starts_at, after.ends_at), (now, now + SignedDuration::from_hours(8_760)));
    let changes: Vec<_> = after.history.iter().map(|line| line.change.name()).collect();
    assert_eq!(changes, ["started", "converted"]);

    let mails = office.world.posted().await;
    let [[to, subject, text]] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(to, "office@globex.example", "the registered address");
    assert_eq!(subject, "Your EPP trial in Belfry is now a commercial licence");
    assert!(
        text.contains(&before.product_key.to_string()) && text.contains("2027-11-25"),
        "{text}"
    );
    let trail = office.trail().await;
    assert_eq!((trail.len(), &trail[0]["action"]), (1, &json!("license.convert")));
    assert_eq!(trail[0]["actor"]["role"], "help_desk");
    let fields: Vec<_> =
        trail[0]["changes"].as_array().unwrap().iter().map(|c| &c["field"]).collect();
    assert_eq!(fields, ["kind", "edition", "seats", "ends_at", "activation_key"]);

    // The same again: the same answer, and nothing else; also when the key itself is too old by now.
    for days in [0, 40] {
        office.world.wait(days * 86_400);
        let token = office.world.token(&help).await;
        let asked = ask(ACTIVATE).path("product", "EPP").bearer(&token).json(key(&code));
        let again = asked.of(&office.app()).await;
        assert_eq!(
            (again.status, &again.json["license"]["ends_at"]),
            (200, &done.json["license"]["ends_at"])
        );
    }
    assert_eq!(office.world.posted().await.len(), 0);
    assert_eq!(office.license(Product::Epp).await, after);
    let elsewhere = office.world.tenant("Initech").await;
    office.trial(elsewhere, Product::Epp).await;
    let eve = office.world.member(elsewhere, "eve@initech.example", Role::SuperAdmin).await;
    let asked = ask(ACTIVATE).path("product", "EPP").bearer(office.world.token(&eve).await);
    let foreign = asked.json(key(&code)).of(&office.app()).await;
    assert_eq!(foreign.verdict(), (422, "activation_key_invalid"), "too old for anybody else");
}

#[tokio::test]
async fn a_renewal_takes_nothing_of_the_time_paid_for_and_an_extension_adds() {
    let office = Office::empty(Role::Admin).await;
    let world = &office.world;
    let bought = world.license(office.tenant, Product::Emm, 4).await;
    let code = |purpose, terms| office.vendor.code(purpose, Product::Emm, terms, world.now());
    let day = |days: i64| SignedDuration::from_hours(24 * days);
    let renewed = office.send(ACTIVATE, "EMM", key(&code(Purpose::Renew, (80, 100)))).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let license = office.license(Product::Emm).await;
    assert_eq!((license.seats, license.ends_at), (80, bought.ends_at + day(100)));
    assert_eq!((license.starts_at, license.partitions), (bought.starts_at, bought.partitions));
    for (terms, seats, days) in [((20, 0), 100, 100), ((0, 10), 100, 110), ((5, 5), 105, 115)] {
        let done = office.send(ACTIVATE, "EMM", key(&code(Purpose::Extend, terms))).await;
        assert_eq!(done.status, 200, "{}", done.text);
        let license = office.license(Product::Emm).await;
        assert_eq!((license.seats, license.ends_at), (seats, bought.ends_at + day(days)));
    }
    let full = office.send(ACTIVATE, "EMM", key(&code(Purpose::Extend, (1_000_000, 0)))).await;
    assert_eq!(full.verdict(), (409, "license_limit"));
    let convert = office.send(ACTIVATE, "EMM", key(&code(Purpose::Convert, (1, 1)))).await;
    assert_eq!(convert.verdict(), (409, "purpose_mismatch"));
    let absent = office.vendor.code(Purpose::Renew, Product::Ztna, (1, 1), world.now());
    let absent = office.send(ACTIVATE, "ZTNA", key(&absent)).await;
    assert_eq!(absent.verdict(), (409, "license_missing"));
}

#[tokio::test]
async fn who_may_what_by_the_keys_purpose() {
    for (role, trial, commercial) in [
        (Role::SuperAdmin, 200, 200),
        (Role::Admin, 200, 200),
        (Role::HelpDesk, 200, 403),
        (Role::ReadOnly, 200, 403),
    ] {
        let office = Office::new(role).await;
        let now = office.world.now();
        office.world.license(office.tenant, Product::Emm, 1).await;
        for (purpose, product, expected) in [
            (Purpose::Convert, Product::Epp, trial),
            (Purpose::Renew, Product::Emm, commercial),
            (Purpose::Extend, Product::Emm, commercial),
        ] {
            let code = office.vendor.code(purpose, product, (5, 5), now);
            let answer = office.send(ACTIVATE, product.name(), key(&code)).await;
            assert_eq!(answer.status, expected, "{role:?} {purpose:?}: {}", answer.text);
        }
    }
}

/// One text for all: every byte flipped, every bit of every byte; a stranger's signature; another product; a
/// key that is pinned no longer; one that is too old.
#[tokio::test]
async fn whatever_is_wrong_with_a_code_is_one_answer() {
    let office = Office::new(Role::Admin).await;
    let world = &office.world;
    let now = world.now();
    let good = office.vendor.code(Purpose::Convert, Product::Epp, (5, 30), now);
    let pinned = [office.vendor.key()];
    let read = |code: &str| ActivationKey::read(code, &pinned, &Ed25519);
    assert_eq!(read(&good).unwrap().seats, 5);
    // A mail may break it into lines; nothing else is forgiven.
    let (left, right) = good.split_at(50);
    assert!(read(&format!(" {left}\r\n  {right}\n")).is_ok());
    let mut tried = 0;
    for at in 0..good.len() {
        for other in (0u8..128).filter(|other| *other != good.as_bytes()[at]) {
            let mut flipped = good.clone().into_bytes();
            flipped[at] = other;
            let flipped = String::from_utf8(flipped).unwrap();
            assert_eq!(read(&flipped), Err(NotAccepted), "byte {at} is {other}");
            tried += 1;
        }
    }
    assert!(tried > 10_000, "{tried}");
    for cut in 0..good.len() {
        assert_eq!(read(&good[..cut]), Err(NotAccepted), "{cut} bytes");
    }
    assert_eq!(read(&format!("{good}A")), Err(NotAccepted));
    assert_eq!(read(&good.repeat(100)), Err(NotAccepted));
    assert_eq!(read(&good.to_uppercase()), Err(NotAccepted));

    let stranger = Vendor::new();
    let old = now - SignedDuration::from_secs(1);
    let mut answers = HashSet::new();
    for (what, code) in [
        ("flipped", good.replace("bfa_A", "bfa_B")),
        ("a key that is not pinned", stranger.code(Purpose::Convert, Product::Epp, (5, 30), now)),
        ("another product", office.vendor.code(Purpose::Convert, Product::Emm, (5, 30), now)),
        ("too old", office.vendor.code_until(Purpose::Convert, Product::Epp, (5, 30), old)),
        ("nothing", String::new()),
    ] {
        let answer = office.send(ACTIVATE, "EPP", key(&code)).await;
        assert_eq!(answer.verdict(), (422, "activation_key_invalid"), "{what}");
        answers.insert(answer.text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The sixth within an hour, however good.
    let sixth = office.send(ACTIVATE, "EPP", key(&good)).await;
    assert_eq!(sixth.verdict(), (429, "throttled"));
    assert_eq!(sixth.header("ratelimit-policy"), "\"activation-key\";q=5;w=3600");
    world.wait(3_600);
    let member = world.member(office.tenant, "kit@globex.example", Role::Admin).await;
    let asked = ask(ACTIVATE).path("product", "EPP").bearer(world.token(&member).await);
    assert_eq!(asked.json(key(&good)).of(&office.app()).await.status, 200);
}

#[test]
fn a_draft_says_what_it_lacks() {
    let world = World::new();
    let id = ActivationKeyId::new(world.now(), world.entropy.as_ref());
    let fits = |purpose, terms| {
        let edition = "Total".parse().unwrap();
        Draft::new(id, (purpose, Product::Epp, edition), terms, world.now()).is_ok()
    };
    for purpose in Purpose::ALL {
        let extends = purpose == Purpose::Extend;
        for (terms, expected) in [
            ((1, 1), true),
            ((1_000_000, 3_650), true),
            ((0, 1), extends),
            ((1, 0), extends),
            ((0, 0), false),
            ((1_000_001, 1), false),
            ((1, 3_651), false),
        ] {
            assert_eq!(fits(purpose, terms), expected, "{purpose:?} {terms:?}");
        }
    }
}

/// 50 at once with one code, half of them in another tenant: one tenant wins, with one mail; everybody there
/// is told the same 200, everybody else 409.
#[tokio::test]
async fn fifty_at_once_and_one_winner() {
    let office = Office::new(Role::Admin).await;
    let world = &office.world;
    let other = world.tenant("Initech").await;
    let keys: [_; 2] = [
        office.license(Product::Epp).await.product_key,
        office.trial(other, Product::Epp).await.product_key,
    ];
    let eve = world.member(other, "eve@initech.example", Role::Admin).await;
    let tokens = [office.token.clone(), world.token(&eve).await];
    let code = office.vendor.code(Purpose::Convert, Product::Epp, (250, 365), world.now());
    let app = Arc::new(office.app());
    let rivals: Vec<_> = (0..50)
        .map(|n| {
            let (app, code, token) = (app.clone(), code.clone(), tokens[n % 2].clone());
            let asked = ask(ACTIVATE).path("product", "EPP").bearer(token).json(key(&code));
            tokio::spawn(async move { (n % 2, asked.of(app.as_ref()).await) })
        })
        .collect();
    let (mut winners, mut texts) = (HashSet::new(), HashSet::new());
    for rival in rivals {
        let (tenant, answer) = rival.await.unwrap();
        match answer.status {
            200 => {
                winners.insert(tenant);
                texts.insert(answer.text);
            }
            // Looked ten times and met a rival each time: may be sent again.
            503 => assert_eq!(answer.verdict().1, "busy"),
            _ => assert_eq!(answer.verdict(), (409, "activation_key_used")),
        }
    }
    assert_eq!((winners.len(), texts.len()), (1, 1), "{winners:?} {texts:?}");
    assert_eq!(world.posted().await.len(), 1);
    for (tenant, key) in [office.tenant, other].into_iter().zip(keys) {
        let license = world.table().license(tenant, Product::Epp).await.unwrap().unwrap();
        let won = winners.contains(&usize::from(tenant == other));
        assert_eq!(license.kind == LicenseKind::Commercial, won);
        assert_eq!((license.product_key, license.history.len()), (key, 1 + usize::from(won)));
    }
}

/// A crash before or after each call leaves the trial or the commercial licence whole, with its credentials,
/// its mail and its record or without any of them; and a retry ends it.
#[tokio::test]
async fn a_crash_leaves_trial_or_commercial_never_between() {
    let (mut trials, mut commercials) = (0, 0);
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let office = Office::new(Role::Admin).await;
            let world = &office.world;
            let credential = world.credential(office.tenant, Product::Epp).await;
            let before = office.license(Product::Epp).await;
            let now = world.now();
            let code = office.vendor.code(Purpose::Convert, Product::Epp, (250, 365), now);
            let crash = Arc::new(Crash::new(at, moment));
            let table = world.db.shared("licenses", crash.clone()).table();
            let asked = || office.ask(ACTIVATE, "EPP").json(key(&code));
            let answer = asked().of(&office.app_over(table)).await;
            if !crash.happened() {
                assert_eq!(answer.status, 200, "{}", answer.text);
                break;
            }
            let license = office.license(Product::Epp).await;
            let carried = world.table().credential(credential).await.unwrap().unwrap();
            assert_eq!(carried.accepted_until, license.accepted_until());
            let redeemed = world.db.dump_of("AC#").len();
            let mails = world.db.dump_of("O#").len();
            let of_it = |record: &Value| record["action"] == "license.convert";
            let records = office.trail().await.into_iter().filter(of_it).count();
            if license == before {
                trials += 1;
                assert_eq!((redeemed, mails, records), (0, 0, 0));
            } else {
                commercials += 1;
                assert_eq!(license.kind, LicenseKind::Commercial);
                assert_eq!((redeemed, mails, records), (1, 1, 1));
            }
            let retried = asked().of(&office.app()).await;
            assert_eq!(retried.status, 200, "{}", retried.text);
            assert_eq!(office.license(Product::Epp).await.product_key, before.product_key);
            assert_eq!(world.db.dump_of("O#").len(), 1, "one mail");
        }
    }
    assert!(trials >= 6 && commercials >= 1, "{trials} {commercials}");
}

/// What of a licence credentials carry changes with it, also of a credential that is made meanwhile.
#[tokio::test]
async fn credentials_carry_what_the_licence_says() {
    let office = Office::new(Role::Admin).await;
    let world = &office.world;
    let first = world.credential(office.tenant, Product::Epp).await;
    let other = world.license(office.tenant, Product::Emm, 1).await;
    let untouched = world.credential(office.tenant, Product::Emm).await;
    let code = office.vendor.code(Purpose::Convert, Product::Epp, (250, 365), world.now());
    let transport = world.db.client("licenses", Open);
    let asked: Ask = office.ask(ACTIVATE, "EPP").json(key(&code));
    assert_eq!(asked.of(&office.app_over(transport.table())).await.status, 200);
    let second = world.credential(office.tenant, Product::Epp).await;
    let until = office.license(Product::Epp).await.accepted_until();
    for id in [first, second] {
        let credential = world.table().credential(id).await.unwrap().unwrap();
        assert_eq!(credential.accepted_until, until);
    }
    let credential = world.table().credential(untouched).await.unwrap().unwrap();
    assert_eq!(credential.accepted_until, other.accepted_until());
    // One that is revoked stays as it is.
    let dump = world.db.dump();
    let roster = keys::credential_roster(office.tenant, Product::Epp);
    assert!(dump.iter().any(|item| item["sk"]["S"] == roster.sk.as_str()));
}
