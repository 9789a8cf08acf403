//! What a rule would do, before it is saved.

use crate::House;
use belfry_domain::attribute::UserAttribute;
use serde_json::{Value, json};

const PREVIEW: &str = "POST /tags/preview";

fn sales() -> Value {
    json!({"attribute": "department", "eq": "sales"})
}

#[tokio::test]
async fn how_many_who_for_instance_and_why() {
    let house = House::new().await;
    let own = |n: usize| {
        let department = ["Sales", "IT"][n % 2].to_owned();
        (format!("u{n}@globex.example"), [(UserAttribute::Department, department)])
    };
    let users = house.world.users(house.tenant, 24, own).await;
    let gone =
        house.world.user(house.tenant, "x@x.example", &[(UserAttribute::Department, "Sales")]);
    let gone = gone.await;
    house.world.keep(&gone.archived().unwrap()).await;
    let before = house.dump();
    let body =
        |member: Option<String>| json!({"applies_to": "users", "when": sales(), "member": member});
    let preview = house.must(house.ask(PREVIEW).json(body(None))).await;
    assert_eq!((&preview["count"], &preview["total"]), (&json!(12), &json!(25)));
    assert_eq!(preview.get("member"), None);
    let samples = preview["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 10);
    for sample in samples {
        let own = users.iter().find(|user| user.id.to_string() == sample["id"]).unwrap();
        let expected = json!({"id": own.id, "email": own.email, "first_name": "Kim",
            "last_name": "Berg", "status": "active"});
        assert_eq!(*sample, expected);
        assert_eq!(own.attributes[&UserAttribute::Department].as_str(), "Sales");
    }
    for (user, matches, actual) in [(&users[0], true, "Sales"), (&users[1], false, "IT")] {
        let preview = house.must(house.ask(PREVIEW).json(body(Some(user.id.to_string())))).await;
        let reason = json!({"attribute": "department", "eq": "sales", "actual": [actual],
            "matches": matches});
        let expected = json!({"id": user.id, "matches": matches, "reason": reason});
        assert_eq!(preview["member"], expected);
    }
    let (stranger, _) = house.neighbour().await;
    let stranger = house.world.user(stranger, "x@initech.example", &[]).await.id.to_string();
    for member in [stranger, gone.id.to_string(), "usr_x".to_owned()] {
        let answer = house.asked(house.ask(PREVIEW).json(body(Some(member)))).await;
        assert_eq!(answer.faults(), [("/member", "not_found")]);
    }
    assert_eq!(house.dump(), before, "it changes nothing");
}

#[tokio::test]
async fn of_applications_and_every_fault() {
    let house = House::new().await;
    let crm = house.application("CRM").await;
    house.application("Wiki").await;
    let when = json!({"attribute": "name", "prefix": "C"});
    let body = json!({"applies_to": "applications", "when": when, "member": crm["id"]});
    let preview = house.must(house.ask(PREVIEW).json(body)).await;
    let expected = json!({"count": 1, "total": 2,
        "samples": [{"id": crm["id"], "name": "CRM", "host": "crm.globex.example"}],
        "member": {"id": crm["id"], "matches": true, "reason": {"attribute": "name", "prefix": "C",
            "actual": ["CRM"], "matches": true}}});
    assert_eq!(preview, expected);
    let cases = [
        (json!({"applies_to": "devices", "when": sales()}), ("/applies_to", "invalid")),
        (json!({"applies_to": "users", "when": []}), ("/when", "invalid")),
        (
            json!({"applies_to": "applications", "when": sales()}),
            ("/when/attribute", "unknown_attribute"),
        ),
        (
            json!({"applies_to": "users", "when": {"any": vec![sales(); 21]}}),
            ("/when", "too_many_conditions"),
        ),
    ];
    for (body, fault) in cases {
        let answer = house.asked(house.ask(PREVIEW).json(body)).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![fault]));
    }
}
