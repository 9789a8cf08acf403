//! Top lists of one stream and day: exact up to 128 names, beyond that a Space-Saving summary
//! (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements, 2005).

use crate::product::Product;
use crate::telemetry::Damaged;
use crate::telemetry::event::Happening;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names kept for a day.
pub const MOST_NAMES: usize = 128;
/// Days a list is kept: it is shown for today and the six days before.
pub const KEPT_DAYS: i32 = 8;

/// The three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum List {
    /// Classifiers of personal data, by matches.
    Classifiers,
    /// Applications to which access was blocked.
    BlockedApplications,
    /// Users whose access was blocked.
    BlockedUsers,
}

impl List {
    /// All lists.
    pub const ALL: [Self; 3] = [Self::Classifiers, Self::BlockedApplications, Self::BlockedUsers];

    /// The name used in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classifiers => "CLASSIFIER",
            Self::BlockedApplications => "APPLICATION",
            Self::BlockedUsers => "USER",
        }
    }

    /// The product that fills it.
    pub const fn product(self) -> Product {
        match self {
            Self::Classifiers => Product::DataPrivacy,
            Self::BlockedApplications | Self::BlockedUsers => Product::Ztna,
        }
    }

    /// What an event adds to the lists: at most two names, each with a weight.
    pub fn entries(happening: &Happening) -> impl Iterator<Item = (Self, &str, u64)> {
        let (first, second) = match happening {
            Happening::ClassifierMatched { classifier, count, .. } => {
                (Some((Self::Classifiers, classifier.as_str(), u64::from(*count))), None)
            }
            Happening::AccessBlocked { application, user } => (
                Some((Self::BlockedApplications, application.as_str(), 1)),
                Some((Self::BlockedUsers, user.as_str(), 1)),
            ),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// One list of one stream and day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopList {
    counts: BTreeMap<String, u64>,
    /// Whether a name was ever pushed out.
    overflowed: bool,
}

impl TopList {
    /// Adds counts. The order of the names is theirs, so the result depends on nothing else.
    pub fn add(&mut self, counts: &BTreeMap<String, u64>) {
        for (name, count) in counts {
            if let Some(known) = self.counts.get_mut(name) {
                *known += count;
            } else if self.counts.len() < MOST_NAMES {
                self.counts.insert(name.clone(), *count);
            } else {
                // The newcomer takes the place, and the count, of the least.
                let least = self.least();
                if let Some((evicted, floor)) = least {
                    self.counts.remove(&evicted);
                    self.counts.insert(name.clone(), floor + count);
                    self.overflowed = true;
                }
            }
        }
    }

    fn least(&self) -> Option<(String, u64)> {
        let (name, count) = self.counts.iter().min_by_key(|(name, count)| (**count, *name))?;
        Some((name.clone(), *count))
    }

    /// The counts.
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// How much a count may be too high, or a missing name may have had: 0 when exact.
    pub fn error(&self) -> u64 {
        if self.overflowed { self.least().map_or(0, |(_, floor)| floor) } else { 0 }
    }

    /// Compact bytes.
    ///
    /// # Errors
    /// [`Damaged`] when it does not encode, which is a fault of ours.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Damaged> {
        postcard::to_allocvec(self).map_err(|e| Damaged::new("top list", e))
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        postcard::from_bytes(bytes).map_err(|e| Damaged::new("top list", e))
    }
}
