//! What keeps machines from the sign-up: tries from a source and mails to an address are counted, and a
//! captcha is asked for. Where nobody has said how it is guarded, or the captcha's provider does not
//! answer, it is closed.

use crate::App;
use belfry_api::{Problem, Request, request};
use belfry_domain::captcha::{Captcha, MOST_RESPONSE, SEALED_FOR};
use belfry_domain::email::EmailAddress;
use belfry_domain::failure::FieldError;
use belfry_domain::throttle::{MAIL_FROM_SOURCE, MAIL_TO_RECIPIENT};
use belfry_runtime::captcha::{CaptchaUnavailable, Question};

/// Lets a request on whose fields are all good, or says why not.
pub(crate) async fn is_person(app: &App, request: &Request, response: &str) -> Result<(), Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let source = request::source_address(request).unwrap_or_default();
    app.table.count_try(&MAIL_FROM_SOURCE, &source, now, entropy).await?;
    let (verify_url, sealed) = match app.table.captcha().await? {
        Some(Captcha::Off) => return Ok(()),
        Some(Captcha::On { verify_url, sealed_secret, .. }) => (verify_url, sealed_secret),
        None => return Err(CaptchaUnavailable::new("it was never set up").into()),
    };
    let refused = |code, detail| Problem::invalid(vec![FieldError::new("/captcha", code, detail)]);
    if response.is_empty() {
        return Err(refused("required", "Solve the captcha."));
    }
    if response.len() > MOST_RESPONSE {
        return Err(refused("too_long", "This is no answer of the captcha."));
    }
    let secret = app.post.sealer.open(&sealed, &SEALED_FOR).await?;
    let secret = String::from_utf8(secret).map_err(CaptchaUnavailable::new)?;
    let address = request::source_address(request);
    let question = Question {
        verify_url: &verify_url,
        secret: &secret,
        response,
        remote_address: address.as_deref(),
    };
    if app.captcha.is_person(question).await? {
        Ok(())
    } else {
        Err(refused("captcha_failed", "The captcha was not solved, or too long ago; try again."))
    }
}

/// Counts a mail to an address: last, so that who is stopped before uses up nobody's mails.
pub(crate) async fn count_mail(app: &App, to: &EmailAddress) -> Result<(), Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    app.table.count_try(&MAIL_TO_RECIPIENT, to.as_str(), now, entropy).await?;
    Ok(())
}
