//! `GET /tags`: the tags in the order in which they were made.

use crate::App;
use crate::view::TagView;
use belfry_api::page::{Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::id::TagId;
use belfry_domain::policy::Action;
use belfry_domain::tag::{Kind, Subject};
use belfry_domain::text::folded;
use serde::{Deserialize, Serialize};

/// The last tag: ids sort by the time of making.
#[derive(Serialize, Deserialize)]
struct Position {
    after: TagId,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /tags");
    let subject = query.named("applies_to", Subject::named);
    let kind = query.named("kind", Kind::named);
    let search = query.text("search").map(|text| folded(text.trim()));
    let mut page: Page<Position> = query.page()?;
    actor.may(Action::ReadTags)?;
    let tenant = actor.tenant();
    let (catalogue, tagging, counts) = tokio::try_join!(
        Box::pin(app.table.catalogue(tenant)),
        Box::pin(app.table.tagging(tenant)),
        Box::pin(app.table.tag_counts(tenant)),
    )?;
    loop {
        let after = page.from.as_ref().map(|position| position.after);
        let mut wanted = catalogue.tags().iter().filter(|tag| {
            after.is_none_or(|after| tag.id > after)
                && subject.is_none_or(|subject| subject == tag.applies_to)
                && kind.is_none_or(|kind| kind == tag.kind)
                && search.as_ref().is_none_or(|wanted| folded(tag.key.as_str()).starts_with(wanted))
        });
        let tags: Vec<_> = wanted.by_ref().take(page.limit).collect();
        let more = wanted.next().is_some();
        let next = tags.last().filter(|_| more).map(|tag| Position { after: tag.id });
        let views = tags.into_iter().map(|tag| TagView::of(tag, &tagging, &counts)).collect();
        let answer = answer::ok(&page.view(views, next.as_ref()));
        if page.holds(&answer) {
            return Ok(answer);
        }
    }
}
