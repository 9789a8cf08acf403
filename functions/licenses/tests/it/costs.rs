//! What the licence page and its changes cost, counted: the figures of `infra/table.md`.

use crate::{Office, key};
use belfry_domain::account::Role;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::product::Product;
use belfry_testkit::gate::Open;
use belfry_testkit::{Ask, ask};
use serde_json::json;

const TABLE_MD: &str = include_str!("../../../../infra/table.md");

async fn row(office: &Office, what: &str, asked: Ask) -> String {
    let transport = office.world.db.client("licenses", Open);
    let answer = asked.of(&office.app_over(transport.table())).await;
    assert!(answer.status < 300, "{}", answer.text);
    transport.cost(what)
}

#[tokio::test]
async fn each_stands_in_the_tables_description() {
    let office = Office::new(Role::Admin).await;
    let (tenant, world) = (office.tenant, &office.world);
    // Two credentials, as while one takes the other's place.
    for _ in 0..2 {
        world.credential(tenant, Product::Epp).await;
    }
    let code = |purpose| office.vendor.code(purpose, Product::Epp, (10, 365), world.now());
    let redeem = "POST /licenses/{product}/activation";
    let convert = code(Purpose::Convert);
    let preview = json!({"activation_key": convert, "dry_run": true});
    let bought = json!({"product_key": world.product_key(Product::Emm).await});
    let rows = [
        row(&office, "licences, the page", ask("GET /licenses").bearer(&office.token)).await,
        row(
            &office,
            "licences, what an activation key would do",
            office.ask(redeem, "EPP").json(preview),
        )
        .await,
        row(
            &office,
            "licences, redeem an activation key, two credentials",
            office.ask(redeem, "EPP").json(key(&convert)),
        )
        .await,
        row(&office, "licences, the same key again", office.ask(redeem, "EPP").json(key(&convert)))
            .await,
        row(
            &office,
            "licences, add a product by its key",
            office.ask("POST /licenses/{product}/registration", "EMM").json(bought),
        )
        .await,
    ];
    let missing: Vec<_> = rows.iter().filter(|row| !TABLE_MD.contains(*row)).cloned().collect();
    assert!(missing.is_empty(), "infra/table.md does not have\n{}", missing.join("\n"));
}
