//! A signing key without a key service.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use belfry_api::auth::{Draft, PublicKey};
use belfry_runtime::keys::{KeyUnavailable, Signer};
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A P-256 key of its own for each test. Clones are the same key.
#[derive(Clone)]
pub struct LocalKey {
    pair: Arc<EcdsaKeyPair>,
    down: Arc<AtomicBool>,
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey")
    }
}

impl Default for LocalKey {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalKey {
    /// A new key.
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { pair: Arc::new(pair), down: Arc::default() }
    }

    /// Its public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_der(&self.public_der()).expect("a P-256 key")
    }

    /// Its public half in DER, as KMS gives it.
    pub fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der = self.pair.public_key().as_der().expect("DER");
        der.as_ref().to_vec()
    }

    /// Signs any bytes.
    pub fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(&SystemRandom::new(), bytes).expect("a signature");
        signature.as_ref().try_into().expect("64 bytes")
    }

    /// Answers no more, or again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

impl Signer for LocalKey {
    fn sign(&self, draft: Draft) -> BoxFuture<'_, Result<String, KeyUnavailable>> {
        Box::pin(async move {
            if self.down.load(Ordering::SeqCst) {
                return Err(KeyUnavailable::new("a test asked for it"));
            }
            let signature = self.sign_bytes(draft.signing_input());
            Ok(draft.signed(signature))
        })
    }
}
