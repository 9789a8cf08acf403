//! The second factor: time-based one-time passwords (RFC 6238) as Google Authenticator makes them, and
//! the recovery codes that stand in for them.

use crate::email::EmailAddress;
use crate::failure::FieldFault;
use crate::ports::{Entropy, random};
use crate::secret::SecretHash;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use totp_rs::{Algorithm, Builder, Totp};

/// Whose code it is, as the authenticator app shows it.
pub const ISSUER: &str = "Belfry";
/// So many wrong codes in a row lock the factor.
pub const STRIKES: u8 = 3;
/// How many recovery codes come with an enrolment.
pub const RECOVERY_CODES: usize = 10;
/// How long what the server issues lives: the challenge after a right password, the secret shown at
/// enrolment.
pub const CHALLENGE_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// Length of a step in seconds, and steps that a clock may be off either way (RFC 6238, section 5.2).
const STEP: u64 = 30;
const SKEW: u16 = 1;
const DIGITS: u8 = 6;

/// The secret that server and app share: 160 bits. Never printed; stored sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 20]);

/// Bytes that are no seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the seed of a second factor")]
pub struct BadSeed;

impl Seed {
    /// A new one.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(random(entropy))
    }

    /// From its bytes.
    ///
    /// # Errors
    /// [`BadSeed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadSeed> {
        bytes.try_into().map(Self).map_err(|_| BadSeed)
    }

    /// Its bytes, for sealing.
    pub const fn expose(&self) -> &[u8; 20] {
        &self.0
    }

    /// Its text for people who cannot scan: base32 (RFC 4648, section 6), 32 characters.
    pub fn expose_text(&self) -> String {
        totp_rs::Secret::from(self.0).to_base32()
    }

    /// The `otpauth` URI that apps read. It holds the address and the issuer, and nothing else.
    ///
    /// # Errors
    /// [`BadSeed`] for an address that no app can show.
    pub fn otpauth_uri(&self, account: &EmailAddress) -> Result<String, BadSeed> {
        let totp = self.totp(Some(account)).ok_or(BadSeed)?;
        totp.to_url().map_err(|_| BadSeed)
    }

    /// The step whose code this is: now, or one step either side. None for a wrong code.
    pub fn step_of(&self, code: &Code, now: Timestamp) -> Option<u64> {
        let seconds = u64::try_from(now.as_second()).ok()?;
        self.totp(None)?.check(&code.0, seconds)
    }

    fn totp(&self, account: Option<&EmailAddress>) -> Option<Totp> {
        let builder = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(SKEW)
            .with_step_duration(STEP)
            .with_secret(self.0);
        let builder = match account {
            Some(account) => builder.with_issuer(Some(ISSUER)).with_account_name(account.as_str()),
            None => builder,
        };
        builder.build().ok()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Six digits, as an app shows them. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code has {0}")]
pub struct BadCode(&'static str);

impl FieldFault for BadCode {}

impl FromStr for Code {
    type Err = BadCode;
    fn from_str(text: &str) -> Result<Self, BadCode> {
        // Apps show the digits in two groups.
        let digits: String = text.chars().take(16).filter(|c| *c != ' ').collect();
        let fits =
            digits.len() == usize::from(DIGITS) && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(Self(digits)).ok_or(BadCode("6 digits"))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// A recovery code: 80 random bits, used once. Never printed; stored as its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([u8; 10]);

impl RecoveryCode {
    /// A set of new ones.
    pub fn set(entropy: &dyn Entropy) -> [Self; RECOVERY_CODES] {
        std::array::from_fn(|_| Self(random(entropy)))
    }

    /// Its text for its owner: base32 in four groups, `abcd-efgh-ijkl-mnop`.
    pub fn expose_text(&self) -> String {
        let text = totp_rs::Secret::from(self.0.to_vec()).to_base32().to_ascii_lowercase();
        let mut grouped = String::with_capacity(19);
        for (place, c) in text.chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                grouped.push('-');
            }
            grouped.push(c);
        }
        grouped
    }

    /// What may be stored. Nobody can try 2^80 inputs, so neither salt nor slowness is needed.
    pub fn hash(&self) -> SecretHash {
        SecretHash::digest(&self.0)
    }
}

impl FromStr for RecoveryCode {
    type Err = BadCode;
    fn from_str(text: &str) -> Result<Self, BadCode> {
        let error = BadCode("16 letters and digits in four groups");
        let text: String = text.chars().take(64).filter(|c| !matches!(c, '-' | ' ')).collect();
        // The decoder passes over what is left of a byte.
        if text.len() != 16 {
            return Err(error);
        }
        let bytes =
            totp_rs::Secret::try_from_base32(text.to_ascii_uppercase()).map_err(|_| error)?;
        bytes.as_ref().try_into().map(Self).map_err(|_| error)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

/// A person's enrolled second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The seed, sealed for the person.
    #[serde(with = "serde_bytes")]
    sealed_seed: Vec<u8>,
    /// The latest step whose code was taken: neither it nor an earlier one is taken again.
    last_step: u64,
    /// Wrong codes since the last right one.
    strikes: u8,
    /// The recovery codes that are left.
    recovery: Vec<SecretHash>,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    enrolled_at: Timestamp,
}

/// What a code is worth to a second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let in, once the factor has been written like this.
    Right(SecondFactor),
    /// A right code that was taken before, or an earlier one: refused, not counted as wrong.
    Used,
    /// Counted, once the factor has been written like this; it may be locked by now.
    Wrong(SecondFactor),
    /// No code is looked at.
    Locked,
}

impl SecondFactor {
    /// A newly enrolled one, proven by the code of `step`.
    pub fn enrolled(
        sealed_seed: Vec<u8>,
        step: u64,
        recovery: &[RecoveryCode; RECOVERY_CODES],
        now: Timestamp,
    ) -> Self {
        Self {
            sealed_seed,
            last_step: step,
            strikes: 0,
            recovery: recovery.iter().map(RecoveryCode::hash).collect(),
            enrolled_at: now,
        }
    }

    /// The sealed seed.
    pub fn sealed_seed(&self) -> &[u8] {
        &self.sealed_seed
    }

    /// When it was enrolled; tells it from any other of the same person.
    pub const fn enrolled_at(&self) -> Timestamp {
        self.enrolled_at
    }

    /// Whether too many wrong codes were shown.
    pub const fn is_locked(&self) -> bool {
        self.strikes >= STRIKES
    }

    /// How many recovery codes are left.
    pub const fn recovery_codes_left(&self) -> usize {
        self.recovery.len()
    }

    /// Judges a code by the step it belongs to.
    pub fn judge(&self, step: Option<u64>) -> Verdict {
        match step {
            _ if self.is_locked() => Verdict::Locked,
            Some(step) if step > self.last_step => {
                Verdict::Right(Self { last_step: step, strikes: 0, ..self.clone() })
            }
            Some(_) => Verdict::Used,
            None => {
                Verdict::Wrong(Self { strikes: self.strikes.saturating_add(1), ..self.clone() })
            }
        }
    }

    /// The factor after one of its recovery codes was used up; none when it is not one of them.
    pub fn without(&self, code: &RecoveryCode) -> Option<Self> {
        let used = code.hash();
        let recovery: Vec<_> = self.recovery.iter().copied().filter(|left| *left != used).collect();
        (recovery.len() < self.recovery.len()).then(|| Self { recovery, ..self.clone() })
    }

    /// The factor with other recovery codes.
    #[must_use]
    pub fn with(&self, recovery: &[RecoveryCode; RECOVERY_CODES]) -> Self {
        Self { recovery: recovery.iter().map(RecoveryCode::hash).collect(), ..self.clone() }
    }
}

/// How a person's second factor stands, as memberships show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody requires it.
    Off,
    /// Required; the next log-in enrols.
    Pending,
    /// Each log-in asks for a code.
    Active,
    /// Only a recovery code or a reset helps.
    Locked,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Pending, Self::Active, Self::Locked];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Locked => "locked",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Of a person of whom it is required somewhere or not, and who has enrolled or not.
    pub fn of(required: bool, factor: Option<&SecondFactor>) -> Self {
        match factor {
            _ if !required => Self::Off,
            None => Self::Pending,
            Some(factor) if factor.is_locked() => Self::Locked,
            Some(_) => Self::Active,
        }
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238, appendix B (SHA-1), the last six of its eight digits.
    #[test]
    fn codes_of_the_rfc() {
        let seed = Seed::from_bytes(b"12345678901234567890").unwrap();
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = u64::try_from(second).unwrap() / 30;
            let code: Code = code.parse().unwrap();
            for (off, expected) in
                [(-60, None), (-30, Some(step)), (0, Some(step)), (30, Some(step)), (60, None)]
            {
                assert_eq!(seed.step_of(&code, at(second + off)), expected, "{second} {off}");
            }
        }
    }

    #[test]
    fn forms() {
        let seed = Seed::new(&Bytes(0xab));
        assert_eq!(seed.expose_text().len(), 32);
        let uri = seed.otpauth_uri(&"ann+x@globex.example".parse().unwrap()).unwrap();
        let expected = format!(
            "otpauth://totp/Belfry:ann%2Bx%40globex.example?secret={}&issuer=Belfry",
            seed.expose_text()
        );
        assert_eq!(uri, expected);
        for good in ["123456", "123 456", " 123456 "] {
            assert_eq!(good.parse(), Ok(Code("123456".to_owned())), "{good}");
        }
        let long = "1".repeat(1_000);
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６", "-12345", &long] {
            assert!(bad.parse::<Code>().is_err(), "{bad}");
        }
        let code = RecoveryCode([0x5a; 10]);
        let text = code.expose_text();
        assert_eq!(text.len(), 19);
        for same in [text.clone(), text.to_uppercase(), text.replace('-', " ")] {
            assert_eq!(same.parse(), Ok(code.clone()), "{same}");
        }
        for bad in ["", "abcd", &text[..18], &format!("{text}a"), &text.replace('-', "1")] {
            assert!(bad.parse::<RecoveryCode>().is_err(), "{bad}");
        }
        let shown = format!("{seed:?} {:?} {code:?}", Code(String::new()));
        assert_eq!(shown, "Seed(..) Code(..) RecoveryCode(..)");
    }

    fn enrolled() -> (SecondFactor, [RecoveryCode; RECOVERY_CODES]) {
        let codes = std::array::from_fn(|n| RecoveryCode([u8::try_from(n).unwrap(); 10]));
        (SecondFactor::enrolled(vec![1], 100, &codes, at(0)), codes)
    }

    #[test]
    fn no_step_is_taken_twice_and_three_wrong_codes_lock() {
        let (factor, _) = enrolled();
        // What enrolled it is used up, and so is everything before.
        for step in [0, 99, 100] {
            assert_eq!(factor.judge(Some(step)), Verdict::Used);
        }
        let Verdict::Right(next) = factor.judge(Some(101)) else { panic!("a new step") };
        assert_eq!(next.judge(Some(101)), Verdict::Used);
        let Verdict::Wrong(once) = next.judge(None) else { panic!("wrong") };
        let Verdict::Wrong(twice) = once.judge(None) else { panic!("wrong") };
        assert_eq!(twice.judge(Some(101)), Verdict::Used, "not counted as wrong");
        let Verdict::Right(again) = twice.judge(Some(102)) else { panic!("a new step") };
        assert_eq!(again.strikes, 0);
        let Verdict::Wrong(locked) = twice.judge(None) else { panic!("wrong") };
        assert!(locked.is_locked() && !twice.is_locked());
        for step in [None, Some(101), Some(500)] {
            assert_eq!(locked.judge(step), Verdict::Locked);
        }
    }

    #[test]
    fn a_recovery_code_works_once() {
        let (factor, codes) = enrolled();
        let next = factor.without(&codes[3]).unwrap();
        assert_eq!(next.recovery_codes_left(), 9);
        assert_eq!(next.without(&codes[3]), None);
        assert!(next.without(&codes[4]).is_some());
        assert_eq!(factor.without(&RecoveryCode([0xee; 10])), None);
        let renewed = next.with(&std::array::from_fn(|_| RecoveryCode([0xee; 10])));
        assert_eq!(renewed.without(&codes[4]), None);
    }

    #[test]
    fn states() {
        let (active, _) = enrolled();
        let locked = SecondFactor { strikes: 3, ..active.clone() };
        for (required, factor, expected) in [
            (false, None, State::Off),
            (false, Some(&active), State::Off),
            (true, None, State::Pending),
            (true, Some(&active), State::Active),
            (true, Some(&locked), State::Locked),
        ] {
            assert_eq!(State::of(required, factor), expected);
        }
    }
}
