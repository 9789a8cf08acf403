//! SCIM 2.0 as a directory speaks it: schemas (RFC 7643) and protocol (RFC 7644), without store and
//! HTTP.
//!
//! A body is read into a [`resource::Resource`], which has only what [`schema`] names; [`patch`]
//! changes one; [`filter`] chooses among them; [`answer`] is what goes back, errors too. Where the
//! clients of the field (Entra ID, Okta) differ from the RFC, what is done is said at the place.

use serde_json::{Value, json};

pub mod answer;
pub mod discovery;
mod edit;
pub mod filter;
pub mod members;
mod parse;
pub mod patch;
mod path;
#[cfg(test)]
mod properties;
pub mod resource;
pub mod schema;
mod value;

/// Media type of all bodies (RFC 7644, section 8.1). Okta sends `application/json` too.
pub const MEDIA_TYPE: &str = "application/scim+json";

/// Detail error keyword (RFC 7644, section 3.12, table 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimType {
    /// The filter cannot be read, or compares what cannot be compared.
    InvalidFilter,
    /// The answer would be larger than the server is willing to make.
    TooMany,
    /// The value is another resource's already.
    Uniqueness,
    /// The attribute cannot be changed, or not be removed.
    Mutability,
    /// The body is not what the request wants.
    InvalidSyntax,
    /// The path of a PATCH operation cannot be read.
    InvalidPath,
    /// The path of a PATCH operation leads to nothing that could be changed.
    NoTarget,
    /// A required value is missing, or a value is not of its attribute's type.
    InvalidValue,
    /// Another version of the protocol.
    InvalidVers,
    /// Personal data in an address.
    Sensitive,
}

impl ScimType {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::InvalidFilter,
        Self::TooMany,
        Self::Uniqueness,
        Self::Mutability,
        Self::InvalidSyntax,
        Self::InvalidPath,
        Self::NoTarget,
        Self::InvalidValue,
        Self::InvalidVers,
        Self::Sensitive,
    ];

    /// The keyword.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
        }
    }

    /// The HTTP status that goes with it (RFC 7644, table 9; section 7.5.2 for `sensitive`).
    pub const fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            Self::Sensitive => 403,
            _ => 400,
        }
    }
}

/// A failure as a SCIM client is told. `Display` is the detail: safe for the public, it names
/// attributes and places, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// HTTP status code.
    pub status: u16,
    /// Keyword, for the failures that have one.
    pub scim_type: Option<ScimType>,
    /// One English sentence.
    pub detail: String,
}

impl ScimError {
    /// A failure with a keyword; the status is the keyword's.
    pub fn new(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status: scim_type.status(), scim_type: Some(scim_type), detail: detail.into() }
    }

    /// A failure that the status says all about, such as 401 or 404.
    pub fn of_status(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// The body of the answer (RFC 7644, section 3.12).
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": [schema::ERROR],
            // A string by the RFC.
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Value::Object(members)) = (self.scim_type, &mut body) {
            members.insert("scimType".to_owned(), scim_type.keyword().into());
        }
        body
    }
}

/// A text as it is compared where case does not count. Character by character, so that the beginning
/// of a text folds to the beginning of its folded form.
pub fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_status_as_a_string() {
        let error = ScimError::new(ScimType::Uniqueness, "userName is taken");
        assert_eq!(
            error.body(),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": "409",
                "scimType": "uniqueness",
                "detail": "userName is taken",
            })
        );
        assert_eq!(
            ScimError::of_status(404, "no such user").body(),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": "404",
                "detail": "no such user",
            })
        );
        for scim_type in ScimType::ALL {
            let expected = match scim_type.keyword() {
                "uniqueness" => 409,
                "sensitive" => 403,
                _ => 400,
            };
            assert_eq!(scim_type.status(), expected, "{scim_type:?}");
        }
    }

    #[test]
    fn folding_knows_no_context() {
        // `str::to_lowercase` writes another sigma at the end of a word.
        assert_eq!(folded("ΟΔΟΣ"), folded("οδοσ"));
        assert!(folded("ΟΔΟΣΑ").starts_with(&folded("ΟΔΟΣ")));
    }
}
