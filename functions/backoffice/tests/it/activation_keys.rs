//! Activation keys: put on record before they are handed out, and withdrawn.

use crate::{Office, at_every_crash, command, office, overtaken, said};
use belfry_domain::id::{ActivationKeyId, TenantId};
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::product::Product;
use belfry_store::keys;
use belfry_store::licenses::{Redeemed, Spent};
use belfry_testkit::{Turnstile, Vendor};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

fn issue(code: &str) -> Value {
    command("issue_activation_key", json!({"activation_key": code}))
}

fn revoke(id: &impl ToString) -> Value {
    command("revoke_activation_key", json!({"activation_key_id": id.to_string()}))
}

impl Office {
    /// The vendor's code to convert a trial of EPP, good for so many seconds.
    fn code(&self, seconds: i64) -> String {
        let until = self.world.now() + SignedDuration::from_secs(seconds);
        self.vendor.code_until(Purpose::Convert, Product::Epp, (250, 365), until)
    }

    /// An activation key on record.
    async fn issued(&self) -> ActivationKeyId {
        self.issued_with(&self.code(86_400)).await
    }

    async fn issued_with(&self, code: &str) -> ActivationKeyId {
        let answer = self.say(&issue(code)).await;
        let id = answer["activation_key"]["id"].as_str().unwrap_or_else(|| panic!("{answer}"));
        id.parse().unwrap()
    }
}

#[tokio::test]
async fn a_signed_code_is_on_record_by_its_id_and_not_its_text() {
    let office = office();
    let code = office.code(30 * 86_400);
    let answer = office.say(&issue(&code)).await;
    let id = answer["activation_key"]["id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(id.starts_with("ack_"), "{id}");
    let key_id = hex(office.vendor.key().id());
    assert_eq!(
        answer,
        json!({"status": "ok", "activation_key": {"id": id, "purpose": "convert",
            "product": "EPP", "edition": "Total", "seats": 250, "term_days": 365,
            "not_after": "2026-12-22T12:00:00.000Z", "key_id": key_id}})
    );
    assert_eq!(office.log(), [["activation_key.issue", id]]);
    assert_eq!(office.world.db.dump().len(), 1, "the log's line");
    assert!(!office.world.db.holds(&code) && !office.world.db.holds(&code[4..]));
    assert_eq!(office.world.table().spent(id.parse().unwrap()).await.unwrap(), None);
}

fn hex(bytes: [u8; 8]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).concat()
}

#[tokio::test]
async fn only_the_vendors_codes_and_only_while_they_are_good() {
    let office = office();
    let (day, now) = (86_400, office.world.now());
    let foreign = Vendor::new().code(Purpose::Convert, Product::Epp, (250, 365), now);
    let (good, invalid) = (office.code(day), "/activation_key activation_key_invalid");
    for code in ["", "bfa_", &foreign, &good[..good.len() - 1], &good.replace("bfa_", "")] {
        assert_eq!(office.faults(&issue(code)).await, [invalid], "{code}");
    }
    let out_of_range = "/activation_key out_of_range";
    for (seconds, expected) in [
        (-1, &[out_of_range][..]),
        (0, &[out_of_range]),
        (1, &[]),
        (400 * day, &[]),
        (400 * day + 1, &[out_of_range]),
    ] {
        let order = issue(&office.code(seconds));
        if expected.is_empty() {
            assert_eq!(office.say(&order).await["status"], "ok", "{seconds}");
        } else {
            assert_eq!(office.faults(&order).await, expected, "{seconds}");
        }
    }
    let empty = json!({"command": "issue_activation_key"});
    assert_eq!(office.faults(&empty).await, ["/operator required", "/reason required", invalid]);
    assert_eq!(office.log().len(), 2, "what is refused is not on record");
}

#[tokio::test]
async fn a_withdrawn_key_is_spent_and_is_not_withdrawn_twice() {
    let office = office();
    let code = office.code(86_400);
    let id = office.issued_with(&code).await;
    let answer = office.say(&revoke(&id)).await;
    assert_eq!(answer, json!({"status": "ok", "activation_key": {"id": id, "revoked": true}}));
    assert_eq!(office.world.table().spent(id).await.unwrap(), Some(Spent::Withdrawn {}));
    let mut log = office.log();
    log.sort();
    let line = |action: &str| [action.to_owned(), id.to_string()];
    assert_eq!(log, [line("activation_key.issue"), line("activation_key.revoke")]);
    assert_eq!(office.refused(&revoke(&id)).await, "activation_key_used");
    assert_eq!(
        office.refused(&issue(&code)).await,
        "activation_key_used",
        "nobody could redeem it"
    );

    let empty = json!({"command": "revoke_activation_key"});
    let missing = ["/operator required", "/reason required", "/activation_key_id required"];
    assert_eq!(office.faults(&empty).await, missing);
    for bad in [office.code(60), "ack_1".to_owned(), id.to_string()[4..].to_owned()] {
        assert_eq!(office.faults(&revoke(&bad)).await, ["/activation_key_id invalid"]);
    }
}

/// A tenant redeems the key between the look and the write: it keeps what it has.
#[tokio::test(start_paused = true)]
async fn a_redeemed_key_is_not_withdrawn() {
    let office = office();
    let world = &office.world;
    let (id, tenant) = (office.issued().await, world.tenant("Globex").await);
    let license = world.license(tenant, Product::Epp, 1).await;
    let spent = Spent::Redeemed(Box::new(Redeemed { tenant, license, used: 0 }));
    let gate = Arc::new(Turnstile::new());
    let app = office.over(world.db.shared("backoffice", gate.clone()).table());
    let task = tokio::spawn(async move { said(&app, &revoke(&id)).await });
    let key = keys::activation_key(id);
    let rival = world.put(&key, &spent);
    let answer = Box::pin(overtaken(&gate, task, rival)).await;
    assert_eq!(answer["problem"]["code"], "activation_key_used", "{answer}");
    assert_eq!(office.refused(&revoke(&id)).await, "activation_key_used");
    assert_eq!(world.table().spent(id).await.unwrap(), Some(spent));
    assert_eq!(office.log().len(), 1, "only that it was issued");
}

#[tokio::test]
async fn a_crash_leaves_the_withdrawal_and_its_log_together_or_not_at_all() {
    let crashes = at_every_crash(async |crash| {
        let office = office();
        let id = office.issued().await;
        let answer = said(&office.dying(&crash), &revoke(&id)).await;
        let spent = office.world.table().spent(id).await.unwrap();
        assert_eq!(office.log().len(), 1 + usize::from(spent.is_some()));
        let again = office.say(&revoke(&id)).await;
        assert_eq!(again["status"] == "ok", spent.is_none(), "{again}");
        assert_eq!(office.log().len(), 2);
        answer["status"] == "ok"
    });
    assert!(crashes.await >= 2);
}

#[tokio::test]
async fn each_key_is_withdrawn_by_itself() {
    let office = office();
    let (first, second) = (office.issued().await, office.issued().await);
    assert_ne!(first, second);
    assert_eq!(office.say(&revoke(&first)).await["status"], "ok");
    assert_eq!(office.world.table().spent(second).await.unwrap(), None);
    let nobody = TenantId::new(office.world.now(), office.world.entropy.as_ref());
    assert_eq!(office.faults(&revoke(&nobody)).await, ["/activation_key_id invalid"]);
}
