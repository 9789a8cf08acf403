//! Syslog: what a message says (RFC 5424), and a connection from its first byte to its end.

use std::borrow::Cow;
use std::io::ErrorKind;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::siem::frame::{Frames, Framing};
use crate::siem::receiver::{Receiver, Record};
use crate::siem::verify::{Ending, Label, Transport, Wrong};

/// The structured data that names a record.
const ELEMENT: &str = "belfry@32473";

/// Most characters of host, application, process and message id (RFC 5424, section 6).
const FIELDS: [usize; 4] = [255, 48, 128, 32];

/// Most characters of a name in structured data.
const MOST_NAME: usize = 32;

/// A message, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    timestamp: &'a str,
    id: &'a str,
    elements: Vec<Element<'a>>,
    text: &'a str,
}

/// One element of structured data.
#[derive(Debug, PartialEq, Eq)]
struct Element<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Cow<'a, str>)>,
}

/// The record in a message.
pub(crate) fn record(message: &[u8]) -> Result<Record, &'static str> {
    let message = parse(message)?;
    let mut elements = message.elements.iter().filter(|element| element.name == ELEMENT);
    let element = elements.next().ok_or("it has no structured data belfry@32473")?;
    let parameter = |wanted: &str| {
        let found = element.parameters.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_ref())
    };
    Ok(Record {
        label: Label::read(parameter)?,
        time: message.timestamp.to_owned(),
        kind: message.id.to_owned(),
        text: message.text.to_owned(),
    })
}

/// Takes a message apart, strictly: what this refuses, some receiver somewhere does too.
fn parse(message: &[u8]) -> Result<Message<'_>, &'static str> {
    let text = std::str::from_utf8(message).map_err(|_| "it is no UTF-8")?;
    let rest = text.strip_prefix('<').ok_or("it does not begin with a priority")?;
    let (priority, rest) = rest.split_once('>').ok_or("it does not begin with a priority")?;
    let number = priority.parse().ok().filter(|number: &u8| number.to_string() == priority);
    number.filter(|number| *number <= 191).ok_or("its priority is none")?;
    let rest = rest.strip_prefix("1 ").ok_or("it is not of version 1")?;
    let (timestamp, mut rest) = word(rest, 32)?;
    if timestamp != "-" && timestamp.parse::<Timestamp>().is_err() {
        return Err("its time is none");
    }
    let mut id = "";
    for most in FIELDS {
        (id, rest) = word(rest, most)?;
    }
    let (elements, rest) = structured_data(rest)?;
    let text = match rest.strip_prefix(' ') {
        Some(text) => text,
        None if rest.is_empty() => "",
        None => return Err("something follows its structured data"),
    };
    if text.starts_with('\u{feff}') {
        return Err("its text begins with a byte order mark");
    }
    Ok(Message { timestamp, id, elements, text })
}

/// A field of the header, and what follows the space after it.
fn word(text: &str, most: usize) -> Result<(&str, &str), &'static str> {
    let (word, rest) = text.split_once(' ').ok_or("its header is not complete")?;
    let is_word = (1..=most).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    if is_word { Ok((word, rest)) } else { Err("a field of its header is none") }
}

fn structured_data(text: &str) -> Result<(Vec<Element<'_>>, &str), &'static str> {
    if let Some(rest) = text.strip_prefix('-') {
        return Ok((Vec::new(), rest));
    }
    let (mut elements, mut rest) = (Vec::new(), text);
    while let Some(inside) = rest.strip_prefix('[') {
        let (name, mut inside) = name(inside)?;
        let mut parameters = Vec::new();
        rest = loop {
            if let Some(rest) = inside.strip_prefix(']') {
                break rest;
            }
            let parameter = inside.strip_prefix(' ').ok_or("its structured data is not closed")?;
            let (name, quoted) = self::name(parameter)?;
            let quoted = quoted.strip_prefix("=\"").ok_or("a parameter has no value")?;
            let (value, after) = value(quoted)?;
            parameters.push((name, value));
            inside = after;
        };
        if elements.iter().any(|element: &Element<'_>| element.name == name) {
            return Err("two elements of its structured data have one name");
        }
        elements.push(Element { name, parameters });
    }
    if elements.is_empty() { Err("it has no structured data") } else { Ok((elements, rest)) }
}

/// A name in structured data, and what follows it.
fn name(text: &str) -> Result<(&str, &str), &'static str> {
    let is_end = |char: char| !char.is_ascii_graphic() || matches!(char, '=' | ']' | '"');
    let (name, rest) = text.split_at(text.find(is_end).unwrap_or(text.len()));
    let fits = (1..=MOST_NAME).contains(&name.len());
    if fits { Ok((name, rest)) } else { Err("a name in its structured data is none") }
}

/// A value up to its closing quote, and what follows that. A backslash that escapes nothing stands for
/// itself (RFC 5424, section 6.3.3).
fn value(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    const OPEN: &str = "a value in its structured data is not closed";
    let end = text.find(['"', '\\', ']']).ok_or(OPEN)?;
    let (plain, mut rest) = text.split_at(end);
    if let Some(after) = rest.strip_prefix('"') {
        return Ok((Cow::Borrowed(plain), after));
    }
    let mut value = plain.to_owned();
    loop {
        let mut chars = rest.chars();
        match chars.next().ok_or(OPEN)? {
            '"' => return Ok((Cow::Owned(value), chars.as_str())),
            ']' => return Err("a ] in its structured data is not escaped"),
            '\\' => match chars.clone().next() {
                Some(escaped @ ('"' | '\\' | ']')) => {
                    chars.next();
                    value.push(escaped);
                }
                _ => value.push('\\'),
            },
            char => value.push(char),
        }
        rest = chars.as_str();
    }
}

/// Takes messages to the end of a connection, and ends it as it deserves: when everything was taken, with
/// an end of stream of our own, which the sender waits for. Otherwise with a reset, which nobody mistakes
/// for it.
pub(crate) async fn serve<S>(
    mut stream: S,
    framing: Framing,
    transport: Transport,
    receiver: &Receiver,
    tcp: impl Fn(&S) -> &TcpStream,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (ending, why) = read(&mut stream, framing, transport, receiver).await;
    // On record before the sender may take it for delivered.
    receiver.ended(transport, ending, &why);
    if matches!(ending, Ending::Clean | Ending::Unannounced) {
        close_kindly(tcp(&stream));
        // The sender may have left without waiting: what it sent is here all the same.
        let _ = stream.shutdown().await;
    }
}

async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    framing: Framing,
    transport: Transport,
    receiver: &Receiver,
) -> (Ending, String) {
    let (mut frames, mut buffer) = (Frames::new(framing), vec![0; 16 * 1024]);
    loop {
        let ending = match stream.read(&mut buffer).await {
            Ok(0) => Ending::Clean,
            Ok(read) => {
                frames.push(buffer.get(..read).unwrap_or_default());
                loop {
                    match frames.next() {
                        Ok(Some(message)) => {
                            receiver.took(transport, message.len(), record(&message));
                        }
                        Ok(None) => break,
                        Err(bad) => {
                            receiver.wrong(transport, Wrong::Malformed, bad.0);
                            return (Ending::Malformed, String::new());
                        }
                    }
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ending::Unannounced,
            Err(error) => return (Ending::Broken, error.to_string()),
        };
        return (if frames.is_cut() { Ending::Cut } else { ending }, String::new());
    }
}

/// From now on a connection that is closed, be it by our own end, is reset.
pub(crate) fn close_harshly(stream: &TcpStream) {
    // A socket that takes no options is closing already.
    let _ = stream.set_zero_linger();
}

#[expect(deprecated, reason = "no linger is the default and blocks nobody")]
fn close_kindly(stream: &TcpStream) {
    let _ = stream.set_linger(None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::siem::tests::Trial;
    use crate::siem::tls;
    use crate::siem::verify::tests::TENANT;
    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    const HEADER: &str =
        "<134>1 2026-11-26T12:00:00.123Z console.example belfry - infection.detected ";

    /// A whole message of this number.
    fn message(sequence: u64, id: &str) -> String {
        format!(
            "{HEADER}[belfry@32473 tenant=\"{TENANT}\" stream=\"EPP/0\" sequence=\"{sequence}\" id=\"{id}\" \
             source=\"urn:x\"] {{\"n\":{sequence}}}"
        )
    }

    fn counted(sequences: impl IntoIterator<Item = u64>) -> String {
        sequences.into_iter().fold(String::new(), |batch, sequence| {
            let text = message(sequence, &format!("evt-{sequence}"));
            format!("{batch}{} {text}", text.len())
        })
    }

    #[test]
    fn a_message_is_taken_apart() {
        let text = message(12, "evt-1");
        let record = record(text.as_bytes()).unwrap();
        assert_eq!(record.label.sequence, 12);
        assert_eq!(record.label.stream.to_string(), "EPP/0");
        assert_eq!((&*record.kind, &*record.text), ("infection.detected", "{\"n\":12}"));
        assert_eq!(record.time, "2026-11-26T12:00:00.123Z");
    }

    #[test]
    fn structured_data_is_read_with_its_escapes() {
        let elements = |text: &str| {
            let whole = format!("{HEADER}{text}");
            let message = parse(whole.as_bytes()).map_err(str::to_owned)?;
            let element = |element: &Element<'_>| {
                let parameters = element.parameters.iter();
                let parameters =
                    parameters.map(|(name, value)| (name.to_string(), value.to_string()));
                (element.name.to_owned(), parameters.collect::<Vec<_>>())
            };
            Ok::<_, String>((
                message.elements.iter().map(element).collect::<Vec<_>>(),
                message.text.to_owned(),
            ))
        };
        let one = |value: &str| {
            let (elements, _) = elements(&format!("[a b=\"{value}\"]"))?;
            Ok::<_, String>(elements[0].1[0].1.clone())
        };
        for (written, read) in [
            ("", ""),
            ("plain é ☃", "plain é ☃"),
            (r#"a\"b"#, r#"a"b"#),
            (r"a\\b", r"a\b"),
            (r"a\]b", "a]b"),
            (r"\\\]\\\\", r"\]\\"),
            (r"C:\n\é", r"C:\n\é"),
            ("[=", "[="),
        ] {
            assert_eq!(one(written).as_deref(), Ok(read), "{written}");
        }
        let named = |name: &str, parameters: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            (name.to_owned(), parameters.iter().map(owned).collect::<Vec<_>>())
        };
        for (text, wanted, rest) in [
            ("-", vec![], ""),
            ("- [a]", vec![], "[a]"),
            ("[a]", vec![named("a", &[])], ""),
            ("[a] ", vec![named("a", &[])], ""),
            (
                r#"[a x="1" x="2"][b@1 y="\]\""] t"#,
                vec![named("a", &[("x", "1"), ("x", "2")]), named("b@1", &[("y", "]\"")])],
                "t",
            ),
        ] {
            assert_eq!(elements(text), Ok((wanted, rest.to_owned())), "{text}");
        }
        for bad in [
            "",
            "x",
            "[",
            "[]",
            "[a",
            "[a b]",
            "[a b=]",
            "[a b=\"]",
            "[a b=\"x]\"]",
            "[a b=\"x\\\"]",
            "[a b=\"x\"c=\"y\"]",
            "[a  b=\"x\"]",
            "[a b=\"x\"]t",
            "[a b=\"x\"] \u{feff}t",
            "[a][a]",
            "[é]",
            "-x",
            &format!("[{}]", "a".repeat(33)),
        ] {
            let taken = elements(bad);
            assert!(taken.is_err(), "{bad}: {taken:?}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        let good = message(1, "a");
        assert!(record(good.as_bytes()).is_ok());
        for (from, to) in [
            ("<134>1", "134>1"),
            ("<134>1", "<192>1"),
            ("<134>1", "<013>1"),
            ("<134>1", "<134>2"),
            ("<134>1 ", "<134>1  "),
            ("2026-11-26T12", "2026-13-26T12"),
            ("console.example", "console\u{7}example"),
            ("console.example", ""),
            ("belfry -", "belfry"),
            ("infection.detected", "infection.detected.infection.detected"),
            ("belfry@32473", "belfry@32474"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(record(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(record(b"<134>1 \xff").is_err());
    }

    proptest! {
        #[test]
        fn a_value_reads_back_as_it_was(value in ".*") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
            let text = format!("{escaped}\" rest");
            prop_assert_eq!(super::value(&text), Ok((Cow::Owned(value), " rest")));
        }

        #[test]
        fn nothing_that_is_sent_stops_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&[HEADER.as_bytes(), &bytes].concat());
            let _ = parse(&[HEADER.as_bytes(), b"[a b=\"", &bytes].concat());
        }
    }

    async fn connect(trial: &Trial) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(trial.address).await.unwrap();
        let connector = TlsConnector::from(tls::tests::client(&trial.ca));
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    }

    /// What the receiver says at the end: nothing and `close_notify`, or an error.
    async fn end<S: AsyncRead + Unpin>(mut stream: S) -> std::io::Result<usize> {
        stream.read(&mut [0; 16]).await
    }

    #[tokio::test]
    async fn a_delivery_over_tls_is_confirmed_by_our_own_close_notify() {
        let trial = Trial::start("siem-tls", Transport::SyslogTls).await;
        let mut stream = connect(&trial).await;
        stream.write_all(counted(1..=500).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // The report is there before the confirmation is.
        assert_eq!(end(&mut stream).await.unwrap(), 0);
        let report = trial.report();
        assert_eq!(report["streams"][0]["distinct"], 500);
        assert_eq!(report["connections"]["clean"], 1);
        assert_eq!((&report["status"], &report["running"]), (&"ok".into(), &true.into()));
        trial.idle().await;
        assert!(trial.receiver.summary().is_well());
    }

    #[tokio::test]
    async fn a_cut_is_reset_counted_and_no_error_and_the_repeat_is_harmless() {
        let trial = Trial::start("siem-cut", Transport::SyslogTls).await;
        let batch = counted(1..=20);
        let mut stream = connect(&trial).await;
        stream.write_all(&batch.as_bytes()[..batch.len() - 3]).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(end(&mut stream).await.is_err(), "a cut delivery must not look confirmed");
        trial.idle().await;
        let mut stream = connect(&trial).await;
        stream.write_all(batch.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(end(&mut stream).await.unwrap(), 0);
        let report = trial.report();
        assert_eq!(report["connections"]["cut"], 1);
        let stream = &report["streams"][0];
        assert_eq!((&stream["distinct"], &stream["duplicates"]), (&20.into(), &19.into()));
        assert_eq!((&report["status"], &report["missing"]), (&"ok".into(), &0.into()));
    }

    #[tokio::test]
    async fn bytes_that_are_no_frame_are_an_error_and_look_never_confirmed() {
        let trial = Trial::start("siem-malformed", Transport::SyslogTls).await;
        let mut stream = connect(&trial).await;
        let bad = counted([1]) + "hello" + &counted([2]);
        stream.write_all(bad.as_bytes()).await.unwrap();
        assert!(end(&mut stream).await.is_err());
        trial.idle().await;
        let report = trial.report();
        assert_eq!(report["errors"]["malformed"], 1);
        assert_eq!(report["streams"][0]["distinct"], 1);
        assert_eq!(
            (&report["status"], &report["connections"]["malformed"]),
            (&"error".into(), &1.into())
        );
    }

    #[tokio::test]
    async fn an_end_without_close_notify_is_counted_apart() {
        let trial = Trial::start("siem-unannounced", Transport::SyslogTls).await;
        let mut stream = connect(&trial).await;
        stream.write_all(counted(1..=2).as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let (tcp, _) = stream.get_mut();
        tcp.shutdown().await.unwrap();
        assert_eq!(end(&mut stream).await.unwrap(), 0);
        let report = trial.report();
        assert_eq!(report["connections"]["without_close_notify"], 1);
        assert_eq!(report["streams"][0]["distinct"], 2);
    }

    #[tokio::test]
    async fn who_does_not_trust_the_ca_is_told_of() {
        let trial = Trial::start("siem-stranger", Transport::SyslogTls).await;
        let other = Trial::start("siem-stranger-other", Transport::SyslogTls).await;
        let stream = TcpStream::connect(trial.address).await.unwrap();
        let connector = TlsConnector::from(tls::tests::client(&other.ca));
        assert!(
            connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.is_err()
        );
        // Nothing has come yet: only then is it idle.
        let mut stream = connect(&trial).await;
        stream.write_all(counted([1]).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(end(&mut stream).await.unwrap(), 0);
        trial.idle().await;
        assert_eq!(trial.report()["connections"]["no_tls"], 1);
    }

    #[tokio::test]
    async fn plain_messages_come_in_either_framing() {
        let trial = Trial::start("siem-plain", Transport::SyslogTcp).await;
        let lines: String = (3..=4).map(|n| message(n, &format!("evt-{n}")) + "\n").collect();
        for batch in [counted(1..=2), lines] {
            let mut stream = TcpStream::connect(trial.address).await.unwrap();
            stream.write_all(batch.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            assert_eq!(end(&mut stream).await.unwrap(), 0);
        }
        let report = trial.report();
        assert_eq!(report["streams"][0]["transport"], "syslog_tcp");
        assert_eq!(report["streams"][0]["distinct"], 4);
        assert_eq!((&report["connections"]["clean"], &report["status"]), (&2.into(), &"ok".into()));
    }

    #[tokio::test]
    async fn a_message_that_is_no_record_is_an_error() {
        let trial = Trial::start("siem-foreign", Transport::SyslogTcp).await;
        let mut stream = TcpStream::connect(trial.address).await.unwrap();
        let foreign = format!("{HEADER}- hello\n{}\n", message(1, "a"));
        stream.write_all(foreign.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(end(&mut stream).await.unwrap(), 0);
        let report = trial.report();
        assert_eq!(
            (&report["errors"]["unreadable"], &report["status"]),
            (&1.into(), &"error".into())
        );
        assert_eq!(report["received"]["messages"], 2);
    }

    #[tokio::test]
    async fn more_connections_than_seats_are_turned_away_with_a_reset() {
        let trial = Trial::start("siem-seats", Transport::SyslogTcp).await;
        let mut open = Vec::new();
        for _ in 0..crate::siem::receiver::MOST_CONNECTIONS {
            open.push(TcpStream::connect(trial.address).await.unwrap());
        }
        let mut one_more = TcpStream::connect(trial.address).await.unwrap();
        assert!(end(&mut one_more).await.is_err(), "it must not look confirmed");
        assert_eq!(trial.report()["connections"]["turned_away"], 1);
        let mut first = open.swap_remove(0);
        first.write_all(counted([1]).as_bytes()).await.unwrap();
        first.shutdown().await.unwrap();
        assert_eq!(end(&mut first).await.unwrap(), 0);
        drop(open);
        trial.idle().await;
        assert_eq!(trial.receiver.summary().status, "ok");
    }
}
