//! `POST /identity-providers/{id}/preview`: what a sync would do now, without doing it.

use crate::App;
use crate::find::found_staying;
use crate::syncs::ProblemView;
use crate::test::{DirectoryView, read_of};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::directory::compare::{Plan, Planned, What, compare};
use belfry_domain::directory::sync::{Counts, Leaving};
use belfry_domain::policy::Action;
use belfry_runtime::directory::{open_password, present, read};
use belfry_runtime::outbound::Trace;
use belfry_runtime::outbound::view::{ErrorView, StepView};
use belfry_store::directories::Place;
use serde::Serialize;

/// Most users that are shown of each kind.
const SAMPLES: usize = 20;

#[derive(Serialize)]
struct PreviewView {
    steps: Vec<StepView>,
    error: Option<ErrorView>,
    directory: Option<DirectoryView>,
    counts: Option<Counts>,
    leaving: Option<LeavingView>,
    samples: Vec<SampleView>,
    problems: Vec<ProblemView>,
}

/// Who would lose access.
#[derive(Serialize)]
pub(crate) struct LeavingView {
    users: u32,
    of: u32,
    /// Whether a sync stops before that, until it is accepted.
    stops: bool,
}

impl LeavingView {
    pub(crate) fn of(leaving: Leaving) -> Self {
        let Leaving { users, of } = leaving;
        Self { users, of, stops: leaving.is_too_many(None) }
    }
}

#[derive(Serialize)]
struct SampleView {
    action: &'static str,
    email: String,
    first_name: String,
    last_name: String,
    role: &'static str,
    /// What becomes another.
    fields: Vec<&'static str>,
}

impl SampleView {
    fn of(step: &Planned) -> Self {
        let Planned { what, person, role, fields, .. } = step;
        Self {
            action: what.name(),
            email: person.email.as_str().to_owned(),
            first_name: person.first_name.as_str().to_owned(),
            last_name: person.last_name.as_str().to_owned(),
            role: role.name(),
            fields: fields.clone(),
        }
    }
}

pub(crate) async fn preview(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let grant = actor.may(Action::TestProvider)?;
    let tenant = grant.tenant();
    let provider = found_staying(app, tenant, request).await?;
    let source = read_of(&provider)?;
    app.may_connect(tenant).await?;
    let password = open_password(app.post.sealer.as_ref(), &provider).await?;
    let mut trace = Trace::new(app.clock.clone());
    let outcome = read(app.ldap.as_ref(), source, &password, &mut trace).await;
    let steps = StepView::all(&trace);
    let (root, snapshot) = match outcome {
        Ok(read) => read,
        Err(error) => {
            return Ok(answer::ok(&PreviewView {
                steps,
                error: Some(ErrorView::of(&error)),
                directory: None,
                counts: None,
                leaving: None,
                samples: Vec::new(),
                problems: Vec::new(),
            }));
        }
    };
    let present = present(&app.table, Place { tenant, provider: provider.id }).await?;
    let Plan { steps: planned, problems, counts, leaving, .. } =
        compare(&provider, snapshot, present);
    let of = |what| planned.iter().filter(move |step| step.what == what).take(SAMPLES);
    Ok(answer::ok(&PreviewView {
        steps,
        error: None,
        directory: Some(DirectoryView::of(root)),
        counts: Some(counts),
        leaving: Some(LeavingView::of(leaving)),
        samples: What::ALL.into_iter().flat_map(of).map(SampleView::of).collect(),
        problems: problems.into_iter().map(ProblemView::of).collect(),
    }))
}
