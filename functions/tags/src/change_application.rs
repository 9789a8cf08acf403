//! `PUT /applications/{id}`

use crate::application_body::ApplicationBody;
use crate::create_application::taken;
use crate::read_application::{found, shown};
use crate::{App, LOOKS, busy};
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::application::Application;
use belfry_domain::audit::Entry;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_store::tags::NotTagged;
use serde_json::json;

pub(crate) async fn change(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: ApplicationBody = request::body(request)?;
    let described = body.described()?;
    let version = body.version.ok_or_else(|| {
        let detail = "Give the version that you have seen.";
        Problem::invalid(vec![FieldError::new("/version", "required", detail)])
    })?;
    let grant = actor.may(Action::ChangeApplication)?;
    let (tenant, now, entropy) = (actor.tenant(), app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let before = found(app, tenant, request).await?;
        if version != before.version {
            return Err(Problem::stale(before.version));
        }
        let after = before.described(described.clone());
        if after == before {
            return shown(app, 200, &before).await;
        }
        let forms = (&before, &after);
        let done = app.table.change_application(&grant, &entry(forms), forms, now, entropy).await;
        match done {
            Ok(after) => return shown(app, 200, &after).await,
            Err(NotTagged::Taken) => return Err(taken()),
            Err(NotTagged::Changed) => {}
            Err(NotTagged::Store(error)) => return Err(error.into()),
        }
    }
    Err(busy())
}

fn entry((before, after): (&Application, &Application)) -> Entry {
    let fields = |one: &Application| {
        [
            ("name", json!(one.name)),
            ("host", json!(one.host)),
            ("category", json!(one.category)),
            ("attributes", json!(one.attributes)),
        ]
    };
    let mut entry = Entry::about("application", &after.id);
    for ((name, from), (_, to)) in fields(before).into_iter().zip(fields(after)) {
        if from != to {
            entry = entry.changed(name, from, to);
        }
    }
    entry
}
