//! What the vendor changes of a licence: its edition, a trial's end, its seats.

use crate::{Office, at_every_crash, command, office, overtaken, said};
use belfry_domain::account::Tenant;
use belfry_domain::credential::Credential;
use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::language::Language;
use belfry_domain::license::{License, LicenseKind, Terms};
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::telemetry::endpoint::{Cell, Present};
use belfry_domain::telemetry::event::Kind;
use belfry_domain::telemetry::plan::{Chunk, Head};
use belfry_domain::telemetry::stream::{Partitions, Stream};
use belfry_domain::telemetry::tally::Delta;
use belfry_store::keys;
use belfry_testkit::{Turnstile, in_lockstep};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const DAY: i64 = 86_400;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// A tenant with a licence for EPP in edition `Standard`, of 100 seats and for 30 days, and a credential.
struct Sold {
    office: Office,
    tenant: TenantId,
    license: License,
    credential: CredentialId,
}

async fn sold(kind: LicenseKind) -> Sold {
    let office = office();
    let tenant = office.world.tenant("Globex").await;
    let terms = Terms { kind, ..Terms::trial(Product::Epp, "Standard".parse().unwrap()) };
    let license = License::new(terms, office.world.now(), office.world.entropy.as_ref());
    office.world.keep_license(tenant, &license).await;
    let credential = office.world.credential(tenant, Product::Epp).await;
    Sold { office, tenant, license, credential }
}

impl Sold {
    fn command(&self, name: &str, (field, value): (&str, Value)) -> Value {
        command(name, json!({"tenant_id": self.tenant, "product": "EPP", field: value}))
    }

    fn upgrade(&self, edition: &str) -> Value {
        self.command("upgrade_edition", ("edition", edition.into()))
    }

    fn extend(&self, days: u32) -> Value {
        self.command("extend_trial", ("days", days.into()))
    }

    fn seats(&self, seats: u32) -> Value {
        self.command("set_seats", ("seats", seats.into()))
    }

    async fn now(&self) -> License {
        self.office.license(self.tenant).await
    }

    /// Endpoints that report to EPP from now on.
    async fn endpoints(&self, endpoints: usize) {
        let today = Day::of(self.office.world.now());
        let present = Present {
            kind: Kind::Computer,
            contact: today,
            infection: None,
            policy: None,
            application: None,
            detected: None,
            cleaned: None,
            status: None,
            system_cell: Cell::Other,
            agent_cell: Cell::Other,
        };
        let mut delta = Delta::default();
        (0..endpoints).for_each(|_| delta.contribute(Some(&present), 1));
        let (parts, endpoints, tops) = (Vec::new(), Vec::new(), BTreeMap::default());
        let chunk = Chunk { first: 1, today, parts, endpoints, delta, tops };
        let (tenant, product, partition) = (self.tenant, Product::Epp, Partitions::ONE.of(b""));
        let stream = Stream { tenant, product, partition };
        let table = self.office.world.table();
        table.advance(stream, &Head::default(), &chunk).await.unwrap().unwrap();
    }
}

/// A change, of which kind of licence, and what of it tenant and vendor are told.
#[tokio::test]
async fn each_change_is_made_recorded_and_told() {
    let ended = |sold: &Sold, days: i64| (sold.license.ends_at + self::days(days)).to_string();
    for (name, kind, value, action, change) in [
        (
            "upgrade_edition",
            LicenseKind::Commercial,
            ("edition", json!("Total")),
            "license.upgrade_edition",
            "edition_upgraded",
        ),
        (
            "upgrade_edition",
            LicenseKind::Trial,
            ("edition", json!("Total")),
            "license.upgrade_edition",
            "edition_upgraded",
        ),
        (
            "extend_trial",
            LicenseKind::Trial,
            ("days", json!(10)),
            "license.extend_trial",
            "trial_extended",
        ),
        (
            "set_seats",
            LicenseKind::Commercial,
            ("seats", json!(40)),
            "license.set_seats",
            "seats_set",
        ),
        ("set_seats", LicenseKind::Trial, ("seats", json!(400)), "license.set_seats", "seats_set"),
    ] {
        let sold = sold(kind).await;
        let (office, world) = (&sold.office, &sold.office.world);
        let other = world.license(sold.tenant, Product::Emm, 1).await;
        let elsewhere = world.tenant("Initech").await;
        world.keep_license(elsewhere, &sold.license).await;
        let (edition, seats, ends_at, changed) = match value.0 {
            "edition" => {
                let changed = json!({"field": "edition", "from": "Standard", "to": "Total"});
                ("Total", 100, sold.license.ends_at, changed)
            }
            "days" => {
                let (from, to) = (ended(&sold, 0), ended(&sold, 10));
                let changed = json!({"field": "ends_at", "from": from, "to": to});
                ("Standard", 100, sold.license.ends_at + days(10), changed)
            }
            _ => {
                let changed = json!({"field": "seats", "from": 100, "to": value.1});
                let seats = u32::try_from(value.1.as_u64().unwrap()).unwrap();
                ("Standard", seats, sold.license.ends_at, changed)
            }
        };
        world.wait(60);

        let answer = office.say(&sold.command(name, value)).await;

        assert_eq!(
            (&answer["status"], &answer["changed"]),
            (&json!("ok"), &json!(true)),
            "{answer}"
        );
        let shown = &answer["license"];
        assert_eq!((&shown["edition"], &shown["seats"]), (&json!(edition), &json!(seats)));
        assert_eq!((&shown["state"], &shown["used"]), (&json!("active"), &json!(0)));
        assert_eq!(shown["history"][0]["change"], change);
        let license = sold.now().await;
        assert_eq!((license.edition.as_str(), license.seats), (edition, seats));
        assert_eq!((license.kind, license.ends_at), (kind, ends_at));
        assert_eq!(license.starts_at, sold.license.starts_at);
        assert_eq!(license.product_key, sold.license.product_key);
        let carried = office.credential(sold.credential).await;
        let grace = days(if kind == LicenseKind::Commercial { 15 } else { 0 });
        assert_eq!(carried.accepted_until, ends_at + grace, "{name}");
        assert_eq!((carried.over_seats, carried.suspended), (false, false));

        assert_eq!(office.record(sold.tenant).await, (action.to_owned(), json!([changed])));
        assert_eq!(office.log(), [[action.to_owned(), format!("{} EPP", sold.tenant)]]);
        let mails = world.posted().await;
        let [[to, subject, text]] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!(to, "office@globex.example", "the registered address");
        assert_eq!(subject, "Your EPP licence in Belfry was changed by the vendor");
        for told in [license.product_key.to_string(), edition.to_owned(), seats.to_string()] {
            assert!(text.contains(&told), "{told}: {text}");
        }
        assert!(text.contains(&Day::of(ends_at).date()), "{text}");
        let emm = world.table().license(sold.tenant, Product::Emm).await.unwrap();
        assert_eq!((emm, office.license(elsewhere).await), (Some(other), sold.license));
    }
}

#[tokio::test]
async fn the_company_is_told_in_its_language() {
    let sold = sold(LicenseKind::Trial).await;
    let (world, key) = (&sold.office.world, keys::tenant(sold.tenant));
    for (language, subject) in [
        (Language::Ja, "【Belfry】EPP ライセンス変更のお知らせ"),
        (Language::Ko, "[Belfry] EPP 라이선스 변경 알림"),
    ] {
        let tenant: Tenant = world.get(&key).await.unwrap();
        world.put(&key, &Tenant { language, ..tenant }).await;
        sold.office.say(&sold.extend(1)).await;
        assert_eq!(world.posted().await[0][1], subject);
    }
}

#[tokio::test]
async fn a_trial_goes_on_from_its_end_or_from_now() {
    for (after, ends_in) in [(0, 35), (29, 6), (30, 5), (31, 5), (400, 5)] {
        let sold = sold(LicenseKind::Trial).await;
        let world = &sold.office.world;
        world.wait(after * DAY);
        let answer = sold.office.say(&sold.extend(5)).await;
        assert_eq!(answer["license"]["state"], "active", "{answer}");
        let ends_at = world.now() + days(ends_in);
        assert_eq!(sold.now().await.ends_at, ends_at, "after {after} days");
        let carried = sold.office.credential(sold.credential).await;
        assert_eq!(carried.accepted_until, ends_at, "a trial has no grace");
        carried.licensed(world.now()).unwrap();
    }
}

/// Endpoints that report, seats from now on, and whether that is too few.
#[tokio::test]
async fn credentials_say_whether_the_seats_are_enough() {
    let sold = sold(LicenseKind::Commercial).await;
    let (office, world) = (&sold.office, &sold.office.world);
    world.license(sold.tenant, Product::Emm, 1).await;
    let other = world.credential(sold.tenant, Product::Emm).await;
    let history = command(
        "issue_history_credential",
        json!({"tenant_id": sold.tenant, "product": "EPP", "valid_days": 7}),
    );
    let history = office.say(&history).await["credential"]["id"].as_str().unwrap().parse().unwrap();
    sold.endpoints(3).await;
    for (seats, over) in [(2, true), (3, false), (1, true), (4, false)] {
        let answer = office.say(&sold.seats(seats)).await;
        let license = &answer["license"];
        assert_eq!((&license["used"], &license["over"]), (&json!(3), &json!(over)), "{answer}");
        for credential in [sold.credential, history] {
            assert_eq!(office.credential(credential).await.over_seats, over, "{seats}");
        }
        assert!(!office.credential(other).await.over_seats);
    }
}

#[tokio::test]
async fn what_does_not_fit_the_licence_is_refused() {
    for (kind, revoked, name, value, code) in [
        (LicenseKind::Commercial, false, "extend_trial", ("days", json!(1)), "purpose_mismatch"),
        (LicenseKind::Trial, false, "upgrade_edition", ("edition", json!("Standard")), "unchanged"),
        (LicenseKind::Trial, false, "set_seats", ("seats", json!(100)), "unchanged"),
        (LicenseKind::Trial, true, "extend_trial", ("days", json!(1)), "license_revoked"),
        (LicenseKind::Trial, true, "set_seats", ("seats", json!(1)), "license_revoked"),
        (LicenseKind::Trial, true, "upgrade_edition", ("edition", json!("X")), "license_revoked"),
    ] {
        let sold = sold(kind).await;
        if revoked {
            let license = sold.license.withdrawn(true, sold.office.world.now());
            sold.office.world.keep_license(sold.tenant, &license).await;
        }
        let command = sold.command(name, value);
        assert_eq!(sold.office.refused(&command).await, code, "{command}");
    }
}

#[tokio::test]
async fn every_fault_at_once() {
    let sold = sold(LicenseKind::Trial).await;
    let office = &sold.office;
    let stranger = TenantId::new(office.world.now(), office.world.entropy.as_ref());
    for (name, field, missing, bad) in [
        (
            "upgrade_edition",
            "edition",
            "required",
            vec![(json!("x".repeat(41)), "too_long"), (json!("<b>"), "invalid")],
        ),
        ("extend_trial", "days", "invalid", vec![(json!(0), "invalid"), (json!(3_651), "invalid")]),
        (
            "set_seats",
            "seats",
            "invalid",
            vec![(json!(0), "invalid"), (json!(1_000_001), "invalid")],
        ),
    ] {
        let last = format!("/{field} {missing}");
        let faults = office.faults(&json!({"command": name})).await;
        let first =
            ["/operator required", "/reason required", "/tenant_id required", "/product required"];
        assert_eq!(faults[..4], first);
        assert_eq!(faults[4..], [last]);
        for (value, code) in bad {
            let command = sold.command(name, (field, value));
            assert_eq!(office.faults(&command).await, [format!("/{field} {code}")], "{command}");
        }
        let good = if field == "edition" { json!("Total") } else { json!(5) };
        let order = sold.command(name, (field, good));
        for (field, value, code) in [
            ("tenant_id", json!(stranger), "not_found"),
            ("product", json!("EMM"), "license_missing"),
        ] {
            let mut order = order.clone();
            order[field] = value;
            assert_eq!(office.refused(&order).await, code, "{order}");
        }
        for (field, value) in [("tenant_id", json!("Globex")), ("product", json!("epp"))] {
            let mut order = order.clone();
            order[field] = value;
            assert_eq!(office.faults(&order).await, [format!("/{field} invalid")], "{order}");
        }
    }
    for (order, well) in [(sold.extend(3_650), "ok"), (sold.seats(1_000_000), "ok")] {
        assert_eq!(office.say(&order).await["status"], well, "{order}");
    }
}

/// Eight at once, each of whom has looked before the first one writes: all of it holds in the end.
#[tokio::test(start_paused = true)]
async fn rivals_lose_nothing() {
    let sold = sold(LicenseKind::Trial).await;
    let world = &sold.office.world;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(sold.office.over(world.db.shared("backoffice", gate.clone()).table()));
    let commands = [
        sold.extend(1),
        sold.seats(7),
        sold.upgrade("Total"),
        sold.extend(2),
        sold.seats(8),
        sold.upgrade("Advance"),
        sold.extend(3),
        sold.seats(9),
    ];
    let rivals = commands.map(|command| {
        let app = app.clone();
        tokio::spawn(async move { said(&app, &command).await })
    });
    for answer in in_lockstep(&gate, rivals.into()).await {
        assert_eq!(answer["changed"], true, "{answer}");
    }
    let license = sold.now().await;
    assert_eq!(license.history.len(), 9);
    assert_eq!(license.ends_at, sold.license.ends_at + days(6), "every extension counts");
    let seats: BTreeSet<_> = license.history.iter().map(|line| line.seats).collect();
    assert_eq!(seats, [7, 8, 9, 100].into());
    let editions: BTreeSet<_> = license.history.iter().map(|line| line.edition.as_str()).collect();
    assert_eq!(editions, ["Advance", "Standard", "Total"].into());
    let carried = sold.office.credential(sold.credential).await;
    assert_eq!(carried.accepted_until, license.accepted_until());
    assert_eq!((world.posted().await.len(), sold.office.log().len()), (8, 8));
    let trail = sold.office.trail(sold.tenant).await;
    let changes = trail.iter().filter(|(record, _)| record["entity"]["kind"] == "license");
    assert_eq!(changes.count(), 8);
}

/// A credential that is made between the look and the write.
#[tokio::test(start_paused = true)]
async fn a_credential_that_is_made_meanwhile_carries_it_too() {
    let sold = sold(LicenseKind::Trial).await;
    let (office, world) = (&sold.office, &sold.office.world);
    sold.endpoints(3).await;
    for order in [sold.extend(5), sold.seats(2)] {
        let gate = Arc::new(Turnstile::new());
        let app = office.over(world.db.shared("backoffice", gate.clone()).table());
        let task = tokio::spawn(async move { said(&app, &order).await });
        let mut made = None;
        let rival = async { made = Some(world.credential(sold.tenant, Product::Epp).await) };
        let answer = Box::pin(overtaken(&gate, task, rival)).await;
        assert_eq!(answer["changed"], true, "{answer}");
        let (made, license) = (office.credential(made.unwrap()).await, sold.now().await);
        assert_eq!(made.accepted_until, license.accepted_until());
        assert_eq!(made.over_seats, license.is_over(3));
        // Two are live at most: room for the next one.
        let key = keys::credential(made.id);
        let revoked = Credential { revoked_at: Some(world.now()), ..made.clone() };
        world.put(&key, &revoked).await;
    }
}

/// A crash before or after each call leaves licence, credential, mail, record and log changed together or
/// not at all.
#[tokio::test]
async fn a_crash_leaves_no_licence_half_changed() {
    let commands: [fn(&Sold) -> Value; 3] =
        [|sold| sold.upgrade("Total"), |sold| sold.extend(5), |sold| sold.seats(2)];
    for command in commands {
        let (mut before, mut after) = (0, 0);
        let crashes = at_every_crash(async |crash| {
            let sold = sold(LicenseKind::Trial).await;
            sold.endpoints(3).await;
            let (office, command) = (&sold.office, command(&sold));
            let whole = async || {
                let license = sold.now().await;
                let carried = office.credential(sold.credential).await;
                assert_eq!(carried.accepted_until, license.accepted_until());
                assert_eq!(carried.over_seats, license.is_over(3));
                let trail = office.trail(sold.tenant).await;
                let kinds = trail.iter().map(|(record, _)| &record["entity"]["kind"]);
                let records = kinds.filter(|kind| *kind == "license").count();
                let (lines, mails) = (office.log().len(), office.world.db.dump_of("O#").len());
                let done = usize::from(license != sold.license);
                assert_eq!((records, lines, mails), (done, done, done), "{command}");
                done
            };
            let answer = said(&office.dying(&crash), &command).await;
            let done = whole().await;
            (before, after) = (before + 1 - done, after + done);
            if done == 0 {
                assert_eq!(office.say(&command).await["changed"], true);
                assert_eq!(whole().await, 1);
            }
            answer["status"] == "ok"
        });
        assert!(crashes.await >= 12 && before >= 7 && after >= 1, "{before} {after}");
    }
}
