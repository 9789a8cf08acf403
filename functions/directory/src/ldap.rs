//! What a directory that is read shall be: where it is, what of it is read, and its password.

use crate::App;
use crate::body::{ProviderBody, Sources, pointer_of};
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::attribute::UserAttribute;
use belfry_domain::directory::ldap::{
    AttributeName, Flavor, LdapSettings, Mapping, PersonField, Security,
};
use belfry_domain::directory::provider::{Interval, LdapSource, Provider};
use belfry_domain::id::TenantId;
use belfry_domain::outbound::{Host, Ports};
use belfry_domain::throttle::CONNECTION;
use belfry_runtime::outbound::view::certificates;
use belfry_runtime::outbound::{Authorities, Trace};
use serde::Deserialize;

/// Longest password, in bytes.
const MOST_PASSWORD: usize = 256;
/// Most attributes of a directory for one of ours.
const MOST_SOURCES: usize = 4;

/// What clients send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LdapBody {
    #[serde(default)]
    host: String,
    port: Option<i64>,
    #[serde(default = "ldaps")]
    tls: String,
    ca_pem: Option<String>,
    #[serde(default)]
    base_dn: String,
    #[serde(default)]
    bind_dn: String,
    pub(crate) password: Option<String>,
    #[serde(default)]
    flavor: String,
    filter: Option<String>,
    sync_every_minutes: Option<u32>,
}

fn ldaps() -> String {
    "ldaps".to_owned()
}

impl LdapBody {
    /// The settings; none only when a fault was noted.
    ///
    /// # Errors
    /// 429 when the tenant has looked for too many hosts.
    pub(crate) async fn read(
        &self,
        app: &App,
        tenant: TenantId,
        (body, before): (&ProviderBody, Option<&Provider>),
        fields: &mut Fields,
    ) -> Result<Option<LdapSource>, Problem> {
        let known = before.and_then(|before| before.settings.ldap());
        let host = self.host(app, fields);
        let security = match self.tls.as_str() {
            "ldaps" => Some(Security::Ldaps),
            "starttls" => Some(Security::StartTls),
            _ => fields.want(None, "/ldap/tls", "Encryption is ldaps or starttls."),
        };
        let port = self.port(security, fields);
        let base_dn = fields.read("/ldap/base_dn", &self.base_dn);
        let bind_dn = fields.read("/ldap/bind_dn", &self.bind_dn);
        let flavor = match self.flavor.as_str() {
            "active_directory" => Some(Flavor::ActiveDirectory),
            "openldap" => Some(Flavor::OpenLdap),
            _ => fields.want(None, "/ldap/flavor", "The flavor is active_directory or openldap."),
        };
        let filter = match (&self.filter, flavor) {
            (Some(text), _) => fields.read("/ldap/filter", text),
            (None, Some(flavor)) => fields.read("/ldap/filter", flavor.user_filter()),
            (None, None) => None,
        };
        let every = match self.sync_every_minutes.map(Interval::new) {
            Some(None) => {
                let detail = "A sync is every 15 to 10,080 minutes, or only when it is wanted.";
                fields.fault("/ldap/sync_every_minutes", "out_of_range", detail);
                None
            }
            every => every.flatten(),
        };
        let known_ca = known.and_then(|known| known.server.ca_pem.as_deref());
        if let Some(pem) = self.ca_pem.as_deref().filter(|pem| known_ca != Some(*pem)) {
            let now = app.clock.now();
            let read = |pem: &str| Authorities::from_pem(pem, now).map(drop);
            certificates(fields, "/ldap/ca_pem", pem, read);
        }
        let mapping = flavor.map(|flavor| mapping(body, flavor, fields));
        let server = || {
            Some(LdapSettings {
                host: host?,
                port: port?,
                security: security?,
                ca_pem: self.ca_pem.clone(),
                base_dn: base_dn?,
                bind_dn: bind_dn?,
                filter: filter?,
            })
        };
        let server = server();
        self.password(server.as_ref(), known.map(|known| &known.server), fields);
        let (Some(server), Some(flavor), Some(mapping)) = (server, flavor, mapping) else {
            return Ok(None);
        };
        let known = known.map(|known| (&known.server.host, known.server.port));
        if known != Some((&server.host, server.port))
            && let Ok(peer) = server.peer()
        {
            app.may_connect(tenant).await?;
            if let Err(error) = app.outbound.check(&peer, &mut Trace::new(app.clock.clone())).await
            {
                fields.fault("/ldap/host", error.code(), belfry_api::sentence(&error.to_string()));
            }
        }
        Ok(Some(LdapSource { server, flavor, mapping, every }))
    }

    fn host(&self, app: &App, fields: &mut Fields) -> Option<Host> {
        if self.host.is_empty() || !app.outbound.admits_private() {
            return fields.read("/ldap/host", &self.host);
        }
        match Host::of_private_network(&self.host) {
            Ok(host) => Some(host),
            Err(fault) => {
                fields.refuse("/ldap/host", &fault);
                None
            }
        }
    }

    fn port(&self, security: Option<Security>, fields: &mut Fields) -> Option<u16> {
        let Some(port) = self.port else {
            return security.map(|security| if security == Security::Ldaps { 636 } else { 389 });
        };
        let port = u16::try_from(port).ok();
        let port = fields.want(port, "/ldap/port", "A port is a number up to 65535.")?;
        match Ports::Directory.check(port) {
            Ok(()) => Some(port),
            Err(fault) => {
                fields.refuse("/ldap/port", &fault);
                None
            }
        }
    }

    /// Notes what is wrong with the password. It is shown to no other place than it was given for.
    fn password(
        &self,
        server: Option<&LdapSettings>,
        known: Option<&LdapSettings>,
        fields: &mut Fields,
    ) {
        let at = "/ldap/password";
        match (self.password.as_deref(), known) {
            (Some(text), _) => {
                if text.is_empty() || text.len() > MOST_PASSWORD || text.contains('\0') {
                    fields.fault(at, "invalid", "A password has 1 to 256 bytes.");
                }
            }
            (None, None) => fields.fault(at, "required", "The directory is read with a password."),
            (None, Some(known)) => {
                if server.is_some_and(|server| server.needs_secret_again(known)) {
                    let detail = "The password goes elsewhere than before: give it again.";
                    fields.fault(at, "secret_required", detail);
                }
            }
        }
    }
}

/// What becomes what: as such directories have it, but for what is given. Where attributes of ours are
/// given, those that are not are fed by nothing.
fn mapping(body: &ProviderBody, flavor: Flavor, fields: &mut Fields) -> Mapping {
    let mut mapping = Mapping::of(flavor);
    let Some(given) = &body.mapping else { return mapping };
    mapping.attributes.clear();
    for (ours, theirs) in given {
        let pointer = pointer_of(ours);
        let names = match theirs {
            Sources::One(one) => std::slice::from_ref(one),
            Sources::Several(several) => several,
        };
        if names.is_empty() || names.len() > MOST_SOURCES {
            fields.fault(pointer, "invalid", "One to four attributes feed one.");
            continue;
        }
        let read = names.iter().map(|name| fields.read(pointer.clone(), name));
        let Some(names) = read.collect::<Option<Vec<AttributeName>>>() else { continue };
        if let Some(ours) = UserAttribute::named(ours) {
            mapping.attributes.insert(ours, names);
        } else if let Some(field) = PersonField::ALL.into_iter().find(|field| field.name() == ours)
        {
            mapping.person.insert(field, names);
        } else {
            let ours = UserAttribute::ALL.map(UserAttribute::name).join(", ");
            let person = PersonField::ALL.map(PersonField::name).join(", ");
            let detail = format!("There is no such attribute; there are {person}, {ours}.");
            fields.fault(pointer, "unknown_attribute", detail);
        }
    }
    mapping
}

impl App {
    /// Counts a try to find or reach a host, as such tries could scan a network.
    pub(crate) async fn may_connect(&self, tenant: TenantId) -> Result<(), Problem> {
        let subject = tenant.to_string();
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        Ok(self.table.count_try(&CONNECTION, &subject, now, entropy).await?)
    }

    /// The password sealed for its provider.
    pub(crate) async fn seal(
        &self,
        provider: &Provider,
        password: &str,
    ) -> Result<Vec<u8>, Problem> {
        let context = provider.sealed_for();
        let context = context.each_ref().map(|(name, value)| (*name, value.as_str()));
        Ok(self.post.sealer.seal(password.as_bytes(), &context).await?)
    }
}
