//! `POST /identity-providers/{id}/test` and `POST /identity-providers/test`: whether a directory can be
//! read, step by step.

use crate::App;
use crate::body::ProviderBody;
use crate::find::found_staying;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::directory::ldap::RootDse;
use belfry_domain::directory::provider::{LdapSource, Provider};
use belfry_domain::policy::Action;
use belfry_runtime::directory::open_password;
use belfry_runtime::ldap;
use belfry_runtime::outbound::Trace;
use belfry_runtime::outbound::view::{ErrorView, StepView};
use serde::Serialize;

#[derive(Serialize)]
struct TestView {
    /// Whether there is somebody to be read.
    readable: bool,
    steps: Vec<StepView>,
    error: Option<ErrorView>,
    directory: Option<DirectoryView>,
}

/// What a directory says of itself.
#[derive(Serialize)]
pub(crate) struct DirectoryView {
    vendor: Option<String>,
    flavor: belfry_domain::directory::ldap::Flavor,
    naming_contexts: Vec<String>,
    /// Whether it can answer in pages: without that a large one may not be read to its end.
    pages: bool,
}

impl DirectoryView {
    pub(crate) fn of(root: RootDse) -> Self {
        let (flavor, pages) = (root.flavor(), root.pages());
        let RootDse { vendor, naming_contexts, .. } = root;
        Self { vendor, flavor, naming_contexts, pages }
    }
}

pub(crate) async fn test(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let grant = actor.may(Action::TestProvider)?;
    let provider = found_staying(app, grant.tenant(), request).await?;
    let source = read_of(&provider)?;
    app.may_connect(grant.tenant()).await?;
    let password = open_password(app.post.sealer.as_ref(), &provider).await?;
    Ok(tried(app, source, &password).await)
}

pub(crate) async fn test_unsaved(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: ProviderBody = request::body(request)?;
    let grant = actor.may(Action::TestProvider)?;
    // What is stored is shown to nobody that is not stored with it.
    let wanted = body.read(app, grant.tenant(), None).await?;
    let source = wanted.settings.ldap().ok_or_else(not_read)?;
    Ok(tried(app, source, &wanted.password.unwrap_or_default()).await)
}

async fn tried(app: &App, source: &LdapSource, password: &str) -> Response<Body> {
    let mut trace = Trace::new(app.clock.clone());
    let outcome = ldap::test(app.ldap.as_ref(), &source.server, password, &mut trace).await;
    let steps = StepView::all(&trace);
    let view = match outcome {
        Ok(root) => {
            let directory = Some(DirectoryView::of(root));
            TestView { readable: true, steps, error: None, directory }
        }
        Err(error) => {
            let error = Some(ErrorView::of(&error));
            TestView { readable: false, steps, error, directory: None }
        }
    };
    answer::ok(&view)
}

/// How a directory is read, if it is one that is.
///
/// # Errors
/// 409.
pub(crate) fn read_of(provider: &Provider) -> Result<&LdapSource, Problem> {
    provider.settings.ldap().ok_or_else(not_read)
}

fn not_read() -> Problem {
    let detail = "A directory that pushes by SCIM is not connected to.";
    Problem::new(409, "not_connected_to", detail)
}
