//! `GET /product/users`, `/product/tags` and `/product/applications`: all of them, page by page, or those
//! that changed since. Each is shown as it is when it is read; one that is shown twice is the same or
//! newer the second time.

use crate::App;
use crate::view;
use belfry_api::page::{Page, PageView, Query, token};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::credential::Scope;
use belfry_domain::failure::FieldError;
use belfry_domain::id::{TagId, TenantId};
use belfry_domain::tag::catalogue::Catalogue;
use belfry_runtime::authenticate::product;
use belfry_store::changes::{Changes, NoChanges, Place, Thing};
use belfry_store::tags::Member;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where a page begins.
#[derive(Clone, Serialize, Deserialize)]
enum Position {
    /// In the list of all, behind one of it; the changes since a place follow on it.
    All { after: Option<String>, then: Place },
    /// In what changed.
    Since(Place),
}

/// A page; with its last one, from where on to ask the next time.
#[derive(Serialize)]
struct FeedView {
    items: Vec<Value>,
    next_cursor: Option<String>,
    changed_since: Option<String>,
}

/// What a product asks for.
struct Asked {
    tenant: TenantId,
    page: Page<Position>,
    /// The token of the last round, of this tenant and list.
    since: Option<Place>,
    /// Marks tokens of this tenant and list.
    context: String,
}

impl Asked {
    async fn of(app: &App, request: &Request, route: &str) -> Result<Self, Problem> {
        let credential =
            product(&app.table, request, Scope::DirectoryRead, app.clock.now()).await?;
        let mut query = Query::of(request, route);
        let context = format!("{route}\n{}", credential.tenant);
        let since = query.token("changed_since", &context);
        let page = query.page()?;
        Ok(Self { tenant: credential.tenant, page, since, context })
    }

    /// Where to go on: in the list of all, behind a sort key, or in the changes.
    async fn position(&self, app: &App) -> Result<Position, Problem> {
        match (&self.page.from, self.since) {
            (Some(position), _) => Ok(position.clone()),
            (None, Some(place)) => Ok(Position::Since(place)),
            // The place before the first of all is read, so that no change is missed meanwhile.
            (None, None) => {
                let then = app.table.present_place(self.tenant).await?;
                Ok(Position::All { after: None, then })
            }
        }
    }

    /// A page that goes on somewhere, or is the last one and is followed by what changes behind `end`.
    fn view(&self, items: Vec<Value>, next: Option<&Position>, end: Place) -> Response<Body> {
        let changed_since = next.is_none().then(|| token(&end, &self.context));
        let PageView { items, next_cursor } = self.page.view(items, next);
        answer::ok(&FeedView { items, next_cursor, changed_since })
    }

    async fn changes(
        &self,
        app: &App,
        place: Place,
        wanted: impl Fn(&Thing) -> bool,
    ) -> Result<Changes, Problem> {
        let changes = app.table.changes_since(self.tenant, place, self.page.limit, wanted).await;
        changes.map_err(|error| match error {
            NoChanges::Expired => {
                let detail = "The changes since then are no longer kept: read all anew.";
                Problem::new(410, "changes_expired", detail)
            }
            NoChanges::Unknown => {
                let detail = "The token is not one of this list.";
                Problem::invalid(vec![FieldError::new("?changed_since", "invalid", detail)])
            }
            NoChanges::Store(error) => error.into(),
        })
    }

    /// The page of what changed: what is there of it, and the ids of what is not.
    fn changed<I: Copy + Ord + Serialize>(
        &self,
        changes: &Changes,
        wanted: &[I],
        mut present: BTreeMap<I, Value>,
    ) -> Response<Body> {
        let row = |id: &I| present.remove(id).unwrap_or_else(|| json!({"id": id, "deleted": true}));
        let items = wanted.iter().map(row).collect();
        let next = changes.more.then_some(Position::Since(changes.next));
        self.view(items, next.as_ref(), changes.next)
    }
}

pub(crate) async fn users(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let asked = Asked::of(app, request, "GET /product/users").await?;
    let id = |thing: &Thing| match thing {
        Thing::User(id) => Some(*id),
        _ => None,
    };
    members::<User>(app, &asked, id, view::user).await
}

pub(crate) async fn applications(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let asked = Asked::of(app, request, "GET /product/applications").await?;
    let id = |thing: &Thing| match thing {
        Thing::Application(id) => Some(*id),
        _ => None,
    };
    members::<Application>(app, &asked, id, view::application).await
}

async fn members<T: Member<Id: Serialize>>(
    app: &App,
    asked: &Asked,
    id: impl Fn(&Thing) -> Option<T::Id>,
    view: impl Fn(&T, &Catalogue) -> Value,
) -> Result<Response<Body>, Problem> {
    match asked.position(app).await? {
        Position::All { after, then } => {
            let limit = i32::try_from(asked.page.limit).unwrap_or(i32::MAX);
            let (found, more) =
                app.table.tagged::<T>(asked.tenant, after.as_deref(), limit).await?;
            let after = found.last().map(|(sk, _)| sk.clone());
            let there: Vec<_> = found.into_iter().map(|(_, one)| one).filter(T::is_there).collect();
            let catalogue = app.table.catalogue_of(asked.tenant, &there).await?;
            let items = there.iter().map(|one| view(one, &catalogue)).collect();
            let next = more.then_some(Position::All { after, then });
            Ok(asked.view(items, next.as_ref(), then))
        }
        Position::Since(place) => {
            let changes = asked.changes(app, place, |thing| id(thing).is_some()).await?;
            let ids: Vec<_> = changes.things.iter().filter_map(&id).collect();
            let found = app.table.tagged_by_id::<T>(asked.tenant, &ids).await?;
            let there: Vec<_> = found.into_iter().filter(T::is_there).collect();
            let catalogue = app.table.catalogue_of(asked.tenant, &there).await?;
            let present = there.iter().map(|one| (one.id(), view(one, &catalogue))).collect();
            Ok(asked.changed(&changes, &ids, present))
        }
    }
}

pub(crate) async fn tags(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let asked = Asked::of(app, request, "GET /product/tags").await?;
    match asked.position(app).await? {
        Position::All { after, then } => {
            let catalogue = app.table.catalogue(asked.tenant).await?;
            let after: Option<TagId> = after.and_then(|after| after.parse().ok());
            let mut rest = catalogue.tags().iter().filter(|tag| Some(tag.id) > after);
            let tags: Vec<_> = rest.by_ref().take(asked.page.limit).collect();
            let after = tags.last().map(|tag| tag.id.to_string());
            let next = rest.next().map(|_| Position::All { after, then });
            let items = tags.into_iter().map(view::tag).collect();
            Ok(asked.view(items, next.as_ref(), then))
        }
        Position::Since(place) => {
            let wanted = |thing: &Thing| matches!(thing, Thing::Tag(_));
            let changes = asked.changes(app, place, wanted).await?;
            let ids = changes.things.iter().filter_map(|thing| match thing {
                Thing::Tag(id) => Some(*id),
                _ => None,
            });
            let ids: Vec<_> = ids.collect();
            let found = app.table.tags_by_id(asked.tenant, &ids).await?;
            let present = found.iter().map(|tag| (tag.id, view::tag(tag))).collect();
            Ok(asked.changed(&changes, &ids, present))
        }
    }
}
