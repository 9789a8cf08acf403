//! `set_captcha`: how the sign-up is guarded. Its secret is kept sealed.

use crate::App;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::captcha::{Captcha, Provider, SEALED_FOR};
use belfry_domain::policy::Action;
use belfry_store::tenants::{Subject, back_office_log};
use http::Uri;
use http::uri::Authority;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Command {
    operator: String,
    reason: String,
    /// `off`, or a provider.
    provider: String,
    site_key: String,
    secret: String,
    /// Of a custom provider.
    verify_url: Option<String>,
}

/// Longest site key, secret and address.
const MOST: usize = 512;

pub(crate) async fn set_captcha(app: &App, command: Command) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let off = command.provider == "off";
    let provider = if off { None } else { fields.read("/provider", &command.provider) };
    for (pointer, text) in [("/site_key", &command.site_key), ("/secret", &command.secret)] {
        let fits = if off { text.is_empty() } else { (1..=MOST).contains(&text.len()) };
        fields.want(fits.then_some(()), pointer, "1 to 512 bytes; nothing with off.");
    }
    if command.verify_url.is_some() && provider != Some(Provider::Custom) {
        fields.fault("/verify_url", "invalid", "Only a custom provider's is to be named.");
    }
    let verify_url = provider.map(|provider: Provider| match provider.verify_url() {
        Some(url) => Some(url.to_owned()),
        None => custom(app, &mut fields, command.verify_url.as_deref().unwrap_or_default()),
    });
    let (staff, reason) = fields.finish(staff)?;
    let captcha = match provider.zip(verify_url.flatten()) {
        None => Captcha::Off,
        Some((provider, verify_url)) => Captcha::On {
            provider,
            verify_url,
            site_key: command.site_key,
            sealed_secret: app.post.sealer.seal(command.secret.as_bytes(), &SEALED_FOR).await?,
        },
    };
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let subject = Subject { tenant: None, other: Some(command.provider.clone()) };
    let action = Action::SetCaptcha;
    let log = back_office_log(&staff, action, subject, &reason, now, entropy)?;
    app.table.set_captcha(&captcha, log, entropy).await?;
    tracing::info!(provider = command.provider, "captcha set");
    Ok(json!({"status": "ok", "captcha": {"provider": command.provider}}))
}

/// The address of a custom provider: over HTTPS; on a local stack also of this machine.
fn custom(app: &App, fields: &mut Fields, url: &str) -> Option<String> {
    let parsed = url.parse::<Uri>().ok().filter(|_| url.len() <= MOST);
    let fits = parsed.is_some_and(|uri| {
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
        let local = app.local && uri.host() == Some("127.0.0.1") && uri.port().is_some();
        let plain = !authority.is_empty() && !authority.contains('@');
        plain && (scheme == "https" || (scheme == "http" && local))
    });
    fields.want(fits.then(|| url.to_owned()), "/verify_url", "An https:// address.")
}
