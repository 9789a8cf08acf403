//! Mail as functions see it.

use aws_sdk_ses::Client;
use aws_sdk_ses::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_ses::operation::send_email::SendEmailError;
use aws_sdk_ses::types::{Body, Content, Destination, Message};
use belfry_domain::email::EmailAddress;
use belfry_domain::mail::Rendered;
use futures::future::BoxFuture;
use std::error::Error;

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Never will be: the address or the mail itself is refused. The code is the mail service's;
    /// its words are left out, for they quote the address.
    #[error("the mail is refused: {0}")]
    Refused(String),
    /// Not now; the same mail may be taken later.
    #[error("the mail service does not take mail at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Hands one mail over; once it is taken, the service delivers it.
    fn send<'a>(
        &'a self,
        to: &'a EmailAddress,
        mail: &'a Rendered,
    ) -> BoxFuture<'a, Result<(), MailError>>;
}

/// SES.
#[derive(Debug, Clone)]
pub struct SesMailer {
    client: Client,
    sender: String,
}

impl SesMailer {
    /// Mail from this sender, a verified identity; makes no call.
    pub fn new(client: Client, sender: impl Into<String>) -> Self {
        Self { client, sender: sender.into() }
    }
}

fn content(text: &str) -> Result<Content, MailError> {
    Content::builder()
        .charset("UTF-8")
        .data(text)
        .build()
        .map_err(|error| MailError::Unavailable(error.into()))
}

impl Mailer for SesMailer {
    fn send<'a>(
        &'a self,
        to: &'a EmailAddress,
        mail: &'a Rendered,
    ) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let body =
                Body::builder().text(content(&mail.text)?).html(content(&mail.html)?).build();
            let message = Message::builder().subject(content(&mail.subject)?).body(body).build();
            let destination = Destination::builder().to_addresses(to.as_str()).build();
            let reply_to = mail.reply_to.as_ref().map(|address| vec![address.as_str().to_owned()]);
            let call = self.client.send_email().source(&self.sender).destination(destination);
            let call = call.set_reply_to_addresses(reply_to);
            call.message(message).send().await.map(drop).map_err(|error| sorted(&error))
        })
    }
}

/// Which of the two a failure is. An identity that is not verified is waited for: that of the
/// sender, and (in the sandbox of a new account) that of the receiver, are the operator's to verify.
fn sorted<R: std::fmt::Debug>(error: &SdkError<SendEmailError, R>) -> MailError {
    let Some(answer) = error.as_service_error() else {
        return MailError::Unavailable(kind(error).into());
    };
    let code = answer.code().unwrap_or("unknown");
    let unverified = answer.message().is_some_and(|text| text.contains("not verified"));
    match code {
        "MessageRejected" if !unverified => MailError::Refused(code.to_owned()),
        "InvalidParameterValue" | "ValidationError" => MailError::Refused(code.to_owned()),
        _ if unverified => {
            MailError::Unavailable(format!("{code}: an identity is not verified").into())
        }
        _ => MailError::Unavailable(code.into()),
    }
}

/// What kind of failure it was, without the request, which holds the address.
fn kind<E, R>(error: &SdkError<E, R>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection",
        _ => "an answer that cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ses::error::ErrorMetadata;

    #[test]
    fn refusals_are_for_ever_and_say_no_address_the_rest_is_tried_again() {
        let sort = |code: &str, message: &str| {
            let meta = ErrorMetadata::builder().code(code).message(message).build();
            sorted(&SdkError::service_error(SendEmailError::generic(meta), ()))
        };
        for (code, message) in [
            ("MessageRejected", "Address blacklisted: ann@example.com"),
            ("InvalidParameterValue", "Illegal address: ann@example.com"),
        ] {
            let error = sort(code, message);
            assert!(matches!(&error, MailError::Refused(text) if text == code));
            assert!(!format!("{error:?} {error}").contains("ann@"));
        }
        for (code, message) in [
            ("MessageRejected", "Email address is not verified. Failed: ann@example.com"),
            ("Throttling", "Maximum sending rate exceeded."),
            ("AccountSendingPausedException", ""),
            ("MailFromDomainNotVerifiedException", ""),
        ] {
            let error = sort(code, message);
            assert!(matches!(error, MailError::Unavailable(_)), "{code}");
            assert!(!format!("{error:?} {error}").contains("ann@"));
        }
        let lost = SdkError::<SendEmailError, ()>::timeout_error("late");
        assert!(matches!(sorted(&lost), MailError::Unavailable(_)));
    }
}
