//! Long lists of values, which Active Directory gives in parts (\[MS-ADTS\], section 3.1.1.3.1.3.3): asked
//! for `member`, it answers `member;range=0-1499`, and has more.

/// Which part of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// The first, counted from 0.
    pub(super) from: usize,
    /// The last; none when there are no more.
    pub(super) to: Option<usize>,
}

/// The description of an attribute without its range, and the range.
pub(super) fn split(description: &str) -> (String, Option<Range>) {
    let mut range = None;
    let rest = description.split(';').filter(|part| {
        let found = read(part);
        range = range.or(found);
        found.is_none()
    });
    (rest.collect::<Vec<_>>().join(";"), range)
}

fn read(option: &str) -> Option<Range> {
    let (name, bounds) = option.split_once('=')?;
    let (from, to) = bounds.split_once('-')?;
    let to = if to == "*" { None } else { Some(to.parse().ok()?) };
    let range = Range { from: from.parse().ok()?, to };
    name.eq_ignore_ascii_case("range").then_some(range)
}

/// The description that asks for the rest.
pub(super) fn rest(name: &str, from: usize) -> String {
    format!("{name};range={from}-*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_an_option_among_others() {
        let part = |from, to| Some(Range { from, to });
        for (description, name, range) in [
            ("member", "member", None),
            ("member;range=0-1499", "member", part(0, Some(1_499))),
            ("member;Range=1500-*", "member", part(1_500, None)),
            ("x;binary;range=0-*", "x;binary", part(0, None)),
            ("x;range=0-1;lang-de", "x;lang-de", part(0, Some(1))),
            ("x;range=a-b", "x;range=a-b", None),
            ("x;range=1", "x;range=1", None),
            ("x;ranges=0-1", "x;ranges=0-1", None),
            ("x;range=0-99999999999999999999", "x;range=0-99999999999999999999", None),
        ] {
            assert_eq!(split(description), (name.to_owned(), range), "{description}");
        }
        assert_eq!(rest("member", 1_500), "member;range=1500-*");
    }
}
