//! Keys that are in no process: one signs tokens, one seals secrets at rest.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use belfry_api::auth::{Draft, PublicKey};
use belfry_domain::failure::{Failure, FailureKind};
use belfry_domain::ports::{Entropy, random};
use belfry_domain::secret::Secret;
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::error::Error;

/// A key did not do its work; the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("a key does not answer at the moment")]
pub struct KeyUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl KeyUnavailable {
    /// With what happened, for the log.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl Failure for KeyUnavailable {
    fn kind(&self) -> FailureKind {
        FailureKind::Unavailable { retry_after: 5 }
    }
    fn code(&self) -> &'static str {
        "key_unavailable"
    }
}

/// Signs with ES256 (RFC 7518, section 3.4).
pub trait Signer: Send + Sync {
    /// The token of a draft.
    fn sign(&self, draft: Draft) -> BoxFuture<'_, Result<String, KeyUnavailable>>;
}

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key service does not answer; the same call may succeed later.
    #[error("a key does not answer at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It was not sealed by this key for this context, or it is damaged; no later try helps.
    #[error("sealed data cannot be opened")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
}

impl Failure for SealError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Unavailable(_) => FailureKind::Unavailable { retry_after: 5 },
            Self::Damaged(_) => FailureKind::Internal,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "key_unavailable",
            Self::Damaged(_) => "internal",
        }
    }
}

/// Seals small secrets at rest, each bound to a context that opening must name again.
pub trait Sealer: Send + Sync {
    /// Seals at most 4,096 bytes.
    fn seal<'a>(
        &'a self,
        plain: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>>;

    /// Opens what was sealed for the same context.
    fn open<'a>(
        &'a self,
        sealed: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>>;
}

/// A key of KMS.
#[derive(Debug, Clone)]
pub struct KmsKey {
    client: Client,
    id: String,
}

impl KmsKey {
    /// The key with this id; makes no call.
    pub fn new(client: Client, id: impl Into<String>) -> Self {
        Self { client, id: id.into() }
    }

    /// Opens the connection during start-up, so that the first request does not pay for it.
    ///
    /// # Errors
    /// [`KeyUnavailable`].
    pub async fn warm_up(&self) -> Result<(), KeyUnavailable> {
        self.client
            .describe_key()
            .key_id(&self.id)
            .send()
            .await
            .map(drop)
            .map_err(KeyUnavailable::new)
    }

    /// The public half. Asked for at start-up, which also opens the connection.
    ///
    /// # Errors
    /// [`KeyUnavailable`], also when it is no key of P-256.
    pub async fn public_key(&self) -> Result<PublicKey, KeyUnavailable> {
        let answer = self.client.get_public_key().key_id(&self.id).send().await;
        let der = answer.map_err(KeyUnavailable::new)?.public_key;
        let der = der.ok_or_else(|| KeyUnavailable::new("no public key in the answer"))?;
        PublicKey::from_der(der.as_ref()).map_err(KeyUnavailable::new)
    }
}

impl Signer for KmsKey {
    fn sign(&self, draft: Draft) -> BoxFuture<'_, Result<String, KeyUnavailable>> {
        Box::pin(async move {
            let digest = Sha256::digest(draft.signing_input());
            let answer = self
                .client
                .sign()
                .key_id(&self.id)
                .message(Blob::new(digest.to_vec()))
                .message_type(MessageType::Digest)
                .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
                .send()
                .await
                .map_err(KeyUnavailable::new)?;
            let der = answer.signature.unwrap_or_else(|| Blob::new([]));
            let signature = fixed(der.as_ref())
                .ok_or_else(|| KeyUnavailable::new("the signature is no ECDSA-Sig-Value"))?;
            Ok(draft.signed(signature))
        })
    }
}

/// `r || s` of 32 bytes each from the DER `SEQUENCE { r INTEGER, s INTEGER }` that KMS gives
/// (RFC 3279, section 2.2.3).
fn fixed(der: &[u8]) -> Option<[u8; 64]> {
    let (&[0x30, length], rest) = der.split_first_chunk::<2>()? else { return None };
    (usize::from(length) == rest.len()).then_some(())?;
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then_some(())?;
    [r, s].concat().try_into().ok()
}

/// An unsigned integer of at most 32 bytes, padded to 32, and what follows it.
fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (&[0x02, length], rest) = der.split_first_chunk::<2>()? else { return None };
    let (digits, rest) = rest.split_at_checked(usize::from(length))?;
    let digits = if let [0, digits @ ..] = digits { digits } else { digits };
    let mut padded = [0; 32];
    padded.get_mut(32usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some((padded, rest))
}

impl Sealer for KmsKey {
    fn seal<'a>(
        &'a self,
        plain: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let answer = self
                .client
                .encrypt()
                .key_id(&self.id)
                .plaintext(Blob::new(plain))
                .set_encryption_context(Some(owned(context)))
                .send()
                .await
                .map_err(|error| SealError::Unavailable(Box::new(error)))?;
            let sealed = answer.ciphertext_blob.map(Blob::into_inner);
            sealed.ok_or_else(|| SealError::Unavailable("nothing sealed in the answer".into()))
        })
    }

    fn open<'a>(
        &'a self,
        sealed: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let answer = self
                .client
                .decrypt()
                .key_id(&self.id)
                .ciphertext_blob(Blob::new(sealed))
                .set_encryption_context(Some(owned(context)))
                .send()
                .await
                .map_err(|error| match error.as_service_error() {
                    Some(refusal)
                        if refusal.is_invalid_ciphertext_exception()
                            || refusal.is_incorrect_key_exception() =>
                    {
                        SealError::Damaged(Box::new(error))
                    }
                    _ => SealError::Unavailable(Box::new(error)),
                })?;
            let plain = answer.plaintext.map(Blob::into_inner);
            plain.ok_or_else(|| SealError::Unavailable("nothing opened in the answer".into()))
        })
    }
}

fn owned(context: &[(&str, &str)]) -> HashMap<String, String> {
    context.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Our own fault: no input makes these primitives fail.
#[derive(Debug, thiserror::Error)]
#[error("a sealed token cannot be handled")]
pub struct Unsealable;

impl Failure for Unsealable {
    fn kind(&self) -> FailureKind {
        FailureKind::Internal
    }
    fn code(&self) -> &'static str {
        "internal"
    }
}

/// A key that only the holder of `old` can derive (HKDF, RFC 5869).
fn key_from(old: &Secret) -> Result<LessSafeKey, Unsealable> {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(old.expose());
    let key = secret.expand(&[b"belfry refresh successor v1"], &AES_256_GCM);
    Ok(LessSafeKey::new(UnboundKey::from(key.map_err(|_| Unsealable)?)))
}

/// Seals a refresh token's successor under a key that only the old token yields (AES-256-GCM): a
/// reader of the table learns nothing.
///
/// # Errors
/// [`Unsealable`].
pub fn seal_successor(
    old: &Secret,
    successor: &Secret,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, Unsealable> {
    let nonce: [u8; NONCE_LEN] = random(entropy);
    let mut body = successor.expose().to_vec();
    key_from(old)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body)
        .map_err(|_| Unsealable)?;
    Ok([nonce.as_slice(), &body].concat())
}

/// Opens what [`seal_successor`] sealed.
///
/// # Errors
/// [`Unsealable`] for another old token or damage.
pub fn open_successor(old: &Secret, sealed: &[u8]) -> Result<Secret, Unsealable> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Unsealable)?;
    let mut body = body.to_vec();
    let plain = key_from(old)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut body)
        .map_err(|_| Unsealable)?;
    (*plain).try_into().map(Secret::from_bytes).map_err(|_| Unsealable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn signatures_from_der() {
        let integer = |bytes: &[u8]| [&[0x02, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let sequence = |parts: &[u8]| [&[0x30, u8::try_from(parts.len()).unwrap()], parts].concat();
        let high = [&[0u8], [0xff; 32].as_slice()].concat();
        for (r, s, expected_r, expected_s) in [
            (vec![1], vec![2], 1u8, 2u8),
            (high.clone(), vec![0x7f; 32], 0xff, 0x7f),
            (vec![0x11; 31], high.clone(), 0x11, 0xff),
        ] {
            let der = sequence(&[integer(&r), integer(&s)].concat());
            let got = fixed(&der).unwrap();
            assert_eq!((got[31], got[63]), (expected_r, expected_s));
            assert_eq!(got[0], if r.len() < 32 { 0 } else { expected_r });
        }
        let good = sequence(&[integer(&[1]), integer(&[2])].concat());
        let long = sequence(&[integer(&[1; 33]), integer(&[2])].concat());
        let trailing = [good.as_slice(), &[0]].concat();
        let third = sequence(&[integer(&[1]), integer(&[2]), integer(&[3])].concat());
        for bad in [&[][..], &[0x30], &good[..7], &good[1..], &long, &trailing, &third] {
            assert_eq!(fixed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_the_old_token_opens_its_successor() {
        let (old, new) = (Secret::from_bytes([1; 32]), Secret::from_bytes([2; 32]));
        let sealed = seal_successor(&old, &new, &SystemEntropy).unwrap();
        assert_eq!(open_successor(&old, &sealed).unwrap(), new);
        assert!(open_successor(&new, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(open_successor(&old, &damaged).is_err(), "byte {at}");
        }
        assert!(open_successor(&old, &[]).is_err());
    }
}
