//! `GET /users`: the tenant's users in the order of their names.

use crate::App;
use crate::view::UserView;
use belfry_api::page::{Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::id::TenantId;
use belfry_domain::policy::Action;
use belfry_domain::second_factor::State;
use belfry_domain::text::{Telephone, folded};
use belfry_store::Table;
use serde::{Deserialize, Serialize};

/// Users that one request looks at before it answers with what it found: a tenth of a second and 400
/// read units.
const MOST_LOOKED_AT: usize = 5_000;
/// So many at once when a filter will drop most: below the 1 MB of a query.
const PORTION: usize = 1_000;

/// The place of the last row.
#[derive(Serialize, Deserialize)]
struct Position {
    after: String,
}

/// Which users are wanted; absent is "any".
pub(crate) struct Filter {
    role: Option<Role>,
    status: Option<Status>,
    source: Option<Source>,
    two_factor: Option<State>,
    /// Beginning of a name, the address or the mobile number.
    search: Option<String>,
}

impl Filter {
    pub(crate) fn of(query: &mut Query) -> Self {
        Self {
            role: query.named("role", Role::named),
            status: query.named("status", Status::named),
            source: query.named("source", Source::named),
            two_factor: query.named("two_factor", State::named),
            search: query.text("search").map(|text| folded(text.trim())),
        }
    }

    /// The deleted are shown only when asked for.
    pub(crate) fn archived(&self) -> bool {
        self.status == Some(Status::Archived)
    }

    fn is_any(&self) -> bool {
        self.role.is_none()
            && matches!(self.status, None | Some(Status::Archived))
            && self.source.is_none()
            && self.two_factor.is_none()
            && self.search.is_none()
    }

    pub(crate) fn lets_pass(&self, user: &User) -> bool {
        self.role.is_none_or(|role| role == user.role)
            && self.status.is_none_or(|status| status == user.status)
            && self.source.is_none_or(|source| source == user.source)
            && self.two_factor.is_none_or(|state| state == user.two_factor())
            && self.search.as_deref().is_none_or(|wanted| begins(user, wanted))
    }
}

/// Whether a name, both names, the address or the mobile number begins so.
fn begins(user: &User, wanted: &str) -> bool {
    let (first, last) = (folded(user.first_name.as_str()), folded(user.last_name.as_str()));
    // As people type numbers: with or without what stands between the digits.
    let digits: String = wanted.chars().filter(|c| !matches!(c, ' ' | '-' | '+')).collect();
    let number = user.mobile.as_ref().map_or("", Telephone::as_str).trim_start_matches('+');
    format!("{first} {last}").starts_with(wanted)
        || last.starts_with(wanted)
        || user.email.as_str().starts_with(wanted)
        || (!digits.is_empty() && number.starts_with(&digits))
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /users");
    let filter = Filter::of(&mut query);
    let page: Page<Position> = query.page()?;
    actor.may(Action::ReadUsers)?;
    if page.from.as_ref().is_some_and(|from| !(1..=1_024).contains(&from.after.len())) {
        // Made up: the table would refuse such a key.
        return Err(Problem::new(400, "cursor_invalid", "The cursor is not one of this list."));
    }
    let from = page.from.as_ref().map(|position| position.after.clone());
    let (found, after) = find(&app.table, actor.tenant(), &filter, from, page.limit).await?;
    let next = after.map(|after| Position { after });
    Ok(answer::ok(&page.view(found.iter().map(UserView::from).collect(), next.as_ref())))
}

/// The users that pass, at most `limit`, and the place after which the list goes on.
async fn find(
    table: &Table,
    tenant: TenantId,
    filter: &Filter,
    mut after: Option<String>,
    limit: usize,
) -> Result<(Vec<User>, Option<String>), Problem> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    loop {
        let portion = if filter.is_any() { limit.saturating_sub(found.len()) } else { PORTION };
        let portion = i32::try_from(portion).unwrap_or(i32::MAX);
        let (users, more) =
            table.users(tenant, filter.archived(), after.as_deref(), portion).await?;
        let mut rest = users.into_iter().peekable();
        while let Some((place, user)) = rest.next() {
            looked_at += 1;
            if filter.lets_pass(&user) {
                found.push(user);
            }
            let full = found.len() >= limit || looked_at >= MOST_LOOKED_AT;
            let is_last = rest.peek().is_none() && !more;
            after = Some(place);
            if full && !is_last {
                return Ok((found, after));
            }
        }
        if !more {
            return Ok((found, None));
        }
    }
}
