//! One sample for each route and each trigger of template.yaml, readable by the types with which
//! the functions read it. `sam local invoke` and `cargo lambda
//! invoke` take the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use aws_lambda_events::sqs::SqsEvent;
use belfry_domain::product::Product;
use belfry_domain::telemetry::batch::cut;
use belfry_domain::telemetry::envelope::Judge;
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::stream::{Partitions, Stream};
use jiff::Timestamp;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

/// Functions that a person calls directly, with their commands.
const DIRECT: [(&str, &[&str]); 1] = [(
    "backoffice",
    &[
        "create_tenant",
        "issue_history_credential",
        "issue_product_key",
        "revoke_product_key",
        "issue_activation_key",
        "revoke_activation_key",
        "upgrade_edition",
        "extend_trial",
        "set_seats",
        "suspend_tenant",
        "list_tenants",
        "reset_super_admin",
        "appoint_super_admin",
        "set_captcha",
    ],
)];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What wakes a function, by the name of its sample event.
#[derive(Debug, PartialEq)]
enum Trigger {
    /// `POST /auth/login`
    Route(String),
    Queue,
    /// With the schedule's input.
    Schedule(String),
    /// With the command.
    Direct(String),
}

/// Every trigger of template.yaml.
fn triggers() -> BTreeMap<String, Trigger> {
    let text = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let template = &Yaml::load_from_str(&text).unwrap()[0];
    let mut triggers = BTreeMap::new();
    for (name, resource) in template["Resources"].as_mapping().unwrap() {
        if resource["Type"].as_str() != Some("AWS::Serverless::Function") {
            continue;
        }
        let function = name.as_str().unwrap().strip_suffix("Function").unwrap().to_lowercase();
        let events = resource["Properties"].as_mapping_get("Events").and_then(Yaml::as_mapping);
        for (name, event) in events.into_iter().flatten() {
            let properties = &event["Properties"];
            let (name, trigger) = match event["Type"].as_str().unwrap() {
                "Api" => {
                    let method = properties["Method"].as_str().unwrap().to_uppercase();
                    let path = properties["Path"].as_str().unwrap();
                    (route_name(&method, path), Trigger::Route(format!("{method} {path}")))
                }
                kind => {
                    let name = format!("{function}-{}", name.as_str().unwrap().to_lowercase());
                    let trigger = match kind {
                        "SQS" => Trigger::Queue,
                        "Schedule" => {
                            Trigger::Schedule(properties["Input"].as_str().unwrap().to_owned())
                        }
                        other => panic!("{name}: say here how to read an event of {other}"),
                    };
                    (name, trigger)
                }
            };
            assert!(triggers.insert(name.clone(), trigger).is_none(), "two events are {name}");
        }
        for (_, commands) in DIRECT.iter().filter(|(direct, _)| *direct == function) {
            for command in *commands {
                let name = format!("{function}-{}", command.replace('_', "-"));
                triggers.insert(name, Trigger::Direct((*command).to_owned()));
            }
        }
    }
    triggers
}

/// `GET /endpoints/{product}/{id}` is `get-endpoints-product-id`; in lower case, as some file systems do
/// not tell cases apart.
fn route_name(method: &str, path: &str) -> String {
    let (method, path) = (method.to_lowercase(), path.to_lowercase());
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [method.as_str()].into_iter().chain(words).collect::<Vec<_>>().join("-")
}

fn sample(name: &str) -> String {
    let path = repository().join("events").join(format!("{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_route_and_trigger_has_its_sample_and_no_sample_is_left_over() {
    let wanted: BTreeSet<String> = triggers().into_keys().collect();
    let found: BTreeSet<String> = fs::read_dir(repository().join("events"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".json").unwrap().to_owned())
        .collect();
    assert_eq!(found, wanted);
    assert!(wanted.len() > 15, "template.yaml was not read: {wanted:?}");
}

#[test]
fn routes_read_as_requests_of_their_route() {
    for (name, trigger) in triggers() {
        let Trigger::Route(route) = trigger else { continue };
        let text = sample(&name);
        let event: ApiGatewayProxyRequest = serde_json::from_str(&text).unwrap();
        let resource = event.resource.as_deref().unwrap();
        assert_eq!(format!("{} {resource}", event.http_method), route, "{name}");
        assert_eq!(event.request_context.resource_path.as_deref(), Some(resource), "{name}");
        let filled =
            event.path_parameters.iter().fold(resource.to_owned(), |path, (key, value)| {
                path.replace(&format!("{{{key}}}"), value)
            });
        assert_eq!(event.path.as_deref(), Some(filled.as_str()), "{name}");

        let request = lambda_http::request::from_str(&text).unwrap();
        assert_eq!(belfry_api::request::route(&request), route, "{name}");
        assert!(!belfry_api::request::request_id(&request).is_empty(), "{name}");
        assert!(belfry_api::request::source_address(&request).is_some(), "{name}");
        let body: &[u8] = request.body();
        let media = request.headers().get("content-type").and_then(|media| media.to_str().ok());
        if !body.is_empty() && media.is_some_and(|media| media.ends_with("json")) {
            serde_json::from_slice::<Value>(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn the_others_read_as_what_their_function_takes() {
    for (name, trigger) in triggers() {
        let text = sample(&name);
        match trigger {
            Trigger::Route(_) => {}
            Trigger::Queue => {
                let event: SqsEvent = serde_json::from_str(&text).unwrap();
                assert!(!event.records.is_empty(), "{name}");
                for record in event.records {
                    assert!(record.message_id.is_some() && record.body.is_some(), "{name}");
                }
            }
            Trigger::Schedule(input) => {
                let input: Value = serde_json::from_str(&input).unwrap();
                assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), input, "{name}");
            }
            Trigger::Direct(command) => {
                assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["command"], command);
            }
        }
    }
}

/// The rollup's sample is what ingest sends for the sample of `POST /telemetry`.
#[test]
fn the_queued_telemetry_is_the_posted() {
    let text = sample("post-telemetry");
    let event: ApiGatewayProxyRequest = serde_json::from_str(&text).unwrap();
    let batch_id = event.headers["idempotency-key"].to_str().unwrap();
    let received_at =
        Timestamp::from_millisecond(event.request_context.request_time_epoch).unwrap();
    let request = lambda_http::request::from_str(&text).unwrap();
    let tenant = "ten_018f3c1a7a0070008000000000000001".parse().unwrap();
    let judge = Judge { product: Product::Epp, received_at, max_event_age_days: 30 };
    let [cut] = &cut(request.body(), Partitions::ONE).unwrap()[..] else { panic!("one part") };
    let stream = Stream { tenant, product: Product::Epp, partition: cut.partition };
    let id = PartId::new(batch_id, cut.number, cut.content);
    let deduplication = id.deduplication(tenant, Product::Epp);
    let mut part = Part::new(stream, Partitions::ONE, id, received_at.as_millisecond());
    for sent in &cut.events {
        part.push(&judge.judge(sent.raw, sent.value.as_ref()).event.unwrap()).unwrap();
    }

    let queued: SqsEvent = serde_json::from_str(&sample("rollup-queue")).unwrap();
    let [record] = &queued.records[..] else { panic!("one message") };
    let found = Part::from_message(record.body.as_deref().unwrap());
    assert!(
        found.is_ok_and(|found| found == part),
        "the form of messages has changed; put this into the sample's body: {}",
        part.message().unwrap()
    );
    assert_eq!(record.attributes["MessageGroupId"], stream.to_string());
    assert_eq!(record.attributes["MessageDeduplicationId"], deduplication);
}
