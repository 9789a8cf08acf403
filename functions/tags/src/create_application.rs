//! `POST /applications`

use crate::application_body::ApplicationBody;
use crate::read_application::shown;
use crate::{App, LOOKS, busy};
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::application::{Application, MOST_APPLICATIONS};
use belfry_domain::audit::Entry;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_domain::tag::work::Tagging;
use belfry_store::idempotency;
use belfry_store::tags::NotTagged;

pub(crate) async fn create(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: ApplicationBody = request::body(request)?;
    let described = body.described()?;
    if body.version.is_some() {
        let detail = "A new application has no version yet.";
        return Err(Problem::invalid(vec![FieldError::new("/version", "invalid", detail)]));
    }
    let digest = request::idempotency_digest(request)?;
    let grant = actor.may(Action::CreateApplication)?;
    let (tenant, user) = (actor.tenant(), actor.user());
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        if let Some(digest) = &digest
            && let Some(made) = app.table.answered(tenant, user, digest, now).await?
        {
            let made = made.parse().map_err(|_| Problem::not_found())?;
            let made = app.table.application(tenant, made).await?;
            let detail =
                "An application was made with this Idempotency-Key, and was deleted since.";
            let made = made.ok_or_else(|| Problem::new(409, "already_created", detail))?;
            return shown(app, 201, &made).await;
        }
        let before = app.table.tagging(tenant).await?;
        if before.applications >= MOST_APPLICATIONS {
            let detail = format!("A company has at most {MOST_APPLICATIONS} applications.");
            return Err(Problem::new(422, "application_limit", detail));
        }
        let after = Tagging { applications: before.applications + 1, ..before.changed() };
        let new = Application::new(tenant, described.clone(), now, entropy);
        let beside = digest
            .as_deref()
            .map(|digest| idempotency::once_with(tenant, user, digest, &new.id.to_string(), now));
        let beside = beside.transpose()?.unwrap_or_default();
        let (entry, taggings) = (entry(&new), (&before, &after));
        match app
            .table
            .create_application(&grant, &entry, &new, taggings, beside, now, entropy)
            .await
        {
            Ok(made) => return shown(app, 201, &made).await,
            Err(NotTagged::Taken) => return Err(taken()),
            Err(NotTagged::Changed) => {}
            Err(NotTagged::Store(error)) => return Err(error.into()),
        }
    }
    Err(busy())
}

fn entry(application: &Application) -> Entry {
    let entry = Entry::about("application", &application.id)
        .set("name", application.name.as_str())
        .set("host", application.host.as_str());
    match &application.category {
        Some(category) => entry.set("category", category.as_str()),
        None => entry,
    }
}

pub(crate) fn taken() -> Problem {
    Problem::new(409, "already_exists", "There is an application with this name already.")
}
