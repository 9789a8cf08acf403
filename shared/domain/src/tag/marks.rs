//! Which tag values somebody or something has, as small numbers: a user's item holds them, so that a
//! change of an attribute and of the memberships that follow from it is one write.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// A value of a tag, by the numbers that both have in their tenant. Neither is ever given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The tag.
    pub tag: u16,
    /// Its value.
    pub value: u16,
}

/// The tag values of one user or application. 4 bytes each in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeSet<Mark>);

impl Marks {
    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it has this one.
    pub fn has(&self, mark: Mark) -> bool {
        self.0.contains(&mark)
    }

    /// In the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Mark> {
        self.0.iter().copied()
    }

    /// The same with this one, or without it.
    #[must_use]
    pub fn with(&self, mark: Mark, has: bool) -> Self {
        let mut next = self.clone();
        if has {
            next.0.insert(mark)
        } else {
            next.0.remove(&mark)
        };
        next
    }
}

impl FromIterator<Mark> for Marks {
    fn from_iter<T: IntoIterator<Item = Mark>>(marks: T) -> Self {
        Self(marks.into_iter().collect())
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pair = |mark: &Mark| [mark.tag.to_be_bytes(), mark.value.to_be_bytes()].concat();
        serializer.serialize_bytes(&self.0.iter().flat_map(pair).collect::<Vec<u8>>())
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let (marks, []) = bytes.as_chunks::<4>() else {
            return Err(serde::de::Error::custom("marks are four bytes each"));
        };
        let mark = |[a, b, c, d]: &[u8; 4]| Mark {
            tag: u16::from_be_bytes([*a, *b]),
            value: u16::from_be_bytes([*c, *d]),
        };
        Ok(marks.iter().map(mark).collect())
    }
}

/// How many members each value has, or by how many a change makes that more or fewer. 3 to 9 bytes each
/// in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Mark, i32>);

impl Counts {
    /// What a change from the one to the other makes of them.
    pub fn between(before: &Marks, after: &Marks) -> Self {
        let mut counts = Self::default();
        for mark in before.iter() {
            counts.add(mark, -1);
        }
        for mark in after.iter() {
            counts.add(mark, 1);
        }
        counts
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many one value has.
    pub fn of(&self, mark: Mark) -> i32 {
        self.0.get(&mark).copied().unwrap_or_default()
    }

    /// How many all values of a tag have together.
    pub fn of_tag(&self, tag: u16) -> i32 {
        let range = Mark { tag, value: 0 }..=Mark { tag, value: u16::MAX };
        self.0.range(range).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// So many more.
    pub fn add(&mut self, mark: Mark, more: i32) {
        let count = self.0.entry(mark).or_default();
        *count = count.saturating_add(more);
        if *count == 0 {
            self.0.remove(&mark);
        }
    }

    /// All of another's too.
    pub fn merge(&mut self, other: &Self) {
        for (mark, more) in &other.0 {
            self.add(*mark, *more);
        }
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Each tag as its distance from the one before: the record of a change in which a hundred
        // tags flip stays below 1 KB, which is what one unit writes.
        let mut last = 0;
        let step = |(mark, count): (&Mark, &i32)| {
            let step = mark.tag - last;
            last = mark.tag;
            (step, mark.value, *count)
        };
        let steps: Vec<(u16, u16, i32)> = self.0.iter().map(step).collect();
        let bytes = postcard::to_allocvec(&steps).map_err(serde::ser::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let damaged = || serde::de::Error::custom("not the counts of tags");
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let (steps, rest): (Vec<(u16, u16, i32)>, _) =
            postcard::take_from_bytes(&bytes).map_err(|_| damaged())?;
        if !rest.is_empty() {
            return Err(damaged());
        }
        let (mut counts, mut tag) = (BTreeMap::new(), 0_u16);
        for (step, value, count) in steps {
            tag = tag.checked_add(step).ok_or_else(damaged)?;
            counts.insert(Mark { tag, value }, count);
        }
        Ok(Self(counts))
    }
}
