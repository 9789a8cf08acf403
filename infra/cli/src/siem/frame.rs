//! Where a syslog message ends in a stream of bytes: octet counting (RFC 5425, section 4.3; RFC 6587,
//! section 3.4.1) and lines (RFC 6587, section 3.4.2).

use bytes::{Buf, Bytes, BytesMut};

/// Most bytes of a message.
pub(crate) const MOST_MESSAGE: usize = 64 * 1024;

/// Most digits of a count: those of [`MOST_MESSAGE`].
const MOST_DIGITS: usize = 5;

/// What is no frame, and how. Nothing after it can be read: where the next one begins nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFrame(pub(crate) &'static str);

/// How messages are told from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The length, a space, the message.
    Counted,
    /// The message, a line feed.
    Lines,
    /// One of the two, as the first byte of the connection says.
    Either,
}

/// The messages of one connection.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    buffer: BytesMut,
    /// So many bytes have been searched for a line feed.
    searched: usize,
}

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, buffer: BytesMut::new(), searched: 0 }
    }

    /// Takes what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, once it is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, BadFrame> {
        let Some(first) = self.buffer.first() else { return Ok(None) };
        if self.framing == Framing::Either {
            self.framing = match first {
                b'1'..=b'9' => Framing::Counted,
                b'<' => Framing::Lines,
                _ => return Err(BadFrame("it begins with neither a count nor a message")),
            };
        }
        if self.framing == Framing::Counted { self.counted() } else { self.line() }
    }

    /// Whether the bytes so far end within a message.
    pub(crate) fn is_cut(&self) -> bool {
        !self.buffer.is_empty()
    }

    fn counted(&mut self) -> Result<Option<Bytes>, BadFrame> {
        let mut count = 0;
        for (place, byte) in self.buffer.iter().enumerate() {
            match byte {
                b'0' if place == 0 => return Err(BadFrame("a count begins with 0")),
                b'0'..=b'9' if place < MOST_DIGITS => count = count * 10 + usize::from(byte - b'0'),
                b'0'..=b'9' => return Err(BadFrame("a message is longer than 64 KB")),
                b' ' if place > 0 => return Ok(self.message(place + 1, count)),
                _ => return Err(BadFrame("there is no count where a message should begin")),
            }
            // As soon as the count says so, and not when all of it has come.
            if count > MOST_MESSAGE {
                return Err(BadFrame("a message is longer than 64 KB"));
            }
        }
        Ok(None)
    }

    fn message(&mut self, begin: usize, count: usize) -> Option<Bytes> {
        if self.buffer.len() < begin + count {
            return None;
        }
        self.buffer.advance(begin);
        Some(self.buffer.split_to(count).freeze())
    }

    fn line(&mut self) -> Result<Option<Bytes>, BadFrame> {
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').map(|place| self.searched + place);
        if end.unwrap_or(self.buffer.len()) > MOST_MESSAGE {
            return Err(BadFrame("a message is longer than 64 KB"));
        }
        let Some(end) = end else {
            self.searched = self.buffer.len();
            return Ok(None);
        };
        let line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that comes of these reads, and whether the end is cut.
    fn read(framing: Framing, reads: &[&[u8]]) -> Result<(Vec<Bytes>, bool), BadFrame> {
        let (mut frames, mut messages) = (Frames::new(framing), Vec::new());
        for read in reads {
            frames.push(read);
            while let Some(message) = frames.next()? {
                messages.push(message);
            }
        }
        Ok((messages, frames.is_cut()))
    }

    #[test]
    fn messages_are_the_same_wherever_the_reads_end() {
        let long = "x".repeat(1234);
        let wanted = ["<13>1 one", "12 <not> a count\n", &long, "é"];
        let mut stream: Vec<u8> = Vec::new();
        for message in wanted {
            stream.extend(format!("{} {message}", message.len()).as_bytes());
        }
        for framing in [Framing::Counted, Framing::Either] {
            for cut in 0..=stream.len() {
                let (left, right) = stream.split_at(cut);
                let (messages, is_cut) = read(framing, &[left, right]).unwrap();
                assert_eq!(messages, wanted, "{cut}");
                assert!(!is_cut);
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(read(framing, &bytes).unwrap().0, wanted);
        }
    }

    #[test]
    fn lines_are_the_same_wherever_the_reads_end() {
        let stream = b"<13>1 one\n<13>1 12 two\n<13>1 three\n";
        for cut in 0..=stream.len() {
            let (left, right) = stream.split_at(cut);
            let (messages, is_cut) = read(Framing::Either, &[left, right]).unwrap();
            assert_eq!(messages, ["<13>1 one", "<13>1 12 two", "<13>1 three"], "{cut}");
            assert!(!is_cut);
        }
    }

    #[test]
    fn a_connection_that_ends_within_a_frame_is_cut() {
        let stream = b"5 abcde";
        for cut in 1..stream.len() {
            let (messages, is_cut) = read(Framing::Counted, &[&stream[..cut]]).unwrap();
            assert!(messages.is_empty() && is_cut, "{cut}");
        }
        assert!(read(Framing::Either, &[b"<13>1 a\n<13>1 b"]).unwrap().1);
        assert_eq!(read(Framing::Counted, &[]).unwrap(), (Vec::new(), false));
    }

    #[test]
    fn what_is_no_count_ends_the_reading() {
        for bad in
            ["0 ", "05 abcde", " 5 a", "a", "-1 a", "5a", "5\nabcde", "123456", "65537", "99999 "]
        {
            assert!(read(Framing::Counted, &[bad.as_bytes()]).is_err(), "{bad}");
        }
        // One byte too few or too many shows at the next message.
        for bad in ["2 abc3 abc", "4 abc3 abc"] {
            assert!(read(Framing::Counted, &[bad.as_bytes()]).is_err(), "{bad}");
        }
        assert!(read(Framing::Either, &[b"hello\n"]).is_err());
        // No frame is empty by its count; an empty line is a message that says nothing.
        let lines = read(Framing::Lines, &[b"<13>1 a\n\n<13>1 b\n"]).unwrap().0;
        assert_eq!(lines, ["<13>1 a", "", "<13>1 b"]);
    }

    #[test]
    fn a_message_is_at_most_64_kb() {
        let largest = "x".repeat(MOST_MESSAGE);
        let counted = format!("{MOST_MESSAGE} {largest}");
        assert_eq!(read(Framing::Counted, &[counted.as_bytes()]).unwrap().0, [&*largest]);
        let line = format!("{largest}\n");
        assert_eq!(read(Framing::Lines, &[line.as_bytes()]).unwrap().0, [&*largest]);
        assert!(read(Framing::Lines, &[largest.as_bytes(), b"x"]).is_err());
        assert!(read(Framing::Lines, &[largest.as_bytes(), b"x\n"]).is_err());
    }
}
