//! `GET /tags/{id}/members`

use crate::App;
use crate::read::found;
use crate::view::MemberView;
use belfry_api::page::{Behind, Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_domain::tag::marks::Marks;
use belfry_domain::tag::{Subject, Tag, TagValue};
use belfry_store::tags::Member;
use serde::Serialize;

#[derive(Serialize)]
struct RowView<'a> {
    #[serde(flatten)]
    member: MemberView<'a>,
    values: Vec<&'a str>,
}

pub(crate) async fn members(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /tags/{id}/members");
    let value = query.text("value");
    let page: Page<Behind> = query.page()?;
    actor.may(Action::ReadTags)?;
    let tag = found(app, actor.tenant(), request).await?;
    let wanted: Marks = match &value {
        Some(text) => [tag.mark(named(&tag, text, "?value")?)].into_iter().collect(),
        None => tag.values.iter().map(|value| tag.mark(value)).collect(),
    };
    match tag.applies_to {
        Subject::Users => listed::<User>(app, &tag, &wanted, &page).await,
        Subject::Applications => listed::<Application>(app, &tag, &wanted, &page).await,
    }
}

/// The value of a tag that a request names.
///
/// # Errors
/// 422.
pub(crate) fn named<'a>(tag: &'a Tag, text: &str, pointer: &str) -> Result<&'a TagValue, Problem> {
    tag.value(text).ok_or_else(|| {
        let detail = "The tag does not have this value.";
        Problem::invalid(vec![FieldError::new(pointer, "unknown_value", detail)])
    })
}

async fn listed<T: Member>(
    app: &App,
    tag: &Tag,
    wanted: &Marks,
    page: &Page<Behind>,
) -> Result<Response<Body>, Problem>
where
    for<'a> MemberView<'a>: From<&'a T>,
{
    let from = page.after()?;
    let (found, after) = app.table.find_tagged::<T>(tag.tenant, wanted, from, page.limit).await?;
    let row = |member: &'_ T| {
        let own = tag.values.iter().filter(|value| member.marks().has(tag.mark(value)));
        own.map(|value| value.text.as_str()).collect::<Vec<_>>()
    };
    let rows = found.iter().map(|m| RowView { member: m.into(), values: row(m) }).collect();
    Ok(answer::ok(&page.view(rows, after.map(|after| Behind { after }).as_ref())))
}
