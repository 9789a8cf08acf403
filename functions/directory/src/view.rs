//! How answers show an identity provider, and how its record tells of it: never a secret, but the one
//! that was made just now.

use crate::preview::LeavingView;
use belfry_api::{Request, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::directory::ldap::{AttributeName, Flavor, Security};
use belfry_domain::directory::provider::{
    GroupRole, Interval, LdapSource, Protocol, Provider, Settings, Task, TokenEntry, Work,
};
use belfry_domain::directory::sync::{Counts, Fault, Outcome, Summary, Trigger};
use belfry_domain::id::{IdentityProviderId, ProviderTokenId, SyncId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// Where the SCIM server is, below the API.
pub(crate) const SCIM: &str = "/scim/v2";

#[derive(Serialize)]
pub(crate) struct ProviderView<'a> {
    id: IdentityProviderId,
    name: &'a str,
    r#type: &'static str,
    enabled: bool,
    /// `active`, `disabled`, `syncing`, `stopped` (a sync asks before it goes on) or `deleting`.
    state: &'static str,
    /// Of one that is read; never with its password.
    ldap: Option<LdapView<'a>>,
    mapping: Value,
    group_roles: &'a [GroupRole],
    adopt_existing: bool,
    /// What to tell a directory that pushes.
    scim_url: Option<String>,
    tokens: Vec<TokenView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    progress: Option<ProgressView>,
    last_sync: Option<SyncView>,
    next_sync_at: Option<String>,
    created_at: String,
    version: u64,
}

/// How a directory is read.
#[derive(Serialize)]
struct LdapView<'a> {
    host: String,
    port: u16,
    tls: Security,
    ca_pem: Option<&'a str>,
    base_dn: String,
    bind_dn: String,
    flavor: Flavor,
    filter: &'a str,
    sync_every_minutes: Option<u16>,
}

impl<'a> LdapView<'a> {
    fn of(source: &'a LdapSource) -> Self {
        let LdapSource { server, flavor, every, .. } = source;
        Self {
            host: server.host.to_string(),
            port: server.port,
            tls: server.security,
            ca_pem: server.ca_pem.as_deref(),
            base_dn: server.base_dn.to_string(),
            bind_dn: server.bind_dn.to_string(),
            flavor: *flavor,
            filter: server.filter.as_str(),
            sync_every_minutes: every.map(Interval::minutes),
        }
    }
}

/// Which attribute of the directory feeds which of ours, as it may be given again.
fn mapping(settings: &Settings) -> Value {
    match &settings.protocol {
        Protocol::Scim { mapping } => json!(mapping),
        Protocol::Ldap(source) => {
            let shown = |names: &Vec<AttributeName>| match names.as_slice() {
                [one] => json!(one),
                several => json!(several),
            };
            let person = source.mapping.person.iter().map(|(of, names)| (of.name(), names));
            let attributes = source.mapping.attributes.iter().map(|(of, names)| (of.name(), names));
            let all = person.chain(attributes).map(|(of, names)| (of.to_owned(), shown(names)));
            Value::Object(all.collect())
        }
    }
}

/// How far work on all users is.
#[derive(Serialize)]
struct ProgressView {
    done: u32,
    /// Of so many, once that is known.
    total: Option<u32>,
    changed: u32,
    started_at: String,
}

/// What a sync came to.
#[derive(Serialize)]
pub(crate) struct SyncView {
    id: SyncId,
    trigger: Trigger,
    outcome: Outcome,
    counts: Counts,
    leaving: Option<LeavingView>,
    error: Option<Fault>,
    started_at: String,
    finished_at: String,
}

impl SyncView {
    pub(crate) fn of(summary: &Summary) -> Self {
        Self {
            id: summary.id,
            trigger: summary.trigger,
            outcome: summary.outcome,
            counts: summary.counts,
            leaving: summary.leaving.map(LeavingView::of),
            error: summary.fault.clone(),
            started_at: answer::time(summary.started_at),
            finished_at: answer::time(summary.finished_at),
        }
    }
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
            Some(Task::Apply | Task::Pull { .. }) => "syncing",
            None if provider.last_sync.as_ref().is_some_and(Summary::is_stopped) => "stopped",
            None => "active",
        };
        let progress = |work: &Work| ProgressView {
            done: work.walk.done,
            total: (work.walk.total > 0).then_some(work.walk.total),
            changed: work.walk.changed,
            started_at: answer::time(work.started_at),
        };
        let live = provider.tokens.iter().filter(|token| token.is_live(now));
        Self {
            id: provider.id,
            name: settings.name.as_str(),
            r#type: settings.protocol.name(),
            enabled: settings.enabled,
            state,
            ldap: settings.ldap().map(LdapView::of),
            mapping: mapping(settings),
            group_roles: &settings.group_roles,
            adopt_existing: settings.adopt_existing,
            scim_url: settings.scim_mapping().map(|_| format!("{}{SCIM}", request::base(request))),
            tokens: live.map(TokenView::of).collect(),
            token: None,
            progress: provider.work.as_ref().map(progress),
            last_sync: provider.last_sync.as_ref().map(SyncView::of),
            next_sync_at: provider.next_sync_at.map(answer::time),
            created_at: answer::time(provider.created_at),
            version: provider.version,
        }
    }

    /// With the token that was made for it, this once.
    pub(crate) fn with_token(self, token: Option<&'a str>) -> Self {
        Self { token, ..self }
    }
}

/// What the trail says of a provider.
pub(crate) fn described(after: &Provider, before: Option<&Provider>) -> Entry {
    let fields = |provider: &Provider| -> [(&str, Value); 7] {
        let settings = &provider.settings;
        [
            ("name", json!(settings.name.as_str())),
            ("type", json!(settings.protocol.name())),
            ("enabled", json!(settings.enabled)),
            ("ldap", json!(settings.ldap().map(LdapView::of))),
            ("mapping", mapping(settings)),
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
