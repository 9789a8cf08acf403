//! `POST` and `DELETE /tags/{id}/members`: assigns a static tag's value or takes it away, from those that
//! are named at once, from those that a filter lets pass in the background.

use crate::members::named;
use crate::read::found;
use crate::view::AssignmentView;
use crate::{App, LOOKS, busy, requester};
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::application::{self, Application};
use belfry_domain::audit::Entry;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::{Action, Actor};
use belfry_domain::second_factor::State;
use belfry_domain::tag::work::{Among, Assignment, LEASE, Stage, Walk};
use belfry_domain::tag::{Kind, Subject, Tag};
use belfry_domain::text::folded;
use belfry_domain::users;
use belfry_store::tags::{MOST_AT_ONCE, Member};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignBody {
    value: String,
    /// Those; all or none.
    ids: Option<Vec<String>>,
    /// Or all that pass.
    filter: Option<FilterBody>,
}

/// As the query parameters of the list of users, or of applications.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterBody {
    role: Option<String>,
    status: Option<String>,
    source: Option<String>,
    two_factor: Option<String>,
    category: Option<String>,
    search: Option<String>,
}

#[derive(Serialize)]
struct AssignedView {
    changed: usize,
}

/// What a request asks for.
struct Wanted {
    value: String,
    ids: Option<Vec<String>>,
    filter: Option<FilterBody>,
    /// Where it says so.
    places: Places,
}

/// Where a request says what: in its body, or in its query.
struct Places {
    value: &'static str,
    ids: &'static str,
    filter: &'static str,
}

impl Places {
    /// The place of one of the ids: in a query they are one parameter.
    fn id(&self, at: usize) -> String {
        match self.ids {
            "/ids" => format!("/ids/{at}"),
            other => other.to_owned(),
        }
    }
}

const BODY: Places = Places { value: "/value", ids: "/ids", filter: "/filter/" };
const QUERY: Places = Places { value: "?value", ids: "?ids", filter: "?" };

pub(crate) async fn assign(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let AssignBody { value, ids, filter } = request::body(request)?;
    let wanted = Wanted { value, ids, filter, places: BODY };
    put(app, request, &actor, &wanted, true).await
}

pub(crate) async fn unassign(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "DELETE /tags/{id}/members");
    let value = query.text("value");
    if value.is_none() {
        query.fault("value", "required", "Say which value.");
    }
    let ids: Option<String> = query.parsed("ids");
    let all: bool = query.parsed("all").unwrap_or_default();
    let mut said = |name| query.text(name);
    let filter = FilterBody {
        role: said("role"),
        status: said("status"),
        source: said("source"),
        two_factor: said("two_factor"),
        category: said("category"),
        search: said("search"),
    };
    query.end()?;
    let wanted = Wanted {
        value: value.unwrap_or_default(),
        ids: ids.map(|ids| ids.split(',').map(|id| id.trim().to_owned()).collect()),
        filter: (all || !filter.is_empty()).then_some(filter),
        places: QUERY,
    };
    put(app, request, &actor, &wanted, false).await
}

async fn put(
    app: &App,
    request: &Request,
    actor: &Actor,
    wanted: &Wanted,
    assign: bool,
) -> Result<Response<Body>, Problem> {
    actor.may(Action::AssignTag)?;
    let tag = found(app, actor.tenant(), request).await?;
    if tag.kind == Kind::Dynamic {
        let detail = "Who has a dynamic tag follows from its rules.";
        return Err(Problem::new(409, "tag_dynamic", detail));
    }
    named(&tag, &wanted.value, wanted.places.value)?;
    match (&wanted.ids, &wanted.filter, tag.applies_to) {
        (Some(ids), None, Subject::Users) => {
            at_once::<User>(app, actor, &tag, (wanted, ids), assign).await
        }
        (Some(ids), None, Subject::Applications) => {
            at_once::<Application>(app, actor, &tag, (wanted, ids), assign).await
        }
        (None, Some(filter), subject) => {
            let among = filter.read(subject, wanted.places.filter)?;
            in_background(app, actor, &tag, (wanted, among), assign).await
        }
        _ => {
            let detail = "Name ids or a filter, one of the two.";
            Err(Problem::invalid(vec![FieldError::new(wanted.places.ids, "required", detail)]))
        }
    }
}

/// Those that are named: all or none.
async fn at_once<T: Member>(
    app: &App,
    actor: &Actor,
    tag: &Tag,
    (wanted, said): (&Wanted, &[String]),
    assign: bool,
) -> Result<Response<Body>, Problem> {
    let grant = actor.may(Action::AssignTag)?;
    let ids = read_ids::<T>(said, &wanted.places)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        // The number of the rules first: a value that is gone by then is found gone, and one that goes
        // later changes the number.
        let rules = app.table.catalogue(tag.tenant).await?.rules;
        let present = app.table.tag(tag.tenant, tag.id).await?.ok_or_else(Problem::not_found)?;
        let value = named(&present, &wanted.value, wanted.places.value)?;
        let mark = present.mark(value);
        let members = app.table.tagged_by_id::<T>(tag.tenant, &ids).await?;
        let there: Vec<_> = members.into_iter().filter(T::is_there).collect();
        if there.len() < ids.len() {
            let lost = |id: &&T::Id| there.iter().all(|member| member.id() != **id);
            let faults = ids.iter().filter(lost).map(|id| {
                let at = said.iter().position(|said| said.parse().ok() == Some(*id));
                let place = wanted.places.id(at.unwrap_or_default());
                FieldError::new(place, "not_found", format!("There is no {id}."))
            });
            return Err(Problem::invalid(faults.collect()));
        }
        let changes: Vec<_> = there
            .into_iter()
            .filter(|member| member.marks().has(mark) != assign)
            .map(|member| {
                let marks = member.marks().with(mark, assign);
                (member, marks)
            })
            .collect();
        let count = changes.len();
        let entry = entry(&present, value.text.as_str(), assign);
        if count == 0 || app.table.mark(&grant, &entry, &changes, rules, now, entropy).await? {
            return Ok(answer::ok(&AssignedView { changed: count }));
        }
    }
    Err(busy())
}

fn read_ids<T: Member>(ids: &[String], places: &Places) -> Result<Vec<T::Id>, Problem> {
    if ids.is_empty() || ids.len() > MOST_AT_ONCE {
        let detail = format!("Name 1 to {MOST_AT_ONCE} ids; more of them by a filter.");
        return Err(Problem::invalid(vec![FieldError::new(places.ids, "too_many", detail)]));
    }
    let mut read = Vec::new();
    let mut faults = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        if let Ok(id) = id.parse() {
            read.push(id);
        } else {
            let detail = "There is none of this id.";
            faults.push(FieldError::new(places.id(at), "not_found", detail));
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    read.sort_unstable();
    read.dedup();
    Ok(read)
}

/// All that pass, whoever they are when it is their turn.
async fn in_background(
    app: &App,
    actor: &Actor,
    tag: &Tag,
    (wanted, among): (&Wanted, Among),
    assign: bool,
) -> Result<Response<Body>, Problem> {
    let grant = actor.may(Action::AssignTag)?;
    let (tenant, now, entropy) = (tag.tenant, app.clock.now(), app.entropy.as_ref());
    let value = named(tag, &wanted.value, wanted.places.value)?;
    let total = match tag.applies_to {
        Subject::Users => app.table.tenant(tenant).await?.map_or(0, |tenant| tenant.users),
        Subject::Applications => app.table.tagging(tenant).await?.applications,
    };
    let assignment = Assignment {
        tenant,
        tag: tag.id,
        number: tag.number,
        value: value.number,
        assign,
        among,
        by: requester(actor),
        stage: Stage::Running,
        walk: Walk { total, ..Walk::default() },
        created_at: now,
        finished_at: None,
        // The ring comes first; the sweep, when it is lost.
        due_at: now.checked_add(LEASE).unwrap_or(now),
        version: 1,
    };
    let entry = entry(tag, value.text.as_str(), assign).set("by_filter", true);
    if !app.table.start_assignment(&grant, &entry, &assignment, now, entropy).await? {
        let detail = "The tag is being assigned by a filter already; wait until that is done.";
        return Err(Problem::new(409, "assignment_running", detail));
    }
    app.ring_with(&format!("{tenant} {}", tag.id)).await;
    Ok(answer::json(202, &AssignmentView::of(&assignment, tag)))
}

fn entry(tag: &Tag, value: &str, assign: bool) -> Entry {
    Entry::about("tag", &tag.id)
        .set("key", tag.key.as_str())
        .set(if assign { "assigned" } else { "taken_away" }, value)
}

impl FilterBody {
    fn is_empty(&self) -> bool {
        let Self { role, status, source, two_factor, category, search } = self;
        [role, status, source, two_factor, category, search].into_iter().all(Option::is_none)
    }

    fn read(&self, subject: Subject, at: &str) -> Result<Among, Problem> {
        let mut faults = Vec::new();
        let mut fault = |name: &str, detail: &str| {
            faults.push(FieldError::new(format!("{at}{name}"), "invalid", detail));
        };
        let closed = "The value is not one of those allowed.";
        let among = match subject {
            Subject::Users => {
                let mut wrong = |name: &str| {
                    fault(name, closed);
                };
                let filter = users::Filter {
                    role: one(self.role.as_deref(), Role::named, || wrong("role")),
                    status: one(self.status.as_deref(), live, || wrong("status")),
                    source: one(self.source.as_deref(), Source::named, || wrong("source")),
                    two_factor: one(self.two_factor.as_deref(), State::named, || {
                        wrong("two_factor");
                    }),
                    search: self.search.as_ref().map(|text| folded(text.trim())),
                    tags: None,
                };
                if self.category.is_some() {
                    fault("category", "Users have no category.");
                }
                Among::Users(filter)
            }
            Subject::Applications => {
                let of_users = [
                    ("role", &self.role),
                    ("status", &self.status),
                    ("source", &self.source),
                    ("two_factor", &self.two_factor),
                ];
                for (name, said) in of_users {
                    if said.is_some() {
                        fault(name, "Applications are filtered by category and search.");
                    }
                }
                let fold = |text: &Option<String>| text.as_ref().map(|text| folded(text.trim()));
                let (search, category) = (fold(&self.search), fold(&self.category));
                Among::Applications(application::Filter { search, category, tags: None })
            }
        };
        if self.search.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > 256) {
            fault("search", "The text has 1 to 256 bytes.");
        }
        if faults.is_empty() { Ok(among) } else { Err(Problem::invalid(faults)) }
    }
}

/// A status that who is there can have.
fn live(name: &str) -> Option<Status> {
    Status::named(name).filter(|status| *status != Status::Archived)
}

fn one<T>(
    said: Option<&str>,
    named: impl Fn(&str) -> Option<T>,
    wrong: impl FnOnce(),
) -> Option<T> {
    let read = named(said?);
    if read.is_none() {
        wrong();
    }
    read
}
