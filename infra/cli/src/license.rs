//! Licences: what the vendor changes of them, and the activation keys with which tenants do.

use belfry_domain::id::ActivationKeyId;
use belfry_domain::license::activation_key::{Draft, Purpose};
use belfry_domain::product::Product;
use belfry_domain::text::Edition;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::aws::Keys;
use crate::backoffice::{self, Ask, Staff, counted, said};
use crate::demo::now;
use crate::entropy::SystemEntropy;
use crate::failure::{Doing, Failure, Result};
use crate::signer::{Signer, With};
use crate::stack::Stack;
use crate::values;
use crate::vendor_key::Keygen;
use crate::workspace::Workspace;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum License {
    /// Make a key pair that signs activation keys
    Keygen(Keygen),
    /// Sign an activation key, put it on record and print it
    Issue(Issue),
    #[command(flatten)]
    Change(Change),
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Change {
    /// Withdraw an activation key that nobody has redeemed
    Revoke {
        /// Its id: `ack_..`, as `issue` tells it
        id: String,
        #[command(flatten)]
        staff: Staff,
    },
    /// Raise the edition of a licence
    Upgrade {
        #[command(flatten)]
        of: Of,
        /// Edition from now on
        #[arg(long)]
        edition: String,
    },
    /// Make a trial longer
    ExtendTrial {
        #[command(flatten)]
        of: Of,
        /// So many days, from its end on or, when it is over, from now on
        #[arg(long)]
        days: u32,
    },
    /// Set the seats of a licence
    Seats {
        #[command(flatten)]
        of: Of,
        /// Endpoints that it covers from now on
        #[arg(long)]
        seats: u32,
    },
}

/// Which licence, who asks, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// Tenant
    #[arg(long)]
    tenant: String,
    /// Product
    #[arg(long, value_parser = values::product())]
    product: Product,
    #[command(flatten)]
    staff: Staff,
}

/// What the activation key does.
#[derive(Debug, clap::Args)]
pub(crate) struct Issue {
    /// Make a trial commercial, give another term, or more seats or days
    #[arg(long, value_parser = values::purpose())]
    purpose: Purpose,
    /// Product
    #[arg(long, value_parser = values::product())]
    product: Product,
    /// Edition
    #[arg(long)]
    edition: Edition,
    /// Endpoints; to extend, so many more
    #[arg(long, default_value_t = 0, required_if_eq_any = SETS)]
    seats: u32,
    /// Days of the term; to extend, so many more
    #[arg(long, default_value_t = 0, required_if_eq_any = SETS)]
    days: u32,
    /// For so many days the key can be redeemed
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    valid_days: u32,
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    staff: Staff,
}

/// Whatever does not extend a licence sets both its seats and its term.
const SETS: [(&str, &str); 2] = [("purpose", "convert"), ("purpose", "renew")];

impl Issue {
    /// Signs the code, and hands it out once it is on record.
    pub(crate) async fn run(
        &self,
        workspace: &Workspace,
        stack: &Stack,
        keys: &Keys,
    ) -> Result<Value> {
        let signer = self.with.signer(workspace, stack, keys)?;
        let (key, code) = self.code(&signer, now()).await?;
        let command = self.staff.command("issue_activation_key", json!({"activation_key": code}));
        let answer = backoffice::call(stack, keys, &command).await.map_err(|refused| {
            if refused.what.contains("activation_key_invalid") {
                refused.next(format!("The stack's parameter VendorKeys has to name the key {key}."))
            } else {
                refused
            }
        })?;
        let details = answer.get("activation_key");
        Ok(json!({"status": "ok", "activation_key": code, "details": details}))
    }

    /// The public key, and the code that its private half has signed.
    async fn code(&self, signer: &Signer, now: Timestamp) -> Result<(String, String)> {
        let valid = SignedDuration::from_hours(24 * i64::from(self.valid_days));
        let draft = Draft::new(
            ActivationKeyId::new(now, &SystemEntropy),
            (self.purpose, self.product, self.edition.clone()),
            (self.seats, self.days),
            now.checked_add(valid).doing("--valid-days")?,
        )
        .doing("no activation key has such terms")?;
        let key = signer.public().await?;
        let payload = draft
            .payload(&key)
            .ok_or_else(|| Failure::new("the activation key does not encode"))?;
        let signature = signer.sign(&payload.signing_input()).await?;
        Ok((key.text(), payload.signed(signature)))
    }
}

/// What is known of an activation key, for people.
pub(crate) fn issued(issued: &Value) -> String {
    let [code, id, purpose, product, edition, days, not_after] = [
        "/activation_key",
        "/details/id",
        "/details/purpose",
        "/details/product",
        "/details/edition",
        "/details/term_days",
        "/details/not_after",
    ]
    .map(|pointer| said(issued, pointer));
    let (seats, more) =
        (counted(issued, "/details/seats"), if purpose == "extend" { "more " } else { "" });
    format!(
        "{code}\n\nTo {purpose} {product} {edition}: {seats} {more}seats, {days} {more}days\n\
         Can be redeemed once, until {not_after} ({id})"
    )
}

impl Ask for Change {
    fn command(&self) -> Result<Value> {
        let (name, of, (field, value)) = match self {
            Self::Revoke { id, staff } => {
                let fields = json!({"activation_key_id": id});
                return Ok(staff.command("revoke_activation_key", fields));
            }
            Self::Upgrade { of, edition } => ("upgrade_edition", of, ("edition", json!(edition))),
            Self::ExtendTrial { of, days } => ("extend_trial", of, ("days", json!(days))),
            Self::Seats { of, seats } => ("set_seats", of, ("seats", json!(seats))),
        };
        let fields = json!({"tenant_id": of.tenant, "product": of.product, (field): value});
        Ok(of.staff.command(name, fields))
    }

    fn text(&self, answer: &Value) -> String {
        match self {
            Self::Revoke { id, .. } => format!("{id} can no longer be redeemed."),
            _ => text(answer),
        }
    }
}

/// A licence as the back office answers with it, for people.
pub(crate) fn text(answer: &Value) -> String {
    let [product, edition, kind, state, ends_at, until, key] =
        ["product", "edition", "kind", "state", "ends_at", "accepted_until", "product_key"]
            .map(|field| said(answer, &format!("/license/{field}")));
    let changed = answer.get("changed").and_then(Value::as_bool) != Some(false);
    let told = if changed {
        "The tenant's registered address is told by mail."
    } else {
        "Nothing has changed."
    };
    format!(
        "{product} {edition}, {kind}, is {state}\n{} of {} seats used\n\
         Ends {ends_at}, telemetry is taken until {until}\nProduct key {key}\n\
         {told}",
        counted(answer, "/license/used"),
        counted(answer, "/license/seats"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor_key;
    use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
    use belfry_domain::license::activation_key::{ActivationKey, SignatureCheck, VendorKey};
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        issue: Issue,
    }

    struct Check;
    impl SignatureCheck for Check {
        fn is_signed(&self, key: &VendorKey, message: &[u8], signature: &[u8]) -> bool {
            UnparsedPublicKey::new(&ED25519, key.bytes()).verify(message, signature).is_ok()
        }
    }

    fn issue(line: &str) -> Result<Issue, clap::Error> {
        let words = ["issue", "--operator", "ann", "--reason", "order-7"];
        Line::try_parse_from(words.into_iter().chain(line.split(' '))).map(|line| line.issue)
    }

    #[tokio::test]
    async fn a_code_that_is_signed_reads_back() {
        let line = "--purpose renew --product DATA_PRIVACY --edition gold --seats 25 --days 365";
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = vendor_key::public(&pair).unwrap();
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let issue = issue(line).unwrap();
        let (key, code) = issue.code(&Signer::File(pair), now).await.unwrap();
        assert_eq!(key, public.text());

        let other = VendorKey::from_bytes([7; 32]);
        assert!(ActivationKey::read(&code, &[other], &Check).is_err());
        let read = ActivationKey::read(&code, &[other, public], &Check).unwrap();
        assert_eq!((read.purpose, read.product), (Purpose::Renew, Product::DataPrivacy));
        assert_eq!((read.edition.as_str(), read.seats, read.term_days), ("gold", 25, 365));
        assert_eq!(read.not_after, "2026-12-26T12:00:00Z".parse().unwrap());
        assert_eq!(read.key_id, hex::encode(public.id()));
    }

    #[tokio::test]
    async fn only_an_extension_goes_without_seats_or_days() {
        let signer = Signer::File(Ed25519KeyPair::generate().unwrap());
        let now = Timestamp::UNIX_EPOCH;
        for (line, fits) in [
            ("--purpose extend --product EPP --edition e --days 30", true),
            ("--purpose extend --product EPP --edition e --seats 5", true),
            ("--purpose extend --product EPP --edition e", false),
            ("--purpose renew --product EPP --edition e --seats 0 --days 30", false),
            ("--purpose convert --product EPP --edition e --seats 5 --days 4000", false),
        ] {
            let code = issue(line).unwrap().code(&signer, now).await;
            assert_eq!(code.is_ok(), fits, "{line}");
        }
        assert!(issue("--purpose renew --product EPP --edition e --days 30").is_err());
    }
}
