use crate::{app, app_over, member};
use belfry_domain::account::Role;
use belfry_domain::audit::{Head, verify};
use belfry_domain::credential::{Credential, CredentialToken, Scope};
use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::product::Product;
use belfry_testkit::gate::Open;
use belfry_testkit::{Answer, Ask, Turnstile, World, ask, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;

fn create(token: &str, product: &str) -> Ask {
    ask("POST /products/{product}/credentials")
        .path("product", product)
        .bearer(token)
        .json(json!({}))
}

fn list(token: &str, product: &str) -> Ask {
    ask("GET /products/{product}/credentials").path("product", product).bearer(token)
}

fn revoke(token: &str, product: &str, id: &str) -> Ask {
    ask("DELETE /products/{product}/credentials/{id}")
        .path("product", product)
        .path("id", id)
        .bearer(token)
}

/// What `ingest` would say to this secret.
async fn works(world: &World, secret: &str) -> bool {
    let token: CredentialToken = secret.parse().unwrap();
    let found = world.table().credential(token.id).await.unwrap();
    Credential::check(found, &token, Scope::TelemetryWrite, world.now()).is_ok()
}

async fn records(world: &World, tenant: TenantId) -> Vec<Value> {
    let (records, head) = world.table().audit_trail(tenant, 0, 100).await.unwrap();
    let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, texts), Ok(head));
    records.iter().map(|record| serde_json::from_str(&record.text).unwrap()).collect()
}

#[tokio::test]
async fn the_secret_is_shown_once_and_works() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    world.license(tenant, Product::DataPrivacy, 4).await;

    let answer = create(&token, "DATA_PRIVACY").of(&app(&world)).await;
    let (id, secret) = (answer.at("/id").to_owned(), answer.at("/secret").to_owned());
    assert_eq!(answer.status, 201);
    let mut shown = json!({
        "id": id, "product": "DATA_PRIVACY", "scopes": ["telemetry:write"],
        "max_event_age_days": 30, "created_at": "2026-11-22T12:00:00.000Z",
        "expires_at": null, "last_used_at": null, "secret": secret,
    });
    assert_eq!(answer.json, shown);
    assert!(works(&world, &secret).await);
    assert!(!world.db.holds(&secret) && !world.db.holds(&secret[37..]));

    let stored = world.table().credential(id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.tenant, stored.product), (tenant, Product::DataPrivacy));
    assert_eq!(stored.partitions.count(), 4, "copied from the licence");

    let listed = list(&token, "DATA_PRIVACY").of(&app(&world)).await;
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(listed.json, json!({"items": [shown], "next_cursor": null}));
    assert_eq!(list(&token, "EPP").of(&app(&world)).await.json["items"], json!([]));

    let record = &records(&world, tenant).await[0];
    assert_eq!(record["action"], "credential.create");
    assert_eq!(record["entity"], json!({"kind": "credential", "id": id}));
    assert_eq!(record["actor"]["role"], "admin");
    assert_eq!(
        record["changes"],
        json!([
            {"field": "product", "to": "DATA_PRIVACY"},
            {"field": "scopes", "to": ["telemetry:write"]},
            {"field": "max_event_age_days", "to": 30},
            {"field": "expires_at", "to": null},
        ])
    );
}

#[tokio::test]
async fn two_live_ones_allow_a_rotation_and_a_third_must_wait() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::SuperAdmin).await;
    world.license(tenant, Product::Epp, 1).await;
    world.license(tenant, Product::Emm, 1).await;
    let app = app(&world);
    let make = async || create(&token, "EPP").of(&app).await;
    let (first, second) = (make().await, make().await);
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(make().await.verdict(), (409, "credential_limit"));
    assert_eq!(create(&token, "EMM").of(&app).await.status, 201, "each product has its own two");

    let (old, id) = (first.at("/secret"), first.at("/id"));
    assert!(works(&world, old).await);
    assert_eq!(revoke(&token, "EPP", id).of(&app).await.status, 204);
    assert!(!works(&world, old).await, "at once");
    assert!(works(&world, second.at("/secret")).await);
    assert_eq!(revoke(&token, "EPP", id).of(&app).await.verdict(), (404, "not_found"));
    assert_eq!(make().await.status, 201);
    let listed = list(&token, "EPP").of(&app).await;
    assert_eq!(listed.json["items"].as_array().unwrap().len(), 2);
    let actions: Vec<_> = records(&world, tenant)
        .await
        .iter()
        .map(|r| r["action"].as_str().unwrap().to_owned())
        .collect();
    let creation = "credential.create";
    assert_eq!(actions, [creation, creation, creation, "credential.revoke", creation]);
}

#[tokio::test]
async fn an_expired_one_makes_room() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    world.license(tenant, Product::Epp, 1).await;
    let make = async |body: Value| {
        ask("POST /products/{product}/credentials")
            .path("product", "EPP")
            .bearer(&token)
            .json(body)
            .of(&app(&world))
            .await
    };
    let end = json!({"expires_at": "2026-11-22T12:01:00Z"});
    let first = make(end.clone()).await;
    assert_eq!(first.at("/expires_at"), "2026-11-22T12:01:00.000Z");
    assert_eq!(make(end).await.status, 201);
    assert_eq!(make(json!({})).await.status, 409);
    world.wait(59);
    assert!(works(&world, first.at("/secret")).await);
    world.wait(1);
    assert!(!works(&world, first.at("/secret")).await);
    assert_eq!(make(json!({})).await.status, 201);

    for (body, fault) in [
        (json!({"expires_at": "2026-11-22T12:01:00Z"}), ("/expires_at", "in_the_past")),
        (json!({"expires_at": "tomorrow"}), ("/expires_at", "invalid")),
        (json!({"expires_at": 5}), ("/expires_at", "invalid")),
        (json!({"tenant": "x"}), ("/tenant", "invalid")),
    ] {
        let answer = make(body.clone()).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![fault]), "{body}");
    }
}

#[tokio::test]
async fn without_a_licence_there_is_none() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let answer = create(&token, "ZTNA").of(&app(&world)).await;
    assert_eq!(answer.verdict(), (409, "license_missing"));
    for product in ["ztna", "XYZ", ""] {
        for ask in [create(&token, product), list(&token, product)] {
            assert_eq!(ask.of(&app(&world)).await.status, 404, "{product}");
        }
    }
    assert_eq!(world.db.dump_of("C#").len(), 0);
    assert_eq!(records(&world, tenant).await, [] as [Value; 0]);
}

#[tokio::test]
async fn roles() {
    for (role, looks, makes) in [
        (Role::SuperAdmin, 200, true),
        (Role::Admin, 200, true),
        (Role::HelpDesk, 200, false),
        (Role::ReadOnly, 200, false),
        (Role::User, 401, false),
    ] {
        let world = World::new();
        let (tenant, token) = member(&world, "Globex", role).await;
        world.license(tenant, Product::Epp, 1).await;
        let other = world.token(&world.member(tenant, "a@b.example", Role::Admin).await).await;
        let id = create(&other, "EPP").of(&app(&world)).await.at("/id").to_owned();
        let refused =
            if role == Role::User { (401, "unauthenticated") } else { (403, "forbidden") };
        assert_eq!(list(&token, "EPP").of(&app(&world)).await.status, looks, "{role:?}");
        let made = create(&token, "EPP").of(&app(&world)).await;
        let gone = revoke(&token, "EPP", &id).of(&app(&world)).await;
        if makes {
            assert_eq!((made.status, gone.status), (201, 204), "{role:?}");
        } else {
            assert_eq!((made.verdict(), gone.verdict()), (refused, refused), "{role:?}");
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing() {
    let world = World::new();
    let bare = |route| ask(route).path("product", "EPP").path("id", "crd_0");
    for route in [
        "GET /products/{product}/credentials",
        "POST /products/{product}/credentials",
        "DELETE /products/{product}/credentials/{id}",
    ] {
        assert_eq!(bare(route).of(&app(&world)).await.verdict(), (401, "unauthenticated"));
    }
}

#[tokio::test]
async fn another_tenants_credential_does_not_exist() {
    let world = World::new();
    let (globex, ours) = member(&world, "Globex", Role::Admin).await;
    let (initech, theirs) = member(&world, "Initech", Role::SuperAdmin).await;
    for tenant in [globex, initech] {
        world.license(tenant, Product::Epp, 1).await;
    }
    let made = create(&ours, "EPP").of(&app(&world)).await;
    let id = made.at("/id");
    let unknown = CredentialId::new(world.now(), world.entropy.as_ref()).to_string();
    for (token, product, id) in [
        (&theirs, "EPP", id),
        (&ours, "EMM", id),
        (&ours, "EPP", &unknown),
        (&ours, "EPP", "crd_1"),
    ] {
        let answer: Answer = revoke(token, product, id).of(&app(&world)).await;
        assert_eq!(answer.verdict(), (404, "not_found"), "{product} {id}");
    }
    assert_eq!(list(&theirs, "EPP").of(&app(&world)).await.json["items"], json!([]));
    assert!(works(&world, made.at("/secret")).await);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_two_are_made_and_the_trail_has_no_gap() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    world.license(tenant, Product::Epp, 1).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("tenant", gate.clone()).table()));
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (app, ask) = (app.clone(), create(&token, "EPP"));
            tokio::spawn(async move { ask.of(app.as_ref()).await.status })
        })
        .collect();
    let mut statuses = in_lockstep(&gate, tasks).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409, 409, 409, 409]);
    assert_eq!(records(&world, tenant).await.len(), 2);
    assert_eq!(world.db.dump_of("C#").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_revokes() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    world.license(tenant, Product::Epp, 1).await;
    let made = create(&token, "EPP").of(&app(&world)).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("tenant", gate.clone()).table()));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (app, ask) = (app.clone(), revoke(&token, "EPP", made.at("/id")));
            tokio::spawn(async move { ask.of(app.as_ref()).await.status })
        })
        .collect();
    let mut statuses = in_lockstep(&gate, tasks).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404, 404]);
    assert_eq!(records(&world, tenant).await.len(), 2);
}

/// Different changes of one tenant meet only at the end of its audit trail.
#[tokio::test(start_paused = true)]
async fn changes_at_once_follow_one_another_in_the_trail() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    for product in Product::ALL {
        world.license(tenant, product, 1).await;
    }
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("tenant", gate.clone()).table()));
    let tasks = Product::ALL.map(|product| {
        let (app, ask) = (app.clone(), create(&token, product.name()));
        tokio::spawn(async move { ask.of(app.as_ref()).await.status })
    });
    assert_eq!(in_lockstep(&gate, tasks.into()).await, [201; 4]);
    assert_eq!(records(&world, tenant).await.len(), 4);
}

#[tokio::test]
async fn last_use_is_written_at_most_hourly() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    world.license(tenant, Product::Epp, 1).await;
    let made = create(&token, "EPP").of(&app(&world)).await;
    let id: CredentialId = made.at("/id").parse().unwrap();
    let mut shown = Vec::new();
    for wait in [0, 3_599, 1, 60] {
        world.wait(wait);
        let transport = world.db.client("ingest", Open);
        let table = transport.table();
        let found = table.credential(id).await.unwrap().unwrap();
        table.touch_credential(&found, world.now()).await.unwrap();
        // A rival with an older look writes nothing either.
        table
            .touch_credential(&Credential { last_used_at: None, ..found }, world.now())
            .await
            .unwrap();
        let found = table.credential(id).await.unwrap().unwrap();
        shown.push(found.last_used_at.unwrap().to_string());
    }
    let (noon, one) = ("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z");
    assert_eq!(shown, [noon, noon, one, one]);
}

#[tokio::test]
async fn a_repeat_makes_no_second_one() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    world.license(tenant, Product::Epp, 1).await;
    world.license(tenant, Product::Emm, 1).await;
    let app = app(&world);
    let make = async |product: &str, key: &str| {
        create(&token, product).header("Idempotency-Key", key).of(&app).await
    };
    assert_eq!(make("EPP", "k1").await.status, 201);
    assert_eq!(make("EPP", "k1").await.verdict(), (409, "already_created"));
    assert_eq!(make("EMM", "k1").await.status, 201, "another route, another request");
    assert_eq!(make("EPP", "k2").await.status, 201);
    assert_eq!(make("EPP", "k1").await.verdict(), (409, "already_created"), "at the limit too");
    assert_eq!(make("EPP", "k3").await.verdict(), (409, "credential_limit"));
    for bad in ["", &"x".repeat(129), "a\tb"] {
        assert_eq!(make("EPP", bad).await.verdict(), (400, "malformed"), "{bad}");
    }
    assert_eq!(records(&world, tenant).await.len(), 3);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    world.license(tenant, Product::Epp, 1).await;
    let mut verdicts = Vec::new();
    for wait in [0, 86_399, 1] {
        world.wait(wait);
        let ask = create(&world.token(&ann).await, "EPP").header("Idempotency-Key", "k");
        verdicts.push(ask.of(&app(&world)).await.status);
    }
    assert_eq!(verdicts, [201, 409, 201]);
}
