//! The vendor's side: keys that sign activation keys, consoles of products, a captcha's provider.

use crate::SeededEntropy;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use belfry_domain::id::ActivationKeyId;
use belfry_domain::license::activation_key::{Draft, Purpose, VendorKey};
use belfry_domain::product::Product;
use belfry_runtime::captcha::{CaptchaUnavailable, Question, Verifier};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};

/// A key pair that signs activation keys. Clones are the same pair.
#[derive(Clone)]
pub struct Vendor {
    pair: Arc<Ed25519KeyPair>,
    entropy: Arc<SeededEntropy>,
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vendor")
    }
}

impl Default for Vendor {
    fn default() -> Self {
        Self::new()
    }
}

impl Vendor {
    /// A new pair.
    pub fn new() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key pair");
        Self { pair: Arc::new(pair), entropy: Arc::new(SeededEntropy::new(77)) }
    }

    /// Its public half.
    pub fn key(&self) -> VendorKey {
        VendorKey::from_bytes(self.pair.public_key().as_ref().try_into().expect("32 bytes"))
    }

    /// A code in edition `Total`, good for 30 days.
    pub fn code(
        &self,
        purpose: Purpose,
        product: Product,
        (seats, days): (u32, u32),
        now: Timestamp,
    ) -> String {
        self.code_until(purpose, product, (seats, days), now + SignedDuration::from_hours(720))
    }

    /// The same with its end.
    pub fn code_until(
        &self,
        purpose: Purpose,
        product: Product,
        terms: (u32, u32),
        not_after: Timestamp,
    ) -> String {
        let id = ActivationKeyId::new(not_after, self.entropy.as_ref());
        let edition = "Total".parse().expect("an edition");
        let draft = Draft::new(id, (purpose, product, edition), terms, not_after);
        self.sign(&draft.expect("a draft"))
    }

    /// A draft's code.
    pub fn sign(&self, draft: &Draft) -> String {
        let payload = draft.payload(&self.key()).expect("a payload");
        let signature = self.pair.sign(&payload.signing_input());
        payload.signed(signature.as_ref().try_into().expect("64 bytes"))
    }
}

/// Consoles of two products; the others are not set up.
pub fn consoles() -> BTreeMap<Product, String> {
    let url = |product: Product| (product, format!("https://{product}.example/in"));
    [Product::Epp, Product::Ztna].map(url).into()
}

/// A captcha's provider that answers as it is told: yes, unless something else is next.
#[derive(Debug, Clone, Default)]
pub struct MemoryCaptcha(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: VecDeque<Option<bool>>,
    asked: Vec<[String; 3]>,
}

impl MemoryCaptcha {
    /// The next question is answered so; none is no answer.
    pub fn answer_next(&self, answer: Option<bool>) {
        self.0.lock().expect("unpoisoned").next.push_back(answer);
    }

    /// What was asked: address, secret, response.
    pub fn asked(&self) -> Vec<[String; 3]> {
        self.0.lock().expect("unpoisoned").asked.clone()
    }
}

impl Verifier for MemoryCaptcha {
    fn is_person<'a>(
        &'a self,
        question: Question<'a>,
    ) -> BoxFuture<'a, Result<bool, CaptchaUnavailable>> {
        Box::pin(async move {
            let mut state = self.0.lock().expect("unpoisoned");
            let Question { verify_url, secret, response, .. } = question;
            state.asked.push([verify_url, secret, response].map(str::to_owned));
            let answer = state.next.pop_front().unwrap_or(Some(true));
            answer.ok_or_else(|| CaptchaUnavailable::new("a test asked for it"))
        })
    }
}
