//! `POST /siem/destinations/{id}/preview`: one record of every type that was chosen, as it would be sent.

use crate::App;
use crate::find::found;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::Transport;
use belfry_domain::siem::format::Renderer;
use belfry_domain::siem::record::{RecordType, Source};
use belfry_domain::siem::samples::sample;
use serde::Serialize;

#[derive(Serialize)]
struct PreviewView {
    items: Vec<SampleView>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct SampleView {
    source: Source,
    event_type: RecordType,
    /// Whether such a record is sent: false when it is below the least severity that was chosen.
    selected: bool,
    rendered: String,
}

pub(crate) async fn preview(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadSiem)?;
    let (destination, _) = found(app, actor.tenant(), request).await?;
    let settings = &destination.settings;
    let renderer = Renderer { format: settings.format, host: app.host.clone() };
    let mut items = Vec::new();
    for (source, types) in &settings.event_types {
        for kind in types {
            let record = sample(*source, *kind, actor.tenant(), app.clock.now());
            let record = record.map_err(|error| Problem::internal(&error))?;
            let mut bytes = Vec::new();
            match settings.transport {
                Transport::SyslogTls | Transport::SyslogTcp => renderer.syslog(&record, &mut bytes),
                Transport::SplunkHec => renderer.hec(&record, &mut bytes),
                Transport::Webhook | Transport::Pull => renderer.json(&record, &mut bytes),
            }
            items.push(SampleView {
                source: *source,
                event_type: *kind,
                selected: settings.selects(&record),
                rendered: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
    Ok(answer::ok(&PreviewView { items, next_cursor: None }))
}
