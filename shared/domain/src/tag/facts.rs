//! What rules may ask of a user or an application.

use super::Subject;
use crate::account::{Role, Source, User};
use crate::application::Application;
use crate::attribute::UserAttribute;
use crate::text::{AttributeName, Category, folded};
use std::fmt;

/// An attribute that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A user's address.
    Email,
    /// What follows its `@`.
    EmailDomain,
    /// A user's role.
    Role,
    /// Where a user came from.
    Source,
    /// A group that a user's directory has it in.
    Group,
    /// What else is known of a user.
    Profile(UserAttribute),
    /// An application's name.
    Name,
    /// Its host.
    Host,
    /// Its category.
    Category,
    /// An attribute that the tenant gave it: `attributes.<name>`.
    Custom(AttributeName),
}

/// What the names of an application's own attributes begin with.
const CUSTOM: &str = "attributes.";

impl Attribute {
    /// The attribute of this name, of users or of applications.
    pub fn named(name: &str, of: Subject) -> Option<Self> {
        match of {
            Subject::Users => match name {
                "email" => Some(Self::Email),
                "email_domain" => Some(Self::EmailDomain),
                "role" => Some(Self::Role),
                "source" => Some(Self::Source),
                "group" => Some(Self::Group),
                _ => UserAttribute::named(name).map(Self::Profile),
            },
            Subject::Applications => match name {
                "name" => Some(Self::Name),
                "host" => Some(Self::Host),
                "category" => Some(Self::Category),
                _ => name.strip_prefix(CUSTOM)?.parse().ok().map(Self::Custom),
            },
        }
    }

    /// The names there are, for a message.
    pub(super) fn names(of: Subject) -> String {
        let mut names = match of {
            Subject::Users => vec!["email", "email_domain", "role", "source", "group"],
            Subject::Applications => vec!["name", "host", "category", "attributes.<name>"],
        };
        if of == Subject::Users {
            names.extend(UserAttribute::ALL.map(UserAttribute::name));
        }
        names.join(", ")
    }

    /// The values it can have, when they are a closed list.
    pub(super) fn choices(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::Role => Some(Role::ALL.iter().map(|role| role.name()).collect()),
            Self::Source => Some(Source::ALL.iter().map(|source| source.name()).collect()),
            _ => None,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email => f.write_str("email"),
            Self::EmailDomain => f.write_str("email_domain"),
            Self::Role => f.write_str("role"),
            Self::Source => f.write_str("source"),
            Self::Group => f.write_str("group"),
            Self::Profile(attribute) => f.write_str(attribute.name()),
            Self::Name => f.write_str("name"),
            Self::Host => f.write_str("host"),
            Self::Category => f.write_str("category"),
            Self::Custom(name) => write!(f, "{CUSTOM}{}", name.as_str()),
        }
    }
}

/// The attributes of one user or application: as they are, and folded once for all rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts(Vec<(Attribute, String, String)>);

impl Facts {
    fn new<'a>(facts: impl IntoIterator<Item = (Attribute, &'a str)>) -> Self {
        let fold = |(attribute, text): (Attribute, &str)| {
            let folded = folded(text);
            (attribute, text.to_owned(), folded)
        };
        Self(facts.into_iter().map(fold).collect())
    }

    /// The values of an attribute as rules compare them.
    pub(super) fn folded<'a>(&'a self, of: &'a Attribute) -> impl Iterator<Item = &'a str> {
        let own = self.0.iter().filter(move |(attribute, ..)| attribute == of);
        own.map(|(_, _, folded)| folded.as_str())
    }

    /// The values of an attribute as they are.
    pub(super) fn shown<'a>(&'a self, of: &'a Attribute) -> impl Iterator<Item = &'a str> {
        let own = self.0.iter().filter(move |(attribute, ..)| attribute == of);
        own.map(|(_, text, _)| text.as_str())
    }
}

impl From<&User> for Facts {
    fn from(user: &User) -> Self {
        let own = [
            (Attribute::Email, user.email.as_str()),
            (Attribute::EmailDomain, user.email.domain()),
            (Attribute::Role, user.role.name()),
            (Attribute::Source, user.source.name()),
        ];
        let profile = user.attributes.iter();
        let profile = profile.map(|(name, text)| (Attribute::Profile(*name), text.as_str()));
        let groups = user.groups.iter().map(|name| (Attribute::Group, name.as_str()));
        Self::new(own.into_iter().chain(profile).chain(groups))
    }
}

impl From<&Application> for Facts {
    fn from(application: &Application) -> Self {
        let own = [
            (Attribute::Name, Some(application.name.as_str())),
            (Attribute::Host, Some(application.host.as_str())),
            (Attribute::Category, application.category.as_ref().map(Category::as_str)),
        ];
        let own = own.into_iter().filter_map(|(name, text)| Some((name, text?)));
        let custom = application.attributes.iter();
        let custom = custom.map(|(name, text)| (Attribute::Custom(name.clone()), text.as_str()));
        Self::new(own.chain(custom))
    }
}
