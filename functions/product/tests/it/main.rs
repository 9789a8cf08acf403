//! `product`, from the gateway's event to the table. Products that keep copies while tags are worked with
//! are among the tests of the testkit.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::attribute::UserAttribute;
use belfry_domain::credential::{Credential, CredentialToken, Scope};
use belfry_domain::id::TenantId;
use belfry_domain::product::Product;
use belfry_store::keys;
use belfry_testkit::{Answer, World, ask};
use product::App;
use serde_json::{Value, json};
use std::sync::Arc;

const LISTS: [&str; 3] = ["GET /product/users", "GET /product/tags", "GET /product/applications"];

async fn globex(world: &World) -> (TenantId, CredentialToken) {
    let tenant = world.tenant("Globex").await;
    world.license(tenant, Product::Ztna, 1).await;
    let token = world.credential_for(tenant, Product::Ztna, &[Scope::DirectoryRead]).await;
    (tenant, token)
}

async fn get(world: &World, route: &str, token: &str, query: &[(&str, &str)]) -> Answer {
    let app = App { table: world.table(), clock: Arc::new(world.clock.clone()) };
    let asked = query.iter().fold(ask(route), |asked, (name, value)| asked.query(name, value));
    asked.bearer(token).of(&app).await
}

async fn change(world: &World, token: &CredentialToken, change: impl FnOnce(&mut Credential)) {
    let key = keys::credential(token.id);
    let mut credential: Credential = world.get(&key).await.unwrap();
    change(&mut credential);
    world.put(&key, &credential).await;
}

#[tokio::test]
async fn a_credential_needs_the_scope() {
    let world = World::new();
    let (tenant, reader) = globex(&world).await;
    let writer = world.credential_for(tenant, Product::Ztna, &[Scope::TelemetryWrite]).await;
    for route in LISTS {
        assert_eq!(get(&world, route, &reader.expose_text(), &[]).await.status, 200);
        let answer = get(&world, route, &writer.expose_text(), &[]).await;
        assert_eq!(answer.verdict(), (403, "scope_missing"));
    }
    let unused: Credential = world.get(&keys::credential(writer.id)).await.unwrap();
    assert_eq!(unused.last_used_at, None, "what is refused is no use of it");
    let used: Credential = world.get(&keys::credential(reader.id)).await.unwrap();
    assert_eq!(used.last_used_at, Some(world.now()));
}

#[tokio::test]
async fn a_credential_that_is_none_is_401_whatever_is_wrong() {
    let world = World::new();
    let (tenant, reader) = globex(&world).await;
    let text = reader.expose_text();
    let foreign = World::new();
    let (_, foreign) = globex(&foreign).await;
    let mut wrong = text.clone();
    wrong.replace_range(40.., &foreign.expose_text()[40..]);
    let other = world.credential_for(tenant, Product::Ztna, &[Scope::DirectoryRead]).await;
    let mixed = format!("{}{}", &other.expose_text()[..37], &text[37..]);
    let mut bodies = Vec::new();
    for bad in ["", "x", &text[..50], &mixed] {
        let answer = get(&world, LISTS[0], bad, &[]).await;
        assert_eq!(answer.status, 401, "{bad}");
        bodies.push(answer.json);
    }
    let now = world.now();
    change(&world, &reader, |credential| credential.revoked_at = Some(now)).await;
    bodies.push(get(&world, LISTS[0], &text, &[]).await.json);
    change(&world, &reader, |credential| {
        credential.revoked_at = None;
        credential.valid_until = Some(now);
    })
    .await;
    bodies.push(get(&world, LISTS[0], &text, &[]).await.json);
    // Without the scope it is 401 all the same: that it is one is nobody's business.
    change(&world, &reader, |credential| credential.scopes = vec![Scope::TelemetryWrite]).await;
    bodies.push(get(&world, LISTS[0], &text, &[]).await.json);
    for body in &bodies {
        assert_eq!(body, bodies.first().unwrap());
    }
}

#[tokio::test]
async fn a_suspended_company_and_an_expired_licence_read_nothing() {
    let world = World::new();
    let (_, reader) = globex(&world).await;
    let text = reader.expose_text();
    change(&world, &reader, |credential| credential.suspended = true).await;
    let answer = get(&world, LISTS[0], &text, &[]).await;
    assert_eq!(answer.verdict(), (403, "tenant_suspended"));
    let now = world.now();
    change(&world, &reader, |credential| {
        credential.suspended = false;
        credential.accepted_until = now;
    })
    .await;
    let answer = get(&world, LISTS[0], &text, &[]).await;
    assert_eq!(answer.verdict(), (403, "license_expired"));
}

#[tokio::test]
async fn users_as_products_see_them_page_by_page() {
    let world = World::new();
    let (tenant, reader) = globex(&world).await;
    let token = reader.expose_text();
    let own = |n: usize| {
        (format!("u{n}@globex.example"), [(UserAttribute::Department, format!("Dept {n}"))])
    };
    let users = world.users(tenant, 7, own).await;
    let gone = world.user(tenant, "gone@globex.example", &[]).await;
    world.keep(&gone.archived().unwrap()).await;
    let stranger = world.tenant("Initech").await;
    world.user(stranger, "x@initech.example", &[]).await;
    let (mut found, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let mut query = vec![("limit", "3")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = get(&world, LISTS[0], &token, &query).await;
        assert_eq!(page.status, 200, "{}", page.text);
        found.extend(page.json["items"].as_array().unwrap().clone());
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break assert!(page.json["changed_since"].is_string()),
        }
        assert_eq!(page.json["changed_since"], Value::Null);
    }
    // Them, and the admin who made the credential.
    assert_eq!(found.len(), 8);
    for (n, user) in users.iter().enumerate() {
        let expected = json!({"id": user.id, "email": format!("u{n}@globex.example"),
            "first_name": "Kim", "last_name": "Berg", "role": "user", "status": "active",
            "source": "manual", "attributes": {"department": format!("Dept {n}")}, "groups": [], "tags": []});
        assert!(found.contains(&expected), "{expected}");
    }
    assert!(!found.iter().any(|user| user["id"] == json!(gone.id)));
}

#[tokio::test]
async fn faulty_parameters_and_cursors() {
    let world = World::new();
    let (_, reader) = globex(&world).await;
    let token = reader.expose_text();
    let answer =
        get(&world, LISTS[1], &token, &[("limit", "201"), ("changed_since", "x"), ("a", "b")])
            .await;
    let faults =
        [("?a", "unknown_parameter"), ("?changed_since", "invalid"), ("?limit", "out_of_range")];
    assert_eq!(answer.faults(), faults);
    let answer = get(&world, LISTS[1], &token, &[("cursor", "x")]).await;
    assert_eq!(answer.verdict(), (400, "cursor_invalid"));
    let page = get(&world, LISTS[0], &token, &[("limit", "1")]).await;
    let cursor = page.at("/next_cursor");
    let answer = get(&world, LISTS[2], &token, &[("cursor", cursor)]).await;
    assert_eq!(answer.verdict(), (400, "cursor_invalid"));
}
