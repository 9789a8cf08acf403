//! What Belfry keeps of a user and of a group: the schemas of RFC 7643, less what a security console
//! has no use for (addresses, photographs, passwords), so that it holds no private data it was not
//! asked to hold. That may be sent all the same: clients that go by the schemas (scim2-client, and with it
//! canaille) send nothing at all where something they fill is missing there.

use std::fmt;

/// Schema of an error answer (RFC 7644, section 3.12).
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// Schema of a list answer (RFC 7644, section 3.4.2).
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Schema of a PATCH body (RFC 7644, section 3.5.2).
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Data type of an attribute (RFC 7643, section 2.3), as far as Belfry has such attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// Moment, as RFC 3339 writes it.
    DateTime,
    /// URI of something.
    Reference,
    /// Object with sub-attributes.
    Complex,
}

/// Who may write an attribute, and when (RFC 7643, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Only the server.
    ReadOnly,
    /// The client.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The client, and nobody sees it again.
    WriteOnly,
}

/// An attribute's definition (RFC 7643, section 7).
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the RFC defines an attribute by them")]
pub struct Attribute {
    /// Name, as it is written in answers.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Data type, of each element when there may be several.
    pub kind: Type,
    /// Whether it is a list.
    pub multi_valued: bool,
    /// Whether a resource has no meaning without.
    pub required: bool,
    /// Whether clients are told to send it, though what it is for may be found elsewhere: an address,
    /// in `userName`.
    pub asked_for: bool,
    /// Whether case counts when its text is compared.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// Whether it is in every answer, asked for or not.
    pub always_returned: bool,
    /// Whether no two resources of one provider share its value.
    pub unique: bool,
    /// Usual values; others are kept too.
    pub canonical_values: &'static [&'static str],
    /// What a reference leads to.
    pub reference_types: &'static [&'static str],
    /// Of a complex attribute.
    pub sub_attributes: &'static [Self],
}

impl Attribute {
    /// The sub-attribute of that name, in any case.
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Self> {
        named(self.sub_attributes, name)
    }

    /// Whether a client cannot write it.
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// A schema: a set of attributes under a URN.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// URN.
    pub id: &'static str,
    /// Name.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Its attributes, without the common ones.
    pub attributes: &'static [Attribute],
    /// What clients may send and nobody gets back: it is dropped when it is read.
    pub not_kept: &'static [Attribute],
}

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// A person.
    User,
    /// A group of users.
    Group,
}

impl ResourceKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// As `meta.resourceType` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Below the base URL, without a slash at either end.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// Its base schema.
    pub const fn core(self) -> &'static Schema {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    /// Schemas that extend it; none is required.
    pub const fn extensions(self) -> &'static [Schema] {
        match self {
            Self::User => std::slice::from_ref(&ENTERPRISE_USER),
            Self::Group => &[],
        }
    }

    /// What a name stands for: an attribute, with or without its sub-attribute and the URN of its
    /// schema, or a URN alone; all in any case (RFC 7643, section 2.1; RFC 7644, section 3.10).
    pub fn resolve(self, name: &str) -> Reference {
        let core = std::slice::from_ref(self.core());
        let of_schema = core.iter().chain(self.extensions()).find_map(|schema| {
            let (urn, rest) = name.split_at_checked(schema.id.len())?;
            let whole = rest.is_empty() || rest.starts_with(':');
            (whole && urn.eq_ignore_ascii_case(schema.id)).then_some((schema, rest))
        });
        let (schema, local) = match of_schema {
            Some((schema, "")) => return Reference::Schema(schema),
            Some((schema, rest)) => (schema, rest.strip_prefix(':').unwrap_or(rest)),
            None => (self.core(), name),
        };
        let (attribute, sub) = match local.split_once('.') {
            Some((attribute, sub)) => (attribute, Some(sub)),
            None => (local, None),
        };
        let extension = (schema != self.core()).then_some(schema);
        let common = if extension.is_none() { COMMON } else { &[] };
        let found = named(schema.attributes, attribute)
            .or_else(|| named(common, attribute))
            .and_then(|a| {
                let sub = match sub {
                    Some(sub) => Some(a.sub_attribute(sub)?),
                    None => None,
                };
                Some(AttributeName { extension, attribute: a, sub })
            });
        found.map_or(Reference::Unknown, Reference::Attribute)
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The schema itself: all its attributes.
    Schema(&'static Schema),
    /// An attribute.
    Attribute(AttributeName),
    /// Nothing that Belfry keeps.
    Unknown,
}

/// An attribute in its place. `Display` is its full name, as a filter or a path would write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeName {
    /// The extension in whose object it stands; none for the base schema and the common attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The one of its sub-attributes that is meant.
    pub sub: Option<&'static Attribute>,
}

impl AttributeName {
    /// The definition of what is meant: the sub-attribute's, or the attribute's.
    pub const fn leaf(&self) -> &'static Attribute {
        match self.sub {
            Some(sub) => sub,
            None => self.attribute,
        }
    }

    /// Whether a client cannot write it.
    pub fn is_read_only(&self) -> bool {
        self.attribute.is_read_only() || self.leaf().is_read_only()
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = self.extension {
            write!(f, "{}:", extension.id)?;
        }
        f.write_str(self.attribute.name)?;
        self.sub.map_or(Ok(()), |sub| write!(f, ".{}", sub.name))
    }
}

/// What most attributes are.
const TEXT: Attribute = Attribute {
    name: "",
    description: "",
    kind: Type::Text,
    multi_valued: false,
    required: false,
    asked_for: false,
    case_exact: false,
    mutability: Mutability::ReadWrite,
    always_returned: false,
    unique: false,
    canonical_values: &[],
    reference_types: &[],
    sub_attributes: &[],
};

const BOOLEAN: Attribute = Attribute { kind: Type::Boolean, ..TEXT };

const COMPLEX: Attribute = Attribute { kind: Type::Complex, ..TEXT };

const LIST: Attribute = Attribute { multi_valued: true, ..COMPLEX };

const READ_ONLY: Attribute = Attribute { mutability: Mutability::ReadOnly, ..TEXT };

const DROPPED: Attribute =
    Attribute { mutability: Mutability::WriteOnly, description: "May be sent; not kept.", ..TEXT };

const PART: Attribute = Attribute { description: "Not kept.", ..DROPPED };

/// Belfry says where things are; a client's opinion of it (Entra ID sends `null`) is not kept.
const REFERENCE: Attribute =
    Attribute { name: "$ref", kind: Type::Reference, case_exact: true, ..READ_ONLY };

const MOMENT: Attribute = Attribute { kind: Type::DateTime, ..READ_ONLY };

const PRIMARY: Attribute =
    Attribute { name: "primary", description: "Whether it is the preferred one.", ..BOOLEAN };

/// Attributes of every resource (RFC 7643, section 3.1), which no schema lists.
pub const COMMON: &[Attribute] = &[
    Attribute {
        name: "schemas",
        description: "Schemas of which the resource has attributes.",
        kind: Type::Reference,
        multi_valued: true,
        case_exact: true,
        always_returned: true,
        ..READ_ONLY
    },
    Attribute {
        name: "id",
        description: "Identifier given by Belfry.",
        case_exact: true,
        always_returned: true,
        unique: true,
        ..READ_ONLY
    },
    Attribute {
        name: "externalId",
        description: "Identifier given by the client.",
        case_exact: true,
        ..TEXT
    },
    Attribute {
        name: "meta",
        description: "About the resource.",
        sub_attributes: &[
            Attribute { name: "resourceType", case_exact: true, ..READ_ONLY },
            Attribute { name: "created", ..MOMENT },
            Attribute { name: "lastModified", ..MOMENT },
            Attribute { name: "location", ..REFERENCE },
        ],
        kind: Type::Complex,
        ..READ_ONLY
    },
];

/// A user (RFC 7643, section 4.1). `emails.display` is left out on purpose: Entra ID's test of the
/// connection refuses a schema that has it.
pub static USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    description: "User account",
    attributes: &[
        Attribute {
            name: "userName",
            description: "Name by which the directory knows the user.",
            required: true,
            unique: true,
            ..TEXT
        },
        Attribute {
            name: "name",
            description: "Parts of the name.",
            sub_attributes: &[
                // Kept as sent, not made up: clients compare what they get with what they sent.
                Attribute { name: "formatted", description: "The whole name.", ..TEXT },
                Attribute { name: "familyName", description: "Last name.", ..TEXT },
                Attribute { name: "givenName", description: "First name.", ..TEXT },
            ],
            ..COMPLEX
        },
        Attribute { name: "displayName", description: "Name as it is shown.", ..TEXT },
        Attribute { name: "title", description: "Title in the organization.", ..TEXT },
        Attribute { name: "userType", description: "Relation to the organization.", ..TEXT },
        Attribute { name: "preferredLanguage", description: "As RFC 5646 writes it.", ..TEXT },
        Attribute { name: "locale", description: "Language and region of formats.", ..TEXT },
        Attribute { name: "timezone", description: "As the IANA database names it.", ..TEXT },
        Attribute { name: "active", description: "Whether the user may log in.", ..BOOLEAN },
        Attribute {
            name: "emails",
            description: "E-mail addresses.",
            asked_for: true,
            sub_attributes: &[
                Attribute { name: "value", description: "The address.", asked_for: true, ..TEXT },
                Attribute {
                    name: "type",
                    description: "What it is for.",
                    canonical_values: &["work", "home", "other"],
                    ..TEXT
                },
                PRIMARY,
            ],
            ..LIST
        },
        Attribute {
            name: "phoneNumbers",
            description: "Telephone numbers.",
            sub_attributes: &[
                Attribute { name: "value", description: "The number.", ..TEXT },
                Attribute {
                    name: "type",
                    description: "What it is for.",
                    canonical_values: &["work", "home", "mobile", "fax", "pager", "other"],
                    ..TEXT
                },
                PRIMARY,
            ],
            ..LIST
        },
        Attribute {
            name: "groups",
            description: "Groups of the user; to be changed at the group.",
            kind: Type::Complex,
            multi_valued: true,
            sub_attributes: &[
                Attribute {
                    name: "value",
                    description: "The group's id.",
                    case_exact: true,
                    ..READ_ONLY
                },
                Attribute { description: "The group.", reference_types: &["Group"], ..REFERENCE },
                Attribute { name: "display", description: "The group's name.", ..READ_ONLY },
                Attribute {
                    name: "type",
                    description: "How the user belongs to it.",
                    canonical_values: &["direct"],
                    ..READ_ONLY
                },
            ],
            ..READ_ONLY
        },
    ],
    not_kept: &[
        Attribute { name: "nickName", ..DROPPED },
        Attribute {
            name: "profileUrl",
            kind: Type::Reference,
            reference_types: &["external"],
            ..DROPPED
        },
        Attribute { name: "password", ..DROPPED },
        Attribute {
            name: "addresses",
            kind: Type::Complex,
            multi_valued: true,
            sub_attributes: &[
                Attribute { name: "formatted", ..PART },
                Attribute { name: "streetAddress", ..PART },
                Attribute { name: "locality", ..PART },
                Attribute { name: "region", ..PART },
                Attribute { name: "postalCode", ..PART },
                Attribute { name: "country", ..PART },
                Attribute { name: "type", ..PART },
                Attribute { name: "primary", kind: Type::Boolean, ..PART },
            ],
            ..DROPPED
        },
        Attribute {
            name: "photos",
            kind: Type::Complex,
            multi_valued: true,
            sub_attributes: &[
                Attribute {
                    name: "value",
                    kind: Type::Reference,
                    reference_types: &["external"],
                    ..PART
                },
                Attribute { name: "display", ..PART },
                Attribute { name: "type", ..PART },
                Attribute { name: "primary", kind: Type::Boolean, ..PART },
            ],
            ..DROPPED
        },
    ],
};

/// What an enterprise knows of a user (RFC 7643, section 4.3).
pub static ENTERPRISE_USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    description: "Enterprise user",
    attributes: &[
        Attribute { name: "employeeNumber", description: "Number of the employee.", ..TEXT },
        Attribute { name: "costCenter", description: "Cost center.", ..TEXT },
        Attribute { name: "organization", description: "Organization.", ..TEXT },
        Attribute { name: "division", description: "Division.", ..TEXT },
        Attribute { name: "department", description: "Department.", ..TEXT },
        Attribute {
            name: "manager",
            description: "Who the user reports to.",
            sub_attributes: &[
                Attribute {
                    name: "value",
                    description: "The manager's id.",
                    case_exact: true,
                    ..TEXT
                },
                Attribute { description: "The manager.", reference_types: &["User"], ..REFERENCE },
                Attribute { name: "displayName", description: "The name.", ..READ_ONLY },
            ],
            ..COMPLEX
        },
    ],
    not_kept: &[],
};

/// A group (RFC 7643, section 4.2). Groups within groups are not kept.
pub static GROUP: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    description: "Group of users",
    attributes: &[
        Attribute {
            name: "displayName",
            description: "Name of the group.",
            required: true,
            unique: true,
            ..TEXT
        },
        Attribute {
            name: "members",
            description: "Users of the group.",
            sub_attributes: &[
                Attribute {
                    name: "value",
                    description: "The user's id.",
                    case_exact: true,
                    mutability: Mutability::Immutable,
                    ..TEXT
                },
                Attribute {
                    description: "The user.",
                    reference_types: &["User"],
                    // As the RFC has it; whoever is meant is read from `value`.
                    mutability: Mutability::Immutable,
                    ..REFERENCE
                },
                Attribute {
                    name: "type",
                    description: "Kind of the member.",
                    canonical_values: &["User"],
                    mutability: Mutability::Immutable,
                    ..TEXT
                },
                // May be sent; it stands at the user.
                Attribute { name: "display", description: "The name; not kept.", ..READ_ONLY },
            ],
            ..LIST
        },
    ],
    not_kept: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_under_their_urn() {
        for (kind, name, full) in [
            (ResourceKind::User, "USERNAME", "userName"),
            (ResourceKind::User, "urn:ietf:params:scim:schemas:core:2.0:User:userName", "userName"),
            (ResourceKind::User, "urn:ietf:params:scim:schemas:CORE:2.0:user:ID", "id"),
            (ResourceKind::User, "emails.Value", "emails.value"),
            (ResourceKind::User, "groups.$REF", "groups.$ref"),
            (ResourceKind::User, "meta.lastmodified", "meta.lastModified"),
            (ResourceKind::Group, "Members.$ref", "members.$ref"),
            (
                ResourceKind::User,
                "URN:ietf:params:scim:schemas:extension:enterprise:2.0:User:Manager.value",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            ),
        ] {
            match kind.resolve(name) {
                Reference::Attribute(found) => assert_eq!(found.to_string(), full),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_kept_is_unknown() {
        let enterprise = ENTERPRISE_USER.id;
        for name in [
            "",
            ".",
            "addresses",
            "name.middleName",
            "name.givenName.x",
            "userName.x",
            "password",
            "department",
            "members",
            "urn:ietf:params:scim:schemas:core:2.0:Users",
            "urn:ietf:params:scim:schemas:core:2.0:User:department",
            "urn:example:User:userName",
            "urn:ietf:params:scim:schemas:core:2.0:UseruserName",
            &format!("{enterprise}:id"),
            &format!("{enterprise}:userName"),
            &format!("{enterprise}:{enterprise}:department"),
            &format!("{enterprise}x:department"),
        ] {
            assert_eq!(ResourceKind::User.resolve(name), Reference::Unknown, "{name}");
        }
        assert_eq!(ResourceKind::Group.resolve(enterprise), Reference::Unknown);
        assert_eq!(ResourceKind::User.resolve(enterprise), Reference::Schema(&ENTERPRISE_USER));
        assert_eq!(
            ResourceKind::User.resolve("URN:IETF:params:scim:schemas:core:2.0:user"),
            Reference::Schema(&USER)
        );
    }
}
