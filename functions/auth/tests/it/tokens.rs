//! Forged access tokens: each refused, for the reason expected, and with one and the same answer.

use crate::app;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belfry_api::auth::{PublicKey, Refused};
use belfry_domain::account::Role;
use belfry_domain::id::{SessionId, TenantId, UserId};
use belfry_testkit::ask::ORIGIN;
use belfry_testkit::{LocalKey, World, ask};
use serde_json::{Value, json};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Signed with `key`, whatever header and claims are.
fn signed(key: &LocalKey, header: &str, claims: &str) -> String {
    let draft = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign_bytes(draft.as_bytes()));
    format!("{draft}.{signature}")
}

/// HMAC-SHA-256 with the public key as its secret, as the classic confusion attack has it.
fn hmac(key: &[u8], draft: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let tag = aws_lc_rs::hmac::sign(&key, draft.as_bytes());
    format!("{draft}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

fn with(value: &Value, name: &str, new: Value) -> Value {
    let mut value = value.clone();
    value[name] = new;
    value
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().remove(name);
    value
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn each_is_refused_for_the_reason_expected() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (session, _) = world.session(&ann).await;
    let good = world.token_of(&session);
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let decode = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = (decode(head), decode(body));
    let kid = world.key.public_key().id().to_owned();
    assert_eq!(header, json!({"alg": "ES256", "kid": kid, "typ": "at+jwt"}));
    assert_eq!(claims["iss"], ORIGIN);
    assert_eq!(claims["aud"], "belfry-console");
    let own = |header: &Value, claims: &Value| signed(&world.key, &part(header), &part(claims));
    let header_with = |name: &str, value: Value| own(&with(&header, name, value), &claims);
    // Signed as we sign, with our exact header: what an insider with the key could make.
    let claimed =
        |name: &str, value: Value| signed(&world.key, head, &part(&with(&claims, name, value)));
    let stranger = LocalKey::new();
    let now = world.now().as_second();
    let (der, none) = (world.key.public_der(), with(&header, "alg", json!("none")));
    let hs =
        |key: &[u8]| hmac(key, &format!("{}.{body}", part(&with(&header, "alg", json!("HS256")))));
    let flipped = |text: &str, at: usize| {
        let letter = if &text[at..=at] == "A" { "B" } else { "A" };
        format!("{}{letter}{}", &text[..at], &text[at + 1..])
    };
    let stranger_jwk = serde_json::to_value(stranger.public_key().jwk()).unwrap();
    let duplicated = r#"{"exp":9999999999,"#.to_owned() + &claims.to_string()[1..];
    let mut cases = vec![
        ("nothing", String::new(), Refused::Form),
        ("one part", body.to_owned(), Refused::Form),
        ("two parts", format!("{head}.{body}"), Refused::Form),
        ("four parts", format!("{good}.{signature}"), Refused::Form),
        ("five parts, as encrypted tokens have", format!("{good}.a.b"), Refused::Form),
        ("an empty header", format!(".{body}.{signature}"), Refused::Form),
        ("an empty body", format!("{head}..{signature}"), Refused::Form),
        ("characters that are not base64url", format!("{head}.{body}=.{signature}"), Refused::Form),
        ("over-long", format!("{head}.{}.{signature}", "A".repeat(4_096)), Refused::Length),
        ("alg none, unsigned", format!("{}.{body}.", part(&none)), Refused::Header),
        ("alg none, signed", own(&none, &claims), Refused::Header),
        ("HS256 with the public key in DER", hs(&der), Refused::Header),
        ("HS256 with the key's x", hs(world.key.public_key().id().as_bytes()), Refused::Header),
        ("another algorithm", header_with("alg", json!("RS256")), Refused::Header),
        ("a longer curve", header_with("alg", json!("ES384")), Refused::Header),
        ("typ JWT, as an identity token", header_with("typ", json!("JWT")), Refused::Header),
        ("typ of a product handoff", header_with("typ", json!("handoff+jwt")), Refused::Header),
        ("no typ", own(&without(&header, "typ"), &claims), Refused::Header),
        ("another kid", header_with("kid", json!(stranger.public_key().id())), Refused::Header),
        ("a kid with a path", header_with("kid", json!("../../dev/null")), Refused::Header),
        ("no kid", own(&without(&header, "kid"), &claims), Refused::Header),
        ("a key in the header", header_with("jwk", stranger_jwk), Refused::Header),
        (
            "a key's address in the header",
            header_with("jku", json!("https://e.vil")),
            Refused::Header,
        ),
        ("a certificate in the header", header_with("x5c", json!(["MIIB"])), Refused::Header),
        ("a critical extension", header_with("crit", json!(["exp"])), Refused::Header),
        ("an uncompressed payload option", header_with("b64", json!(false)), Refused::Header),
        ("another's signature", signed(&stranger, head, body), Refused::Signature),
        ("no signature", format!("{head}.{body}."), Refused::Signature),
        ("half a signature", format!("{head}.{body}.{}", &signature[..43]), Refused::Signature),
        ("a zero signature", format!("{head}.{body}.{}", "A".repeat(86)), Refused::Signature),
        (
            "a flipped signature",
            format!("{head}.{body}.{}", flipped(signature, 9)),
            Refused::Signature,
        ),
        ("a changed body", format!("{head}.{}.{signature}", flipped(body, 40)), Refused::Signature),
        ("a body that is no JSON", signed(&world.key, head, "AAAA"), Refused::Claims),
        ("another issuer", claimed("iss", json!("https://e.vil")), Refused::Issuer),
        ("no issuer", signed(&world.key, head, &part(&without(&claims, "iss"))), Refused::Claims),
        ("another audience", claimed("aud", json!("EPP")), Refused::Audience),
        ("no audience", signed(&world.key, head, &part(&without(&claims, "aud"))), Refused::Claims),
        ("no expiry", signed(&world.key, head, &part(&without(&claims, "exp"))), Refused::Claims),
        ("an expiry in words", claimed("exp", json!("tomorrow")), Refused::Claims),
        (
            "two expiries",
            signed(&world.key, head, &URL_SAFE_NO_PAD.encode(duplicated)),
            Refused::Claims,
        ),
        ("a user for a tenant", claimed("tenant", json!(ann.user)), Refused::Claims),
        ("a claim too many", claimed("role", json!("super_admin")), Refused::Claims),
        ("a life too long", claimed("exp", json!(now + 3_600)), Refused::Times),
        ("from the future", claimed("iat", json!(now + 60)), Refused::Times),
    ];
    let expired = with(&with(&claims, "iat", json!(now - 305)), "exp", json!(now - 5));
    cases.push(("expired", signed(&world.key, head, &part(&expired)), Refused::Expired));

    let expected = ask("GET /me").of(&app(&world)).await;
    assert_eq!(expected.verdict(), (401, "unauthenticated"));
    assert_eq!(expected.header("www-authenticate"), "Bearer");
    for (what, token, reason) in &cases {
        assert_eq!(world.tokens().verify(token, world.now()), Err(*reason), "{what}");
        let answer = ask("GET /me").bearer(token).of(&app(&world)).await;
        assert_eq!((answer.status, &answer.text), (401, &expected.text), "{what}");
    }
    assert!(cases.len() >= 40);

    // Well made, but there is no such session, or it is somebody else's.
    let elsewhere = world.tenant("Initech").await;
    let bob = world.member(elsewhere, "bob@initech.example", Role::SuperAdmin).await;
    let chance = world.entropy.as_ref();
    for (name, value) in [
        ("sid", json!(SessionId::new(world.now(), chance))),
        ("tenant", json!(elsewhere)),
        ("tenant", json!(TenantId::new(world.now(), chance))),
        ("user", json!(bob.user)),
        ("user", json!(UserId::new(world.now(), chance))),
        ("sub", json!(bob.identity)),
    ] {
        let token = claimed(name, value);
        world.tokens().verify(&token, world.now()).unwrap();
        let answer = ask("GET /me").bearer(&token).of(&app(&world)).await;
        assert_eq!((answer.status, &answer.text), (401, &expected.text), "{name}");
    }
    assert_eq!(ask("GET /me").bearer(&good).of(&app(&world)).await.status, 200);
    for scheme in ["Basic", "bearer:", ""] {
        let answer = ask("GET /me")
            .header("Authorization", format!("{scheme} {good}"))
            .of(&app(&world))
            .await;
        assert_eq!(answer.text, expected.text, "{scheme}");
    }
}

#[tokio::test]
async fn five_minutes_and_five_seconds_of_leeway() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (session, _) = world.session(&ann).await;
    let token = world.token_of(&session);
    let verdict = |after: i64| {
        let at = world.now() + jiff::SignedDuration::from_secs(after);
        world.tokens().verify(&token, at).err()
    };
    assert_eq!(verdict(304), None);
    assert_eq!(verdict(305), Some(Refused::Expired));
    assert_eq!(verdict(-5), None);
    assert_eq!(verdict(-6), Some(Refused::Times));
}

#[test]
fn only_uncompressed_p256_is_a_key() {
    let der = LocalKey::new().public_der();
    assert!(PublicKey::from_der(&der).is_ok());
    for bad in [&[][..], &der[1..], &der[..90], &[der.as_slice(), &[0]].concat()] {
        assert!(PublicKey::from_der(bad).is_err());
    }
}
