//! `/scim/v2/Users`

use super::client::Client;
use super::reply::{Reply, Wanted, base, body, not_found, reply};
use crate::App;
use belfry_api::{Body, Request, Response, request};
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{GroupId, UserId};
use belfry_domain::scim::answer::{list_response, membership};
use belfry_domain::scim::filter::{Filter, LookupKey};
use belfry_domain::scim::resource::{Meta, Resource};
use belfry_domain::scim::schema::ResourceKind;
use belfry_domain::scim::{ScimError, patch};
use belfry_runtime::directory::Failed;
use belfry_store::directories::Place;
use belfry_store::keys::Once;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

const KIND: ResourceKind = ResourceKind::User;
/// Users that are looked at together.
const PORTION: i32 = 500;

pub(super) async fn list_users(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let place = client.registrar(app).place();
        let lister = Lister { app, place, wanted: &wanted, base: &base(request) };
        lister.list().await
    };
    reply(done.await)
}

pub(super) async fn create_user(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let resource = Resource::read_user(&body(request)?)?.active_unless_said();
        let registrar = client.registrar(app);
        let made = registrar.create_user(&client.directory, &resource).await?;
        let base = base(request);
        let lister = Lister { app, place: registrar.place(), wanted: &wanted, base: &base };
        Ok(Reply::created(lister.one(&made).await?))
    };
    reply(done.await)
}

pub(super) async fn read_user(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let (id, place) = (id(request)?, client.registrar(app).place());
        let found = app.table.kept::<DirectoryUser>(place, id).await?;
        let found = found.ok_or_else(|| not_found(KIND))?;
        let lister = Lister { app, place, wanted: &wanted, base: &base(request) };
        Ok(Reply::ok(lister.one(&found).await?))
    };
    reply(done.await)
}

pub(super) async fn replace_user(app: &App, request: &Request) -> Response<Body> {
    let replaced = |body: &Value, _: &Resource| Ok(Resource::read_user(body)?.active_unless_said());
    changed(app, request, replaced).await
}

pub(super) async fn patch_user(app: &App, request: &Request) -> Response<Body> {
    changed(app, request, patch::user).await
}

async fn changed(
    app: &App,
    request: &Request,
    change: impl Fn(&Value, &Resource) -> Result<Resource, ScimError>,
) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let wanted = Wanted::of(KIND, request)?;
        let (id, body) = (id(request)?, body(request)?);
        let registrar = client.registrar(app);
        let change = |before: &Resource| change(&body, before);
        let done = registrar.change_user(&client.directory, id, change).await?;
        let done = done.ok_or_else(|| not_found(KIND))?;
        let base = base(request);
        let lister = Lister { app, place: registrar.place(), wanted: &wanted, base: &base };
        Ok(Reply::ok(lister.one(&done).await?))
    };
    reply(done.await)
}

pub(super) async fn delete_user(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let id = id(request)?;
        if client.registrar(app).delete_user(&client.directory, id).await? {
            Ok(Reply::no_content())
        } else {
            Err(not_found(KIND))
        }
    };
    reply(done.await)
}

fn id(request: &Request) -> Result<UserId, Failed> {
    request::path(request, "id").map_err(|_| not_found(KIND))
}

/// Answers users as they are wanted.
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
            let ids = self.app.table.kept_ids::<DirectoryUser>(self.place).await?;
            let own: Vec<_> = ids.iter().skip(skip).take(page.count).copied().collect();
            let found = self.app.table.kept_by_id::<DirectoryUser>(self.place, &own).await?;
            (ids.len(), self.shown(&found).await?)
        };
        let found = found.iter().map(|user| self.wanted.projection.apply(KIND, user).into());
        Ok(Reply::ok(list_response(total, page.start_index, found.collect())))
    }

    /// All who are wanted, whole.
    pub(super) async fn matching(&self) -> Result<Vec<Map<String, Value>>, Failed> {
        let Some(filter) = &self.wanted.filter else { return self.searched(|_| true).await };
        match self.looked_up(filter).await? {
            Some(found) => {
                let mut shown = self.shown(&found).await?;
                shown.retain(|user| filter.matches(user));
                Ok(shown)
            }
            None => self.searched(|user| filter.matches(user)).await,
        }
    }

    async fn one(&self, user: &DirectoryUser) -> Result<Value, Failed> {
        let shown = self.shown(std::slice::from_ref(user)).await?;
        let shown = shown.first().map(|user| self.wanted.projection.apply(KIND, user));
        Ok(shown.unwrap_or_default().into())
    }

    /// Who can be found without looking at everybody; none when that is needed.
    async fn looked_up(&self, filter: &Filter) -> Result<Option<Vec<DirectoryUser>>, Failed> {
        let Some(lookup) = filter.equals() else { return Ok(None) };
        let table = &self.app.table;
        let id: Option<UserId> = match lookup.key {
            LookupKey::Id => lookup.value.parse().ok(),
            LookupKey::UserName => self.taken(Once::UserName(lookup.value)).await?,
            LookupKey::ExternalId => self.taken(Once::UserExternalId(lookup.value)).await?,
            LookupKey::EmailValue => {
                // Whose address it is; as a second address somebody else may have it.
                let id = match lookup.value.parse::<EmailAddress>() {
                    Ok(email) => table.user_at(self.place.tenant, &email).await?,
                    Err(_) => None,
                };
                let user = match id {
                    Some(id) => table.user(self.place.tenant, id).await?,
                    None => None,
                };
                let link = user.and_then(|user| user.directory);
                match link.filter(|link| link.provider == self.place.provider) {
                    Some(link) => Some(link.entry),
                    None => return Ok(None),
                }
            }
            LookupKey::DisplayName | LookupKey::MemberValue => return Ok(None),
        };
        let ids: Vec<UserId> = id.into_iter().collect();
        Ok(Some(table.kept_by_id::<DirectoryUser>(self.place, &ids).await?))
    }

    async fn taken(&self, once: Once<'_>) -> Result<Option<UserId>, Failed> {
        let id = self.app.table.taken_by(self.place, once).await?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    /// Looks at everybody: a directory has no more users than its tenant may have.
    async fn searched(
        &self,
        passes: impl Fn(&Map<String, Value>) -> bool,
    ) -> Result<Vec<Map<String, Value>>, Failed> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.app.table.kept_page(self.place, after.as_deref(), PORTION).await?;
            let (page, more): (Vec<(String, DirectoryUser)>, bool) = page;
            after = page.last().map(|(sk, _)| sk.clone());
            let users: Vec<_> = page.into_iter().map(|(_, user)| user).collect();
            found.extend(self.shown(&users).await?.into_iter().filter(&passes));
            if !more {
                return Ok(found);
            }
        }
    }

    /// Users as they are answered, whole.
    async fn shown(&self, users: &[DirectoryUser]) -> Result<Vec<Map<String, Value>>, Failed> {
        let mut names: HashMap<GroupId, String> = HashMap::new();
        if self.wanted.needs("groups") {
            let groups: BTreeSet<_> = users.iter().flat_map(|user| user.groups.clone()).collect();
            let groups: Vec<_> = groups.into_iter().collect();
            let groups = self.app.table.kept_by_id::<DirectoryGroup>(self.place, &groups).await?;
            names.extend(groups.into_iter().map(|group| (group.id, group.name.into())));
        }
        let shown = users.iter().map(|user| {
            let id = user.id.to_string();
            let meta = Meta {
                id: &id,
                created: user.created_at,
                last_modified: user.modified_at,
                base: self.base,
            };
            let mut shown = user.resource()?.answer(&meta);
            let groups = user
                .groups
                .iter()
                .filter_map(|id| Some(membership(&id.to_string(), names.get(id)?, self.base)));
            let groups: Vec<Value> = groups.collect();
            if !groups.is_empty() {
                shown.insert("groups".to_owned(), groups.into());
            }
            Ok(shown)
        });
        shown.collect()
    }
}
