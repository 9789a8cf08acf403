//! Throttles: how often somebody may try what an attacker would try.
//!
//! A try is counted before it is made, so that many at once cannot slip through; a log-in that
//! succeeds gives its count back.

use crate::failure::{Failure, FailureKind, RateLimit};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many tries in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name, in keys and in the `RateLimit-Policy` header.
    pub name: &'static str,
    limit: u32,
    window: SignedDuration,
    after: After,
}

/// What follows the last try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Nothing until the window ends.
    Wait,
    /// One more after a pause that doubles with each: nobody is locked out for good.
    Slower,
}

/// The first pause of [`After::Slower`]; the longest is the rule's window.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(15);

/// Wrong passwords of one account.
pub const PASSWORD_OF_ACCOUNT: Rule = Rule {
    name: "password-account",
    limit: 10,
    window: SignedDuration::from_mins(15),
    after: After::Slower,
};
/// Wrong passwords from one address.
pub const PASSWORD_FROM_SOURCE: Rule = Rule {
    name: "password-source",
    limit: 100,
    window: SignedDuration::from_mins(10),
    after: After::Wait,
};
/// Recovery codes of one person.
pub const RECOVERY_CODE: Rule = Rule {
    name: "recovery-code",
    limit: 5,
    window: SignedDuration::from_hours(1),
    after: After::Wait,
};
/// Mails by which one company asks a person to agree to a reset of the second factor.
pub const RESET_OFFER: Rule = Rule {
    name: "two-factor-reset",
    limit: 3,
    window: SignedDuration::from_hours(1),
    after: After::Wait,
};
/// Invitations of one company in a day, to whomever.
pub const INVITATIONS: Rule = Rule {
    name: "invitations",
    limit: 3_000,
    window: SignedDuration::from_hours(24),
    after: After::Wait,
};
/// Invitations of one company to one address; counted apart from what anybody can have sent there, so
/// that neither a stranger nor another company can keep somebody from being invited.
pub const INVITATION: Rule = Rule {
    name: "invitation",
    limit: 3,
    window: SignedDuration::from_hours(1),
    after: After::Wait,
};
/// Imports of one company.
pub const IMPORTS: Rule =
    Rule { name: "imports", limit: 60, window: SignedDuration::from_hours(1), after: After::Wait };
/// Mails that anybody can have sent to one address.
pub const MAIL_TO_RECIPIENT: Rule = Rule {
    name: "mail-recipient",
    limit: 3,
    window: SignedDuration::from_hours(1),
    after: After::Wait,
};
/// The same, asked for from one address.
pub const MAIL_FROM_SOURCE: Rule = Rule {
    name: "mail-source",
    limit: 10,
    window: SignedDuration::from_hours(1),
    after: After::Wait,
};

/// Activation keys of one tenant that are not accepted.
pub const ACTIVATION_KEY: Rule = Rule {
    name: "activation-key",
    limit: 5,
    window: SignedDuration::from_hours(1),
    after: After::Wait,
};

/// Connections that one company has tried out, whatever settings it gave: they could scan others.
pub const CONNECTION: Rule = Rule {
    name: "connection",
    limit: 30,
    window: SignedDuration::from_mins(10),
    after: After::Wait,
};

/// Tickets of one user.
pub const TICKET: Rule =
    Rule { name: "ticket", limit: 10, window: SignedDuration::from_hours(1), after: After::Wait };

/// The tries of one subject under one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// How many.
    pub count: u32,
    /// When the first was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    started_at: Timestamp,
    /// When the last was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    last_at: Timestamp,
}

/// One try too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries; wait {retry_after} seconds and try again")]
pub struct Throttled {
    rule: Rule,
    retry_after: u32,
}

impl Failure for Throttled {
    fn kind(&self) -> FailureKind {
        FailureKind::Throttled { retry_after: self.retry_after }
    }
    fn code(&self) -> &'static str {
        "throttled"
    }
    fn rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit {
            policy: self.rule.name,
            quota: self.rule.limit,
            window: u32::try_from(self.rule.window.as_secs()).unwrap_or(u32::MAX),
        })
    }
}

impl Rule {
    /// The tries with one more, at `now`.
    ///
    /// # Errors
    /// [`Throttled`].
    pub fn one_more(&self, seen: Option<&Tries>, now: Timestamp) -> Result<Tries, Throttled> {
        self.more(seen, 1, now)
    }

    /// The tries with so many more at once, at `now`: the last of them may go over the limit.
    ///
    /// # Errors
    /// [`Throttled`].
    pub fn more(
        &self,
        seen: Option<&Tries>,
        tries: u32,
        now: Timestamp,
    ) -> Result<Tries, Throttled> {
        let first = Tries { count: tries, started_at: now, last_at: now };
        let Some(seen) = seen else { return Ok(first) };
        let end = match self.after {
            After::Wait => seen.started_at + self.window,
            // While somebody goes on, so does the count.
            After::Slower => seen.last_at + self.window,
        };
        if now >= end {
            return Ok(first);
        }
        let more = Tries { count: seen.count.saturating_add(tries), last_at: now, ..seen.clone() };
        let Some(over) = seen.count.checked_sub(self.limit) else { return Ok(more) };
        let free_at = match self.after {
            After::Wait => end,
            After::Slower => end.min(seen.last_at + pause(over)),
        };
        if now >= free_at { Ok(more) } else { Err(self.throttled(free_at, now)) }
    }

    /// When tries may be forgotten.
    pub fn forget_at(&self, tries: &Tries) -> Timestamp {
        tries.last_at + self.window
    }

    /// Refused because too many try at the same moment.
    pub const fn crowded(&self) -> Throttled {
        Throttled { rule: *self, retry_after: 1 }
    }

    fn throttled(&self, free_at: Timestamp, now: Timestamp) -> Throttled {
        // Rounded up: who comes at the named second is let in.
        let wait = free_at.duration_since(now) + SignedDuration::from_millis(999);
        Throttled { rule: *self, retry_after: u32::try_from(wait.as_secs()).unwrap_or(1).max(1) }
    }
}

fn pause(over: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(over).filter(|factor| *factor > 0).unwrap_or(i32::MAX);
    FIRST_PAUSE
        .checked_mul(factor)
        .unwrap_or(SignedDuration::MAX)
        .min(SignedDuration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Tries at these seconds: what each was told, 0 for "go on".
    fn told(rule: Rule, seconds: &[i64]) -> Vec<u32> {
        let mut tries = None;
        let one = |second: &i64| match rule.one_more(tries.as_ref(), at(*second)) {
            Ok(more) => {
                tries = Some(more);
                0
            }
            Err(throttled) => throttled.retry_after,
        };
        seconds.iter().map(one).collect()
    }

    #[test]
    fn a_window_lets_so_many_through_and_then_none_until_it_ends() {
        let expected = [0, 0, 0, 3_597, 1, 0, 0, 0, 3_599];
        assert_eq!(
            told(MAIL_TO_RECIPIENT, &[0, 1, 2, 3, 3_599, 3_600, 3_600, 3_600, 3_601]),
            expected
        );
        let mut many = told(PASSWORD_FROM_SOURCE, &[7; 101]);
        assert_eq!(many.pop(), Some(600));
        assert!(many.iter().all(|told| *told == 0));
    }

    #[test]
    fn an_account_gets_slower_and_never_stops() {
        let mut seconds = vec![0; 10];
        seconds.extend([0, 15, 15, 44, 45, 45, 104, 105]);
        let expected = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0, 30, 1, 0, 60, 1, 0];
        assert_eq!(told(PASSWORD_OF_ACCOUNT, &seconds), expected);
        // The longest pause is the window; then the count begins anew.
        let worn = Tries { count: 90, started_at: at(0), last_at: at(0) };
        assert!(PASSWORD_OF_ACCOUNT.one_more(Some(&worn), at(899)).is_err());
        assert_eq!(PASSWORD_OF_ACCOUNT.one_more(Some(&worn), at(900)).unwrap().count, 1);
        let most = Tries { count: u32::MAX, ..worn };
        assert!(PASSWORD_OF_ACCOUNT.one_more(Some(&most), at(899)).is_err());
    }
}
