//! The main job in one process, from the back office's command to the dashboard: every request and
//! every answer on the way is as the API's description says.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod description;
mod directory;
mod house;
mod licenses;
mod siem;
mod sign_up;
mod tag_routes;
mod tenant;
mod users;

use belfry_api::routes::{Caller, ROUTES};
use belfry_domain::account::Role;
use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::ports::Clock as _;
use belfry_runtime::http::Routes;
use belfry_testkit::{SeededEntropy, ask};
use house::{EVENTS, House};
use jiff::SignedDuration;
use serde_json::{Value, json};

const PASSWORD: &str = "orbit-mustard-ninety-kelp";

#[tokio::test]
async fn the_main_job_speaks_as_described() {
    let house = House::new();
    let tenant = house.create_tenant().await;
    house.settle().await;
    activate(&house).await;
    let token = log_in(&house).await;
    let help = help_desk(&house, tenant).await;
    second_tenant(&house, &token, &help).await;
    let secrets = credentials(&house, &token).await;
    telemetry(&house, &secrets).await;
    house.settle().await;
    dashboard(&house, &token).await;
    denied(&house, &help).await;
    let other = house.create_tenant().await;
    accounts::two_factor(&house, tenant).await;
    accounts::links(&house, tenant, other).await;
    accounts::confirmation(&house, tenant).await;
    accounts::profile(&house, tenant, other).await;
    accounts::own_two_factor(&house, tenant).await;
    accounts::others(&house, tenant).await;
    tenant::all(&house, tenant).await;
    users::all(&house, tenant).await;
    licenses::all(&house, tenant).await;
    sign_up::all(&house).await;
    tag_routes::all(&house, tenant).await;
    directory::all(&house, tenant).await;
    let token = ann_again(&house).await;
    log_out(&house, &token).await;
    licenses::over(&house, &secrets[0].1).await;
    siem::all(&house, tenant).await;
    suspended(&house).await;
    // Each success of each route was seen, and every status that its problems name.
    let seen = house.seen.into_inner().unwrap();
    let described = ROUTES.iter().flat_map(|route| {
        let problems = route.problems().into_keys();
        let answers = route.answers.iter().map(|(status, _)| *status);
        answers.chain(problems).map(|status| (route.route.to_owned(), status))
    });
    let unseen: Vec<_> = described
        .filter(|answer| !seen.contains(answer))
        .map(|(route, status)| format!("{status} {route}"))
        .collect();
    assert!(unseen.is_empty(), "{unseen:#?}");
}

/// No route of the console answers to anybody of a company that is suspended.
async fn suspended(house: &House) {
    let tenant = house.world.tenant("Hooli").await;
    let member = house.world.member(tenant, "gil@hooli.com", Role::SuperAdmin).await;
    let (session, _) = house.world.session(&member).await;
    house.suspend(tenant).await;
    for route in ROUTES.iter().filter(|route| route.caller == Caller::Console) {
        let asked = ask(route.route).path("product", "EPP").path("id", member.user.to_string());
        let answer = house.at(route, asked.bearer(house.world.token_of(&session))).await;
        assert_eq!(answer.verdict(), (403, "tenant_suspended"), "{}", route.route);
    }
}

async fn activate(house: &House) {
    let (check, accept) = ("POST /auth/activation/check", "POST /auth/activation");
    let token = house.mailed_token();
    assert!(!house.db.holds(&token), "the table holds hashes and sealed text only");
    let auth = &house.auth;
    let answer = house.send(auth, check, ask(check), json!({"token": token})).await;
    assert_eq!(answer.at("/status"), "password_required");
    let weak = json!({"token": token, "password": "globex123456"});
    assert_eq!(house.send(auth, accept, ask(accept), weak).await.status, 422);
    let good = json!({"token": token, "password": PASSWORD});
    assert_eq!(house.send(auth, accept, ask(accept), good.clone()).await.status, 200);
    assert_eq!(house.send(auth, accept, ask(accept), good).await.status, 410);
    assert_eq!(house.send(auth, check, ask(check), json!({"token": token})).await.status, 410);
    for route in [check, accept] {
        faulty_bodies(house, auth, route, None).await;
    }
}

/// What every route with a JSON body answers to what is none.
async fn faulty_bodies(house: &House, function: &impl Routes, route: &str, bearer: Option<&str>) {
    let ask = || {
        let ask = ask(route).path("product", "EPP");
        bearer.map_or(ask.clone(), |token| ask.bearer(token))
    };
    let json = "application/json";
    for (body, media, status) in
        [("{", json, 400), ("{}", "text/plain", 415), (r#"{"more": 1}"#, json, 422)]
    {
        let answer = house.tell(function, route, ask().text(media, body)).await;
        assert_eq!(answer.status, status, "{route}: {body}");
    }
}

async fn log_in(house: &House) -> String {
    let (route, refresh, me) = ("POST /auth/login", "POST /auth/refresh", "GET /me");
    let auth = &house.auth;
    let body = |password| json!({"email": "ann@globex.com", "password": password});
    let wrong = house.send(auth, route, ask(route), body("wrong")).await;
    assert_eq!(wrong.verdict(), (401, "invalid_credentials"));
    faulty_bodies(house, auth, route, None).await;
    faulty_bodies(house, auth, refresh, None).await;
    // The first super admin's second factor is on; as a super admin may, Ann turns it off.
    let ann = house.enrol("ann@globex.com").await;
    let own = "POST /me/two-factor";
    let off = json!({"enabled": false});
    let off = house.send(auth, own, ask(own).bearer(&ann.access), off).await;
    assert_eq!(off.status, 200, "{}", off.text);
    let browser = ask(route).header("X-Belfry-Client", "browser");
    let answer = house.send(auth, route, browser, body(PASSWORD)).await;
    assert!(answer.json["refresh_token"].is_null() && !answer.header("set-cookie").is_empty());
    let answer = house.send(auth, route, ask(route), body(PASSWORD)).await;
    let shown = json!({"refresh_token": answer.at("/refresh_token")});
    assert_eq!(house.send(auth, refresh, ask(refresh), shown).await.status, 200);
    let unknown = json!({"refresh_token": "unknown"});
    assert_eq!(house.send(auth, refresh, ask(refresh), unknown).await.status, 401);
    let token = answer.at("/access_token").to_owned();
    assert_eq!(house.tell(auth, me, ask(me).bearer(&token)).await.status, 200);
    assert_eq!(house.tell(auth, me, ask(me)).await.status, 401);
    token
}

/// The access token of a help desk member.
async fn help_desk(house: &House, tenant: TenantId) -> String {
    house.world.member(tenant, "help@globex.com", Role::HelpDesk).await;
    let body = json!({"email": "help@globex.com", "password": PASSWORD});
    let route = "POST /auth/login";
    house.send(&house.auth, route, ask(route), body).await.at("/access_token").to_owned()
}

/// An invitation of a person who has a password asks for her log-in.
async fn second_tenant(house: &House, token: &str, other: &str) {
    house.create_tenant().await;
    house.settle().await;
    let (check, accept) = ("POST /auth/activation/check", "POST /auth/activation");
    let auth = &house.auth;
    let body = json!({"token": house.mailed_token()});
    let answer = house.send(auth, check, ask(check), body.clone()).await;
    assert_eq!(answer.at("/status"), "login_required");
    let verdicts = [(None, 409), (Some("x"), 401), (Some(other), 403), (Some(token), 200)];
    for (bearer, status) in verdicts {
        let ask = bearer.map_or(ask(accept), |token| ask(accept).bearer(token));
        assert_eq!(house.send(auth, accept, ask, body.clone()).await.status, status);
    }
}

/// The help desk reads, and changes nothing of these.
async fn denied(house: &House, token: &str) {
    let credentials = "POST /products/{product}/credentials";
    let revoke = "DELETE /products/{product}/credentials/{id}";
    let remove = "DELETE /endpoints/{product}/{id}";
    let id = CredentialId::new(house.clock.now(), &SeededEntropy::new(3));
    let of = |route| ask(route).path("product", "EMM").bearer(token);
    let answer = house.send(&house.tenant, credentials, of(credentials), json!({})).await;
    assert_eq!(answer.status, 403);
    assert_eq!(house.tell(&house.tenant, revoke, of(revoke).path("id", id)).await.status, 403);
    let answer = house.tell(&house.dashboard, remove, of(remove).path("id", "pc-1")).await;
    assert_eq!(answer.status, 403);
}

async fn credentials(house: &House, token: &str) -> Vec<(&'static str, String)> {
    let function = &house.tenant;
    let create = "POST /products/{product}/credentials";
    let list = "GET /products/{product}/credentials";
    let revoke = "DELETE /products/{product}/credentials/{id}";
    let of = |route, product: &str| ask(route).path("product", product).bearer(token);
    let mut secrets = Vec::new();
    for product in ["EPP", "EMM", "DATA_PRIVACY", "ZTNA"] {
        let answer = house.send(function, create, of(create, product), json!({})).await;
        assert_eq!(answer.status, 201);
        secrets.push((product, answer.at("/secret").to_owned()));
    }
    let until = json!({"expires_at": "2027-01-31T00:00:00Z"});
    let second = house.send(function, create, of(create, "EPP"), until.clone()).await;
    let third = house.send(function, create, of(create, "EPP"), until).await;
    assert_eq!(third.verdict(), (409, "credential_limit"));
    let over = json!({"expires_at": "2020-01-31T00:00:00Z"});
    assert_eq!(house.send(function, create, of(create, "EPP"), over).await.status, 422);
    assert_eq!(
        house.tell(function, list, of(list, "EPP")).await.json["items"][1]["id"],
        second.json["id"]
    );
    let id = second.at("/id");
    assert_eq!(house.tell(function, revoke, of(revoke, "EPP").path("id", id)).await.status, 204);
    assert_eq!(house.tell(function, revoke, of(revoke, "EPP").path("id", id)).await.status, 404);
    assert_eq!(house.tell(function, list, of(list, "NONE")).await.status, 404);
    let body = json!({});
    assert_eq!(house.send(function, create, of(create, "NONE"), body.clone()).await.status, 404);
    assert_eq!(
        house.send(function, create, ask(create).path("product", "EPP"), body).await.status,
        401
    );
    for route in [list, revoke] {
        let nobody = ask(route).path("product", "EPP").path("id", id);
        assert_eq!(house.tell(function, route, nobody).await.status, 401);
    }
    faulty_bodies(house, function, create, Some(token)).await;
    let keys = "GET /.well-known/jwks.json";
    assert_eq!(house.tell(function, keys, ask(keys)).await.status, 200);
    secrets
}

async fn telemetry(house: &House, secrets: &[(&str, String)]) {
    let route = "POST /telemetry";
    let function = &house.ingest;
    for (product, secret) in secrets {
        let batch = Value::from(house.events(product));
        house.description.check_request(route, &batch);
        let ask = ask(route).bearer(secret).header("Idempotency-Key", "batch-1");
        let answer = house.tell(function, route, ask.text(EVENTS, &batch.to_string())).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json["accepted"], batch.as_array().unwrap().len(), "{}", answer.text);
        assert_eq!(answer.json["errors"], json!([]));
    }
    let secret = &secrets[0].1;
    let send = |media: &'static str, body: String| {
        house.tell(function, route, ask(route).bearer(secret).text(media, &body))
    };
    let mut mixed = house.events("EPP");
    mixed[0]["data"]["surplus"] = "not kept".into();
    mixed[1]["time"] = "yesterday".into();
    let answer = send(EVENTS, Value::from(mixed).to_string()).await;
    assert_eq!((answer.status, &answer.json["rejected"]), (202, &json!(1)));
    assert_eq!(answer.json["warnings"][0]["pointer"], "/data/surplus");
    assert_eq!(send(EVENTS, "[{}]".to_owned()).await.verdict(), (422, "all_rejected"));
    assert_eq!(send(EVENTS, "[]".to_owned()).await.verdict(), (400, "empty_batch"));
    assert_eq!(send(EVENTS, "no".to_owned()).await.verdict(), (400, "not_json"));
    assert_eq!(send("application/json", "[]".to_owned()).await.status, 415);
    let many = format!("[{}1]", "1,".repeat(5_000));
    assert_eq!(send(EVENTS, many).await.verdict(), (413, "too_many_events"));
    let nobody = ask(route).text(EVENTS, "[]");
    assert_eq!(house.tell(function, route, nobody).await.status, 401);
}

async fn dashboard(house: &House, token: &str) {
    let function = &house.dashboard;
    let (get, list) = ("GET /dashboard", "GET /endpoints");
    let (one, remove) = ("GET /endpoints/{product}/{id}", "DELETE /endpoints/{product}/{id}");
    for period in ["0-2d", "3-6d", "7-14d", "15-29d", "30d+"] {
        let ask = ask(get).bearer(token).query("period", period);
        let answer = house.tell(function, get, ask).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json["endpoints"]["total"], 2, "{}", answer.text);
    }
    let wrong = ask(get).bearer(token).query("period", "1d");
    assert_eq!(house.tell(function, get, wrong).await.faults(), [("?period", "invalid")]);
    let page = house.tell(function, list, ask(list).bearer(token).query("limit", 1)).await;
    let next = ask(list).bearer(token).query("limit", 1).query("cursor", page.at("/next_cursor"));
    assert_eq!(house.tell(function, list, next).await.status, 200);
    let all = house.tell(function, list, ask(list).bearer(token)).await;
    assert_eq!(all.json["items"].as_array().unwrap().len(), 4, "{}", all.text);
    let infected = ask(list).bearer(token).query("infected", "true").query("last_seen", "0-2d");
    let infected = house.tell(function, list, infected).await;
    assert_eq!(infected.json["items"][0]["threat"], "EICAR", "{}", infected.text);
    let bad = ask(list).bearer(token).query("cursor", "x");
    assert_eq!(house.tell(function, list, bad).await.verdict(), (400, "cursor_invalid"));
    let bad = ask(list).bearer(token).query("kind", "x");
    assert_eq!(house.tell(function, list, bad).await.status, 422);

    let of = |route, id: &str| ask(route).path("product", "EPP").path("id", id);
    let answer = house.tell(function, one, of(one, "pc-1").bearer(token)).await;
    assert_eq!(answer.status, 200);
    for route in [one, remove] {
        assert_eq!(house.tell(function, route, of(route, "no").bearer(token)).await.status, 404);
        assert_eq!(house.tell(function, route, of(route, "pc-1")).await.status, 401);
    }
    assert_eq!(house.tell(function, remove, of(remove, "pc-1").bearer(token)).await.status, 202);
    house.settle().await;
    let gone = house.tell(function, one, of(one, "pc-1").bearer(token)).await;
    assert_eq!(gone.status, 404, "{}", gone.text);
    for route in [get, list] {
        assert_eq!(house.tell(function, route, ask(route)).await.status, 401);
    }
}

/// Ann's other company requires her second factor: she enrols anew.
async fn ann_again(house: &House) -> String {
    house.enrol("ann@globex.com").await.access
}

async fn log_out(house: &House, token: &str) {
    let (route, me) = ("POST /auth/logout", "GET /me");
    let auth = &house.auth;
    faulty_bodies(house, auth, route, None).await;
    house.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(house.tell(auth, route, ask(route).bearer(token)).await.status, 204);
    assert_eq!(house.tell(auth, route, ask(route).bearer(token)).await.status, 401);
    assert_eq!(house.tell(auth, me, ask(me).bearer(token)).await.status, 401, "at once");
}
