//! Configuration, read once at start-up. Names only: never a secret.

use belfry_domain::outbound::{BadNetwork, PrivateNetworks};

/// A variable that the template must set.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingVariable(pub &'static str);

/// The function's table.
pub const TABLE: &str = "BELFRY_TABLE";
/// URL of the telemetry queue.
pub const TELEMETRY_QUEUE_URL: &str = "BELFRY_TELEMETRY_QUEUE_URL";
/// URL of the mail queue.
pub const MAIL_QUEUE_URL: &str = "BELFRY_MAIL_QUEUE_URL";
/// URL of the queue of imports.
pub const IMPORT_QUEUE_URL: &str = "BELFRY_IMPORT_QUEUE_URL";
/// URL of the queue of rings for work on tags.
pub const TAGGING_QUEUE_URL: &str = "BELFRY_TAGGING_QUEUE_URL";
/// URL of the queue of rings for work on directories.
pub const DIRECTORY_QUEUE_URL: &str = "BELFRY_DIRECTORY_QUEUE_URL";
/// Private networks that directories may be in, separated by commas.
const PRIVATE_NETWORKS: &str = "BELFRY_PRIVATE_NETWORKS";
/// URL of the queue of rings for SIEM destinations.
pub const SIEM_QUEUE_URL: &str = "BELFRY_SIEM_QUEUE_URL";
/// Key that signs tokens.
pub const SIGNING_KEY_ID: &str = "BELFRY_SIGNING_KEY_ID";
/// Key that seals secrets at rest.
pub const SEALING_KEY_ID: &str = "BELFRY_SEALING_KEY_ID";
/// Address of the console: CORS origin, base of mailed links, issuer of tokens.
pub const CONSOLE_URL: &str = "BELFRY_CONSOLE_URL";
/// Sender of mails.
pub const MAIL_SENDER: &str = "BELFRY_MAIL_SENDER";
/// Where tickets go.
pub const SUPPORT_EMAIL: &str = "BELFRY_SUPPORT_EMAIL";
/// Public keys of the vendor that sign activation keys: at most two, separated by a comma.
pub const VENDOR_KEYS: &str = "BELFRY_VENDOR_KEYS";
/// Addresses of the products' own consoles: `EPP=https://..`, separated by commas.
pub const PRODUCT_URLS: &str = "BELFRY_PRODUCT_URLS";
/// Edition of a trial.
pub const TRIAL_EDITION: &str = "BELFRY_TRIAL_EDITION";
/// Stage, a dimension of metrics.
pub const STAGE: &str = "BELFRY_STAGE";

/// Reads a variable.
///
/// # Errors
/// [`MissingVariable`] when it is unset or empty.
pub fn required(name: &'static str) -> Result<String, MissingVariable> {
    optional(name).ok_or(MissingVariable(name))
}

/// Reads a variable that may be unset.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn optional(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The private networks that directories may be in; none when unset.
///
/// # Errors
/// [`BadNetwork`].
pub fn private_networks() -> Result<PrivateNetworks, BadNetwork> {
    optional(PRIVATE_NETWORKS).unwrap_or_default().parse()
}
