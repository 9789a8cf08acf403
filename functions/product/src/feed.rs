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
use std::str::FromStr;

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
struct Asked<'a> {
    app: &'a App,
    tenant: TenantId,
    from: Position,
    /// Marks tokens of this tenant and list.
    context: String,
}

impl<'a> Asked<'a> {
    async fn of(
        app: &'a App,
        request: &Request,
        route: &str,
    ) -> Result<(Self, Page<Position>), Problem> {
        let now = app.clock.now();
        let tenant = product(&app.table, request, Scope::DirectoryRead, now).await?.tenant;
        let mut query = Query::of(request, route);
        let context = format!("{route}\n{tenant}");
        let since: Option<Place> = query.token("changed_since", &context);
        let page: Page<Position> = query.page()?;
        let from = match (&page.from, since) {
            (Some(position), _) => position.clone(),
            (None, Some(place)) => Position::Since(place),
            // The place before the first of all is read, so that no change is missed meanwhile.
            (None, None) => {
                Position::All { after: None, then: app.table.settled_place(tenant, now).await? }
            }
        };
        Ok((Self { app, tenant, from, context }, page))
    }
}

impl Asked<'_> {
    /// A page that goes on somewhere, or is the last one and is followed by what changes behind `end`: or
    /// from a little before it on, as what happened just now may not show everywhere yet.
    async fn view(
        &self,
        page: &Page<Position>,
        items: Vec<Value>,
        next: Option<&Position>,
        end: Place,
    ) -> Result<Response<Body>, Problem> {
        let changed_since = if next.is_some() {
            None
        } else {
            let now = self.app.clock.now();
            let settled = self.app.table.settled_place(self.tenant, now).await?;
            let end = if settled.after < end.after { settled } else { end };
            Some(token(&end, &self.context))
        };
        let PageView { items, next_cursor } = page.view(items, next);
        Ok(answer::ok(&FeedView { items, next_cursor, changed_since }))
    }

    async fn changes(
        &self,
        page: &Page<Position>,
        place: Place,
        wanted: impl Fn(&Thing) -> bool,
    ) -> Result<Changes, Problem> {
        let asked = (page.limit, self.app.clock.now());
        let changes = self.app.table.changes_since(self.tenant, place, asked, wanted).await;
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
    async fn changed<I: Copy + Ord + Serialize>(
        &self,
        page: &Page<Position>,
        changes: &Changes,
        wanted: &[I],
        mut present: BTreeMap<I, Value>,
    ) -> Result<Response<Body>, Problem> {
        let row = |id: &I| present.remove(id).unwrap_or_else(|| json!({"id": id, "deleted": true}));
        let items = wanted.iter().map(row).collect();
        let next = changes.more.then_some(Position::Since(changes.next));
        self.view(page, items, next.as_ref(), changes.next).await
    }
}

/// The id that a cursor names.
fn behind<I: FromStr>(after: Option<&str>) -> Result<Option<I>, Problem> {
    let id = after.map(str::parse::<I>).transpose();
    id.map_err(|_| Problem::new(400, "cursor_invalid", "The cursor is not one of this list."))
}

pub(crate) async fn users(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let id = |thing: &Thing| match thing {
        Thing::User(id) => Some(*id),
        _ => None,
    };
    let (asked, mut page) = Asked::of(app, request, "GET /product/users").await?;
    loop {
        let answer = members::<User>(&asked, &page, id, view::user).await?;
        if page.holds(&answer) {
            return Ok(answer);
        }
    }
}

pub(crate) async fn applications(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let id = |thing: &Thing| match thing {
        Thing::Application(id) => Some(*id),
        _ => None,
    };
    let (asked, mut page) = Asked::of(app, request, "GET /product/applications").await?;
    loop {
        let answer = members::<Application>(&asked, &page, id, view::application).await?;
        if page.holds(&answer) {
            return Ok(answer);
        }
    }
}

async fn members<T: Member<Id: Serialize>>(
    asked: &Asked<'_>,
    page: &Page<Position>,
    id: impl Fn(&Thing) -> Option<T::Id>,
    view: impl Fn(&T, &Catalogue) -> Value,
) -> Result<Response<Body>, Problem> {
    let (table, tenant) = (&asked.app.table, asked.tenant);
    match &asked.from {
        Position::All { after, then } => {
            let after = behind::<T::Id>(after.as_deref())?.map(|id| T::key_of(tenant, id).sk);
            let limit = i32::try_from(page.limit).unwrap_or(i32::MAX);
            let (found, more) = table.tagged::<T>(tenant, after.as_deref(), limit).await?;
            let after = found.last().map(|(_, one)| one.id().to_string());
            let there: Vec<_> = found.into_iter().map(|(_, one)| one).filter(T::is_there).collect();
            let catalogue = table.catalogue_of(tenant, &there).await?;
            let items = there.iter().map(|one| view(one, &catalogue)).collect();
            let next = more.then_some(Position::All { after, then: *then });
            asked.view(page, items, next.as_ref(), *then).await
        }
        Position::Since(place) => {
            let changes = asked.changes(page, *place, |thing| id(thing).is_some()).await?;
            let ids: Vec<_> = changes.things.iter().filter_map(&id).collect();
            let found = table.tagged_by_id::<T>(tenant, &ids).await?;
            let there: Vec<_> = found.into_iter().filter(T::is_there).collect();
            let catalogue = table.catalogue_of(tenant, &there).await?;
            let present = there.iter().map(|one| (one.id(), view(one, &catalogue))).collect();
            asked.changed(page, &changes, &ids, present).await
        }
    }
}

pub(crate) async fn tags(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let (asked, mut page) = Asked::of(app, request, "GET /product/tags").await?;
    loop {
        let answer = tag_page(&asked, &page).await?;
        if page.holds(&answer) {
            return Ok(answer);
        }
    }
}

async fn tag_page(asked: &Asked<'_>, page: &Page<Position>) -> Result<Response<Body>, Problem> {
    let (table, tenant) = (&asked.app.table, asked.tenant);
    match &asked.from {
        Position::All { after, then } => {
            let catalogue = table.catalogue(tenant).await?;
            let after = behind::<TagId>(after.as_deref())?;
            let mut rest = catalogue.tags().iter().filter(|tag| Some(tag.id) > after);
            let tags: Vec<_> = rest.by_ref().take(page.limit).collect();
            let after = tags.last().map(|tag| tag.id.to_string());
            let next = rest.next().map(|_| Position::All { after, then: *then });
            let items = tags.into_iter().map(view::tag).collect();
            asked.view(page, items, next.as_ref(), *then).await
        }
        Position::Since(place) => {
            let wanted = |thing: &Thing| matches!(thing, Thing::Tag(_));
            let changes = asked.changes(page, *place, wanted).await?;
            let ids = changes.things.iter().filter_map(|thing| match thing {
                Thing::Tag(id) => Some(*id),
                _ => None,
            });
            let ids: Vec<_> = ids.collect();
            let found = table.tags_by_id(tenant, &ids).await?;
            let present = found.iter().map(|tag| (tag.id, view::tag(tag))).collect();
            asked.changed(page, &changes, &ids, present).await
        }
    }
}
