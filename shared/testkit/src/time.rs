//! A clock and random numbers that a test decides.

use belfry_domain::ports::{Clock, Entropy};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};

/// A clock that stands still until it is told otherwise. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<Mutex<Timestamp>>);

impl FakeClock {
    /// A clock at `start`, in RFC 3339 (`2026-11-22T12:00:00Z`).
    pub fn at(start: &str) -> Self {
        Self(Arc::new(Mutex::new(start.parse().expect("an RFC 3339 time"))))
    }

    /// Sets the time.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }

    /// Goes on by so much; backwards when negative.
    pub fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Random bytes that are the same for the same seed and the same order of calls (`SplitMix64`).
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// The next number of the sequence.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use belfry_domain::ports::random;

    #[test]
    fn the_clock_stands_still_until_told() {
        let clock = FakeClock::at("2026-11-22T12:00:00Z");
        assert_eq!(clock.now(), clock.now());
        clock.clone().advance(SignedDuration::from_hours(-13));
        assert_eq!(clock.now().to_string(), "2026-11-21T23:00:00Z");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let (first, second) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let bytes: [u8; 11] = random(&first);
        assert_eq!(bytes, random(&second));
        assert_ne!(bytes, random::<11>(&first), "it goes on");
        assert_ne!(bytes, random::<11>(&SeededEntropy::new(8)));
        assert!((0..1_000).all(|_| first.below(3) < 3));
    }
}
