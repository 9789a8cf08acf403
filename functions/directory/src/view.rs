//! How answers show an identity provider, and how its record tells of it: never a secret, but the one
//! that was made just now.

use belfry_api::{Request, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::directory::provider::{
    GroupRole, Mapping, Provider, ProviderKind, Task, TokenEntry, Work,
};
use belfry_domain::id::{IdentityProviderId, ProviderTokenId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// Where the SCIM server is, below the API.
pub(crate) const SCIM: &str = "/scim/v2";

#[derive(Serialize)]
pub(crate) struct ProviderView<'a> {
    id: IdentityProviderId,
    name: &'a str,
    r#type: ProviderKind,
    enabled: bool,
    /// `active`, `disabled`, `syncing` or `deleting`.
    state: &'static str,
    mapping: &'a Mapping,
    group_roles: &'a [GroupRole],
    adopt_existing: bool,
    /// What to tell the directory.
    scim_url: String,
    tokens: Vec<TokenView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    progress: Option<ProgressView>,
    last_sync: Option<SyncView>,
    created_at: String,
    version: u64,
}

/// How far work on all users is.
#[derive(Serialize)]
struct ProgressView {
    done: u32,
    changed: u32,
    started_at: String,
}

#[derive(Serialize)]
struct SyncView {
    users: u32,
    changed: u32,
    finished_at: String,
}

#[derive(Serialize)]
pub(crate) struct TokenView<'a> {
    id: ProviderTokenId,
    created_at: String,
    valid_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Self>,
}

impl<'a> TokenView<'a> {
    pub(crate) fn of(token: &TokenEntry) -> Self {
        Self {
            id: token.id,
            created_at: answer::time(token.created_at),
            valid_until: token.valid_until.map(answer::time),
            token: None,
            others: Vec::new(),
        }
    }

    /// With its text, this once, and the others that are still good.
    pub(crate) fn shown(self, text: &'a str, others: Vec<Self>) -> Self {
        Self { token: Some(text), others, ..self }
    }
}

impl<'a> ProviderView<'a> {
    pub(crate) fn of(provider: &'a Provider, request: &Request, now: Timestamp) -> Self {
        let settings = &provider.settings;
        let state = match provider.work.as_ref().map(|work| work.task) {
            Some(Task::Remove(_)) => "deleting",
            _ if !settings.enabled => "disabled",
            Some(Task::Apply) => "syncing",
            None => "active",
        };
        let progress = |work: &Work| ProgressView {
            done: work.walk.done,
            changed: work.walk.changed,
            started_at: answer::time(work.started_at),
        };
        let live = provider.tokens.iter().filter(|token| token.is_live(now));
        Self {
            id: provider.id,
            name: settings.name.as_str(),
            r#type: settings.kind,
            enabled: settings.enabled,
            state,
            mapping: &settings.mapping,
            group_roles: &settings.group_roles,
            adopt_existing: settings.adopt_existing,
            scim_url: format!("{}{SCIM}", request::base(request)),
            tokens: live.map(TokenView::of).collect(),
            token: None,
            progress: provider.work.as_ref().map(progress),
            last_sync: provider.last_sync.as_ref().map(|last| SyncView {
                users: last.users,
                changed: last.changed,
                finished_at: answer::time(last.finished_at),
            }),
            created_at: answer::time(provider.created_at),
            version: provider.version,
        }
    }

    /// With the token that was made for it, this once.
    pub(crate) fn with_token(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }
}

/// What the trail says of a provider.
pub(crate) fn described(after: &Provider, before: Option<&Provider>) -> Entry {
    let fields = |provider: &Provider| -> [(&str, Value); 6] {
        let settings = &provider.settings;
        [
            ("name", json!(settings.name.as_str())),
            ("type", json!(settings.kind.name())),
            ("enabled", json!(settings.enabled)),
            ("mapping", json!(settings.mapping)),
            ("group_roles", json!(settings.group_roles)),
            ("adopt_existing", json!(settings.adopt_existing)),
        ]
    };
    let entry = Entry::about("identity_provider", &after.id);
    let Some(before) = before else {
        return fields(after)
            .into_iter()
            .fold(entry, |entry, (name, value)| entry.set(name, value));
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    let changed = pairs.filter(|(was, is)| was != is);
    changed.fold(entry, |entry, ((name, was), (_, is))| entry.changed(name, was, is))
}
