//! Asks an HTTP function as the gateway does, and reads its answer.

use belfry_api::Request;
use belfry_runtime::http::{Routes, respond};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

/// The origin that every answer allows.
pub const ORIGIN: &str = "https://console.example";
/// The API's own host name.
pub const DOMAIN: &str = "api.example";
/// Where requests come from.
pub const SOURCE: &str = "203.0.113.9";
/// The gateway's id of every request.
pub const REQUEST_ID: &str = "5f1e8f0a-0000-4000-8000-000000000001";

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Ask {
    method: String,
    resource: String,
    path: Map<String, Value>,
    query: Map<String, Value>,
    headers: Map<String, Value>,
    body: Option<String>,
}

/// A request to `route`: `"POST /users/{id}"`.
pub fn ask(route: &str) -> Ask {
    let (method, resource) = route.split_once(' ').expect("a method and a path");
    Ask {
        method: method.to_owned(),
        resource: resource.to_owned(),
        path: Map::new(),
        query: Map::new(),
        headers: Map::new(),
        body: None,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a builder reads better without ampersands")]
impl Ask {
    /// With a path parameter.
    #[must_use]
    pub fn path(mut self, name: &str, value: impl ToString) -> Self {
        self.path.insert(name.to_owned(), value.to_string().into());
        self
    }

    /// With a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.insert(name.to_owned(), value.to_string().into());
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.insert(name.to_owned(), value.to_string().into());
        self
    }

    /// With a bearer token.
    #[must_use]
    pub fn bearer(self, token: impl ToString) -> Self {
        self.header("Authorization", format!("Bearer {}", token.to_string()))
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    /// With any body.
    #[must_use]
    pub fn text(self, media_type: &str, body: &str) -> Self {
        Self { body: Some(body.to_owned()), ..self.header("Content-Type", media_type) }
    }

    /// The request as a function gets it.
    pub fn request(&self) -> Request {
        let path = self.path.iter().fold(self.resource.clone(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default())
        });
        let many = |map: &Map<String, Value>| {
            map.iter().map(|(k, v)| (k.clone(), json!([v]))).collect::<Map<_, _>>()
        };
        let event = json!({
            "resource": self.resource,
            "path": path,
            "httpMethod": self.method,
            "headers": self.headers,
            "multiValueHeaders": many(&self.headers),
            "queryStringParameters": self.query,
            "multiValueQueryStringParameters": many(&self.query),
            "pathParameters": self.path,
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "resourceId": "r", "stage": "v1",
                "resourcePath": self.resource, "httpMethod": self.method, "path": format!("/v1{path}"),
                "domainName": DOMAIN,
                "requestId": REQUEST_ID, "protocol": "HTTP/1.1",
                "identity": {"sourceIp": SOURCE},
            },
            "body": self.body,
            "isBase64Encoded": false,
        });
        lambda_http::request::from_str(&event.to_string()).expect("an event of a REST API")
    }

    /// Asks, and reads the answer.
    pub async fn of(&self, function: &impl Routes) -> Answer {
        let origin = HeaderValue::from_static(ORIGIN);
        let request = self.request();
        // On the heap: a test of many steps must not fill its stack.
        let response = Box::pin(respond(function, &origin, &request)).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).expect("text");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, json, text }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as JSON, or null.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Status and, of a problem, its code.
    pub fn verdict(&self) -> (u16, &str) {
        (self.status, self.json["code"].as_str().unwrap_or_default())
    }

    /// The faulty fields of a problem: pointer and code.
    pub fn faults(&self) -> Vec<(&str, &str)> {
        let errors = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors
            .iter()
            .map(|e| {
                (e["pointer"].as_str().unwrap_or_default(), e["code"].as_str().unwrap_or_default())
            })
            .collect()
    }

    /// A text in the body, by JSON pointer.
    ///
    /// # Panics
    /// When it is not there.
    pub fn at(&self, pointer: &str) -> &str {
        let value = self.json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{pointer} in {}", self.text))
    }
}
