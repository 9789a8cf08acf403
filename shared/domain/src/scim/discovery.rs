//! What the server says about itself: `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`
//! (RFC 7643, sections 5 to 7; RFC 7644, section 4).

use crate::scim::answer::{self, MOST_RESULTS};
use crate::scim::schema::{Attribute, Mutability, ResourceKind, Schema, Type};
use serde_json::{Map, Value, json};

const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The answer to `/ServiceProviderConfig`. `base` is the URL under which the endpoints lie.
///
/// Versions (`etag`) are not supported, as real clients send stale ones.
pub fn service_provider_config(base: &str) -> Value {
    json!({
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MOST_RESULTS},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": false},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token that Belfry showed when the provider was made.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", trimmed(base)),
        },
    })
}

/// The answer to `/ResourceTypes`.
pub fn resource_types(base: &str) -> Value {
    all(ResourceKind::ALL.map(|kind| type_of(kind, base)).into())
}

/// The answer to `/ResourceTypes/{name}`.
pub fn resource_type(name: &str, base: &str) -> Option<Value> {
    ResourceKind::ALL
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(name))
        .map(|kind| type_of(kind, base))
}

/// The answer to `/Schemas`.
pub fn schemas(base: &str) -> Value {
    all(known_schemas().map(|schema| description(schema, base)).collect())
}

/// The answer to `/Schemas/{id}`.
pub fn schema(id: &str, base: &str) -> Option<Value> {
    known_schemas()
        .find(|schema| schema.id.eq_ignore_ascii_case(id))
        .map(|schema| description(schema, base))
}

fn known_schemas() -> impl Iterator<Item = &'static Schema> {
    ResourceKind::ALL
        .into_iter()
        .flat_map(|kind| std::iter::once(kind.core()).chain(kind.extensions()))
}

/// All there is, on one page.
fn all(resources: Vec<Value>) -> Value {
    answer::list_response(resources.len(), 1, resources)
}

fn trimmed(base: &str) -> &str {
    base.trim_end_matches('/')
}

fn type_of(kind: ResourceKind, base: &str) -> Value {
    let extensions: Vec<Value> = kind
        .extensions()
        .iter()
        .map(|schema| json!({"schema": schema.id, "required": false}))
        .collect();
    json!({
        "schemas": [RESOURCE_TYPE],
        "id": kind.name(),
        "name": kind.name(),
        "endpoint": format!("/{}", kind.endpoint()),
        "description": kind.core().description,
        "schema": kind.core().id,
        "schemaExtensions": extensions,
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{}/ResourceTypes/{}", trimmed(base), kind.name()),
        },
    })
}

fn description(schema: &Schema, base: &str) -> Value {
    let attributes = [definitions(schema.attributes), definitions(schema.not_kept)].concat();
    json!({
        "schemas": [SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": attributes,
        "meta": {
            "resourceType": "Schema",
            "location": format!("{}/Schemas/{}", trimmed(base), schema.id),
        },
    })
}

fn definitions(attributes: &[Attribute]) -> Vec<Value> {
    attributes.iter().map(|attribute| Value::Object(definition(attribute))).collect()
}

fn definition(attribute: &Attribute) -> Map<String, Value> {
    let kind = match attribute.kind {
        Type::Text => "string",
        Type::Boolean => "boolean",
        Type::DateTime => "dateTime",
        Type::Reference => "reference",
        Type::Complex => "complex",
    };
    let mutability = match attribute.mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    };
    let returned = match attribute.mutability {
        Mutability::WriteOnly => "never",
        _ if attribute.always_returned => "always",
        _ => "default",
    };
    let mut definition: Map<String, Value> = [
        ("name", attribute.name.into()),
        ("type", kind.into()),
        ("multiValued", attribute.multi_valued.into()),
        ("description", attribute.description.into()),
        ("required", (attribute.required || attribute.asked_for).into()),
        ("caseExact", attribute.case_exact.into()),
        ("mutability", mutability.into()),
        ("returned", returned.into()),
        ("uniqueness", if attribute.unique { "server" } else { "none" }.into()),
    ]
    .map(|(name, value): (&str, Value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    let mut list = |name: &str, list: Vec<Value>| {
        if !list.is_empty() {
            definition.insert(name.to_owned(), list.into());
        }
    };
    list("canonicalValues", attribute.canonical_values.iter().map(|text| (*text).into()).collect());
    list("referenceTypes", attribute.reference_types.iter().map(|text| (*text).into()).collect());
    list("subAttributes", definitions(attribute.sub_attributes));
    definition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::USER;

    const BASE: &str = "https://console.example.com/scim/v2/";

    #[test]
    fn what_is_supported_is_said() {
        let config = service_provider_config(BASE);
        for (feature, supported) in [
            ("patch", true),
            ("filter", true),
            ("bulk", false),
            ("changePassword", false),
            ("sort", false),
            ("etag", false),
        ] {
            assert_eq!(config[feature]["supported"], json!(supported), "{feature}");
        }
        assert_eq!(config["filter"]["maxResults"], json!(200));
        assert_eq!(config["authenticationSchemes"][0]["type"], json!("oauthbearertoken"));
        assert_eq!(
            config["meta"]["location"],
            json!("https://console.example.com/scim/v2/ServiceProviderConfig")
        );
    }

    #[test]
    fn the_types_name_their_schemas() {
        let types = resource_types(BASE);
        assert_eq!(types["totalResults"], json!(2));
        let user = resource_type("user", BASE).unwrap();
        assert_eq!(types["Resources"][0], user);
        assert_eq!(user["endpoint"], json!("/Users"));
        assert_eq!(
            user["schemaExtensions"],
            json!([{
                "schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                "required": false,
            }])
        );
        assert_eq!(
            user["meta"]["location"],
            json!("https://console.example.com/scim/v2/ResourceTypes/User")
        );
        assert_eq!(resource_type("Device", BASE), None);
    }

    #[test]
    fn the_schemas_define_what_the_rfc_wants() {
        let schemas = schemas(BASE);
        assert_eq!(schemas["totalResults"], json!(3));
        let user = schema("urn:ietf:params:scim:schemas:core:2.0:user", BASE).unwrap();
        assert_eq!(
            user["attributes"][0],
            json!({
                "name": "userName",
                "type": "string",
                "multiValued": false,
                "description": "Name by which the directory knows the user.",
                "required": true,
                "caseExact": false,
                "mutability": "readWrite",
                "returned": "default",
                "uniqueness": "server",
            })
        );
        assert_eq!(schema("urn:ietf:params:scim:schemas:core:2.0:Device", BASE), None);
        for schema in schemas["Resources"].as_array().unwrap() {
            check(&schema["attributes"]);
        }
    }

    /// RFC 7643, section 7: a complex attribute has sub-attributes, and no other has; all say what
    /// they are.
    fn check(attributes: &Value) {
        for attribute in attributes.as_array().unwrap() {
            let complex = attribute["type"] == "complex";
            assert_eq!(attribute["subAttributes"].is_array(), complex, "{attribute}");
            assert_ne!(attribute["name"], "", "{attribute}");
            assert_ne!(attribute["description"], "", "{attribute}");
            if complex {
                check(&attribute["subAttributes"]);
            }
        }
    }

    #[test]
    fn no_private_data_that_was_not_asked_for() {
        let schemas = schemas(BASE);
        let user = &schemas["Resources"][0];
        assert_eq!(user["id"], USER.id);
        for private in ["password", "addresses", "photos", "profileUrl"] {
            let attributes = user["attributes"].as_array().unwrap();
            let of = attributes.iter().find(|of| of["name"] == private).unwrap();
            assert_eq!(
                (&of["mutability"], &of["returned"]),
                (&json!("writeOnly"), &json!("never"))
            );
        }
        for absent in ["ims", "x509Certificates"] {
            assert!(!schemas.to_string().contains(&format!("\"{absent}\"")), "{absent}");
        }
    }
}
