//! The secrets of a destination: which it has from now on, and how they are kept.

use crate::App;
use crate::body::{Before, DestinationBody};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::failure::FieldError;
use belfry_domain::ports::random;
use belfry_domain::siem::destination::{Destination, Secrets, Transport};
use belfry_runtime::outbound::Identity;
use belfry_runtime::outbound::view::certificates;
use belfry_runtime::siem::seal_secrets;

impl DestinationBody {
    /// The secrets from now on, and the token that was made here. None is shown to another place than it
    /// was given for: when records go `elsewhere`, it has to be given again.
    pub(crate) fn secrets(
        &self,
        app: &App,
        transport: Transport,
        elsewhere: bool,
        before: &Before<'_>,
        fields: &mut Fields,
    ) -> (Secrets, Option<String>) {
        let known = &before.secrets;
        let mut keep = |had: bool, pointer, given: &Option<String>, known: &Option<String>| {
            if !had {
                return None;
            }
            if given.is_none() && known.is_some() && elsewhere {
                let detail = "Records go elsewhere than before: give this again.";
                fields.fault(pointer, "secret_required", detail);
            }
            given.clone().or_else(|| known.clone())
        };
        let with_header = transport == Transport::Webhook && self.header_name.is_some();
        let with_identity = transport.is_encrypted() && self.client_certificate_pem.is_some();
        let mut secrets = Secrets {
            token: keep(transport.is_http(), "/token", &self.token, &known.token),
            header_value: keep(
                with_header,
                "/header_value",
                &self.header_value,
                &known.header_value,
            ),
            client_key_pem: keep(
                with_identity,
                "/client_key_pem",
                &self.client_key_pem,
                &known.client_key_pem,
            ),
        };
        let mut made = None;
        match (transport, &self.token, &secrets.token) {
            (Transport::SplunkHec, _, None) => {
                fields.fault("/token", "required", "The collector wants a token.");
            }
            (Transport::SplunkHec, Some(token), _) if !is_printable(token) => {
                fields.fault("/token", "invalid", PRINTABLE);
            }
            (Transport::Webhook, _, None) => {
                let key: [u8; 32] = random(app.entropy.as_ref());
                made = Some(format!("whsec_{}", STANDARD.encode(key)));
                secrets.token.clone_from(&made);
            }
            (Transport::Webhook, Some(token), _) if !is_webhook_secret(token) => {
                let detail =
                    "whsec_ and 24 to 64 bytes in Base64, or nothing: then it is made here.";
                fields.fault("/token", "invalid", detail);
            }
            _ => {}
        }
        if transport == Transport::Webhook {
            self.header(&secrets, fields);
        }
        if transport.is_encrypted() {
            self.identity(app, &secrets, before, fields);
        }
        (secrets, made)
    }

    /// Notes what is wrong with the header that a webhook's receiver wants.
    fn header(&self, secrets: &Secrets, fields: &mut Fields) {
        if self.header_value.is_some() && self.header_name.is_none() {
            fields.fault("/header_name", "required", "The header's value wants its name.");
        }
        if self.header_name.is_some() && secrets.header_value.is_none() {
            fields.fault("/header_value", "required", "The header wants its value.");
        }
        if self.header_value.as_deref().is_some_and(|text| !is_printable(text)) {
            fields.fault("/header_value", "invalid", PRINTABLE);
        }
    }

    /// Notes what is wrong with a client certificate and its key, unless both stay as they are.
    fn identity(&self, app: &App, secrets: &Secrets, before: &Before<'_>, fields: &mut Fields) {
        let Some(chain) = self.client_certificate_pem.as_deref() else {
            if self.client_key_pem.is_some() {
                let detail = "The key wants its client certificate.";
                fields.fault("/client_certificate_pem", "required", detail);
            }
            return;
        };
        let known = before.settings.and_then(|known| known.client_certificate_pem.as_deref());
        match secrets.client_key_pem.as_deref() {
            None => {
                let detail = "The client certificate wants its key.";
                fields.fault("/client_key_pem", "required", detail);
            }
            Some(_) if known == Some(chain) && self.client_key_pem.is_none() => {}
            Some(key) if key.len() > Secrets::MOST_KEY => {
                fields.fault("/client_key_pem", "too_long", "A key has at most 3,400 bytes.");
            }
            Some(key) => certificates(fields, "/client_certificate_pem", chain, |chain| {
                Identity::from_pem(chain, key, app.clock.now()).map(drop)
            }),
        }
    }
}

impl App {
    /// The secrets sealed for their destination; nothing when there are none.
    ///
    /// # Errors
    /// 422 when all of them together are more than the key service seals at once.
    pub(crate) async fn seal(
        &self,
        destination: &Destination,
        secrets: &Secrets,
    ) -> Result<Option<Vec<u8>>, Problem> {
        if secrets.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(secrets).map_err(|error| Problem::internal(&error))?;
        if plain.len() > Secrets::MOST_SEALED {
            let detail = "All secrets of a destination together have at most 4,096 bytes.";
            return Err(Problem::invalid(vec![FieldError::new(
                "/client_key_pem",
                "too_long",
                detail,
            )]));
        }
        Ok(Some(seal_secrets(self.sealer.as_ref(), destination, &plain).await?))
    }
}

const PRINTABLE: &str = "1 to 256 printable characters of ASCII, no blank at the ends.";

fn is_printable(text: &str) -> bool {
    (1..=Secrets::MOST_TEXT).contains(&text.len())
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && text.trim() == text
}

fn is_webhook_secret(text: &str) -> bool {
    let key = text.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    key.is_some_and(|key| (24..=64).contains(&key.len()))
}
