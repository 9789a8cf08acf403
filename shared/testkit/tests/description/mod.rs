//! Holds real requests and answers against the description of the API.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code: whatever goes wrong here is a failed test"
)]

use belfry_api::routes;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The description of the API. Stricter than what it tells clients: an answer may have no attribute
/// that is not described.
#[derive(Debug)]
pub(crate) struct Description(Value);

impl Default for Description {
    fn default() -> Self {
        Self::new()
    }
}

impl Description {
    /// The one of the code under test.
    pub(crate) fn new() -> Self {
        let mut document = routes::document();
        for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
            // Events and their data may have attributes that we do not know.
            if !name.ends_with("Event") {
                close(schema);
            }
        }
        Self(document)
    }

    /// Panics unless `body` is what the route takes.
    pub(crate) fn check_request(&self, route: &str, body: &Value) {
        let content = &self.operation(route)["requestBody"]["content"];
        let (media, content) = content.as_object().and_then(|c| c.iter().next()).expect(route);
        self.check(&content["schema"], body, &format!("body of {route} ({media})"));
    }

    /// Panics unless the route answers so: a described status, and a body of its schema, or none.
    pub(crate) fn check_answer(&self, route: &str, status: u16, body: &str) {
        let answer = &self.operation(route)["responses"][status.to_string()];
        assert!(answer.is_object(), "{route} does not describe a {status}: {body}");
        let content = answer["content"].as_object().and_then(|content| content.iter().next());
        match content {
            None => assert_eq!(body, "", "{route} describes no body of a {status}"),
            Some((media, _)) if media == "text/csv" => assert!(body.contains(','), "{route}"),
            Some((_, content)) => {
                let body = serde_json::from_str(body).expect("an answer is JSON");
                self.check(&content["schema"], &body, &format!("{status} of {route}"));
                if let Some(code) = body["code"].as_str().filter(|_| status >= 400) {
                    let codes = answer["description"].as_str().unwrap();
                    let known = codes.split([' ', ',', '.', ':']).any(|known| known == code);
                    assert!(known || status == 503, "{route} does not describe {code}: {codes}");
                }
            }
        }
    }

    fn operation(&self, route: &str) -> &Value {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let operation = &self.0["paths"][path][method.to_ascii_lowercase()];
        assert!(operation.is_object(), "{route} is not described");
        operation
    }

    fn check(&self, schema: &Value, body: &Value, what: &str) {
        let mut schema = schema.clone();
        schema["components"] = json!({"schemas": self.0["components"]["schemas"]});
        let validator: Validator = jsonschema::validator_for(&schema).expect("a JSON Schema");
        let errors: Vec<String> = validator
            .iter_errors(body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}\n{body:#}");
    }
}

/// Allows no attribute beside those described, at any depth.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(check: impl FnOnce(&Description) + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(|| check(&Description::new())).is_err()
    }

    #[test]
    fn tells_a_described_answer_from_any_other() {
        let route = "POST /auth/activation";
        let id = "018bcfe568007fffbfffffffffffffff";
        let good =
            format!(r#"{{"status":"activated","tenant_id":"ten_{id}","user_id":"usr_{id}"}}"#);
        Description::new().check_answer(route, 200, &good);
        let problem = r#"{"type":"about:blank","title":"Gone","status":410,"detail":"x","instance":"",
            "code":"link_gone"}"#;
        Description::new().check_answer(route, 410, problem);
        Description::new().check_request(route, &json!({"token": "x"}));
        assert!(refuses(|d| d.check_answer(route, 201, &good)), "another status");
        assert!(refuses(|d| d.check_answer(route, 200, &good.replace("usr", "ten"))));
        assert!(refuses(|d| d.check_answer(route, 200, &good.replace('{', "{\"more\":1,"))));
        assert!(refuses(|d| d.check_answer(route, 410, &problem.replace("link_gone", "other"))));
        assert!(refuses(|d| d.check_answer("GET /nowhere", 200, "{}")));
        assert!(refuses(|d| d.check_request(route, &json!({"token": "x", "admin": true}))));
        assert!(refuses(|d| d.check_answer("POST /auth/logout", 204, "{}")), "a body");
    }
}
