//! Which users and applications a list, an export or an assignment is about, by the query parameters that
//! all of them share.

use belfry_api::Problem;
use belfry_api::page::Query;
use belfry_domain::account::{Role, Source, Status};
use belfry_domain::application;
use belfry_domain::failure::FieldError;
use belfry_domain::id::TenantId;
use belfry_domain::second_factor::State;
use belfry_domain::tag::Subject;
use belfry_domain::tag::marks::Marks;
use belfry_domain::text::folded;
use belfry_domain::users;
use belfry_store::Table;

/// A tag, by its key and perhaps a value of it.
struct TagWanted {
    key: String,
    value: Option<String>,
}

impl TagWanted {
    fn of(query: &mut Query) -> Option<Self> {
        let (key, value) = (query.text("tag"), query.text("tag_value"));
        if key.is_none() && value.is_some() {
            query.fault("tag_value", "invalid", "A value is one of a tag: say which tag too.");
        }
        Some(Self { key: key?, value })
    }

    /// What who has it has.
    async fn marks(&self, table: &Table, of: Subject, tenant: TenantId) -> Result<Marks, Problem> {
        let catalogue = table.catalogue(tenant).await?;
        catalogue.named(of, &self.key, self.value.as_deref()).ok_or_else(|| {
            let (pointer, detail) = match &self.value {
                Some(_) if catalogue.named(of, &self.key, None).is_some() => {
                    ("?tag_value", "The tag has no such value.")
                }
                _ => ("?tag", "There is no such tag."),
            };
            Problem::invalid(vec![FieldError::new(pointer, "unknown_tag", detail)])
        })
    }
}

/// Users, by `role`, `status`, `source`, `two_factor`, `search`, `tag` and `tag_value`.
pub struct UsersWanted {
    filter: users::Filter,
    tag: Option<TagWanted>,
}

impl UsersWanted {
    /// Reads the parameters.
    pub fn of(query: &mut Query) -> Self {
        let filter = users::Filter {
            role: query.named("role", Role::named),
            status: query.named("status", Status::named),
            source: query.named("source", Source::named),
            two_factor: query.named("two_factor", State::named),
            search: query.text("search").map(|text| folded(text.trim())),
            tags: None,
        };
        Self { filter, tag: TagWanted::of(query) }
    }

    /// Whether the deleted are meant.
    pub fn archived(&self) -> bool {
        self.filter.archived()
    }

    /// The filter. 1 RRU when a tag is asked for, and that of the tags when they are not known.
    ///
    /// # Errors
    /// 422 when there is no such tag.
    pub async fn filter(self, table: &Table, tenant: TenantId) -> Result<users::Filter, Problem> {
        let tags = match &self.tag {
            Some(tag) => Some(tag.marks(table, Subject::Users, tenant).await?),
            None => None,
        };
        Ok(users::Filter { tags, ..self.filter })
    }
}

/// Applications, by `search`, `category`, `tag` and `tag_value`.
pub struct ApplicationsWanted {
    filter: application::Filter,
    tag: Option<TagWanted>,
}

impl ApplicationsWanted {
    /// Reads the parameters.
    pub fn of(query: &mut Query) -> Self {
        let mut text = |name| query.text(name).map(|text| folded(text.trim()));
        let (search, category) = (text("search"), text("category"));
        let filter = application::Filter { search, category, tags: None };
        Self { filter, tag: TagWanted::of(query) }
    }

    /// The filter, as [`UsersWanted::filter`].
    ///
    /// # Errors
    /// 422 when there is no such tag.
    pub async fn filter(
        self,
        table: &Table,
        tenant: TenantId,
    ) -> Result<application::Filter, Problem> {
        let tags = match &self.tag {
            Some(tag) => Some(tag.marks(table, Subject::Applications, tenant).await?),
            None => None,
        };
        Ok(application::Filter { tags, ..self.filter })
    }
}
