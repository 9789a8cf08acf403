//! What the table holds, read without the code under test, and who should have which tag.

use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::id::TenantId;
use belfry_testkit::World;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Number of a tag and of a value.
pub(crate) type Pair = (u64, u64);

/// A user or an application.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) there: bool,
    pub(crate) item: Value,
    pub(crate) marks: BTreeSet<Pair>,
}

#[derive(Debug, Clone)]
pub(crate) struct TagItem {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) key: String,
    pub(crate) users: bool,
    pub(crate) dynamic: bool,
    /// Number, text, rule.
    pub(crate) values: Vec<(u64, String, Value)>,
    pub(crate) version: u64,
}

/// The partition of a tenant at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) users: Vec<Member>,
    pub(crate) applications: Vec<Member>,
    pub(crate) tags: Vec<TagItem>,
    /// By the tag's id.
    pub(crate) assignments: BTreeMap<String, Value>,
    pub(crate) tagging: Value,
}

fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap(),
        AttributeValue::Bool(is) => (*is).into(),
        AttributeValue::B(blob) => json!(blob.as_ref()),
        AttributeValue::L(list) => list.iter().map(plain).collect(),
        AttributeValue::M(map) => {
            map.iter().map(|(k, v)| (k.clone(), plain(v))).collect::<Map<_, _>>().into()
        }
        _ => Value::Null,
    }
}

fn text(item: &Value, name: &str) -> String {
    item[name].as_str().unwrap_or_default().to_owned()
}

fn marks(item: &Value) -> BTreeSet<Pair> {
    let bytes: Vec<u64> = match item["tags"].as_array() {
        Some(bytes) => bytes.iter().map(|byte| byte.as_u64().unwrap()).collect(),
        None => Vec::new(),
    };
    assert_eq!(bytes.len() % 4, 0);
    bytes.chunks(4).map(|b| (b[0] * 256 + b[1], b[2] * 256 + b[3])).collect()
}

fn member(item: Value) -> Member {
    let there = item["status"] != "archived";
    Member { id: text(&item, "id"), there, marks: marks(&item), item }
}

fn tag(item: &Value) -> TagItem {
    let value = |value: &Value| {
        let rule = value["rule"].as_str().map(|rule| serde_json::from_str(rule).unwrap());
        (value["number"].as_u64().unwrap(), text(value, "text"), rule.unwrap_or_default())
    };
    TagItem {
        id: text(item, "id"),
        number: item["number"].as_u64().unwrap(),
        key: text(item, "key"),
        users: item["applies_to"] == "users",
        dynamic: item["kind"] == "dynamic",
        values: item["values"].as_array().unwrap().iter().map(value).collect(),
        version: item["version"].as_u64().unwrap(),
    }
}

impl Snapshot {
    pub(crate) async fn of(world: &World, tenant: TenantId) -> Self {
        let (table, mut start, mut now) = (world.table(), None, Self::default());
        loop {
            let answer = table
                .client()
                .query()
                .table_name(table.name())
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(format!("T#{tenant}")))
                .set_exclusive_start_key(start)
                .send()
                .await
                .unwrap();
            for item in answer.items.unwrap_or_default() {
                let item: Value =
                    item.iter().map(|(k, v)| (k.clone(), plain(v))).collect::<Map<_, _>>().into();
                match item["et"].as_str().unwrap() {
                    "user" => now.users.push(member(item)),
                    "application" => now.applications.push(member(item)),
                    "tag" => now.tags.push(tag(&item)),
                    "tag_assignment" => {
                        now.assignments.insert(text(&item, "tag"), item);
                    }
                    "tagging" => now.tagging = item,
                    _ => {}
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return now;
            }
        }
    }

    pub(crate) fn live(&self, users: bool) -> Vec<&Member> {
        let all = if users { &self.users } else { &self.applications };
        all.iter().filter(|member| member.there).collect()
    }

    pub(crate) fn tag(&self, id: &str) -> Option<&TagItem> {
        self.tags.iter().find(|tag| tag.id == id)
    }

    /// What rules make of a member.
    pub(crate) fn by_rules(&self, member: &Member, users: bool) -> BTreeSet<Pair> {
        let mut fit = BTreeSet::new();
        for tag in self.tags.iter().filter(|tag| tag.users == users && tag.dynamic) {
            for (number, _, rule) in &tag.values {
                if fits(rule, &member.item) {
                    fit.insert((tag.number, *number));
                }
            }
        }
        fit
    }

    /// As people read it.
    pub(crate) fn shown(&self, marks: &BTreeSet<Pair>) -> BTreeSet<(String, String)> {
        let mut shown = BTreeSet::new();
        for tag in &self.tags {
            for (number, text, _) in &tag.values {
                if marks.contains(&(tag.number, *number)) {
                    shown.insert((tag.key.clone(), text.clone()));
                }
            }
        }
        shown
    }

    /// How many have each.
    pub(crate) fn counts(&self) -> BTreeMap<Pair, i32> {
        let mut counts = BTreeMap::new();
        for member in self.users.iter().chain(&self.applications) {
            for pair in &member.marks {
                *counts.entry(*pair).or_default() += 1;
            }
        }
        counts
    }
}

/// As rules compare: full width is half width, case does not count.
fn flat(text: &str) -> String {
    let narrow = |c: char| match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap(),
        _ => c,
    };
    text.chars().map(narrow).collect::<String>().trim().to_lowercase()
}

fn fact(item: &Value, name: &str) -> Option<String> {
    let found = match name {
        "email_domain" => return Some(text(item, "email").split_once('@').unwrap().1.to_owned()),
        "email" | "role" | "source" | "name" | "host" | "category" => &item[name],
        _ => match name.strip_prefix("attributes.") {
            Some(own) => &item["attributes"][own],
            None => &item["attributes"][name],
        },
    };
    found.as_str().map(flat)
}

/// Whether a rule, as JSON, fits an item, as JSON.
pub(crate) fn fits(rule: &Value, item: &Value) -> bool {
    if let Some(rules) = rule["all"].as_array() {
        return rules.iter().all(|rule| fits(rule, item));
    }
    if let Some(rules) = rule["any"].as_array() {
        return rules.iter().any(|rule| fits(rule, item));
    }
    if rule["not"].is_object() {
        return !fits(&rule["not"], item);
    }
    let actual = fact(item, rule["attribute"].as_str().unwrap());
    if let Some(wanted) = rule["exists"].as_bool() {
        return actual.is_some() == wanted;
    }
    let Some(actual) = actual else { return false };
    match (rule["eq"].as_str(), rule["prefix"].as_str()) {
        (Some(wanted), _) => actual == flat(wanted),
        (_, Some(wanted)) => actual.starts_with(&flat(wanted)),
        _ => rule["in"].as_array().unwrap().iter().any(|w| actual == flat(w.as_str().unwrap())),
    }
}
