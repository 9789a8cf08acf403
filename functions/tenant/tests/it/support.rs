use crate::{SUPPORT, app, app_over, member, statuses};
use belfry_domain::account::Role;
use belfry_domain::outbox::Outgoing;
use belfry_domain::product::Product;
use belfry_testkit::{Ask, Turnstile, World, ask, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;

fn create(token: &str, body: Value) -> Ask {
    ask("POST /support/tickets").bearer(token).json(body)
}

fn some() -> Value {
    json!({"subject": "No log-in", "message": "It says\n401.", "product": null})
}

/// The mails that wait, rendered: to whom, subject, text, and whom a reply reaches.
async fn mails(world: &World) -> Vec<(String, String, String, String)> {
    let mut mails = Vec::new();
    for id in world.bell.drain() {
        let claim = world.table().claim_outbox(id.parse().unwrap(), world.now()).await.unwrap();
        let entry = claim.as_ref().unwrap().entry();
        let Outgoing::Mail(mail) = &entry.outgoing else { panic!("no mail") };
        let rendered = mail.render(None).unwrap();
        let reply = rendered.reply_to.map(String::from).unwrap_or_default();
        mails.push((mail.to.as_str().to_owned(), rendered.subject, rendered.text, reply));
    }
    mails
}

#[tokio::test]
async fn shows_every_way() {
    let world = World::new();
    let (_, token) = member(&world, "Globex", Role::ReadOnly).await;
    let answer = ask("GET /support").bearer(&token).of(&app(&world)).await;
    assert_eq!(answer.at("/faq_url"), "https://support.example.com/faq");
    assert_eq!(answer.at("/chat_url"), "https://support.example.com/chat");
    assert_eq!(answer.at("/email"), "support@example.com");
    let first = json!({"country": "US", "number": "+18005550199",
        "hours": "every day, around the clock", "toll_free": true});
    assert_eq!(answer.json["telephones"][0], first);
}

#[tokio::test]
async fn a_ticket_is_mailed_with_the_keys_and_recorded_without_its_words() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::ReadOnly).await;
    let keys = [Product::Ztna, Product::Epp].map(|product| world.license(tenant, product, 1));
    let [ztna, epp] = keys;
    let (ztna, epp) = (ztna.await.product_key, epp.await.product_key);
    let body =
        json!({"subject": " No  log-in ", "message": "It says\r\n401 <b>.", "product": "EPP"});
    let answer = create(&token, body).of(&app(&world)).await;
    assert_eq!(answer.status, 202);
    let reference = answer.at("/reference");
    assert!(reference.starts_with("TCK-") && reference.len() == 12, "{reference}");
    assert_eq!(answer.json, json!({"reference": reference}));

    let sent = mails(&world).await;
    let [(to, subject, text, reply)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(to, SUPPORT);
    assert_eq!(subject, &format!("Belfry ticket {reference} of Globex: No log-in"));
    assert_eq!(reply, "read_only@globex.example");
    for line in [
        "Ann Lindqvist (read_only@globex.example) of Globex asks for help.",
        &format!("Reference: {reference}"),
        &format!("Tenant: {tenant}"),
        "Product: EPP",
        &format!("Product keys: EPP {epp}, ZTNA {ztna}"),
        "It says",
        "401 <b>.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }

    let (records, _) = world.table().audit_trail(tenant, 0, 10).await.unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    let shown: Value = serde_json::from_str(&record.text).unwrap();
    assert_eq!(shown["action"], "ticket.create");
    assert_eq!(shown["entity"], json!({"kind": "ticket", "id": reference}));
    assert_eq!(shown["changes"], json!([{"field": "product", "to": "EPP"}]));
    let personal: Value = serde_json::from_str(record.personal.as_ref().unwrap()).unwrap();
    assert_eq!(personal["values"]["subject"], "No log-in");
    for kept in world.db.dump_of(&format!("T#{tenant}#AU")) {
        assert!(!kept.to_string().contains("It says"), "{kept}");
    }
}

#[tokio::test]
async fn every_faulty_field_is_named() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let app = app(&world);
    let long = "é".repeat(5_001);
    for (body, faults) in [
        (
            json!({"subject": "", "message": "\n", "product": "epp"}),
            vec![("/subject", "required"), ("/message", "required"), ("/product", "invalid")],
        ),
        (
            json!({"subject": "x".repeat(121), "message": long}),
            vec![("/subject", "too_long"), ("/message", "too_long")],
        ),
        (
            json!({"subject": "a\u{7}", "message": "a\tb"}),
            vec![("/subject", "invalid"), ("/message", "invalid")],
        ),
        (json!({"subject": "a"}), vec![("", "invalid")]),
        (json!({"subject": "a", "message": "b", "to": "x"}), vec![("/to", "invalid")]),
    ] {
        let answer = create(&token, body).of(&app).await;
        assert_eq!((answer.status, answer.faults()), (422, faults));
    }
    assert!(world.bell.drain().is_empty());
    assert_eq!(world.table().audit_head(tenant).await.unwrap().sequence, 0);
}

#[tokio::test]
async fn ten_an_hour_and_user() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let bob = world.member(tenant, "bob@globex.example", Role::Admin).await;
    let app = app(&world);
    let token = world.token(&ann).await;
    for _ in 0..10 {
        assert_eq!(create(&token, some()).of(&app).await.status, 202);
    }
    let refused = create(&token, some()).of(&app).await;
    assert_eq!(refused.verdict(), (429, "throttled"));
    assert_eq!(refused.header("retry-after"), "3600");
    assert_eq!(refused.header("ratelimit-policy"), "\"ticket\";q=10;w=3600");
    let other = world.token(&bob).await;
    assert_eq!(create(&other, some()).of(&app).await.status, 202);
    assert_eq!(mails(&world).await.len(), 11);
    world.wait(3_600);
    let token = world.token(&ann).await;
    assert_eq!(create(&token, some()).of(&app).await.status, 202);
}

#[tokio::test]
async fn a_repeat_is_told_the_same_and_mails_nothing() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let bob = world.member(tenant, "bob@globex.example", Role::Admin).await;
    let app = app(&world);
    let make = async |token: &str, key: &str| {
        create(token, some()).header("Idempotency-Key", key).of(&app).await
    };
    let (token, other) = (world.token(&ann).await, world.token(&bob).await);
    let first = make(&token, "k").await;
    for _ in 0..12 {
        let again = make(&token, "k").await;
        assert_eq!((again.status, again.json), (202, first.json.clone()), "and counts as no try");
    }
    assert_eq!(mails(&world).await.len(), 1);
    assert_eq!(world.table().audit_head(tenant).await.unwrap().sequence, 1);
    assert_ne!(make(&token, "l").await.json, first.json);
    assert_ne!(make(&other, "k").await.json, first.json);
    for bad in ["", &"x".repeat(129), "a\tb"] {
        assert_eq!(make(&token, bad).await.verdict(), (400, "malformed"), "{bad}");
    }
    world.wait(86_400);
    assert_ne!(make(&world.token(&ann).await, "k").await.json, first.json);
}

#[tokio::test(start_paused = true)]
async fn rivals_with_one_key_make_one_ticket() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("tenant", gate.clone()).table()));
    let rivals: Vec<_> = (0..4)
        .map(|_| {
            let ask = create(&token, some()).header("Idempotency-Key", "k");
            let app = app.clone();
            tokio::spawn(async move { ask.of(app.as_ref()).await })
        })
        .collect();
    let answers = in_lockstep(&gate, rivals).await;
    assert!(answers.iter().all(|a| a.status == 202 && a.json == answers[0].json), "{answers:?}");
    assert_eq!(mails(&world).await.len(), 1);
    assert_eq!(world.table().audit_head(tenant).await.unwrap().sequence, 1);
}

#[tokio::test]
async fn roles() {
    let world = World::new();
    assert_eq!(statuses(&world, |ask| ask, "GET /support").await, [200, 200, 200, 200, 401]);
    let ask = |ask: Ask| ask.json(some());
    assert_eq!(statuses(&world, ask, "POST /support/tickets").await, [202, 202, 202, 202, 401]);
}
