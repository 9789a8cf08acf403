//! Log-in, second factor, links and profile, every answer that the description names.

use crate::house::{House, code};
use crate::{PASSWORD, faulty_bodies};
use belfry_domain::account::{Role, Source};
use belfry_domain::id::{SessionId, TenantId, UserId};
use belfry_domain::ports::Clock as _;
use belfry_runtime::http::Routes;
use belfry_testkit::{Answer, Member, SeededEntropy, ask};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Somebody with a second factor.
pub(crate) struct Enrolled {
    pub(crate) secret: String,
    pub(crate) recovery: Vec<String>,
    pub(crate) access: String,
}

impl House {
    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Answer {
        let route = "POST /auth/login";
        let body = json!({"email": email, "password": password});
        self.send(&self.auth, route, ask(route), body).await
    }

    /// Logs in, and proves the secret that is shown.
    pub(crate) async fn enrol(&self, email: &str) -> Enrolled {
        let offer = self.log_in(email, PASSWORD).await;
        assert_eq!(offer.at("/status"), "enrolment_required");
        let secret = offer.at("/secret").to_owned();
        let route = "POST /auth/two-factor/enrolment";
        let body = json!({"challenge": offer.at("/challenge"), "code": code(self, &secret)});
        let opened = self.send(&self.auth, route, ask(route), body).await;
        let recovery = opened.json["recovery_codes"].as_array().unwrap();
        let recovery = recovery.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        self.clock.advance(SignedDuration::from_secs(30));
        Enrolled { secret, recovery, access: opened.at("/access_token").to_owned() }
    }

    /// A member of whom the second factor is required.
    async fn careful(&self, tenant: TenantId, email: &str, role: Role) -> Member {
        let member = self.world.member(tenant, email, role).await;
        self.world.change(&member, |user| user.two_factor_required = true).await;
        member
    }

    /// Asks for something as somebody, and with a body that must be of the described form.
    async fn by(&self, route: &'static str, token: &str, body: Value) -> Answer {
        let function = &self.auth;
        self.send(function, route, ask(route).bearer(token), body).await
    }

    /// Without a token, and with what is no body.
    async fn guarded(&self, function: &impl Routes, route: &'static str, token: &str, body: Value) {
        let id = UserId::new(self.clock.now(), &SeededEntropy::new(4));
        let nobody = ask(route).path("id", id);
        assert_eq!(self.send(function, route, nobody, body).await.status, 401, "{route}");
        faulty_bodies(self, function, route, Some(token)).await;
    }
}

pub(crate) async fn two_factor(house: &House, tenant: TenantId) {
    let answer = "POST /auth/two-factor";
    let enrolment = "POST /auth/two-factor/enrolment";
    let auth = &house.auth;
    house.careful(tenant, "cay@globex.com", Role::Admin).await;
    for route in [answer, enrolment] {
        faulty_bodies(house, auth, route, None).await;
        let gone = json!({"challenge": "unknown", "code": "123456"});
        let gone = house.send(auth, route, ask(route), gone).await;
        assert_eq!(gone.verdict(), (410, "challenge_gone"));
    }
    let offer = house.log_in("cay@globex.com", PASSWORD).await;
    let wrong = json!({"challenge": offer.at("/challenge"), "code": "000000"});
    let wrong = house.send(auth, enrolment, ask(enrolment), wrong).await;
    assert_eq!(wrong.verdict(), (401, "invalid_code"));
    let cay = house.enrol("cay@globex.com").await;

    let challenge = house.log_in("cay@globex.com", PASSWORD).await;
    assert_eq!(challenge.at("/status"), "two_factor_required");
    let with = |code: &str| json!({"challenge": challenge.at("/challenge"), "code": code});
    let wrong = house.send(auth, answer, ask(answer), with("000000")).await;
    assert_eq!(wrong.verdict(), (401, "invalid_code"));
    let right = with(&code(house, &cay.secret));
    assert_eq!(house.send(auth, answer, ask(answer), right).await.status, 200);

    // Three wrong codes lock, and a recovery code helps.
    let challenge = house.log_in("cay@globex.com", PASSWORD).await.at("/challenge").to_owned();
    for expected in [401, 401, 423] {
        let body = json!({"challenge": challenge, "code": "000000"});
        assert_eq!(house.send(auth, answer, ask(answer), body).await.status, expected);
    }
    let locked = house.log_in("cay@globex.com", PASSWORD).await;
    assert_eq!(locked.verdict(), (423, "two_factor_locked"));
    let recovery =
        |code: &str| json!({"challenge": locked.at("/challenge"), "recovery_code": code});
    let right = recovery(&cay.recovery[0]);
    let offer = house.send(auth, answer, ask(answer), right).await;
    assert_eq!(offer.at("/status"), "enrolment_required");
    let locked = house.log_in("cay@globex.com", PASSWORD).await;
    let spent = json!({"challenge": locked.at("/challenge"), "recovery_code": cay.recovery[0]});
    for _ in 0..4 {
        assert_eq!(house.send(auth, answer, ask(answer), spent.clone()).await.status, 401);
    }
    let throttled = house.send(auth, answer, ask(answer), spent).await;
    assert_eq!(throttled.verdict(), (429, "throttled"));
    assert_eq!(throttled.header("ratelimit-policy"), "\"recovery-code\";q=5;w=3600");
    assert!(throttled.header("ratelimit").starts_with("\"recovery-code\";r=0;t="));

    for _ in 0..10 {
        assert_eq!(house.log_in("nobody@globex.com", "wrong").await.status, 401);
    }
    assert_eq!(house.log_in("nobody@globex.com", "wrong").await.verdict(), (429, "throttled"));
}

pub(crate) async fn links(house: &House, tenant: TenantId, other: TenantId) {
    let (forgotten, reset) = ("POST /auth/password/forgotten", "POST /auth/password/reset");
    let accept = "POST /auth/two-factor/reset";
    let auth = &house.auth;
    house.world.member(tenant, "dan@globex.com", Role::ReadOnly).await;
    for route in [forgotten, reset, accept] {
        faulty_bodies(house, auth, route, None).await;
    }
    let ask_for =
        |email: &str| house.send(auth, forgotten, ask(forgotten), json!({"email": email}));
    let known = ask_for("dan@globex.com").await;
    let unknown = ask_for("nobody@globex.com").await;
    assert_eq!((known.status, &known.text), (202, &unknown.text));
    house.settle().await;
    let token = house.mailed_token();
    let with = |password: &str| json!({"token": token, "password": password});
    let weak = house.send(auth, reset, ask(reset), with("globex123456")).await;
    assert_eq!(weak.status, 422);
    let other_password = "another-mustard-ninety-kelp";
    assert_eq!(house.send(auth, reset, ask(reset), with(other_password)).await.status, 204);
    assert_eq!(house.send(auth, reset, ask(reset), with(other_password)).await.status, 410);
    assert_eq!(house.log_in("dan@globex.com", PASSWORD).await.status, 401);
    assert_eq!(house.log_in("dan@globex.com", other_password).await.status, 200);
    for expected in [202, 202, 429] {
        assert_eq!(ask_for("dan@globex.com").await.status, expected);
    }

    // Eve is in two companies: a reset asks her by mail.
    let eve = house.careful(tenant, "eve@globex.com", Role::Admin).await;
    house.world.member(other, "eve@globex.com", Role::Admin).await;
    house.enrol("eve@globex.com").await;
    let boss = house.world.member(tenant, "boss@globex.com", Role::SuperAdmin).await;
    let token = house.world.token(&boss).await;
    let route = "POST /users/{id}/two-factor/reset";
    let ask_reset = ask(route).path("id", eve.user).bearer(&token);
    let offered = house.tell(&house.users, route, ask_reset).await;
    assert_eq!(offered.at("/status"), "offered");
    for expected in [202, 202, 429] {
        let ask_reset = ask(route).path("id", eve.user).bearer(&token);
        assert_eq!(house.tell(&house.users, route, ask_reset).await.status, expected);
    }
    house.settle().await;
    let body = json!({"token": house.mailed_token()});
    assert_eq!(house.send(auth, accept, ask(accept), body.clone()).await.status, 204);
    assert_eq!(house.send(auth, accept, ask(accept), body).await.status, 410);
    let again = house.log_in("eve@globex.com", PASSWORD).await;
    assert_eq!(again.at("/status"), "enrolment_required");
}

pub(crate) async fn confirmation(house: &House, tenant: TenantId) {
    let confirm = "POST /auth/confirm";
    house.careful(tenant, "fay@globex.com", Role::Admin).await;
    let fay = house.enrol("fay@globex.com").await;
    house.guarded(&house.auth, confirm, &fay.access, json!({"password": "x"})).await;
    let with = |code: &str| json!({"password": PASSWORD, "code": code});
    let right = with(&code(house, &fay.secret));
    assert_eq!(house.by(confirm, &fay.access, right).await.status, 200);
    for expected in [401, 401, 423] {
        assert_eq!(house.by(confirm, &fay.access, with("000000")).await.status, expected);
    }
    let gus = house.world.member(tenant, "gus@globex.com", Role::Admin).await;
    let gus = house.world.token(&gus).await;
    for _ in 0..10 {
        assert_eq!(house.by(confirm, &gus, json!({"password": "wrong"})).await.status, 401);
    }
    assert_eq!(house.by(confirm, &gus, json!({"password": PASSWORD})).await.status, 429);
}

pub(crate) async fn profile(house: &House, tenant: TenantId, other: TenantId) {
    let (change, password) = ("PATCH /me", "POST /me/password");
    let (list, end) = ("GET /me/sessions", "DELETE /me/sessions/{id}");
    let (switch, codes) = ("POST /auth/tenant", "POST /me/recovery-codes");
    let auth = &house.auth;
    let hal = house.world.member(tenant, "hal@globex.com", Role::Admin).await;
    let (session, refresh) = house.world.session(&hal).await;
    let (token, refresh) = (house.world.token_of(&session), refresh.expose_text());
    house.guarded(auth, change, &token, json!({"version": 1})).await;
    house.guarded(auth, password, &token, json!({"password": "x"})).await;
    house.guarded(auth, switch, &token, json!({"tenant_id": tenant})).await;
    let all = json!({"first_name": "Hal", "last_name": "Ng", "mobile": "", "language": "ko", "version": 1});
    let answer = house.by(change, &token, all.clone()).await;
    assert_eq!((answer.status, &answer.json["language"]), (200, &json!("ko")));
    assert_eq!(house.by(change, &token, all).await.verdict(), (409, "version_conflict"));
    house.world.change(&hal, |user| user.source = Source::Csv).await;
    let names = json!({"first_name": "Hal", "version": 2});
    assert_eq!(house.by(change, &token, names).await.verdict(), (409, "not_editable"));

    let stranger = SessionId::new(house.clock.now(), &SeededEntropy::new(5));
    let with = |route, id| ask(route).path("id", id).bearer(&token);
    assert_eq!(house.tell(auth, list, ask(list)).await.status, 401);
    assert_eq!(house.tell(auth, end, ask(end).path("id", stranger)).await.status, 401);
    assert_eq!(house.tell(auth, end, with(end, stranger)).await.status, 404);
    let page = house.tell(auth, list, ask(list).bearer(&token)).await;
    assert_eq!(page.json["items"][0]["current"], true);
    let (second, _) = house.world.session(&hal).await;
    assert_eq!(house.tell(auth, end, with(end, second.id)).await.status, 204);

    assert_eq!(house.tell(auth, codes, ask(codes)).await.status, 401);
    let off = house.tell(auth, codes, ask(codes).bearer(&token)).await;
    assert_eq!(off.verdict(), (409, "two_factor_off"));
    let unknown = TenantId::new(house.clock.now(), &SeededEntropy::new(6));
    let to =
        |tenant: TenantId, refresh: &str| json!({"tenant_id": tenant, "refresh_token": refresh});
    let unknown = house.by(switch, &token, to(unknown, &refresh)).await;
    assert_eq!(unknown.status, 404);
    let there = house.world.member(other, "hal@globex.com", Role::ReadOnly).await;
    let moved = house.by(switch, &token, to(other, &refresh)).await;
    assert_eq!(moved.at("/tenant/id"), other.to_string());
    let token = moved.at("/access_token").to_owned();
    house.world.change(&there, |user| user.two_factor_required = true).await;
    let past = house.by(switch, &token, to(tenant, moved.at("/refresh_token"))).await;
    assert_eq!(past.verdict(), (403, "two_factor_required"));
    let (old, _) = house.world.session(&hal).await;
    house.clock.advance(SignedDuration::from_secs(601));
    let old = house.world.token_of(&old);
    let fresh = json!({"password": "another-mustard-ninety-kelp"});
    let unproven = house.by(password, &old, fresh.clone()).await;
    assert_eq!(unproven.verdict(), (403, "confirmation_required"));
    let unproven = house.tell(auth, codes, ask(codes).bearer(&old)).await;
    assert_eq!(unproven.verdict(), (403, "confirmation_required"));
    let token = house.world.token(&hal).await;
    assert_eq!(house.by(password, &token, fresh).await.status, 200);
}

pub(crate) async fn own_two_factor(house: &House, tenant: TenantId) {
    let (own, first) = ("POST /me/two-factor", "POST /me/two-factor/enrolment");
    let (reset, codes) = ("POST /me/two-factor/reset", "POST /me/recovery-codes");
    let auth = &house.auth;
    let ida = house.world.member(tenant, "ida@globex.com", Role::SuperAdmin).await;
    let help = house.world.member(tenant, "help2@globex.com", Role::HelpDesk).await;
    let (token, help) = (house.world.token(&ida).await, house.world.token(&help).await);
    house.guarded(auth, own, &token, json!({"enabled": true})).await;
    house.guarded(auth, first, &token, json!({"challenge": "x", "code": "000000"})).await;
    assert_eq!(house.tell(auth, reset, ask(reset)).await.status, 401);
    for route in [own, first, reset] {
        let body = match route {
            "POST /me/two-factor" => json!({"enabled": false}),
            _ => json!({"challenge": "x", "code": "000000"}),
        };
        let denied = if route == reset {
            house.tell(auth, route, ask(route).bearer(&help)).await
        } else {
            house.by(route, &help, body).await
        };
        assert_eq!(denied.verdict(), (403, "forbidden"), "{route}");
    }
    let offer = house.by(own, &token, json!({"enabled": true})).await;
    let with = |code: &str| json!({"challenge": offer.at("/challenge"), "code": code});
    assert_eq!(house.by(first, &token, with("000000")).await.verdict(), (401, "invalid_code"));
    let right = with(&code(house, offer.at("/secret")));
    let opened = house.by(first, &token, right.clone()).await;
    let token = opened.at("/access_token").to_owned();
    assert_eq!(house.by(first, &token, right).await.verdict(), (410, "challenge_gone"));
    assert_eq!(house.tell(auth, reset, ask(reset).bearer(&token)).await.status, 200);
    assert_eq!(house.tell(auth, codes, ask(codes).bearer(&token)).await.status, 200);
    assert_eq!(house.by(own, &token, json!({"enabled": false})).await.status, 200);
}

pub(crate) async fn others(house: &House, tenant: TenantId) {
    let (require, reset) = ("PUT /users/{id}/two-factor", "POST /users/{id}/two-factor/reset");
    let users = &house.users;
    let boss = house.world.member(tenant, "boss2@globex.com", Role::SuperAdmin).await;
    let jon = house.world.member(tenant, "jon@globex.com", Role::Admin).await;
    let boss_token = house.world.token(&boss).await;
    let jon_token = house.world.token(&jon).await;
    house.guarded(users, require, &boss_token, json!({"required": true})).await;
    assert_eq!(house.tell(users, reset, ask(reset).path("id", jon.user)).await.status, 401);
    let of = |route, id: UserId, token: &str| ask(route).path("id", id).bearer(token);
    let unknown = UserId::new(house.clock.now(), &SeededEntropy::new(7));
    for (id, token, expected) in [
        (jon.user, &jon_token, 403),
        (unknown, &boss_token, 404),
        (boss.user, &boss_token, 409),
        (jon.user, &boss_token, 200),
    ] {
        let body = json!({"required": true});
        let answer = house.send(users, require, of(require, id, token), body).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
    let jon_token = house.world.token(&jon).await;
    for (id, token, expected) in [
        (jon.user, &jon_token, 403),
        (unknown, &boss_token, 404),
        // There is nothing to reset yet.
        (jon.user, &boss_token, 409),
    ] {
        assert_eq!(house.tell(users, reset, of(reset, id, token)).await.status, expected);
    }
    house.enrol("jon@globex.com").await;
    let done = house.tell(users, reset, of(reset, jon.user, &boss_token)).await;
    assert_eq!(done.at("/status"), "reset");
}
