use crate::app;
use belfry_testkit::{World, ask};
use serde_json::json;

#[tokio::test]
async fn shows_the_public_key_to_anybody() {
    let world = World::new();
    let answer = ask("GET /.well-known/jwks.json").of(&app(&world)).await;
    let key = world.key.public_key();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json, json!({"keys": [key.jwk()]}));
    let shown = &answer.json["keys"][0];
    assert_eq!((&shown["kty"], &shown["crv"]), (&json!("EC"), &json!("P-256")));
    assert_eq!((&shown["alg"], &shown["use"]), (&json!("ES256"), &json!("sig")));
    assert_eq!(shown["kid"], key.id());
    assert_eq!(shown.as_object().unwrap().len(), 7, "the public half and nothing else");
}
