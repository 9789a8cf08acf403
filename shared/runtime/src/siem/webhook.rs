//! HTTPS webhooks as Standard Webhooks wants them.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use super::http::{Answer, Dialect, by_status, post, said};
use super::{Parcel, Trouble};
use crate::outbound::OutboundError;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belfry_domain::ports::Clock;
use belfry_domain::siem::record::Record;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::sync::Arc;

/// Posts to a webhook.
pub(super) struct Webhook {
    path: String,
    clock: Arc<dyn Clock>,
}

impl Webhook {
    pub(super) fn of(parcel: &Parcel<'_>, clock: Arc<dyn Clock>) -> Self {
        let address = parcel.settings.address.as_ref();
        let path = address.and_then(|address| address.path.as_ref());
        Self { path: path.map_or("/".to_owned(), |path| path.as_str().to_owned()), clock }
    }
}

/// The same for the same records, so that a receiver knows a repeat.
fn message_id(parcel: &Parcel<'_>, range: &Range<usize>) -> String {
    let mut hash = Sha256::new().chain_update(parcel.id.bytes());
    for Record { stream, sequence, .. } in parcel.records.get(range.clone()).unwrap_or_default() {
        hash.update(format!("{stream}:{sequence}\n"));
    }
    let digest = hex::encode(hash.finalize());
    format!("msg_{}", digest.get(..32).unwrap_or_default())
}

/// `v1,` and HMAC-SHA256 of `id.timestamp.body` (RFC 2104), by the key that `whsec_` stands before.
fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    Some(format!("v1,{}", STANDARD.encode(context.sign())))
}

impl Dialect for Webhook {
    fn append(&self, parcel: &Parcel<'_>, index: usize, first: bool, body: &mut Vec<u8>) {
        body.extend_from_slice(if first { b"[" } else { b"," });
        if let Some(record) = parcel.records.get(index) {
            parcel.renderer.json(record, body);
        }
    }

    fn request(
        &self,
        parcel: &Parcel<'_>,
        range: &Range<usize>,
        records: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, OutboundError> {
        let now = self.clock.now();
        let seen_at = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let head =
            format!(r#"{{"type":"siem.records","timestamp":"{seen_at}","data":{{"records":"#);
        let body = [head.as_bytes(), &records, b"]}}"].concat();
        let id = message_id(parcel, range);
        let secret = parcel.secrets.token.as_deref().unwrap_or_default();
        let signature = signature(secret, &id, now.as_second(), &body);
        let mut request = post(parcel, &self.path)?
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", signature.unwrap_or_default());
        if let Some((name, value)) =
            parcel.settings.header_name.as_ref().zip(parcel.secrets.header_value.as_ref())
        {
            request = request.header(name.as_str(), value);
        }
        request.body(Full::new(Bytes::from(body))).map_err(|_| OutboundError::NotHttp)
    }

    fn read(&self, answer: &Response<Bytes>) -> Answer {
        match answer.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                let (status, said) = (answer.status(), said(answer.body()));
                let detail = format!("The receiver answered {status}: {said}");
                Answer::Poison { index: None, code: "refused", detail }
            }
            _ => by_status(answer),
        }
    }

    fn ask(&self, _: &Parcel<'_>, _: &[u64]) -> Option<Request<Full<Bytes>>> {
        None
    }

    fn names_the_record(&self) -> bool {
        false
    }

    fn acknowledged(&self, _: &Response<Bytes>) -> Result<Option<Vec<u64>>, Trouble> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signature("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "m", 1, b""), None);
    }
}
