//! Which numbers have come, as intervals: what is complete takes the room of two numbers.

use std::collections::BTreeMap;

/// A set of numbers that are mostly next to each other.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Intervals {
    /// First to last of each interval; between two of them at least one number is missing.
    runs: BTreeMap<u64, u64>,
    /// Numbers that are missing between the intervals.
    missing: u64,
}

impl Intervals {
    /// Puts a number in; tells whether it is new.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let before = self.runs.range(..=number).next_back().map(|(from, to)| (*from, *to));
        if before.is_some_and(|(_, to)| number <= to) {
            return false;
        }
        let after = number.checked_add(1).and_then(|next| self.runs.range(next..).next());
        let after = after.map(|(from, to)| (*from, *to));
        match (before, after) {
            (Some(_), Some(_)) => self.missing -= 1,
            (Some((_, left)), None) => self.missing += number - left - 1,
            (None, Some((right, _))) => self.missing += right - number - 1,
            (None, None) => {}
        }
        let mut run = (number, number);
        if let Some((from, _)) = before.filter(|(_, to)| number - to == 1) {
            self.runs.remove(&from);
            run.0 = from;
        }
        if let Some((from, to)) = after.filter(|(from, _)| from - number == 1) {
            self.runs.remove(&from);
            run.1 = to;
        }
        self.runs.insert(run.0, run.1);
        true
    }

    /// The smallest number and the largest.
    pub(crate) fn ends(&self) -> Option<(u64, u64)> {
        Some((*self.runs.first_key_value()?.0, *self.runs.last_key_value()?.1))
    }

    /// How many numbers between the ends are missing.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// The missing numbers between the ends, as first and last of each gap.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let nexts = self.runs.keys().skip(1);
        self.runs.values().zip(nexts).map(|(to, next)| (to + 1, next - 1))
    }

    /// Of how many intervals it is.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Takes the lowest gap for filled, and tells how many numbers it was.
    pub(crate) fn forget_gap(&mut self) -> u64 {
        let mut runs = self.runs.iter().map(|(from, to)| (*from, *to));
        let (Some((from, to)), Some((next, end))) = (runs.next(), runs.next()) else { return 0 };
        self.runs.remove(&next);
        self.runs.insert(from, end);
        let gap = next - to - 1;
        self.missing -= gap;
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn missing(set: &BTreeSet<u64>) -> Vec<u64> {
        let (Some(first), Some(last)) = (set.first(), set.last()) else { return Vec::new() };
        (*first..=*last).filter(|number| !set.contains(number)).collect()
    }

    proptest! {
        #[test]
        fn the_set_is_the_one_that_a_set_of_numbers_is(numbers in vec(0..60_u64, 0..80)) {
            let (mut intervals, mut set) = (Intervals::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(intervals.insert(number), set.insert(number));
                let gaps: Vec<u64> = intervals.gaps().flat_map(|(from, to)| from..=to).collect();
                prop_assert_eq!(&gaps, &missing(&set));
                prop_assert_eq!(intervals.missing(), gaps.len() as u64);
                prop_assert_eq!(intervals.ends(), set.first().copied().zip(set.last().copied()));
                prop_assert_eq!(intervals.runs(), intervals.gaps().count() + usize::from(!set.is_empty()));
            }
        }
    }

    #[test]
    fn the_ends_of_what_a_number_can_be_are_numbers_too() {
        let mut intervals = Intervals::default();
        for number in [0, u64::MAX, u64::MAX - 1, 1] {
            assert!(intervals.insert(number), "{number}");
            assert!(!intervals.insert(number), "{number}");
        }
        assert_eq!(intervals.gaps().collect::<Vec<_>>(), [(2, u64::MAX - 2)]);
        assert_eq!(intervals.missing(), u64::MAX - 3);
    }

    #[test]
    fn a_gap_that_is_forgotten_is_no_gap_any_more() {
        let mut intervals = Intervals::default();
        for number in [1, 5, 7, 10] {
            intervals.insert(number);
        }
        assert_eq!(intervals.forget_gap(), 3);
        assert_eq!(intervals.gaps().collect::<Vec<_>>(), [(6, 6), (8, 9)]);
        assert!(!intervals.insert(3));
        assert_eq!(
            (intervals.forget_gap(), intervals.forget_gap(), intervals.forget_gap()),
            (1, 2, 0)
        );
        assert_eq!((intervals.missing(), intervals.ends()), (0, Some((1, 10))));
    }
}
