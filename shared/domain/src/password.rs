//! Passwords: what may be one, and how one is stored.

use crate::failure::{Failure, FailureKind, FieldError};
use crate::ports::{Entropy, random};
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::Score;

/// Fewest characters of a password.
pub const MIN_CHARS: usize = 12;
/// Most characters of a password.
pub const MAX_CHARS: usize = 128;

/// A password as somebody typed it, in NFC so that every keyboard means the same. Never printed.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// What somebody typed.
    pub fn new(typed: &str) -> Self {
        // NFC can lengthen a text; what is far over the limit is no password and needs no work.
        // 16 bytes hold any character of a real one.
        let end = typed.floor_char_boundary(MAX_CHARS * 16 + 1);
        Self(typed.get(..end).unwrap_or_default().nfc().collect())
    }

    /// Every reason why this may not become a password, for the field at `pointer`. `personal` are
    /// the person's and the company's names and the address.
    ///
    /// # Errors
    /// All reasons at once.
    pub fn check(&self, personal: &[&str], pointer: &str) -> Result<(), Vec<FieldError>> {
        let chars = self.0.chars().count();
        let mut reasons = Vec::new();
        let mut refuse = |code, detail: &str| reasons.push(FieldError::new(pointer, code, detail));
        if chars < MIN_CHARS {
            refuse("too_short", "A password has at least 12 characters.");
        }
        if chars > MAX_CHARS {
            refuse("too_long", "A password has at most 128 characters.");
        }
        let lower = self.0.to_lowercase();
        let parts: Vec<String> = personal.iter().flat_map(|text| parts(text)).collect();
        if parts.iter().any(|part| lower.contains(part)) {
            refuse("contains_name", "The password contains your name, address or company.");
        }
        if is_common(&lower) {
            refuse("too_common", "This password is in lists of stolen ones; choose another.");
        }
        let known: Vec<&str> = parts.iter().map(String::as_str).collect();
        if zxcvbn::zxcvbn(&self.0, &known).score() < Score::Three {
            refuse("too_weak", "The password is too easy to guess; add another word or two.");
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Passwords of 12 characters and more that many people use and the estimator lets pass, each as the
/// first four bytes of its SHA-256, sorted; `common-passwords.md` says from where. One in a hundred
/// thousand others is taken for one of them.
const COMMON: &[u8] = include_bytes!("common-passwords.bin");

fn is_common(lower: &str) -> bool {
    let digest = Sha256::digest(lower);
    let (hashes, _) = COMMON.as_chunks::<4>();
    digest.first_chunk::<4>().is_some_and(|hash| hashes.binary_search(hash).is_ok())
}

/// The words of a name that must not be in a password: three letters and more, or two of a script
/// whose names are that short.
fn parts(text: &str) -> Vec<String> {
    let lower = text.nfc().collect::<String>().to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| {
            let chars = part.chars().count();
            chars >= 3 || (chars == 2 && !part.is_ascii())
        })
        .map(str::to_owned)
        .collect()
}

/// A password as it is stored: Argon2id in PHC form. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

/// A stored hash that cannot be read, or hashing failed: a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("something went wrong on our side")]
pub struct HashingFailed(#[source] argon2::password_hash::Error);

impl Failure for HashingFailed {
    fn kind(&self) -> FailureKind {
        FailureKind::Internal
    }
    fn code(&self) -> &'static str {
        "internal"
    }
}

/// Memory in KiB, passes, lanes (OWASP Password Storage Cheat Sheet: 19 MiB, 2, 1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash of no password, with the parameters of today: what is verified for an unknown address,
/// so that it costs what a known one costs. `rehashing` in the tests fails when they drift apart.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes made by this process: a log-in must take as many for nobody as for somebody.
static WORK: AtomicU64 = AtomicU64::new(0);

/// How many hashes this process has made so far.
pub fn work() -> u64 {
    WORK.load(Ordering::Relaxed)
}

fn hasher() -> Result<Argon2<'static>, HashingFailed> {
    WORK.fetch_add(1, Ordering::Relaxed);
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| HashingFailed(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl PasswordHash {
    /// Hashes; takes about 20 ms of one core and 19 MiB.
    ///
    /// # Errors
    /// [`HashingFailed`].
    pub fn of(password: &Password, entropy: &dyn Entropy) -> Result<Self, HashingFailed> {
        let salt: [u8; 16] = random(entropy);
        let hash: Phc = hasher()?
            .hash_password_with_salt(password.0.as_bytes(), &salt)
            .map_err(HashingFailed)?;
        Ok(Self(hash.to_string()))
    }

    /// What stands in where there is no password. Verifying costs the same and always fails.
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// The PHC text, for the table.
    pub fn exposed(&self) -> &str {
        &self.0
    }

    /// Whether this is the hash of `password`; takes as long as hashing.
    ///
    /// # Errors
    /// [`HashingFailed`] when the stored text is damaged.
    pub fn is_of(&self, password: &Password) -> Result<bool, HashingFailed> {
        let hash = Phc::new(&self.0).map_err(|error| HashingFailed(error.into()))?;
        match hasher()?.verify_password(password.0.as_bytes(), &hash) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(HashingFailed(error)),
        }
    }

    /// Whether it was made with other parameters than today's, and the next log-in, which knows the
    /// password, shall hash it again.
    pub fn is_outdated(&self) -> bool {
        !self.0.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    fn codes(password: &str, personal: &[&str]) -> Vec<&'static str> {
        match Password::new(password).check(personal, "/password") {
            Ok(()) => Vec::new(),
            Err(reasons) => reasons.into_iter().map(|reason| reason.code).collect(),
        }
    }

    #[test]
    fn every_reason_at_once() {
        let personal = ["Ann", "Lindqvist", "Globex Corporation", "a.lindqvist", "山田", "Bo"];
        for (password, expected) in [
            ("orbit-mustard-ninety-kelp", &[] as &[_]),
            ("Zufällig gewählte Wörter", &[]),
            ("", &["too_short", "too_weak"]),
            ("password1234", &["too_weak"]),
            ("aaaaaaaaaaaaaaaaaaaa", &["too_weak"]),
            ("Tr0ub4dor&3", &["too_short"]),
            ("mustard-LINDQVIST-kelp-orbit", &["contains_name"]),
            ("mustard-globex-kelp-orbit", &["contains_name"]),
            ("mustard-kelp-orbit-山田", &["contains_name"]),
            ("LockingServi", &["too_common"]),
            ("love777321777", &["too_common"]),
            // Two Latin letters are in every other word.
            ("bootleg-mustard-ninety-kelp", &[]),
            ("annannannann", &["contains_name", "too_weak"]),
        ] {
            assert_eq!(codes(password, &personal), expected, "{password}");
        }
        let word = "orbit mustard ninety kelp ";
        assert_eq!(codes(&word.repeat(5)[..128], &personal), [] as [&str; 0]);
        assert_eq!(codes(&word.repeat(5)[..129], &personal), ["too_long"]);
        assert!(codes(&word.repeat(50_000), &personal).contains(&"too_long"));
    }

    #[test]
    fn common_ones_are_sorted_hashes() {
        let (hashes, rest) = COMMON.as_chunks::<4>();
        assert!(hashes.len() > 30_000 && rest.is_empty());
        assert!(hashes.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn composed_and_decomposed_are_one_password() {
        let hash = PasswordHash::of(&Password::new("Zufa\u{308}llig"), &Bytes(1)).unwrap();
        assert_eq!(hash.is_of(&Password::new("Zuf\u{e4}llig")), Ok(true));
        assert_eq!(hash.is_of(&Password::new("Zufallig")), Ok(false));
    }

    #[test]
    fn rehashing() {
        let hash = PasswordHash::of(&Password::new("x"), &Bytes(1)).unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(!hash.is_outdated());
        assert!(!PasswordHash::nobody().is_outdated());
        assert_eq!(PasswordHash::nobody().0.len(), hash.0.len());
        let old = PasswordHash(hash.0.replace("m=19456", "m=12288"));
        assert!(old.is_outdated());
    }

    #[test]
    fn nobody_has_no_password_and_damage_is_no_wrong_password() {
        assert_eq!(PasswordHash::nobody().is_of(&Password::new("")), Ok(false));
        assert!(PasswordHash("garbage".to_owned()).is_of(&Password::new("")).is_err());
        let shown = format!("{:?} {:?}", Password::new("s3cret"), PasswordHash::nobody());
        assert_eq!(shown, "Password(..) PasswordHash(..)");
    }
}
