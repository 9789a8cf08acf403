//! `/scim/v2/Groups`

use super::client::Client;
use super::reply::{Reply, Wanted, base, body, not_found, reply};
use crate::App;
use belfry_api::{Body, Request, Response, request};
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser};
use belfry_domain::id::{GroupId, UserId};
use belfry_domain::scim::answer::{list_response, member};
use belfry_domain::scim::filter::{Filter, LookupKey};
use belfry_domain::scim::members::MemberChanges;
use belfry_domain::scim::resource::{Meta, Resource};
use belfry_domain::scim::schema::ResourceKind;
use belfry_domain::scim::{ScimError, ScimType, patch};
use belfry_runtime::directory::Failed;
use belfry_store::directories::Place;
use belfry_store::keys::Once;
use serde_json::{Map, Value};

const KIND: ResourceKind = ResourceKind::Group;
/// Groups that are looked at together.
const PORTION: i32 = 200;
/// Most members of all groups of an answer: Lambda's answers have at most 6 MB.
const MOST_MEMBERS: usize = 20_000;

pub(super) async fn list_groups(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let place = client.registrar(app).place();
        let lister = Lister { app, place, wanted: &wanted, base: &base(request) };
        lister.list().await
    };
    reply(done.await)
}

pub(super) async fn create_group(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let (resource, members) = Resource::read_group(&body(request)?)?;
        let registrar = client.registrar(app);
        let made = registrar.create_group(&client.directory, &resource, &members).await?;
        let base = base(request);
        let lister = Lister { app, place: registrar.place(), wanted: &wanted, base: &base };
        Ok(Reply::created(lister.one(&made).await?))
    };
    reply(done.await)
}

pub(super) async fn read_group(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let (id, place) = (id(request)?, client.registrar(app).place());
        let found = app.table.kept_by_id::<DirectoryGroup>(place, &[id]).await?.pop();
        let found = found.ok_or_else(|| not_found(KIND))?;
        let lister = Lister { app, place, wanted: &wanted, base: &base(request) };
        Ok(Reply::ok(lister.one(&found).await?))
    };
    reply(done.await)
}

pub(super) async fn replace_group(app: &App, request: &Request) -> Response<Body> {
    let replaced = |body: &Value, _: &Resource| {
        let (resource, added) = Resource::read_group(body)?;
        let members = MemberChanges { replaced_all: true, added, ..MemberChanges::default() };
        Ok((resource, members))
    };
    changed(app, request, replaced).await
}

pub(super) async fn patch_group(app: &App, request: &Request) -> Response<Body> {
    changed(app, request, patch::group).await
}

async fn changed(
    app: &App,
    request: &Request,
    change: impl Fn(&Value, &Resource) -> Result<(Resource, MemberChanges), ScimError>,
) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let (id, body) = (id(request)?, body(request)?);
        let registrar = client.registrar(app);
        let change = |before: &Resource| change(&body, before);
        let done = registrar.change_group(&client.directory, id, change).await?;
        let done = done.ok_or_else(|| not_found(KIND))?;
        let base = base(request);
        let lister = Lister { app, place: registrar.place(), wanted: &wanted, base: &base };
        Ok(Reply::ok(lister.one(&done).await?))
    };
    reply(done.await)
}

pub(super) async fn delete_group(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let id = id(request)?;
        if client.registrar(app).delete_group(&client.directory, id).await? {
            Ok(Reply::no_content())
        } else {
            Err(not_found(KIND))
        }
    };
    reply(done.await)
}

fn id(request: &Request) -> Result<GroupId, Failed> {
    request::path(request, "id").map_err(|_| not_found(KIND))
}

/// Answers groups as they are wanted.
pub(super) struct Lister<'a> {
    pub(super) app: &'a App,
    pub(super) place: Place,
    pub(super) wanted: &'a Wanted,
    pub(super) base: &'a str,
}

impl Lister<'_> {
    async fn list(&self) -> Result<Reply, Failed> {
        let Wanted { filter, page, .. } = self.wanted;
        let skip = page.start_index.saturating_sub(1);
        let (total, found) = if filter.is_some() {
            let all = self.matching().await?;
            let total = all.len();
            (total, all.into_iter().skip(skip).take(page.count).collect())
        } else {
            let all = self.everything().await?;
            let own: Vec<_> = all.iter().skip(skip).take(page.count).cloned().collect();
            (all.len(), self.shown(&own).await?)
        };
        let found = found.iter().map(|group| self.wanted.projection.apply(KIND, group).into());
        Ok(Reply::ok(list_response(total, page.start_index, found.collect())))
    }

    /// All that are wanted, whole.
    pub(super) async fn matching(&self) -> Result<Vec<Map<String, Value>>, Failed> {
        let Some(filter) = &self.wanted.filter else {
            return self.shown(&self.everything().await?).await;
        };
        let all = match self.looked_up(filter).await? {
            Some(found) => found,
            None => self.everything().await?,
        };
        let mut shown = self.shown(&all).await?;
        shown.retain(|group| filter.matches(group));
        Ok(shown)
    }

    async fn one(&self, group: &DirectoryGroup) -> Result<Value, Failed> {
        let shown = self.shown(std::slice::from_ref(group)).await?;
        let shown = shown.first().map(|group| self.wanted.projection.apply(KIND, group));
        Ok(shown.unwrap_or_default().into())
    }

    async fn everything(&self) -> Result<Vec<DirectoryGroup>, Failed> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.app.table.kept_page(self.place, after.as_deref(), PORTION).await?;
            let (page, more): (Vec<(String, DirectoryGroup)>, bool) = page;
            after = page.last().map(|(sk, _)| sk.clone());
            all.extend(page.into_iter().map(|(_, group)| group).filter(|group| !group.deleted));
            if !more {
                return Ok(all);
            }
        }
    }

    /// Those that can be found without looking at all; none when that is needed.
    async fn looked_up(&self, filter: &Filter) -> Result<Option<Vec<DirectoryGroup>>, Failed> {
        let Some(lookup) = filter.equals() else { return Ok(None) };
        let ids: Vec<GroupId> = match lookup.key {
            LookupKey::Id => lookup.value.parse().ok().into_iter().collect(),
            LookupKey::DisplayName => self.taken(Once::GroupName(lookup.value)).await?,
            LookupKey::ExternalId => self.taken(Once::GroupExternalId(lookup.value)).await?,
            LookupKey::MemberValue => {
                let member: Option<UserId> = lookup.value.parse().ok();
                let ids: Vec<UserId> = member.into_iter().collect();
                let found = self.app.table.kept_by_id::<DirectoryUser>(self.place, &ids).await?;
                found.into_iter().flat_map(|user| user.groups).collect()
            }
            LookupKey::UserName | LookupKey::EmailValue => return Ok(None),
        };
        Ok(Some(self.app.table.kept_by_id::<DirectoryGroup>(self.place, &ids).await?))
    }

    async fn taken(&self, once: Once<'_>) -> Result<Vec<GroupId>, Failed> {
        let id = self.app.table.taken_by(self.place, once).await?;
        Ok(id.and_then(|id| id.parse().ok()).into_iter().collect())
    }

    /// Groups as they are answered, whole but for members that nobody asked for.
    async fn shown(&self, groups: &[DirectoryGroup]) -> Result<Vec<Map<String, Value>>, Failed> {
        let (mut shown, mut counted) = (Vec::with_capacity(groups.len()), 0);
        for group in groups {
            let id = group.id.to_string();
            let meta = Meta {
                id: &id,
                created: group.created_at,
                last_modified: group.modified_at,
                base: self.base,
            };
            let mut one = group.resource()?.answer(&meta);
            if self.wanted.needs("members") {
                let members = self.members(group.id).await?;
                counted += members.len();
                if counted > MOST_MEMBERS {
                    let detail = "too many members for one answer: ask with a lower count, or with \
                                  excludedAttributes=members";
                    return Err(ScimError::new(ScimType::TooMany, detail).into());
                }
                if !members.is_empty() {
                    one.insert("members".to_owned(), members.into());
                }
            }
            shown.push(one);
        }
        Ok(shown)
    }

    async fn members(&self, group: GroupId) -> Result<Vec<Value>, Failed> {
        let ids = self.app.table.group_members(self.place, group).await?;
        // Whoever is gone is in no group, whatever still says so.
        let users = self.app.table.kept_by_id::<DirectoryUser>(self.place, &ids).await?;
        Ok(users.iter().map(|user| member(&user.id.to_string(), self.base)).collect())
    }
}
