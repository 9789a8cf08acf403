//! infra/openapi.json, the route table, the functions and template.yaml say the same.

use belfry_api::routes::{ROUTES, document};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Routes by function.
type Routes = BTreeMap<String, BTreeSet<String>>;

fn described() -> Routes {
    let mut routes = Routes::new();
    for route in ROUTES {
        let of = routes.entry(route.function.to_owned()).or_default();
        assert!(of.insert(route.route.to_owned()), "{} is there twice", route.route);
    }
    routes
}

/// `UPDATE=1 cargo nextest run -p belfry-testkit --test openapi` writes the file anew.
#[test]
#[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the test")]
fn the_committed_document_is_that_of_the_code() {
    let path = root().join("infra/openapi.json");
    let generated = format!("{:#}\n", document());
    if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "infra/openapi.json is not up to date: UPDATE=1 writes it");
}

#[test]
fn the_functions_answer_the_described_routes() {
    let mut answered = Routes::new();
    for entry in fs::read_dir(root().join("functions")).unwrap() {
        let folder = entry.unwrap();
        let code = |file: &str| fs::read_to_string(folder.path().join("src").join(file));
        // The routes of a protocol of its own lie apart.
        let code = code("lib.rs").unwrap() + &code("scim.rs").unwrap_or_default();
        let routes: BTreeSet<String> = code.lines().filter_map(matched).collect();
        if !routes.is_empty() {
            answered.insert(folder.file_name().into_string().unwrap(), routes);
        }
    }
    assert_eq!(answered, described());
}

/// The route of a `match` arm: `"POST /users" => ..`, or one of several: `| "PUT /users"`.
fn matched(line: &str) -> Option<String> {
    let line = line.trim();
    let (route, rest) =
        line.strip_prefix("| ").unwrap_or(line).strip_prefix('"')?.split_once('"')?;
    let method = route.split(' ').next()?;
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method);
    (known && (rest.is_empty() || rest.starts_with(" =>"))).then(|| route.to_owned())
}

#[test]
fn the_template_sends_the_described_routes_to_their_functions() {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    let template: serde_norway::Value = serde_norway::from_str(&text).unwrap();
    let mut sent = Routes::new();
    for (_, resource) in template["Resources"].as_mapping().unwrap() {
        let properties = &resource["Properties"];
        let Some(events) = properties["Events"].as_mapping() else { continue };
        let code = properties["CodeUri"].as_str().expect("a folder of code");
        let function = code.trim_end_matches('/').rsplit('/').next().unwrap();
        for (_, event) in events {
            if event["Type"].as_str() == Some("Api") {
                let part = |name: &str| event["Properties"][name].as_str().unwrap().to_owned();
                let route = format!("{} {}", part("Method").to_uppercase(), part("Path"));
                assert!(sent.entry(function.to_owned()).or_default().insert(route));
            }
        }
    }
    assert_eq!(sent, described());
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_name() {
    let document = document();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&reference), "nothing uses {name}");
    }
    let names: BTreeSet<&str> = ROUTES.iter().map(|route| route.operation).collect();
    assert_eq!(names.len(), ROUTES.len());
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

/// The schema is the OpenAPI Initiative's (Apache-2.0): <https://spec.openapis.org/oas/3.1/schema/>
#[test]
fn the_document_is_openapi_3_1() {
    let schema: Value = serde_json::from_str(include_str!("openapi-3.1.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = document();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
