//! `GET /support`: how to reach the vendor's people. What it says is the file `support.json`, which
//! an operator replaces before the build.

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::email::{BadEmailAddress, EmailAddress};
use belfry_domain::policy::Action;
use belfry_domain::text::{Country, Telephone};
use serde::{Deserialize, Serialize};

const FILE: &str = include_str!("support.json");

/// Support: what is shown of it, and where tickets go.
#[derive(Debug, Clone)]
pub struct Support {
    contacts: Contacts,
    pub(crate) address: EmailAddress,
}

/// What the file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contacts {
    faq_url: String,
    chat_url: String,
    email: EmailAddress,
    telephones: Vec<Line>,
}

/// A telephone number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    country: Country,
    number: Telephone,
    /// When somebody answers, in words.
    hours: String,
    toll_free: bool,
}

/// Support cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
pub enum BadSupport {
    /// The file.
    #[error("support.json: {0}")]
    File(#[from] serde_json::Error),
    /// The address of tickets.
    #[error("the address that tickets go to: {0}")]
    Address(#[from] BadEmailAddress),
}

impl Support {
    /// As the file says, with tickets to `address`.
    ///
    /// # Errors
    /// [`BadSupport`].
    pub fn new(address: &str) -> Result<Self, BadSupport> {
        Ok(Self { contacts: serde_json::from_str(FILE)?, address: address.parse()? })
    }
}

pub(crate) async fn support(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadSupport)?;
    Ok(answer::ok(&app.support.contacts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_file_names_every_way_once() {
        let Contacts { faq_url, chat_url, telephones, .. } =
            Support::new("support@example.com").unwrap().contacts;
        assert!(faq_url.starts_with("https://") && chat_url.starts_with("https://"));
        let numbers: BTreeSet<_> = telephones.iter().map(|line| line.number.as_str()).collect();
        assert!(!numbers.is_empty() && numbers.len() == telephones.len());
        assert!(telephones.iter().all(|line| !line.hours.trim().is_empty()));
        assert!(Support::new("nobody").is_err());
    }
}
