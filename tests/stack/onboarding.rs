//! What the back office does, and the mail that comes of it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::actor::pointers;
use crate::aws;
use crate::stack::{Stack, unique};
use crate::tenant::{Tenant, activation_token, create_tenant};

#[rstest]
#[case::english("en", |c: char| c.is_ascii_alphabetic())]
#[case::japanese("ja", |c: char| ('\u{3040}'..='\u{30ff}').contains(&c))]
#[case::korean("ko", |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c))]
#[tokio::test]
async fn the_activation_mail_speaks_the_persons_language(
    #[case] language: &str,
    #[case] written: fn(char) -> bool,
) {
    let stack = Stack::open();
    let email = format!("ada@{}.example", unique("corp"));
    aws::backoffice(&stack, &create_tenant(&email, 1, language)).await;
    let token = activation_token(&stack, &email).await;
    let mails = aws::mails(&stack, &email).await;
    let [[subject, text, html]] = &mails[..] else { panic!("one mail is enough: {mails:?}") };
    for part in [subject, text, html] {
        assert!(part.contains(written), "not in {language}: {part}");
    }
    assert!(text.contains("Ada") && html.contains("Ada"), "it greets the person");
    assert!(html.contains(&format!("/activate#{token}")), "both parts have the link: {html}");
}

#[tokio::test]
async fn the_link_leads_to_the_console() {
    let tenant = Tenant::new().await;
    let origin = tenant.admin.get("/me").await.header("access-control-allow-origin").to_owned();
    let mails = aws::mails(&tenant.stack, &tenant.email).await;
    assert!(mails[0][1].contains(&format!("{origin}/activate#")), "{origin}: {}", mails[0][1]);
}

#[tokio::test]
async fn a_faulty_command_names_every_fault_and_makes_nothing() {
    let stack = Stack::open();
    let mut command = create_tenant("not an address", 1, "en");
    command["country"] = json!("Atlantis");
    command["language"] = json!("tlh");
    command["company"] = json!("");
    command["admin"]["mobile"] = json!("call me");
    command["products"][1]["product"] = json!("EPP");
    command["products"][2]["partitions"] = json!(3);
    let answer = aws::backoffice(&stack, &command).await;
    assert_eq!(answer["status"], "error", "{answer}");
    let faulty = pointers(&answer["problem"]["errors"]);
    let wanted = [
        "/admin/email",
        "/admin/mobile",
        "/company",
        "/country",
        "/language",
        "/products/1/product",
        "/products/2/partitions",
    ];
    assert_eq!(faulty, wanted, "{answer}");
}

#[tokio::test]
async fn a_history_credential_ends_within_a_week() {
    let tenant = Tenant::new().await;
    let command = |days: u32, product: &str, id: &str| {
        json!({"command": "issue_history_credential", "operator": "tests", "reason": "test",
            "tenant_id": id, "product": product, "valid_days": days})
    };
    let issued = aws::backoffice(&tenant.stack, &command(7, "EPP", &tenant.id)).await;
    assert_eq!(issued["status"], "ok", "{issued}");
    let expires: jiff::Timestamp =
        issued["credential"]["expires_at"].as_str().unwrap().parse().unwrap();
    let left = (expires - crate::stack::now()).total(jiff::Unit::Hour).unwrap();
    assert!((24.0 * 6.0..=24.0 * 7.0 + 1.0).contains(&left), "{issued}");

    let refused = aws::backoffice(&tenant.stack, &command(8, "EPP", &tenant.id)).await;
    assert_eq!(pointers(&refused["problem"]["errors"]), ["/valid_days"], "{refused}");
    let nobody = "ten_00000000000070008000000000000000";
    let unknown = aws::backoffice(&tenant.stack, &command(7, "EPP", nobody)).await;
    assert_eq!(unknown["status"], "error", "{unknown}");
    assert_eq!(unknown.pointer("/credential"), None::<&Value>);
}
