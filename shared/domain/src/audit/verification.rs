//! Verification of a trail as the table holds it, trusting none of it: from an anchor on, every
//! record must be there, chained, numbered without a gap, and lead to the stored end.
//!
//! Records are dropped when they are over their time, in no certain order. What must still be there
//! is decided by what lies before it: after an anchor that is young enough, everything.

use super::{Broken, Head, KEPT, Record, chained};
use crate::id::TenantId;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Records that one call looks at.
pub const MOST_RECORDS: u64 = 5_000;

/// Whose trail it is.
#[derive(Debug, Clone, Copy)]
pub struct Trail {
    /// Whose.
    pub tenant: TenantId,
    /// When the tenant was made: no record is older.
    pub since: Timestamp,
    /// The moment of the verification.
    pub now: Timestamp,
}

/// A record as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The number in its key; none when it is no number.
    pub key: Option<u64>,
    /// Its text.
    pub text: String,
    /// Its hash; none when the item cannot be read.
    pub hash: Option<[u8; 32]>,
    /// The erasable part under the same number.
    pub personal: Option<String>,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The first record that was checked.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// How many.
    pub checked: u64,
    /// The first number that is not as it must be; none when all is whole.
    pub broken_at: Option<u64>,
    /// The stored end of the chain.
    pub head: Head,
    /// Where to go on, when there is more than one call looks at.
    pub next_from: Option<u64>,
}

/// A walk along the chain.
#[derive(Debug, Clone)]
pub struct Walk {
    trail: Trail,
    anchors: BTreeMap<u64, Head>,
    /// The record after this number, and all that follow, must be there.
    due_after: Option<u64>,
    /// Whether nothing may be missing any more.
    strict: bool,
    from: u64,
    checked: u64,
    head: Head,
}

impl Walk {
    /// Starts at the greatest anchor below `from`; without it, at the oldest one after which
    /// everything must be there. The genesis is an anchor too. `anchors` are those of the table by
    /// the number in their key; one that cannot be read is none.
    ///
    /// # Errors
    /// [`Broken`] at the number of an anchor that is none.
    pub fn begin(
        trail: Trail,
        anchors: impl IntoIterator<Item = (u64, Option<Head>)>,
        from: Option<u64>,
    ) -> Result<Self, Broken> {
        let genesis = Head { at: trail.since, ..Head::EMPTY };
        let mut known = BTreeMap::from([(0, genesis.clone())]);
        for (sequence, anchor) in anchors {
            let anchor = anchor.filter(|anchor| anchor.sequence == sequence && anchor.is_anchor());
            known.insert(sequence, anchor.ok_or(Broken(sequence))?);
        }
        let due = known.values().find(|anchor| anchor.binds(trail.now));
        let start = match (from, due) {
            (Some(from), _) => known.range(..from.max(1)).next_back().map(|(_, anchor)| anchor),
            (None, Some(due)) => Some(due),
            (None, None) => known.values().next_back(),
        };
        let head = start.unwrap_or(&genesis).clone();
        Ok(Self {
            trail,
            due_after: due.map(|anchor| anchor.sequence),
            strict: head.binds(trail.now),
            from: head.sequence.saturating_add(1),
            checked: 0,
            head,
            anchors: known,
        })
    }

    /// The last record so far, or the anchor before the first.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// How many records were checked.
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// The next record. The anchor's own, when it is still there, may come first.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn step(&mut self, stored: &StoredRecord) -> Result<(), Broken> {
        let expected = self.head.sequence.saturating_add(1);
        let sequence = stored.key.ok_or(Broken(expected))?;
        let first = self.checked == 0 && self.from == expected;
        if first && sequence > 0 && sequence == self.head.sequence {
            let (_, head) = self.read(stored, sequence)?;
            return if head == self.head { Ok(()) } else { Err(Broken(sequence)) };
        }
        let skipped = sequence != expected;
        if skipped && (sequence < expected || !self.may_be_gone(sequence)) {
            return Err(Broken(self.missing(expected)));
        }
        let (record, head) = self.read(stored, sequence)?;
        if skipped {
            // What is before is over its time: this one's hash has to be believed.
            self.from = sequence.saturating_add(1);
            self.checked = 0;
        } else if chained(&self.head.hash, &stored.text) != head.hash {
            return Err(Broken(sequence));
        } else {
            self.checked = self.checked.saturating_add(1);
        }
        // An anchor outlives its record.
        if head.is_anchor() && self.anchors.get(&sequence) != Some(&head) {
            return Err(Broken(sequence));
        }
        self.strict |= self.trail.now.duration_since(record.at) < KEPT;
        self.head = head;
        Ok(())
    }

    fn read(&self, stored: &StoredRecord, sequence: u64) -> Result<(Record, Head), Broken> {
        let record: Option<Record> = serde_json::from_str(&stored.text).ok();
        let fits = |record: &Record| {
            record.sequence == sequence
                && record.tenant == self.trail.tenant
                && record.fits(stored.personal.as_deref())
        };
        let (record, hash) = record.filter(fits).zip(stored.hash).ok_or(Broken(sequence))?;
        let head = Head { sequence, hash, at: record.at };
        Ok((record, head))
    }

    /// Whether all records before `next` may be over their time.
    fn may_be_gone(&self, next: u64) -> bool {
        let due = self.due_after.map(|due| due.saturating_add(1));
        !self.strict && due.is_none_or(|due| next <= due)
    }

    /// The first number that had to be there and is not.
    fn missing(&self, expected: u64) -> u64 {
        let due = self.due_after.filter(|_| !self.strict).unwrap_or(0);
        expected.max(due.saturating_add(1))
    }

    /// Ends the walk at the chain's stored end, or before it at `to`; `more` when it had to stop
    /// earlier.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn end(&self, stored: &Head, to: Option<u64>, more: bool) -> Result<Verification, Broken> {
        let last = to.map_or(stored.sequence, |to| to.min(stored.sequence));
        let reached = self.head.sequence;
        let next = reached.saturating_add(1);
        if more && reached < last {
            let next_from = Some(next);
            return Ok(Verification { next_from, ..self.so_far(stored) });
        }
        if reached > stored.sequence {
            return Err(Broken(stored.sequence.saturating_add(1)));
        }
        if reached < last {
            let late = last == stored.sequence && stored.binds(self.trail.now);
            if late || !self.may_be_gone(last.saturating_add(1)) {
                return Err(Broken(self.missing(next)));
            }
            let from = last.saturating_add(1);
            return Ok(Verification { from, to: last, checked: 0, ..self.so_far(stored) });
        }
        let same = self.head == *stored || (reached == 0 && stored.hash == Head::EMPTY.hash);
        if reached == stored.sequence && !same {
            return Err(Broken(reached));
        }
        Ok(self.so_far(stored))
    }

    /// What was found up to a break.
    pub fn broken(&self, stored: &Head, at: Broken) -> Verification {
        Verification { broken_at: Some(at.0), ..self.so_far(stored) }
    }

    fn so_far(&self, stored: &Head) -> Verification {
        Verification {
            from: self.from,
            to: self.head.sequence,
            checked: self.checked,
            broken_at: None,
            head: stored.clone(),
            next_from: None,
        }
    }
}
