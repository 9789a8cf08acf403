//! Applications that an integrated product protects, as a tenant describes them.

use crate::id::{ApplicationId, TenantId};
use crate::ports::Entropy;
use crate::tag::marks::Marks;
use crate::text::{
    ApplicationHost, ApplicationName, AttributeName, AttributeText, Category, folded,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most applications of a tenant.
pub const MOST_APPLICATIONS: u32 = 2_000;
/// Most attributes of an application.
pub const MOST_ATTRIBUTES: usize = 20;

/// What an administrator says of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Name; unique in the tenant, whatever its case. Telemetry names applications by it.
    pub name: ApplicationName,
    /// Where it is.
    pub host: ApplicationHost,
    /// Which kind of application it is.
    pub category: Option<Category>,
    /// What else is known of it; at most [`MOST_ATTRIBUTES`].
    pub attributes: BTreeMap<AttributeName, AttributeText>,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Whose.
    pub tenant: TenantId,
    /// As in [`Described`].
    pub name: ApplicationName,
    /// As in [`Described`].
    pub host: ApplicationHost,
    /// As in [`Described`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// As in [`Described`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<AttributeName, AttributeText>,
    /// Its tag values.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub tags: Marks,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Application {
    /// A new one.
    pub fn new(
        tenant: TenantId,
        described: Described,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let Described { name, host, category, attributes } = described;
        Self {
            id: ApplicationId::new(now, entropy),
            tenant,
            name,
            host,
            category,
            attributes,
            tags: Marks::default(),
            created_at: now,
            version: 1,
        }
    }

    /// The same, described otherwise; the same version again when nothing changes.
    #[must_use]
    pub fn described(&self, described: Described) -> Self {
        let Described { name, host, category, attributes } = described;
        let next = Self { name, host, category, attributes, ..self.clone() };
        if next == *self { next } else { next.changed() }
    }

    /// The same after a change.
    #[must_use]
    pub fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }
}

/// Which applications of a tenant are wanted; absent is "any".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Folded beginning of the name or the host.
    pub search: Option<String>,
    /// Of this category, folded.
    pub category: Option<String>,
    /// With one of these tag values.
    pub tags: Option<Marks>,
}

impl Filter {
    /// Whether every application passes.
    pub fn is_any(&self) -> bool {
        let Self { search, category, tags } = self;
        search.is_none() && category.is_none() && tags.is_none()
    }

    /// Whether an application is among the wanted.
    pub fn lets_pass(&self, application: &Application) -> bool {
        let begins = |wanted: &str| {
            folded(application.name.as_str()).starts_with(wanted)
                || application.host.as_str().starts_with(wanted)
        };
        let own = application.category.as_ref().map(|category| folded(category.as_str()));
        let marked = |any: &Marks| any.iter().any(|mark| application.tags.has(mark));
        self.search.as_deref().is_none_or(begins)
            && self.category.as_ref().is_none_or(|wanted| own.as_ref() == Some(wanted))
            && self.tags.as_ref().is_none_or(marked)
    }
}
