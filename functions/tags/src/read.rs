//! `GET /tags/{id}`

use crate::App;
use crate::view::{AssignmentView, TagView, WholeTagView};
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::id::{TagId, TenantId};
use belfry_domain::policy::Action;
use belfry_domain::tag::Tag;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadTags)?;
    let tag = found(app, actor.tenant(), request).await?;
    shown(app, 200, &tag).await
}

/// The tag that the path names.
///
/// # Errors
/// 404.
pub(crate) async fn found(app: &App, tenant: TenantId, request: &Request) -> Result<Tag, Problem> {
    let id: TagId = request::path(request, "id")?;
    app.table.tag(tenant, id).await?.ok_or_else(Problem::not_found)
}

/// A tag with all that is known of it.
pub(crate) async fn shown(app: &App, status: u16, tag: &Tag) -> Result<Response<Body>, Problem> {
    let (tagging, counts, assignment) = tokio::try_join!(
        Box::pin(app.table.tagging(tag.tenant)),
        Box::pin(app.table.tag_counts(tag.tenant)),
        Box::pin(app.table.assignment(tag.tenant, tag.id)),
    )?;
    let assignment = assignment.as_ref().map(|assignment| AssignmentView::of(assignment, tag));
    let view = WholeTagView { tag: TagView::of(tag, &tagging, &counts), assignment };
    Ok(answer::json(status, &view))
}
