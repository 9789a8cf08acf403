//! As much of BER (X.690) as LDAP uses (RFC 4511, section 5.1): definite lengths, tags of one byte.
//!
//! Nothing here goes into itself: what is nested is opened one level at a time by whoever knows what is
//! expected there, so that no input decides how deep it goes.

use super::LdapFault;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Most bytes of a length: 4 GB.
const MOST_LENGTH: u8 = 4;

/// The bytes that the first element of the buffer takes, head included; none before its head is there.
///
/// # Errors
/// [`LdapFault::NotLdap`] when it is not an LDAP message, [`LdapFault::TooLarge`] when it says that it is
/// longer than `most`: that is known before it arrives.
pub(super) fn frame(buffer: &[u8], most: usize) -> Result<Option<usize>, LdapFault> {
    match buffer.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        Some(_) => return Err(LdapFault::NotLdap),
    }
    let Some((head, length)) = head(buffer)? else { return Ok(None) };
    let whole = head.checked_add(length).filter(|whole| *whole <= most);
    whole.map(Some).ok_or(LdapFault::TooLarge)
}

/// The length of an element's head and of its content; none when the head is not all there.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, LdapFault> {
    let Some(&first) = bytes.get(1) else { return Ok(None) };
    let long = first & 0x7f;
    if first & 0x80 == 0 {
        return Ok(Some((2, usize::from(first))));
    }
    // 0 is the indefinite form, which LDAP has not. Active Directory writes all lengths with four bytes.
    if long == 0 || long > MOST_LENGTH {
        return Err(LdapFault::NotLdap);
    }
    let end = 2 + usize::from(long);
    let Some(digits) = bytes.get(2..end) else { return Ok(None) };
    let length = digits.iter().fold(0_u32, |length, digit| (length << 8) | u32::from(*digit));
    Ok(Some((end, usize::try_from(length).map_err(|_| LdapFault::TooLarge)?)))
}

/// Elements side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), LdapFault> {
        let tag = self.peek().ok_or(LdapFault::NotLdap)?;
        let (start, length) = head(self.0)?.ok_or(LdapFault::NotLdap)?;
        let end = start.checked_add(length).ok_or(LdapFault::NotLdap)?;
        let content = self.0.get(start..end).ok_or(LdapFault::NotLdap)?;
        self.0 = self.0.get(end..).unwrap_or_default();
        // A number that goes on in the next byte: LDAP has no such tags.
        if tag & 0x1f == 0x1f { Err(LdapFault::NotLdap) } else { Ok((tag, content)) }
    }

    /// The next element, which is this one.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], LdapFault> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(LdapFault::NotLdap),
        }
    }

    /// What is inside the next element, which is this one.
    pub(super) fn enter(&mut self, tag: u8) -> Result<Self, LdapFault> {
        self.expect(tag).map(Self)
    }

    /// A number that is not negative, of at most 31 bits (RFC 4511, section 4.1.1).
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, LdapFault> {
        let digits = self.expect(tag)?;
        let number = digits.iter().fold(0_u64, |number, digit| (number << 8) | u64::from(*digit));
        let fits = (1..=4).contains(&digits.len()) && number <= u64::from(u32::MAX >> 1);
        u32::try_from(number).ok().filter(|_| fits).ok_or(LdapFault::NotLdap)
    }

    /// A text. What is not UTF-8 in it is replaced: it is a name or words.
    pub(super) fn text(&mut self) -> Result<String, LdapFault> {
        self.expect(OCTET_STRING).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Appends an element.
pub(super) fn put(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    if let Ok(length @ 0..0x80) = u8::try_from(content.len()) {
        out.push(length);
    } else {
        let length = content.len().to_be_bytes();
        let digits = length.iter().copied().skip_while(|digit| *digit == 0);
        // At most 8.
        out.push(0x80 | u8::try_from(digits.clone().count()).unwrap_or(0));
        out.extend(digits);
    }
    out.extend_from_slice(content);
}

/// Appends an element of elements.
pub(super) fn put_all(tag: u8, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    fill(&mut content);
    put(tag, &content, out);
}

/// Appends a number, with the zero that keeps it from being a negative one.
pub(super) fn put_number(tag: u8, number: u32, out: &mut Vec<u8>) {
    let bytes = u64::from(number).to_be_bytes();
    let skipped = (0..7).take_while(|at| bytes.get(*at) == Some(&0)).count();
    let start = match bytes.get(skipped) {
        Some(0x80..) => skipped.saturating_sub(1),
        _ => skipped,
    };
    put(tag, bytes.get(start..).unwrap_or_default(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1 << 20;

    #[test]
    fn lengths_short_and_long_also_with_more_bytes_than_needed() {
        for (length, head) in [
            (0, &[4, 0][..]),
            (0x7f, &[4, 0x7f]),
            (0x80, &[4, 0x81, 0x80]),
            (0x100, &[4, 0x82, 1, 0]),
            (0x1_0000, &[4, 0x83, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put(OCTET_STRING, &vec![7; length], &mut out);
            assert_eq!(&out[..head.len()], head);
            assert_eq!(Reader::new(&out).expect(OCTET_STRING).unwrap().len(), length);
        }
        let active_directory = [0x30, 0x84, 0, 0, 0, 1, 9];
        assert_eq!(frame(&active_directory, MOST), Ok(Some(7)));
        assert_eq!(Reader::new(&active_directory).expect(SEQUENCE), Ok(&[9][..]));
    }

    #[test]
    fn a_frame_is_bounded_before_it_arrives() {
        for unfinished in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0x82, 1]] {
            assert_eq!(frame(unfinished, MOST), Ok(None), "{unfinished:?}");
        }
        assert_eq!(frame(&[0x30, 0x83, 0x0f, 0xff, 0xfb], MOST), Ok(Some(MOST)));
        for large in [&[0x30, 0x83, 0x0f, 0xff, 0xfc][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(frame(large, MOST), Err(LdapFault::TooLarge));
        }
        for other in [&b"HTTP/1.1"[..], &[0x16, 3, 1], &[0x30, 0x80], &[0x30, 0x85], &[0x30, 0xff]]
        {
            assert_eq!(frame(other, MOST), Err(LdapFault::NotLdap), "{other:?}");
        }
    }

    #[test]
    fn what_ends_early_or_is_another_is_no_element() {
        for bad in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x81],
            &[4, 0x84, 255, 255, 255, 255],
            &[5, 0],
            &[0x1f, 0],
        ] {
            assert_eq!(Reader::new(bad).expect(OCTET_STRING), Err(LdapFault::NotLdap), "{bad:?}");
        }
        for bad in [&[2, 0][..], &[2, 1, 0x80, 0], &[2, 4, 0x80, 0, 0, 0], &[2, 5, 0, 0, 0, 0, 1]] {
            let read = Reader::new(bad).number(INTEGER);
            assert!(read.is_err() || read == Ok(0x80), "{bad:?}");
        }
    }

    #[test]
    fn numbers_there_and_back() {
        for (number, bytes) in [
            (0, &[2, 1, 0][..]),
            (0x7f, &[2, 1, 0x7f]),
            (0x80, &[2, 2, 0, 0x80]),
            (0xff7f, &[2, 3, 0, 0xff, 0x7f]),
            (0x7fff_ffff, &[2, 4, 0x7f, 0xff, 0xff, 0xff]),
        ] {
            let mut out = Vec::new();
            put_number(INTEGER, number, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(Reader::new(&out).number(INTEGER), Ok(number));
        }
    }
}
