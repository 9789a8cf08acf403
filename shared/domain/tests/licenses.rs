//! Licences walked by a clock: what they are told of, and what an activation key does in every state.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::id::ActivationKeyId;
use belfry_domain::license::activation_key::{ActivationKey, Purpose};
use belfry_domain::license::watch::Notice;
use belfry_domain::license::{License, LicenseKind, Terms, Unfit};
use belfry_domain::ports::Entropy;
use belfry_domain::product::Product;
use belfry_domain::telemetry::stream::Partitions;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

struct Ones;
impl Entropy for Ones {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0xff);
    }
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 3_600 * hour).unwrap()
}

fn license(kind: LicenseKind, seats: u32, term_days: u32) -> License {
    let (product, edition) = (Product::Epp, "Advance".parse().unwrap());
    let partitions = Partitions::ONE;
    License::new(Terms { product, edition, kind, seats, term_days, partitions }, at(0), &Ones)
}

fn key(purpose: Purpose, seats: u32, term_days: u32) -> ActivationKey {
    ActivationKey {
        id: ActivationKeyId::new(at(0), &Ones),
        purpose,
        product: Product::Epp,
        edition: "Total".parse().unwrap(),
        seats,
        term_days,
        not_after: at(24 * 4_000),
        key_id: String::new(),
    }
}

/// Looks whenever the licence asks for it, for so many hours; what was told, at which hour.
fn walk(
    mut license: License,
    hours: i64,
    used: impl Fn(i64) -> u64,
) -> (License, Vec<(i64, Notice)>) {
    let mut told = Vec::new();
    for hour in 0..hours {
        if license.look_at.is_some_and(|look_at| look_at <= at(hour)) {
            let look = license.look(used(hour), at(hour));
            told.extend(look.tell.into_iter().map(|notice| (hour, notice)));
            license = look.after;
        }
    }
    (license, told)
}

const DAY: i64 = 24;

#[test]
fn the_end_is_told_four_times_each_at_its_hour() {
    use Notice::{Days1, Days7, Days30, Ended};
    let (license, told) = walk(license(LicenseKind::Commercial, 10, 365), 500 * DAY, |_| 0);
    let expected = [335, 358, 364, 365].map(|day| day * DAY);
    let notices = [Days30, Days7, Days1, Ended];
    assert_eq!(told, expected.into_iter().zip(notices).collect::<Vec<_>>());
    assert_eq!(license.look_at, None, "nothing is left to be told");
}

#[test]
fn a_trial_of_thirty_days_is_not_told_on_its_first_that_it_has_thirty() {
    let (_, told) = walk(license(LicenseKind::Trial, 10, 30), 100 * DAY, |_| 0);
    let hours: Vec<_> = told.iter().map(|(hour, _)| hour / DAY).collect();
    assert_eq!(hours, [23, 29, 30]);
    let (_, told) = walk(license(LicenseKind::Trial, 10, 5), 100 * DAY, |_| 0);
    assert_eq!(told.len(), 2, "one day ahead, and the end: {told:?}");
}

#[test]
fn what_was_missed_is_told_once_as_it_is_by_then() {
    let license = license(LicenseKind::Commercial, 10, 365);
    let late = license.look(0, at(364 * DAY + 1));
    assert_eq!(late.tell, [Notice::Days1], "not that 30 and 7 days are left");
    assert_eq!(late.after.look(0, at(364 * DAY + 2)).tell, []);
    let over = license.look(0, at(400 * DAY));
    assert_eq!((over.tell, over.after.look_at), (vec![Notice::Ended], None));
}

#[test]
fn seats_are_told_at_ninety_and_at_a_hundred_percent_once_each() {
    use Notice::{Seats90, Seats100};
    // Up and down: 89, 90, 95, 100, 120, back to 50 and to 100 again.
    let used = |hour: i64| match hour / 48 {
        0 => 89,
        1 => 90,
        2 => 95,
        3 | 6.. => 100,
        4 => 120,
        5 => 50,
        _ => 0,
    };
    let (license, told) = walk(license(LicenseKind::Commercial, 100, 365), 20 * DAY, used);
    let notices: Vec<_> = told.iter().map(|(_, notice)| *notice).collect();
    assert_eq!(notices, [Seats90, Seats100], "{told:?}");
    assert!(told.iter().all(|(hour, _)| hour % 48 <= 1), "within an hour: {told:?}");
    // Other seats are told of anew; another end is not.
    let more = license.with_seats(110, at(20 * DAY)).unwrap();
    assert_eq!(more.look(100, at(20 * DAY)).tell, [Seats90]);
    let again = license.activated(&key(Purpose::Extend, 0, 10), at(20 * DAY)).unwrap();
    assert_eq!(again.look(100, at(20 * DAY)).tell, []);
    assert!(license.is_over(101) && !license.is_over(100));
}

#[test]
fn another_term_is_told_of_anew() {
    let (license, _) = walk(license(LicenseKind::Commercial, 10, 365), 359 * DAY, |_| 0);
    let renewed = license.activated(&key(Purpose::Renew, 10, 365), at(359 * DAY)).unwrap();
    assert_eq!(renewed.notices, []);
    let (_, told) = walk(renewed, 800 * DAY, |_| 0);
    let days: Vec<_> = told.iter().map(|(hour, _)| hour / DAY).collect();
    assert_eq!(days, [700, 723, 729, 730]);
}

#[test]
fn every_purpose_in_every_state() {
    use Unfit::{Ended, NoTrial, Revoked, StillTrial};
    let ok = None;
    for (kind, day, revoked, convert, renew, extend) in [
        (LicenseKind::Trial, 1, false, ok, Some(StillTrial), Some(StillTrial)),
        (LicenseKind::Trial, 99, false, ok, Some(StillTrial), Some(StillTrial)),
        (LicenseKind::Commercial, 1, false, Some(NoTrial), ok, ok),
        (LicenseKind::Commercial, 44, false, Some(NoTrial), ok, ok),
        (LicenseKind::Commercial, 45, false, Some(NoTrial), ok, Some(Ended)),
        (LicenseKind::Trial, 1, true, Some(Revoked), Some(Revoked), Some(Revoked)),
        (LicenseKind::Commercial, 1, true, Some(Revoked), Some(Revoked), Some(Revoked)),
    ] {
        let license = license(kind, 10, 30).withdrawn(revoked, at(0));
        for (purpose, expected) in
            [(Purpose::Convert, convert), (Purpose::Renew, renew), (Purpose::Extend, extend)]
        {
            let done = license.activated(&key(purpose, 5, 5), at(day * DAY));
            assert_eq!(done.as_ref().err().copied(), expected, "{kind:?} day {day} {purpose:?}");
            if let Ok(after) = done {
                assert_eq!(
                    (after.kind, after.product_key),
                    (LicenseKind::Commercial, license.product_key)
                );
                assert_eq!(
                    (after.version, after.look_at),
                    (license.version + 1, Some(at(day * DAY)))
                );
            }
        }
    }
    let other = ActivationKey { product: Product::Emm, ..key(Purpose::Convert, 1, 1) };
    let old = ActivationKey { not_after: at(1), ..key(Purpose::Convert, 1, 1) };
    for key in [other, old] {
        assert_eq!(license(LicenseKind::Trial, 1, 30).activated(&key, at(1)), Err(Unfit::Foreign));
    }
}

#[test]
fn a_renewal_after_the_grace_begins_anew_and_within_it_goes_on() {
    let license = license(LicenseKind::Commercial, 10, 30);
    for (day, starts, ends) in [(10, 0, 60), (44, 0, 60), (45, 45, 75), (90, 90, 120)] {
        let after = license.activated(&key(Purpose::Renew, 7, 30), at(day * DAY)).unwrap();
        assert_eq!((after.starts_at, after.ends_at), (at(starts * DAY), at(ends * DAY)), "{day}");
    }
    let short = license.activated(&key(Purpose::Renew, 7, 14), at(44 * DAY)).unwrap();
    assert_eq!((short.starts_at, short.ends_at), (at(44 * DAY), at(58 * DAY)), "not in the past");
    let seats = license.activated(&key(Purpose::Extend, 7, 0), at(44 * DAY)).unwrap();
    assert_eq!((seats.seats, seats.ends_at), (17, at(30 * DAY)), "seats alone end with the rest");
}

#[test]
fn the_vendors_changes() {
    let trial = license(LicenseKind::Trial, 10, 30);
    let longer = trial.trial_extended(14, at(40 * DAY)).unwrap();
    assert_eq!(longer.ends_at, at(54 * DAY), "from now on, when it is over");
    assert_eq!(trial.trial_extended(14, at(0)).unwrap().ends_at, at(44 * DAY));
    let bought = license(LicenseKind::Commercial, 10, 30);
    assert_eq!(bought.trial_extended(14, at(0)), Err(Unfit::NoTrial));
    assert_eq!(bought.with_seats(10, at(0)), Err(Unfit::Same));
    assert_eq!(bought.upgraded("Advance".parse().unwrap(), at(0)), Err(Unfit::Same));
    let gone = bought.withdrawn(true, at(DAY));
    assert_eq!((gone.accepted_until(), gone.look(0, at(DAY)).tell), (at(DAY), vec![]));
    assert_eq!(gone.with_seats(20, at(DAY)), Err(Unfit::Revoked));
    assert_eq!(gone.withdrawn(true, at(2 * DAY)), gone, "once is enough");
    let back = gone.withdrawn(false, at(2 * DAY));
    assert_eq!((back.accepted_until(), back.history.len()), (bought.accepted_until(), 3));
}

#[test]
fn a_history_forgets_its_oldest_lines() {
    let mut license = license(LicenseKind::Commercial, 1, 30);
    for seats in 2..80 {
        license = license.with_seats(seats, at(i64::from(seats))).unwrap();
    }
    let seats: Vec<_> = license.history.iter().map(|line| line.seats).collect();
    assert_eq!((seats.len(), seats.first(), seats.last()), (50, Some(&30), Some(&79)));
}

proptest! {
    /// However often it is looked at and whatever happens to it in between, nothing is told twice of one
    /// end or one number of seats, and nothing is told too early.
    #[test]
    fn nothing_is_told_twice_or_early(
        steps in prop::collection::vec((1i64..900, 0u64..130, 0u8..8), 1..60),
    ) {
        let mut license = license(LicenseKind::Commercial, 100, 365);
        let (mut hour, mut told) = (0, Vec::new());
        for (pause, used, what) in steps {
            hour += pause;
            let now = at(hour);
            let changed = match what {
                0 => license.activated(&key(Purpose::Extend, 10, 0), now),
                1 => license.activated(&key(Purpose::Extend, 0, 20), now),
                2 => license.activated(&key(Purpose::Renew, 100, 60), now),
                _ => Ok(license.clone()),
            };
            license = changed.unwrap_or(license);
            let look = license.look(used, now);
            for notice in look.tell {
                let early = match notice {
                    Notice::Days30 => license.ends_at.duration_since(now) > SignedDuration::from_hours(30 * DAY),
                    Notice::Days7 => license.ends_at.duration_since(now) > SignedDuration::from_hours(7 * DAY),
                    Notice::Days1 => license.ends_at.duration_since(now) > SignedDuration::from_hours(DAY),
                    Notice::Ended => now < license.ends_at,
                    Notice::Seats90 => used * 100 < u64::from(license.seats) * 90,
                    Notice::Seats100 => used < u64::from(license.seats),
                };
                prop_assert!(!early, "{notice:?} at {hour}");
                // A change makes it another licence to be told of, even when it comes back to the same.
                let of = (license.history.len(), notice);
                prop_assert!(!told.contains(&of), "{of:?} twice");
                told.push(of);
            }
            license = look.after;
        }
    }
}
