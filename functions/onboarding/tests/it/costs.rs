//! What a sign-up costs, counted: the figures of `infra/table.md`.

use crate::{CONFIRM, Door, REGISTRATIONS, TRIALS, registration, trial};
use belfry_domain::product::Product;
use belfry_testkit::ask;
use belfry_testkit::gate::Open;
use serde_json::{Value, json};

const TABLE_MD: &str = include_str!("../../../../infra/table.md");

async fn row(door: &Door, what: &str, route: &str, body: Value) -> String {
    let transport = door.world.db.client("onboarding", Open);
    let answer = ask(route).json(body).of(&door.app_over(transport.table())).await;
    assert!(answer.status < 300, "{}", answer.text);
    transport.cost(what)
}

#[tokio::test]
async fn each_stands_in_the_tables_description() {
    let door = Door::new().await;
    let key = door.world.product_key(Product::Epp).await;
    let products = json!([{"product": "EPP", "product_key": key}]);
    let bought = registration("zed@wallace.example", products);
    let mut rows =
        vec![row(&door, "sign-up for a trial", TRIALS, trial("zed@umbrella.example")).await];
    let token = |mails: Vec<[String; 3]>| {
        let [_, _, text] = &mails[0];
        let (_, rest) = text.split_once("/confirm-sign-up#").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let first = token(door.world.posted().await);
    rows.push(row(&door, "sign-up with a product key", REGISTRATIONS, bought).await);
    let second = token(door.world.posted().await);
    for (what, token) in [
        ("sign-up, confirm a trial", &first),
        ("sign-up, confirm a trial again", &first),
        ("sign-up, confirm a product key", &second),
    ] {
        rows.push(row(&door, what, CONFIRM, json!({"token": token})).await);
    }
    rows.retain(|row| !TABLE_MD.contains(row));
    assert!(rows.is_empty(), "infra/table.md does not have\n{}", rows.join("\n"));
}
