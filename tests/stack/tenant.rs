//! A tenant for one test, made as the vendor's staff and its first administrator make one.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::aws;
use crate::stack::{Stack, eventually, unique};

pub(crate) const PASSWORD: &str = "correct-horse-battery-47-staple";

/// A tenant with an activated `super_admin` and all four products, one partition each.
pub(crate) struct Tenant {
    pub(crate) stack: Arc<Stack>,
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) anon: Actor,
    /// Its `super_admin`, logged in. An access token lives five minutes: a longer test logs in
    /// anew.
    pub(crate) admin: Actor,
}

impl Tenant {
    pub(crate) async fn new() -> Self {
        Self::with_partitions(1).await
    }

    /// Its administrator has a password and has not logged in yet: `admin` is nobody.
    pub(crate) async fn activated() -> Self {
        Self::with_password(1).await
    }

    pub(crate) async fn with_partitions(partitions: u8) -> Self {
        let tenant = Self::with_password(partitions).await;
        let admin = first_log_in(&tenant.anon, &tenant.email).await;
        Self { admin, ..tenant }
    }

    /// With all products but this one.
    pub(crate) async fn without(product: &str) -> Self {
        let email = format!("ada@{}.example", unique("corp"));
        let mut command = create_tenant(&email, 1, "en");
        command["products"].as_array_mut().unwrap().retain(|other| other["product"] != product);
        let tenant = Self::created(email, &command).await;
        let admin = first_log_in(&tenant.anon, &tenant.email).await;
        Self { admin, ..tenant }
    }

    async fn with_password(partitions: u8) -> Self {
        let email = format!("ada@{}.example", unique("corp"));
        let command = create_tenant(&email, partitions, "en");
        Self::created(email, &command).await
    }

    async fn created(email: String, command: &Value) -> Self {
        let stack = Arc::new(Stack::open());
        let created = aws::backoffice(&stack, command).await;
        assert_eq!(created["status"], "ok", "{created}");
        let anon = Actor::anon(&stack);
        let token = activation_token(&stack, &email).await;
        anon.post("/auth/activation", &json!({"token": token, "password": PASSWORD})).await.is(200);
        let id = created["tenant"]["id"].as_str().unwrap().to_owned();
        Self { stack, id, email, admin: anon.clone(), anon }
    }

    /// A new session of its administrator.
    pub(crate) async fn log_in(&self) -> Actor {
        log_in(&self.anon, &self.email).await
    }

    /// Adds a user with a console, who follows the mailed link; its id.
    pub(crate) async fn colleague(&self, email: &str, role: &str) -> String {
        let new =
            json!({"first_name": "Grace", "last_name": "Murray", "email": email, "role": role});
        let user = self.admin.post("/users", &new).await.is(201);
        assert_eq!(user["status"], "invited", "{user}");
        let token = activation_token(&self.stack, email).await;
        let body = json!({"token": token, "password": PASSWORD});
        self.anon.post("/auth/activation", &body).await.is(200);
        user["id"].as_str().unwrap().to_owned()
    }

    /// A product with a new credential: the actor, and the credential's id.
    pub(crate) async fn credential(&self, product: &str) -> (Actor, String) {
        let path = format!("/products/{product}/credentials");
        let created = self.admin.post(&path, &json!({})).await.is(201);
        let id = created["id"].as_str().unwrap().to_owned();
        (self.anon.bearing(created["secret"].as_str().unwrap()), id)
    }

    /// A product with a new credential.
    pub(crate) async fn product(&self, product: &str) -> Actor {
        self.credential(product).await.0
    }

    /// A product with a credential for its history, from the back office.
    pub(crate) async fn history(&self, product: &str) -> Actor {
        let command = json!({"command": "issue_history_credential", "operator": "tests",
            "reason": "whole-system test", "tenant_id": self.id, "product": product, "valid_days": 7});
        let issued = aws::backoffice(&self.stack, &command).await;
        assert_eq!(issued["status"], "ok", "{issued}");
        assert_eq!(issued["credential"]["max_event_age_days"], 400, "{issued}");
        self.anon.bearing(issued["credential"]["secret"].as_str().unwrap())
    }

    /// The dashboard, with what the test compares.
    pub(crate) async fn dashboard(&self) -> Value {
        self.admin.get("/dashboard").await.is(200)
    }

    /// Waits until the figure at `pointer` of the dashboard is `wanted`.
    pub(crate) async fn shows(&self, pointer: &str, wanted: u64) {
        eventually(&format!("{pointer} = {wanted}"), async || {
            let dashboard = self.dashboard().await;
            match dashboard.pointer(pointer).and_then(Value::as_u64) {
                Some(found) if found == wanted => Ok(()),
                found => Err(format!("{found:?} in {dashboard}")),
            }
        })
        .await;
    }
}

/// The back office's command for a tenant with all products.
pub(crate) fn create_tenant(email: &str, partitions: u8, language: &str) -> Value {
    let products: Vec<Value> = belfry_demo::PRODUCTS
        .iter()
        .map(|product| {
            json!({"product": product, "edition": "standard", "kind": "commercial", "seats": 1_000,
                "term_days": 365, "partitions": partitions})
        })
        .collect();
    json!({"command": "create_tenant", "operator": "tests", "reason": "whole-system test",
        "company": "Kestrel Works", "country": "IN", "language": language,
        "admin": {"first_name": "Ada", "last_name": "Byron", "email": email,
                  "mobile": "+911234567890", "language": language},
        "products": products})
}

/// The token of the latest activation mail to an address.
pub(crate) async fn activation_token(stack: &Stack, email: &str) -> String {
    mailed_token(stack, email, "/activate#").await
}

/// The same of one that was not followed yet, where there was another before.
pub(crate) async fn open_invitation(anon: &Actor, stack: &Stack, email: &str) -> String {
    eventually("another invitation", async || {
        let token = activation_token(stack, email).await;
        let check = anon.post("/auth/activation/check", &json!({"token": token})).await;
        if check.status == 200 { Ok(token) } else { Err(check.to_string()) }
    })
    .await
}

/// What follows this end of a link in the latest mail to an address that has one.
pub(crate) async fn mailed_token(stack: &Stack, email: &str, page: &str) -> String {
    eventually(&format!("a mail for {email}"), async || {
        let mails = aws::mails(stack, email).await;
        let found = mails.iter().rev().find_map(|[_, text, _]| text.split_once(page));
        let (_, after) = found.ok_or("no such mail yet")?;
        let token: String = after.chars().take_while(|c| !c.is_whitespace()).collect();
        Ok(token)
    })
    .await
}

/// The first super admin's second factor is on: enrols it and, as a super admin may, requires it no
/// longer. The tests of log-in do otherwise.
async fn first_log_in(anon: &Actor, email: &str) -> Actor {
    let body = json!({"email": email, "password": PASSWORD});
    let offer = anon.post("/auth/login", &body).await.is(200);
    assert_eq!(offer["status"], "enrolment_required", "{offer}");
    let code = code(offer["secret"].as_str().unwrap(), 0);
    let body = json!({"challenge": offer["challenge"], "code": code});
    let session = anon.post("/auth/two-factor/enrolment", &body).await.is(200);
    let admin = anon.bearing(session["access_token"].as_str().unwrap());
    let session = admin.post("/me/two-factor", &json!({"enabled": false})).await.is(200);
    anon.bearing(session["access_token"].as_str().unwrap())
}

/// The code of an authenticator app, so many steps of 30 seconds from now.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret.as_ref().to_vec()).build().unwrap();
    let at = crate::stack::now().as_second() + steps * 30;
    app.generate(u64::try_from(at).unwrap()).to_string()
}

pub(crate) async fn log_in(anon: &Actor, email: &str) -> Actor {
    let body = json!({"email": email, "password": PASSWORD});
    let session = anon.post("/auth/login", &body).await.is(200);
    assert_eq!(session["status"], "authenticated", "{session}");
    anon.bearing(session["access_token"].as_str().unwrap())
}
