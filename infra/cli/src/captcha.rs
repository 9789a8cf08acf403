//! How the sign-up is guarded.

use belfry_domain::captcha::Provider;
use serde_json::{Value, json};

use crate::aws::Keys;
use crate::backoffice::{self, Ask, Staff, said};
use crate::failure::{Failure, Result};
use crate::stack::Stack;
use crate::values;
use crate::workspace::Workspace;

/// Where the provider's secret is read. Arguments can be read by everybody in the list of processes.
const SECRET: &str = "BELFRY_CAPTCHA_SECRET";

/// The file in `.local` that says which local stack's sign-up was opened.
const FILE: &str = "captcha.json";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Captcha {
    /// Guard the sign-up by a provider, whose secret is in the environment
    #[command(after_help = "The provider's secret is read from BELFRY_CAPTCHA_SECRET.")]
    Set(Set),
    /// Leave the sign-up unguarded
    Off {
        #[command(flatten)]
        staff: Staff,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// Provider
    #[arg(long, value_parser = values::provider())]
    provider: Provider,
    /// Its site key, which the console shows
    #[arg(long)]
    site_key: String,
    /// Where a custom provider is asked
    #[arg(long, required_if_eq("provider", "custom"))]
    verify_url: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

impl Set {
    fn command(&self, secret: Option<String>) -> Result<Value> {
        if self.verify_url.is_some() && self.provider != Provider::Custom {
            return Err(Failure::new(format!("{} has an address already", self.provider.name()))
                .next("Leave --verify-url out, or give --provider custom."));
        }
        let secret = secret.filter(|secret| !secret.is_empty()).ok_or_else(|| {
            Failure::new(format!("{SECRET} is not set"))
                .next(format!("Run: read -rs {SECRET} && export {SECRET}"))
        })?;
        let fields = json!({
            "provider": self.provider, "site_key": self.site_key, "secret": secret,
            "verify_url": self.verify_url,
        });
        Ok(self.staff.command("set_captcha", fields))
    }
}

impl Ask for Captcha {
    fn command(&self) -> Result<Value> {
        match self {
            Self::Set(set) => set.command(secret()),
            Self::Off { staff } => Ok(off(staff)),
        }
    }

    fn text(&self, answer: &Value) -> String {
        match self {
            Self::Set(_) => {
                format!("The sign-up is guarded by {}.", said(answer, "/captcha/provider"))
            }
            Self::Off { .. } => "The sign-up is open, without a captcha.".to_owned(),
        }
    }
}

/// Opens the sign-up of a new local stack, once: what is set later stays.
pub(crate) async fn open_local(workspace: &Workspace, stack: &Stack, keys: &Keys) -> Result<()> {
    if workspace.recall::<String>(FILE).is_some_and(|opened| opened == stack.api) {
        return Ok(());
    }
    let staff = Staff {
        operator: "local stack".to_owned(),
        reason: "no captcha on one machine".to_owned(),
    };
    backoffice::call(stack, keys, &off(&staff)).await?;
    workspace.keep(FILE, &stack.api)
}

/// Forgets which local stack's sign-up was opened.
pub(crate) fn forget(workspace: &Workspace) -> Result<()> {
    workspace.forget(FILE)
}

fn off(staff: &Staff) -> Value {
    staff.command("set_captcha", json!({"provider": "off"}))
}

#[expect(
    clippy::disallowed_methods,
    reason = "as an argument, which clap's variables are too, it could be given where all can read it"
)]
fn secret() -> Option<String> {
    std::env::var(SECRET).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(provider: Provider, verify_url: Option<&str>) -> Set {
        let staff = Staff { operator: "ann".to_owned(), reason: "ticket 7".to_owned() };
        let (site_key, verify_url) = ("site".to_owned(), verify_url.map(str::to_owned));
        Set { provider, site_key, verify_url, staff }
    }

    #[test]
    fn the_secret_comes_from_the_environment_or_nothing_is_sent() {
        let turnstile = set(Provider::Turnstile, None);
        let command = turnstile.command(Some("hidden".to_owned())).unwrap();
        assert_eq!(command["secret"], "hidden");
        assert_eq!(command["provider"], "turnstile");
        assert_eq!(command["command"], "set_captcha");
        for unset in [None, Some(String::new())] {
            let failure = turnstile.command(unset).unwrap_err();
            assert!(failure.what.contains(SECRET) && failure.next.unwrap().contains(SECRET));
        }
        let address = set(Provider::Hcaptcha, Some("https://captcha.example/verify"));
        assert!(address.command(Some("hidden".to_owned())).is_err());
    }
}
