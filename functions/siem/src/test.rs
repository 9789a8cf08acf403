//! `POST /siem/destinations/{id}/test` and `POST /siem/destinations/test`: one marked event, step by
//! step, by the way that records take.

use crate::App;
use crate::body::{Before, DestinationBody, Wanted};
use crate::find::found;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::id::{AuditId, DestinationId, TenantId};
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::{Secrets, Settings, Transport};
use belfry_domain::siem::format::Renderer;
use belfry_domain::siem::progress::Verdict;
use belfry_domain::siem::record::{Record, StreamName, What};
use belfry_domain::throttle::CONNECTION;
use belfry_runtime::outbound::Trace;
use belfry_runtime::outbound::view::{ErrorView, StepView};
use belfry_runtime::siem::{Parcel, open_secrets};
use serde::Serialize;

#[derive(Serialize)]
struct TestView {
    /// Whether the receiver confirmed the event.
    confirmed: bool,
    /// The event's id, to be looked for at the receiver.
    event_id: AuditId,
    steps: Vec<StepView>,
    error: Option<ErrorView>,
}

pub(crate) async fn test(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let grant = actor.may(Action::TestDestination)?;
    let tenant = grant.tenant();
    let (destination, _) = found(app, tenant, request).await?;
    connects(&destination.settings)?;
    app.may_connect(tenant).await?;
    let secrets = open_secrets(app.sealer.as_ref(), &destination).await?;
    app.tried(tenant, destination.id, &destination.settings, &secrets).await
}

pub(crate) async fn test_unsaved(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: DestinationBody = request::body(request)?;
    let grant = actor.may(Action::TestDestination)?;
    let tenant = grant.tenant();
    // What is stored is shown to nobody that is not stored with it.
    let Wanted { settings, secrets, .. } = body.read(app, tenant, &Before::default()).await?;
    connects(&settings)?;
    let id = DestinationId::new(app.clock.now(), app.entropy.as_ref());
    app.tried(tenant, id, &settings, &secrets).await
}

/// Whether there is somebody to connect to.
fn connects(settings: &Settings) -> Result<(), Problem> {
    if settings.transport != Transport::Pull {
        return Ok(());
    }
    let detail = "A pull destination is asked; there is nothing to connect to.";
    Err(Problem::new(409, "not_delivered_to", detail))
}

impl App {
    /// Counts a try to find or reach a host, as such tries could scan a network.
    pub(crate) async fn may_connect(&self, tenant: TenantId) -> Result<(), Problem> {
        let subject = tenant.to_string();
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        Ok(self.table.count_try(&CONNECTION, &subject, now, entropy).await?)
    }

    async fn tried(
        &self,
        tenant: TenantId,
        id: DestinationId,
        settings: &Settings,
        secrets: &Secrets,
    ) -> Result<Response<Body>, Problem> {
        let now = self.clock.now();
        let event = AuditId::new(now, self.entropy.as_ref());
        let record = Record {
            tenant,
            stream: StreamName::ACCESSES,
            sequence: 0,
            received_at: now.as_millisecond(),
            what: What::Test(event),
        };
        let renderer = Renderer { format: settings.format, host: self.host.clone() };
        let records = &[record];
        let parcel = Parcel { id, settings, secrets, renderer: &renderer, records, pace: 1 };
        let mut trace = Trace::new(self.clock.clone());
        let outcome = self.carrier.carry(parcel, &mut trace).await;
        let refusal = outcome.refusals.into_iter().next();
        let refused = refusal.map(|refusal| (refusal.code, refusal.detail));
        let trouble = outcome.trouble.map(|trouble| (trouble.code, trouble.detail));
        Ok(answer::ok(&TestView {
            confirmed: outcome.verdicts == [Verdict::Confirmed],
            event_id: event,
            steps: StepView::all(&trace),
            error: trouble.or(refused).map(|(code, detail)| ErrorView { code, detail }),
        }))
    }
}
