//! Where Belfry may connect to, when the address is a customer's input.
//!
//! Three questions, each with one answer here: is the text a host ([`Host`]), may its port be used
//! ([`Ports`]), and may the addresses that its name resolves to be connected to ([`Reach`]).

use crate::failure::FieldFault;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A host of the public network: a DNS name of at least two labels in IDNA's ASCII form, lower-cased,
/// at most 253 bytes (RFC 1035, section 2.3.4), or an IP address in its one canonical form.
///
/// The text is the host alone, without scheme, port or path; an IPv6 address with or without its
/// brackets, without a zone. That a text is a host says nothing about whether one may connect to it:
/// see [`Reach`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(Kind);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Name(String),
    Address(IpAddr),
}

/// Why a text is not a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// Neither a name nor an address.
    #[error("the host is a DNS name or an IP address, without scheme, port or path")]
    Malformed,
    /// A number in any of the other ways in which resolvers take one for an IPv4 address.
    #[error("an IPv4 address is four decimal numbers from 0 to 255 without leading zeros")]
    Numeric,
    /// A name that only means something inside a machine or a network.
    #[error("the host is a full name of the public DNS, such as siem.example.com")]
    NotPublic,
    /// Text or name over the limit.
    #[error("the host has at most 253 characters")]
    TooLong,
}

impl FieldFault for HostFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "host_malformed",
            Self::Numeric => "host_numeric",
            Self::NotPublic => "host_not_public",
            Self::TooLong => "host_too_long",
        }
    }
}

/// Longest name in bytes: 255 octets on the wire, less the first length and the root.
const MOST_NAME: usize = 253;

/// Longest text that is looked at: IDNA is slow on long input, and a name in Unicode may be longer than
/// its ASCII form.
const MOST_TEXT: usize = 1_000;

/// Last labels that never belong to the public DNS: RFC 6761 (`localhost`, `invalid`), RFC 6762 (`local`,
/// and in its appendix G what networks use at home), RFC 7686 (`onion`), RFC 9476 (`alt`), ICANN
/// resolution 2024.07.29.06 (`internal`); `arpa` (RFC 3172) holds addresses, no hosts.
const NOT_PUBLIC: &[&str] = &[
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
];

impl Host {
    /// The address, when the host is one.
    pub const fn address(&self) -> Option<IpAddr> {
        match self.0 {
            Kind::Name(_) => None,
            Kind::Address(ip) => Some(ip),
        }
    }
}

impl Host {
    /// A host that may also be one of a private network, such as `dc1.corp.internal`: where the operator
    /// runs Belfry in such a network, see [`PrivateNetworks`].
    ///
    /// # Errors
    /// [`HostFault`].
    pub fn of_private_network(text: &str) -> Result<Self, HostFault> {
        Self::read(text, |_| false)
    }

    fn read(text: &str, refused: impl Fn(&str) -> bool) -> Result<Self, HostFault> {
        if text.len() > MOST_TEXT {
            return Err(HostFault::TooLong);
        }
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        // The standard library's parsers know the canonical forms only: no octal, hexadecimal or short
        // IPv4, no zone.
        if let Ok(ip) = bracketed.unwrap_or(text).parse::<Ipv6Addr>() {
            return Ok(Self(Kind::Address(ip.into())));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self(Kind::Address(ip.into())));
        }
        name(text, refused).map(|name| Self(Kind::Name(name)))
    }
}

impl FromStr for Host {
    type Err = HostFault;
    fn from_str(text: &str) -> Result<Self, HostFault> {
        Self::read(text, |last| NOT_PUBLIC.contains(&last))
    }
}

/// The name in its ASCII form. All judgements are made on this form: IDNA turns full-width digits and
/// ideographic full stops into plain ones and drops what nobody sees.
fn name(text: &str, refused: impl Fn(&str) -> bool) -> Result<String, HostFault> {
    let ascii = Uts46::new()
        // No `CheckHyphens`: names with hyphens in the third and fourth place are in use.
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| HostFault::Malformed)?;
    if ascii.len() > MOST_NAME {
        return Err(HostFault::TooLong);
    }
    if ascii.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(HostFault::Malformed);
    }
    let last = ascii.rsplit('.').next().unwrap_or_default();
    if is_number(last) {
        return Err(HostFault::Numeric);
    }
    if last.len() == ascii.len() || refused(last) {
        return Err(HostFault::NotPublic);
    }
    Ok(ascii.into_owned())
}

/// "Ends in a number" of the URL standard: such a host is an IPv4 address to some resolver.
/// <https://url.spec.whatwg.org/#ends-in-a-number-checker>
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x");
    label.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// As in a URL (RFC 3986, section 3.2.2): an IPv6 address stands in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Name(name) => f.write_str(name),
            Kind::Address(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Kind::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Of what is stored: it was a host when it was given.
impl TryFrom<String> for Host {
    type Error = HostFault;
    fn try_from(text: String) -> Result<Self, HostFault> {
        Self::of_private_network(&text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

/// The ports that a purpose needs. All others are refused, so that Belfry cannot be made to speak to mail
/// servers, databases and the like in somebody's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Receivers of events: HTTPS, syslog (RFC 6587, RFC 5425), Splunk's collector, Elasticsearch, and all
    /// above 10000.
    Siem,
    /// Directories: LDAP, LDAP over TLS, and both of the global catalogue.
    Directory,
}

/// A port outside the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortFault {
    /// For receivers of events.
    #[error("the port is 443, 601, 1514, 6514, 8088, 8443, 9200 or above 10000")]
    Siem,
    /// For directories.
    #[error("the port is 389, 636, 3268 or 3269")]
    Directory,
}

impl FieldFault for PortFault {
    fn code(&self) -> &'static str {
        "port_not_allowed"
    }
}

impl Ports {
    /// Whether the port may be used.
    ///
    /// # Errors
    /// [`PortFault`], which names the ports that may.
    pub fn check(self, port: u16) -> Result<(), PortFault> {
        let (single, above, fault): (&[u16], u16, PortFault) = match self {
            Self::Siem => (&[443, 601, 1_514, 6_514, 8_088, 8_443, 9_200], 10_000, PortFault::Siem),
            Self::Directory => (&[389, 636, 3_268, 3_269], u16::MAX, PortFault::Directory),
        };
        (single.contains(&port) || port > above).then_some(()).ok_or(fault)
    }
}

/// A host and a port that its purpose allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    host: Host,
    port: u16,
}

impl Peer {
    /// The port is held against the rule.
    ///
    /// # Errors
    /// [`PortFault`].
    pub fn new(host: Host, port: u16, ports: Ports) -> Result<Self, PortFault> {
        ports.check(port).map(|()| Self { host, port })
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// `host:port`, as in a URL.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Those of the public network.
    #[default]
    Public,
    /// Those of this very machine too, where a local stack and the tests have their receivers. On Lambda
    /// the runtime interface listens there, so production never says this.
    LocalStack,
}

impl Reach {
    /// Whether one may connect to the address.
    pub fn admits(self, ip: IpAddr) -> bool {
        is_public(ip) || (self == Self::LocalStack && ip.is_loopback())
    }
}

/// Private networks that directories may be in, beside the public one: the operator's explicit choice,
/// where Belfry runs in a VPC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrivateNetworks(Vec<(IpAddr, u32)>);

/// A list of networks that cannot be admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no network like 10.1.0.0/16 within 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, \
     192.168.0.0/16 or fc00::/7"
)]
pub struct BadNetwork(String);

/// The networks out of which private ones are given: RFC 1918, RFC 6598, RFC 4193. Neither this machine nor
/// what is on its own link, such as the clouds' metadata, can be admitted.
const PRIVATE: &[(IpAddr, u32)] = &[
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
];

impl PrivateNetworks {
    /// Whether one may connect to the address.
    pub fn admits(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| is_within(ip, *network)) && ip != METADATA_V6
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The metadata of machines at AWS, which is in a private network by its number.
const METADATA_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254));

fn is_within(ip: IpAddr, (network, length): (IpAddr, u32)) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(of)) => (ip.to_bits() ^ of.to_bits()).leading_zeros() >= length,
        (IpAddr::V6(ip), IpAddr::V6(of)) => (ip.to_bits() ^ of.to_bits()).leading_zeros() >= length,
        _ => false,
    }
}

/// Networks in CIDR notation (RFC 4632, section 3.1; RFC 4291, section 2.3), separated by commas.
impl FromStr for PrivateNetworks {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let network = |text: &str| {
            let (first, length) = text.split_once('/')?;
            let (first, length) = (first.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
            let most = if first.is_ipv4() { 32 } else { 128 };
            let within = |(of, least): &(IpAddr, u32)| {
                *least <= length && length <= most && is_within(first, (*of, *least))
            };
            PRIVATE.iter().any(within).then_some((first, length))
        };
        let all = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        let all = all.map(|text| network(text).ok_or_else(|| BadNetwork(text.to_owned())));
        all.collect::<Result<_, _>>().map(Self)
    }
}

/// IPv4 networks that are not globally reachable, by first address and prefix length.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // this network, RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, RFC 3927; the clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments, RFC 6890; its two anycast ones too
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(192, 88, 99, 0), 24), // relays of 6to4, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),  // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),  // reserved and broadcast, RFC 1112
];

/// The one IPv6 network out of which global addresses are given (RFC 4291, section 2.4). Outside are
/// loopback, IPv4 in its mapped, compatible and translated forms (RFC 4291, RFC 6052, RFC 8215), discard
/// (RFC 6666), segment routing (RFC 9602), unique-local (RFC 4193), link-local, site-local, multicast.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// IPv6 networks inside [`GLOBAL_V6`] that are not globally reachable, or that lead to an IPv4 address
/// within. <https://www.iana.org/assignments/iana-ipv6-special-registry>
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, RFC 2928: Teredo, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, RFC 3056
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// Whether an address is globally reachable unicast by IANA's registries of special-purpose addresses
/// (RFC 6890, as of 2026). An IPv6 address that carries an IPv4 one is not, whatever it carries.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => !SPECIAL_V4
            .iter()
            .any(|(network, length)| is_within(ip, (IpAddr::V4(*network), *length))),
        IpAddr::V6(_) => {
            let within = |(network, length): &(Ipv6Addr, u32)| {
                is_within(ip, (IpAddr::V6(*network), *length))
            };
            within(&GLOBAL_V6) && !SPECIAL_V6.iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostFault::{Malformed, NotPublic, Numeric, TooLong};
    use super::*;

    #[test]
    fn one_form_for_one_host() {
        let long = format!("{}.example.com", ["a".repeat(60).as_str(); 3].join("."));
        let label = format!("{}.com", "a".repeat(63));
        for (text, form) in [
            ("siem.example.com", "siem.example.com"),
            ("SIEM.Example.COM", "siem.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("例え。jp", "xn--r8jz45g.jp"),
            ("a-b.c--d.com", "a-b.c--d.com"),
            ("r3---sn-x.example.com", "r3---sn-x.example.com"),
            ("1.example.com", "1.example.com"),
            ("127.0.0.1.example.com", "127.0.0.1.example.com"),
            ("10.example.com", "10.example.com"),
            ("0x7f.com", "0x7f.com"),
            ("logs.0x7g", "logs.0x7g"),
            ("localhost.com", "localhost.com"),
            ("http-inputs-acme.splunkcloud.com", "http-inputs-acme.splunkcloud.com"),
            ("9.9.9.9", "9.9.9.9"),
            ("2620:fe::9", "[2620:fe::9]"),
            ("[2620:fe::9]", "[2620:fe::9]"),
            ("2620:FE:0:0:0:0:0:9", "[2620:fe::9]"),
            (&long, &long),
            (&label, &label),
        ] {
            let host = text.parse::<Host>();
            assert_eq!(host.as_ref().map(ToString::to_string).as_deref(), Ok(form), "{text}");
            assert_eq!(form.parse(), host, "read back: {text}");
        }
    }

    /// Texts that some resolver, parser or reader takes for a host.
    const HOSTILE: &[(&str, HostFault)] = &[
        // IPv4 in the other ways that `inet_aton` reads
        ("2130706433", Numeric),
        ("0x7f000001", Numeric),
        ("0x7F000001", Numeric),
        ("017700000001", Numeric),
        ("127.1", Numeric),
        ("127.0.1", Numeric),
        ("0x7f.1", Numeric),
        ("0x7f.0x0.0x0.0x1", Numeric),
        ("0177.0.0.1", Numeric),
        ("127.0.0.01", Numeric),
        ("0177.0.0.0x1", Numeric),
        ("127.0.0.0x", Numeric),
        ("127.0.0.256", Numeric),
        ("4294967296", Numeric),
        ("1.2.3.4.5", Numeric),
        ("169.254.43518", Numeric),
        ("2852039166", Numeric),
        ("0", Numeric),
        ("foo.127", Numeric),
        ("foo.0x1", Numeric),
        // the same behind IDNA
        ("１２７.0.0.1", Numeric),
        ("①②⑦.0.0.1", Numeric),
        ("127。0。0。1", Numeric),
        ("127．0．0．1", Numeric),
        ("127｡0｡0｡1", Numeric),
        ("１６９。２５４。１６９。２５４", Numeric),
        ("127.0.0.1\u{ad}", Numeric),
        ("0ｘ7f.1", Numeric),
        // names of a machine or a network
        ("localhost", NotPublic),
        ("LOCALHOST", NotPublic),
        ("ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", NotPublic),
        ("local\u{ad}host", NotPublic),
        ("local\u{200b}host", NotPublic),
        ("ｌｏｃａｌｈｏｓｔ", NotPublic),
        ("foo.localhost", NotPublic),
        ("foo。localhost", NotPublic),
        ("printer.local", NotPublic),
        ("metadata.google.internal", NotPublic),
        ("ip-10-0-0-1.ec2.internal", NotPublic),
        ("1.0.0.127.in-addr.arpa", NotPublic),
        ("router.home.arpa", NotPublic),
        ("nas.lan", NotPublic),
        ("x.localdomain", NotPublic),
        ("x.onion", NotPublic),
        ("siem", NotPublic),
        ("com", NotPublic),
        // dots
        ("", Malformed),
        (".", Malformed),
        ("..", Malformed),
        ("localhost.", Malformed),
        ("127.0.0.1.", Malformed),
        ("siem.example.com.", Malformed),
        ("siem.example.com。", Malformed),
        (".example.com", Malformed),
        ("siem..example.com", Malformed),
        // more than a host
        ("https://siem.example.com", Malformed),
        ("//siem.example.com", Malformed),
        ("siem.example.com:443", Malformed),
        ("127.0.0.1:80", Malformed),
        ("siem.example.com/x", Malformed),
        ("siem.example.com?x", Malformed),
        ("siem.example.com#x", Malformed),
        ("127.0.0.1#.example.com", Malformed),
        ("a@siem.example.com", Malformed),
        ("example.com@127.0.0.1", Malformed),
        ("a:b@siem.example.com", Malformed),
        ("127.0.0.1\\.example.com", Malformed),
        ("127.0.0.1%2f.example.com", Malformed),
        ("%31%32%37.0.0.1", Malformed),
        ("127.0.0.1／.example.com", Malformed),
        ("a＠example.com", Malformed),
        ("siem.example.com,evil.example.com", Malformed),
        // what nobody sees
        (" siem.example.com", Malformed),
        ("siem.example.com ", Malformed),
        ("127.0.0.1 ", Malformed),
        ("siem.example.com\t", Malformed),
        ("siem.example.com\n", Malformed),
        ("siem.example.com\r\nHost: x", Malformed),
        ("127.0.0.1\0.example.com", Malformed),
        ("siem.example.com\0", Malformed),
        ("siem\u{7f}.example.com", Malformed),
        ("siem\u{a0}x.example.com", Malformed),
        ("\u{202e}moc.example.com", Malformed),
        // labels
        ("-a.example.com", Malformed),
        ("a-.example.com", Malformed),
        ("a_b.example.com", Malformed),
        ("*.example.com", Malformed),
        ("xn--a.example.com", Malformed),
        ("xn--.example.com", Malformed),
        // IPv6
        ("[", Malformed),
        ("[]", Malformed),
        ("[::1", Malformed),
        ("::1]", Malformed),
        ("[[::1]]", Malformed),
        ("[127.0.0.1]", Malformed),
        ("[siem.example.com]", Malformed),
        ("[::1]:443", Malformed),
        ("fe80::1%eth0", Malformed),
        ("fe80::1%25eth0", Malformed),
        ("[fe80::1%1]", Malformed),
        ("::ffff:127.1", Malformed),
        ("::ffff:0177.0.0.1", Malformed),
        ("0:0:0:0:0:0:0:0:1", Malformed),
        (":::1", Malformed),
        ("：：1", Malformed),
    ];

    #[test]
    fn texts_that_are_no_host() {
        for (text, fault) in HOSTILE {
            assert_eq!(text.parse::<Host>(), Err(*fault), "{text:?}");
        }
        for (text, fault) in [
            (format!("{}.com", "a".repeat(64)), Malformed),
            (format!("{}.com", ["a".repeat(60).as_str(); 5].join(".")), TooLong),
            ("a.".repeat(5_000), TooLong),
        ] {
            assert_eq!(text.parse::<Host>(), Err(fault), "{text}");
        }
    }

    /// First and last address of each network that is not public, and the public neighbours on both
    /// sides, written out apart from the tables.
    const NETWORKS: &[(&str, &[&str], &[&str])] = &[
        ("this network", &["0.0.0.0", "0.255.255.255"], &["1.0.0.0"]),
        ("private 10", &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0"]),
        ("shared", &["100.64.0.0", "100.127.255.255"], &["100.63.255.255", "100.128.0.0"]),
        (
            "loopback",
            &["127.0.0.0", "127.0.0.1", "127.255.255.255"],
            &["126.255.255.255", "128.0.0.0"],
        ),
        ("link-local", &["169.254.0.0", "169.254.255.255"], &["169.253.255.255", "169.255.0.0"]),
        (
            "metadata",
            &[
                "169.254.169.254",
                "169.254.170.2",
                "100.100.100.200",
                "fd00:ec2::254",
                "fd20:ce::254",
            ],
            &[],
        ),
        ("private 172", &["172.16.0.0", "172.31.255.255"], &["172.15.255.255", "172.32.0.0"]),
        (
            "assignments",
            &["192.0.0.0", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.255"],
            &["191.255.255.255", "192.0.1.0"],
        ),
        ("documentation 1", &["192.0.2.0", "192.0.2.255"], &["192.0.1.255", "192.0.3.0"]),
        ("6to4 relays", &["192.88.99.0", "192.88.99.255"], &["192.88.98.255", "192.88.100.0"]),
        ("private 192", &["192.168.0.0", "192.168.255.255"], &["192.167.255.255", "192.169.0.0"]),
        ("benchmarks", &["198.18.0.0", "198.19.255.255"], &["198.17.255.255", "198.20.0.0"]),
        (
            "documentation 2",
            &["198.51.100.0", "198.51.100.255"],
            &["198.51.99.255", "198.51.101.0"],
        ),
        ("documentation 3", &["203.0.113.0", "203.0.113.255"], &["203.0.112.255", "203.0.114.0"]),
        ("multicast", &["224.0.0.0", "239.255.255.255"], &["223.255.255.255"]),
        ("reserved", &["240.0.0.0", "255.255.255.254", "255.255.255.255"], &[]),
        ("unspecified", &["::"], &[]),
        ("loopback 6", &["::1"], &[]),
        (
            "mapped",
            &["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:9.9.9.9", "::ffff:7f00:1"],
            &[],
        ),
        ("translated by SIIT", &["::ffff:0:127.0.0.1"], &[]),
        ("compatible", &["::127.0.0.1", "::9.9.9.9"], &[]),
        ("NAT64", &["64:ff9b::127.0.0.1", "64:ff9b::9.9.9.9", "64:ff9b::ffff:ffff"], &[]),
        ("local NAT64", &["64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"], &[]),
        ("discard", &["100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::1"], &[]),
        ("before the global", &["1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], &["2000::"]),
        (
            "Teredo",
            &["2001::", "2001::1", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
            &["2000:ffff::"],
        ),
        ("ORCHID", &["2001:10::1", "2001:20::1", "2001:2f:ffff::"], &[]),
        (
            "assignments 6",
            &["2001:2::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"],
            &["2001:200::"],
        ),
        (
            "documentation 6",
            &["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
            &["2001:db7:ffff::", "2001:db9::"],
        ),
        (
            "6to4",
            &["2002::", "2002:7f00:1::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
            &["2001:ffff::", "2003::"],
        ),
        (
            "documentation 6 too",
            &["3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"],
            &["3ffe:ffff::", "3fff:1000::"],
        ),
        ("after the global", &["4000::"], &[]),
        ("segment routing", &["5f00::1"], &[]),
        ("unique-local", &["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], &[]),
        ("link-local 6", &["fe80::1", "febf::1"], &[]),
        ("site-local", &["fec0::1", "feff::1"], &[]),
        ("multicast 6", &["ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], &[]),
    ];

    #[test]
    fn only_public_addresses_are_admitted() {
        for (name, not_public, neighbours) in NETWORKS {
            for address in *not_public {
                let ip: IpAddr = address.parse().unwrap();
                assert!(!Reach::Public.admits(ip), "{name}: {address}");
                assert_eq!(Reach::LocalStack.admits(ip), ip.is_loopback(), "{name}: {address}");
            }
            for address in *neighbours {
                assert!(Reach::Public.admits(address.parse().unwrap()), "beside {name}: {address}");
            }
        }
        for public in ["9.9.9.9", "52.94.236.248", "2620:fe::9", "2600:1f18::1", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        assert_eq!(Reach::default(), Reach::Public);
    }

    #[test]
    fn only_private_networks_can_be_admitted() {
        let networks: PrivateNetworks =
            "10.1.0.0/16, fd12:3456::/32,192.168.7.9/32".parse().unwrap();
        let admits = |ip: &str| networks.admits(ip.parse().unwrap());
        for ip in ["10.1.0.0", "10.1.255.255", "192.168.7.9", "fd12:3456::1"] {
            assert!(admits(ip), "{ip}");
        }
        for ip in ["10.0.255.255", "10.2.0.0", "192.168.7.8", "fd12:3457::", "127.0.0.1", "::1"] {
            assert!(!admits(ip), "{ip}");
        }
        assert!(!"fd00::/8".parse::<PrivateNetworks>().unwrap().admits(METADATA_V6));
        assert!("".parse::<PrivateNetworks>().unwrap().is_empty());
        for bad in [
            "10.0.0.0",
            "10.0.0.0/7",
            "10.0.0.0/33",
            "0.0.0.0/0",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "8.8.8.0/24",
            "::/0",
            "fe80::/10",
            "fd00::/129",
            "10.0.0.0/-1",
            "a/8",
            "::1/128",
            "10.0.0.0/8;10.0.0.0/8",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(bad.parse::<PrivateNetworks>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_private_name_is_a_host_where_such_are_admitted() {
        assert_eq!("dc1.corp.internal".parse::<Host>(), Err(NotPublic));
        let host = Host::of_private_network("DC1.corp.internal").unwrap();
        assert_eq!(host.to_string(), "dc1.corp.internal");
        let stored = serde_json::to_string(&host).unwrap();
        assert_eq!(serde_json::from_str::<Host>(&stored).unwrap(), host);
        assert_eq!(Host::of_private_network("localhost"), Err(NotPublic));
    }

    #[test]
    fn ports_by_purpose() {
        let admitted = |ports: Ports| -> Vec<u16> {
            (0..=10_001).filter(|port| ports.check(*port).is_ok()).collect()
        };
        assert_eq!(admitted(Ports::Siem), [443, 601, 1514, 6514, 8088, 8443, 9200, 10_001]);
        assert_eq!(admitted(Ports::Directory), [389, 636, 3268, 3269]);
        assert_eq!(Ports::Siem.check(u16::MAX), Ok(()));
        assert_eq!(Ports::Directory.check(u16::MAX), Err(PortFault::Directory));
        let host: Host = "[2620:fe::9]".parse().unwrap();
        let peer = Peer::new(host.clone(), 6514, Ports::Siem).unwrap();
        assert_eq!(peer.to_string(), "[2620:fe::9]:6514");
        assert_eq!(Peer::new(host, 25, Ports::Siem), Err(PortFault::Siem));
    }

    #[test]
    fn a_stored_host_is_read_like_a_typed_one() {
        let host: Host = serde_json::from_str("\"SIEM.example.com\"").unwrap();
        assert_eq!(serde_json::to_string(&host).unwrap(), "\"siem.example.com\"");
        assert!(serde_json::from_str::<Host>("\"localhost\"").is_err());
    }
}
