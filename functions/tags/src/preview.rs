//! `POST /tags/preview`: whom a rule would fit, before it is saved.

use crate::App;
use crate::view::MemberView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::failure::FieldError;
use belfry_domain::id::TenantId;
use belfry_domain::policy::Action;
use belfry_domain::tag::Subject;
use belfry_domain::tag::rule::Rule;
use belfry_store::tags::Member;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most members that are shown.
const SAMPLES: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewBody {
    applies_to: String,
    when: Value,
    /// Of whom to say why the rule fits or not.
    member: Option<String>,
}

#[derive(Serialize)]
struct PreviewView<'a> {
    count: usize,
    total: usize,
    samples: Vec<MemberView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<ReasonView>,
}

#[derive(Serialize)]
struct ReasonView {
    id: String,
    matches: bool,
    reason: Value,
}

pub(crate) async fn preview(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: PreviewBody = request::body(request)?;
    let Some(subject) = Subject::named(&body.applies_to) else {
        let detail = "A tag is put on users or applications.";
        let fault = FieldError::new("/applies_to", "invalid", detail);
        return Err(Problem::invalid(vec![fault]));
    };
    let mut faults = Vec::new();
    let rule = Rule::read(&body.when, subject, "/when", &mut faults);
    let Some(rule) = rule else { return Err(Problem::invalid(faults)) };
    actor.may(Action::ReadTags)?;
    let member = body.member.as_deref();
    match subject {
        Subject::Users => shown::<User>(app, actor.tenant(), &rule, member).await,
        Subject::Applications => shown::<Application>(app, actor.tenant(), &rule, member).await,
    }
}

async fn shown<T: Member>(
    app: &App,
    tenant: TenantId,
    rule: &Rule,
    member: Option<&str>,
) -> Result<Response<Body>, Problem>
where
    for<'a> MemberView<'a>: From<&'a T>,
{
    let member = match member {
        Some(id) => Some(reason::<T>(app, tenant, rule, id).await?),
        None => None,
    };
    let (mut count, mut total, mut samples) = (0, 0, Vec::new());
    let mut after: Option<String> = None;
    loop {
        let (page, more) = app.table.tagged_in_order::<T>(tenant, after.as_deref()).await?;
        for (place, one) in page {
            total += 1;
            if rule.matches(&one.facts()) {
                count += 1;
                if samples.len() < SAMPLES {
                    samples.push(one);
                }
            }
            after = Some(place);
        }
        if !more {
            break;
        }
    }
    let samples = samples.iter().map(MemberView::from).collect();
    Ok(answer::ok(&PreviewView { count, total, samples, member }))
}

async fn reason<T: Member>(
    app: &App,
    tenant: TenantId,
    rule: &Rule,
    id: &str,
) -> Result<ReasonView, Problem> {
    let found = match id.parse() {
        Ok(id) => app.table.tagged_by_id::<T>(tenant, &[id]).await?,
        Err(_) => Vec::new(),
    };
    let one = found.into_iter().find(T::is_there).ok_or_else(|| {
        let fault = FieldError::new("/member", "not_found", "There is none of this id.");
        Problem::invalid(vec![fault])
    })?;
    let facts = one.facts();
    let (matches, reason) = (rule.matches(&facts), rule.explain(&facts));
    Ok(ReasonView { id: id.to_owned(), matches, reason })
}
