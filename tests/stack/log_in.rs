//! Activation, log-in, refresh, log-out, and what a token says.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::actor::Actor;
use crate::aws;
use crate::stack::{Stack, unique};
use crate::tenant::{PASSWORD, Tenant, activation_token, code, create_tenant};

#[tokio::test]
async fn from_the_mailed_link_to_log_out() {
    let stack = Arc::new(Stack::open());
    let anon = Actor::anon(&stack);
    let email = format!("ada@{}.example", unique("corp"));
    let created = aws::backoffice(&stack, &create_tenant(&email, 1, "en")).await;
    let log_in = json!({"email": email, "password": PASSWORD});

    // Pending: nobody can tell it from an unknown address.
    anon.post("/auth/login", &log_in).await.is_problem(401, "invalid_credentials");

    let token = activation_token(&stack, &email).await;
    let link = json!({"token": token});
    anon.post("/auth/activation/check", &link).await.is(200);
    anon.post("/auth/activation/check", &link).await.is(200);

    for weak in ["short", "password1234567", "KestrelWorks-2026", "Ada-Byron-the-1st"] {
        let body = json!({"token": token, "password": weak});
        let faulty = anon.post("/auth/activation", &body).await.faulty_fields();
        assert_eq!(faulty, ["/password"], "{weak}");
    }
    let activation = json!({"token": token, "password": PASSWORD});
    anon.post("/auth/activation", &activation).await.is(200);
    // A link works once.
    anon.post("/auth/activation", &activation).await.is_problem(410, "link_gone");
    anon.post("/auth/activation/check", &link).await.is_problem(410, "link_gone");

    let wrong = json!({"email": email, "password": "wrong-horse-battery-47-staple"});
    anon.post("/auth/login", &wrong).await.is_problem(401, "invalid_credentials");
    let shouted = json!({"email": email.to_uppercase(), "password": PASSWORD});
    anon.post("/auth/login", &shouted).await.is(200);

    // The first super admin of a tenant has the second factor on.
    let offer = anon.post("/auth/login", &log_in).await.is(200);
    assert_eq!(offer["status"], "enrolment_required");
    let code = code(text(&offer, "secret"), 0);
    let body = json!({"challenge": offer["challenge"], "code": code});
    let session = anon.post("/auth/two-factor/enrolment", &body).await.is(200);
    assert_eq!(session["status"], "authenticated");
    assert_eq!(session["token_type"], "Bearer");
    assert!(session["expires_in"].as_u64().unwrap() <= 300);
    assert_eq!(session["tenant"]["id"], created["tenant"]["id"]);
    assert_eq!(session["tenant"]["name"], "Kestrel Works");
    assert_eq!(session["user"]["id"], created["user"]["id"]);
    assert_eq!(session["user"]["role"], "super_admin");

    let admin = anon.bearing(text(&session, "access_token"));
    let me = admin.get("/me").await.is(200);
    assert_eq!(me["email"], email);
    assert_eq!(me["first_name"], "Ada");
    assert!(!me.to_string().contains("argon2"), "no hash leaves: {me}");

    let refreshed = refresh(&anon, &session).await;
    assert_ne!(refreshed["refresh_token"], session["refresh_token"], "it rotates");
    let admin = anon.bearing(text(&refreshed, "access_token"));
    admin.get("/me").await.is(200);

    admin.post("/auth/logout", &json!({})).await.is(204);
    admin.get("/me").await.is(401);
    let body = json!({"refresh_token": refreshed["refresh_token"]});
    anon.post("/auth/refresh", &body).await.is(401);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_the_same() {
    let tenant = Tenant::new().await;
    let answer = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let mut problem = tenant.anon.post("/auth/login", &body).await.is(401);
        problem.as_object_mut().unwrap().remove("instance");
        problem
    };
    let unknown = format!("nobody@{}.example", unique("corp"));
    let wrong = answer(&tenant.email, "wrong-horse-battery-47-staple").await;
    assert_eq!(wrong["code"], "invalid_credentials");
    assert_eq!(wrong, answer(&unknown, PASSWORD).await);
}

#[tokio::test]
async fn the_successor_of_a_refresh_token_can_be_had_again_shortly() {
    let tenant = Tenant::new().await;
    let body = json!({"email": tenant.email, "password": PASSWORD});
    let session = tenant.anon.post("/auth/login", &body).await.is(200);
    let first = refresh(&tenant.anon, &session).await;
    let second = refresh(&tenant.anon, &session).await;
    assert_eq!(first["refresh_token"], second["refresh_token"], "the answer may have been lost");
    refresh(&tenant.anon, &second).await;
}

#[tokio::test]
async fn access_tokens_are_signed_by_a_key_of_the_jwks() {
    let tenant = Tenant::new().await;
    let token = tenant.admin.bearer();
    let header = decode_header(token).unwrap();
    assert_eq!(header.alg, Algorithm::ES256);
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert!(header.jku.is_none() && header.jwk.is_none());

    let keys = tenant.anon.get("/.well-known/jwks.json").await.is(200);
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let claims = decode::<Value>(token, &key, &validation).unwrap().claims;
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=300).contains(&lifetime), "{claims}");
    assert!(claims.to_string().contains(&tenant.id), "it names the tenant: {claims}");
    assert!(!claims.to_string().contains(&tenant.email), "and no address: {claims}");
}

#[tokio::test]
async fn a_token_that_was_touched_opens_nothing() {
    let tenant = Tenant::new().await;
    let token = tenant.admin.bearer();
    let [header, claims, signature] =
        <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).unwrap();
    let none = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0";
    let swapped = if claims.ends_with('A') { 'B' } else { 'A' };
    let touched = format!("{}{swapped}", &claims[..claims.len() - 1]);
    for token in [
        String::new(),
        "x".to_owned(),
        format!("{header}.{claims}."),
        format!("{none}.{claims}."),
        format!("{header}.{touched}.{signature}"),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
    ] {
        tenant.anon.bearing(&token).get("/me").await.is(401);
    }
    tenant.anon.get("/me").await.is(401);
    tenant.admin.get("/me").await.is(200);
}

async fn refresh(anon: &Actor, session: &Value) -> Value {
    let body = json!({"refresh_token": session["refresh_token"]});
    anon.post("/auth/refresh", &body).await.is(200)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}
