//! The list and the export against a brute-force oracle.

use crate::users::globex;
use crate::{app, app_over};
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::audit::AccessKind;
use belfry_domain::users::NewUser;
use belfry_testkit::gate::Open;
use belfry_testkit::{World, ask};

type Rule = Box<dyn Fn(&User) -> bool>;

/// Users of all kinds, some of whom have nearly the same names.
async fn many(world: &World, tenant: belfry_domain::id::TenantId, count: usize) -> Vec<User> {
    let firsts = ["Ann", "ANNA", "Bob", "Ｃｙ", "山田", "김", "Åse", "ann"];
    let lasts = ["Lee", "lee", "Ng", "太郎", "O'Hara", "Zed"];
    let mut users = Vec::new();
    for n in 0..count {
        let role = Role::ALL[n % 5];
        let new = NewUser {
            first_name: firsts[n % firsts.len()].parse().unwrap(),
            last_name: lasts[n / 3 % lasts.len()].parse().unwrap(),
            email: format!("u{}-{n}@globex.example", n % 7).parse().unwrap(),
            mobile: (n % 2 == 0).then(|| format!("+9198{:08}", n * 7919).parse().unwrap()),
            phone: None,
            attributes: belfry_domain::attribute::UserAttributes::new(),
            role,
            two_factor_required: n % 4 == 0,
        };
        let source = Source::ALL[n % 3];
        let (now, entropy) = (world.now(), world.entropy.as_ref());
        let mut user = User::new(tenant, new, source, None, now, entropy);
        user.status = [Status::Active, Status::Invited, Status::Deactivated][n % 3];
        world.keep(&user).await;
        users.push(user);
    }
    users
}

/// Ids of all pages.
async fn pages(world: &World, token: &str, query: &[(&str, &str)], limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut asked = ask("GET /users").bearer(token).query("limit", limit);
        for (name, value) in query {
            asked = asked.query(name, value);
        }
        if let Some(cursor) = &cursor {
            asked = asked.query("cursor", cursor);
        }
        let answer = asked.of(&app(world)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let items = answer.json["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match answer.json["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn every_filter_gives_what_a_look_at_everybody_gives_in_the_order_of_names() {
    let world = World::new();
    let (tenant, boss, token) = globex(&world).await;
    let mut users = many(&world, tenant, 60).await;
    users.push(world.get(&belfry_store::keys::user(tenant, boss.user)).await.unwrap());
    let folded = |text: &str| text.replace('Ｃ', "c").replace('ｙ', "y").to_lowercase();
    let name =
        |user: &User| folded(&format!("{} {}", user.first_name.as_str(), user.last_name.as_str()));
    users.sort_by_key(|user| (name(user), user.email.clone()));
    let searched = |wanted: &'static str| -> Rule {
        Box::new(move |user| {
            let first = folded(user.first_name.as_str());
            let last = folded(user.last_name.as_str());
            let mobile = user.mobile.as_ref().map_or("", |m| m.as_str()).replace('+', "");
            let digits = wanted.replace(['+', ' '], "");
            format!("{first} {last}").starts_with(wanted)
                || last.starts_with(wanted)
                || user.email.as_str().starts_with(wanted)
                || (!digits.is_empty() && mobile.starts_with(&digits))
        })
    };
    let rules: Vec<(Vec<(&str, &str)>, Rule)> = vec![
        (vec![], Box::new(|_| true)),
        (vec![("role", "help_desk")], Box::new(|user| user.role == Role::HelpDesk)),
        (vec![("status", "invited")], Box::new(|user| user.status == Status::Invited)),
        (vec![("source", "csv")], Box::new(|user| user.source == Source::Csv)),
        (vec![("two_factor", "pending")], Box::new(|user| user.two_factor_required)),
        (
            vec![("role", "admin"), ("two_factor", "off")],
            Box::new(|user| user.role == Role::Admin && !user.two_factor_required),
        ),
        (vec![("search", "ANN")], searched("ann")),
        (vec![("search", "ann l")], searched("ann l")),
        (vec![("search", "Ｌｅｅ")], searched("lee")),
        (vec![("search", "u3-")], searched("u3-")),
        (vec![("search", "+91 98")], searched("+91 98")),
        (vec![("search", "山")], searched("山")),
        (vec![("search", "nobody")], searched("nobody")),
        (vec![("status", "archived")], Box::new(|user| user.status == Status::Archived)),
    ];
    for (query, rule) in &rules {
        let expected: Vec<_> =
            users.iter().filter(|user| rule(user)).map(|user| user.id.to_string()).collect();
        for limit in [1, 7, 200] {
            assert_eq!(pages(&world, &token, query, limit).await, expected, "{query:?} {limit}");
        }
    }
    for (name, value) in [("role", "boss"), ("search", ""), ("tag", "x"), ("two_factor", "on")] {
        let told = ask("GET /users").bearer(&token).query(name, value).of(&app(&world)).await;
        assert_eq!(told.status, 422, "{name}");
    }
}

#[tokio::test]
async fn a_change_of_name_moves_the_user_in_the_list() {
    let world = World::new();
    let (tenant, boss, token) = globex(&world).await;
    let zoe = world.member(tenant, "zoe@globex.example", Role::Admin).await;
    world.change(&zoe, |user| user.first_name = "Zoe".parse().unwrap()).await;
    let (boss, zoe) = (boss.user.to_string(), zoe.user.to_string());
    assert_eq!(pages(&world, &token, &[], 1).await, [boss.clone(), zoe.clone()]);
    let body = serde_json::json!({"first_name": "Abe", "version": 1});
    let told = ask("PATCH /users/{id}").path("id", &zoe).bearer(&token).json(body);
    assert_eq!(told.of(&app(&world)).await.status, 200);
    assert_eq!(pages(&world, &token, &[], 1).await, [zoe, boss]);
}

#[tokio::test]
async fn a_page_of_fifty_costs_at_most_five_read_units() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    many(&world, tenant, 120).await;
    let transport = world.db.client("users", Open);
    let app = app_over(&world, transport.table());
    let answer = ask("GET /users").bearer(&token).of(&app).await;
    assert_eq!(answer.json["items"].as_array().unwrap().len(), 50);
    let authentication = 4.0;
    let units = transport.read_units() - authentication;
    assert!(units <= 5.0, "{units}");
}

#[tokio::test]
async fn an_export_has_the_filtered_or_selected_users_and_is_on_record() {
    let world = World::new();
    let (tenant, boss, token) = globex(&world).await;
    many(&world, tenant, 30).await;
    let export = async |name: &str, value: &str| {
        ask("GET /users/export").bearer(&token).query(name, value).of(&app(&world)).await
    };
    let rows = |text: &str| text.trim_end().lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let answer = export("role", "help_desk").await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert!(answer.text.starts_with("\u{feff}First Name,"));
    assert_eq!(rows(&answer.text).len(), 6);
    assert!(rows(&answer.text).iter().all(|row| row.contains(",Help Desk,")));
    let one = export("ids", &boss.user.to_string()).await;
    assert_eq!(rows(&one.text).len(), 1);
    let foreign = world.tenant("Initech").await;
    let foreign = world.member(foreign, "x@initech.example", Role::Admin).await;
    let two = export("ids", &format!("{},{}", boss.user, foreign.user)).await;
    assert_eq!(rows(&two.text).len(), 1, "another tenant's is not there");
    for (name, value) in [("ids", "x"), ("status", "archived"), ("limit", "3")] {
        assert_eq!(export(name, value).await.status, 422, "{name}");
    }
    let noted = world.table().accesses(tenant, world.now()).await.unwrap();
    let exports = noted.iter().filter(|access| access.action == AccessKind::Export);
    assert!(exports.clone().all(|access| access.user == Some(boss.user)));
    assert_eq!(exports.count(), 3);
    assert!(matches!(noted[0].source_address.as_deref(), Some(address) if !address.is_empty()));
}
