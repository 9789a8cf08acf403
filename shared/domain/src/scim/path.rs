//! Paths of PATCH operations (RFC 7644, section 3.5.2, figure 7).

use crate::scim::filter::Node;
use crate::scim::parse::{Parser, Scope};
use crate::scim::schema::{AttributeName, ResourceKind, Schema};
use crate::scim::{ScimError, ScimType};

/// What an operation is about. At most [`MOST_BYTES`](crate::scim::filter::MOST_BYTES).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Path {
    /// All attributes of a schema.
    Schema(&'static Schema),
    /// An attribute, or a sub-attribute.
    Attribute(AttributeName),
    /// The elements of a list for which the expression is true, or a sub-attribute of them.
    Elements(AttributeName, Node),
    /// Well written, but nothing that Belfry keeps: the operation is passed over. Entra ID sends all
    /// that it has in one PATCH (addresses, by its default mapping), and would hold an error against
    /// the user.
    Unknown,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ScimType::InvalidPath`], with the byte at which something else was expected.
    pub(super) fn parse(kind: ResourceKind, text: &str) -> Result<Self, ScimError> {
        Parser::new(text, Scope::Resource(kind)).and_then(Parser::whole_path).map_err(
            |unexpected| ScimError::new(ScimType::InvalidPath, format!("path {unexpected}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &Path) -> String {
        match path {
            Path::Schema(schema) => format!("schema {}", schema.name),
            Path::Attribute(name) => format!("attribute {name}"),
            Path::Elements(name, node) => format!("{name} where {node}"),
            Path::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn paths() {
        for (text, expected) in [
            ("userName", "attribute userName"),
            (" NAME.givenname ", "attribute name.givenName"),
            ("members", "unknown"),
            ("urn:ietf:params:scim:schemas:core:2.0:User", "schema User"),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName",
                "attribute name.familyName",
            ),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:user", "schema EnterpriseUser"),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                "attribute urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            ),
            (r#"emails[type eq "work"]"#, r#"emails where type eq "work""#),
            (r#"emails[type eq "work"].value"#, r#"emails.value where type eq "work""#),
            (
                r#"urn:ietf:params:scim:schemas:core:2.0:User:Emails[Type EQ "work" and primary eq "True"].Primary"#,
                r#"emails.primary where type eq "work" and primary eq true"#,
            ),
            (r#"emails[type eq "work"].display"#, "unknown"),
            (r#"addresses[type eq "work"].country"#, "unknown"),
            ("nickName", "unknown"),
            ("urn:example:User:x", "unknown"),
        ] {
            assert_eq!(shown(&Path::parse(ResourceKind::User, text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn no_paths() {
        for (text, detail) in [
            ("", "path at byte 0: expected the name of an attribute"),
            ("user name", "path at byte 5: expected \"[\", \".\" or the end"),
            ("emails[", "path at byte 7: expected the name of an attribute"),
            ("emails[]", "path at byte 7: expected the name of an attribute"),
            ("emails[type eq \"work\"", "path at byte 21: expected \"and\", \"or\" or \"]\""),
            ("emails[type eq \"work\"].", "path at byte 23: expected the name of a sub-attribute"),
            ("emails[type eq \"work\"]value", "path at byte 22: expected \"[\", \".\" or the end"),
            ("emails[0]", "path at byte 7: expected the name of an attribute"),
            (
                "name[givenName pr]",
                "path at byte 5: expected brackets only after a list of complex values",
            ),
            ("userName pr", "path at byte 9: expected \"[\", \".\" or the end"),
            ("a.b.c", "path at byte 0: expected the name of an attribute"),
            ("/name/givenName", "path at byte 0: expected the name of an attribute"),
        ] {
            let error = Path::parse(ResourceKind::User, text).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
            assert_eq!(error.detail, detail, "{text}");
        }
    }
}
