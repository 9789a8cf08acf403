//! What holds for every route. (Request id, CORS and the form of problems are checked in
//! `actor.rs`, on every answer of every test.)

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use crate::actor::Actor;
use crate::stack::Stack;
use crate::tenant::Tenant;

#[tokio::test]
async fn an_unknown_path_or_method_is_a_problem_too() {
    let tenant = Tenant::new().await;
    for actor in [&tenant.anon, &tenant.admin] {
        actor.get("/no/such/path").await.is_problem(404, "not_found");
        actor.delete("/dashboard").await.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn nothing_opens_without_a_token() {
    let anon = Actor::anon(&Arc::new(Stack::open()));
    for path in ["/me", "/dashboard", "/endpoints", "/endpoints/EPP/x", "/products/EPP/credentials"]
    {
        anon.get(path).await.is(401);
    }
    anon.delete("/endpoints/EPP/x").await.is(401);
    anon.delete("/products/EPP/credentials/x").await.is(401);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_with_the_place() {
    let anon = Actor::anon(&Arc::new(Stack::open()));
    let post = |media: &'static str, body: &'static str| {
        let request = anon.request(Method::POST, "/auth/login").header("content-type", media);
        anon.send(request.body(body))
    };
    post("application/json", "{\"email\":").await.is(400);
    post("application/json", "").await.is(400);
    post("text/plain", "{}").await.is(415);
    let answer =
        post("application/json", r#"{"email":"a@b.example","password":"x","admin":true}"#).await;
    assert_eq!(answer.faulty_fields(), ["/admin"]);
    let wrong = anon.post("/auth/login", &json!({"email": 7, "password": "x"})).await;
    assert_eq!(wrong.faulty_fields(), ["/email"]);
}

#[tokio::test]
async fn the_browser_may_ask_first() {
    let stack = Arc::new(Stack::open());
    let anon = Actor::anon(&stack);
    let origin = anon.get("/me").await.header("access-control-allow-origin").to_owned();
    for (path, method) in
        [("/telemetry", "POST"), ("/endpoints/EPP/x", "DELETE"), ("/dashboard", "GET")]
    {
        let request = anon
            .request(Method::OPTIONS, path)
            .header("origin", &origin)
            .header("access-control-request-method", method);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("access-control-allow-origin"), origin);
        assert_eq!(header("access-control-allow-credentials"), "true");
        assert!(header("access-control-allow-methods").contains(method), "{path}");
        assert!(header("access-control-allow-headers").to_lowercase().contains("authorization"));
    }
}
