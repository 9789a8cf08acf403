use super::FilterFaultKind::{
    Attribute, Character, Close, Comparison, Escape, Open, Surplus, TooDeep, TooLong,
};
use super::*;

fn equal(attribute: &str, value: &str) -> Node {
    Node::Equal(attribute.to_owned(), value.as_bytes().to_vec())
}

fn root(text: &str) -> Node {
    text.parse::<Filter>().unwrap().root
}

#[test]
fn filters_of_the_rfc_taken_apart() {
    assert_eq!(root("(cn=Babs Jensen)"), equal("cn", "Babs Jensen"));
    assert_eq!(root("(!(cn=Tim Howes))"), Node::Not(Box::new(equal("cn", "Tim Howes"))));
    let either = Node::Or(vec![
        equal("sn", "Jensen"),
        Node::Substrings {
            attribute: "cn".into(),
            initial: Some(b"Babs J".to_vec()),
            any: vec![],
            last: None,
        },
    ]);
    let both = Node::And(vec![equal("objectClass", "Person"), either]);
    assert_eq!(root(" (&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))\n"), both);
    let middle = Node::Substrings {
        attribute: "o".into(),
        initial: Some(b"univ".to_vec()),
        any: vec![b"of".to_vec()],
        last: Some(b"mich".to_vec()),
    };
    assert_eq!(root("(o=univ*of*mich)"), middle);
    assert_eq!(root("(seeAlso=)"), equal("seeAlso", ""));
    assert_eq!(root("(mail=*)"), Node::Present("mail".into()));
    assert_eq!(root("(a>=1)"), Node::AtLeast("a".into(), b"1".to_vec()));
    assert_eq!(root("(a<=1)"), Node::AtMost("a".into(), b"1".to_vec()));
    assert_eq!(root("(a~=1)"), Node::Approximate("a".into(), b"1".to_vec()));
    assert_eq!(root(r"(o=Parens R Us \28for all\29)"), equal("o", "Parens R Us (for all)"));
    assert_eq!(root(r"(filename=C:\5cMyFile)"), equal("filename", "C:\\MyFile"));
    assert_eq!(root(r"(bin=\00\00\fF)"), Node::Equal("bin".into(), vec![0, 0, 255]));
    assert_eq!(root(r"(sn=Lu\c4\8di\c4\87)"), equal("sn", "Lučić"));
    assert_eq!(root("(cn;lang-de=ü)"), equal("cn;lang-de", "ü"));
    assert_eq!(root("(1.3.6.1=x)"), equal("1.3.6.1", "x"));
    let extensible =
        |rule: Option<&str>, attribute: Option<&str>, value: &str, dn| Node::Extensible {
            rule: rule.map(str::to_owned),
            attribute: attribute.map(str::to_owned),
            value: value.as_bytes().to_vec(),
            dn,
        };
    for (text, node) in [
        (
            "(cn:caseExactMatch:=Fred)",
            extensible(Some("caseExactMatch"), Some("cn"), "Fred", false),
        ),
        ("(cn:=Betty)", extensible(None, Some("cn"), "Betty", false)),
        ("(sn:dn:2.4.6:=Barney)", extensible(Some("2.4.6"), Some("sn"), "Barney", true)),
        ("(o:dn:=Ace)", extensible(None, Some("o"), "Ace", true)),
        ("(:1.2.3:=Wilma)", extensible(Some("1.2.3"), None, "Wilma", false)),
        ("(:dn:2.4.6:=Dino)", extensible(Some("2.4.6"), None, "Dino", true)),
        (
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            extensible(Some("1.2.840.113556.1.4.803"), Some("userAccountControl"), "2", false),
        ),
    ] {
        assert_eq!(root(text), node, "{text}");
    }
}

#[test]
fn texts_that_are_no_filter_and_where() {
    for (text, at, kind) in [
        ("", 1, Open),
        ("uid=ann", 1, Open),
        (" x", 2, Open),
        ("()", 2, Attribute),
        ("(", 2, Attribute),
        ("(&)", 3, Open),
        ("(&(a=b)", 8, Close),
        ("(a=b", 5, Close),
        ("(a=b))", 6, Surplus),
        ("(a=b)(c=d)", 6, Surplus),
        ("(!(a=b)(c=d))", 8, Close),
        ("(& (a=b))", 3, Open),
        ("(ü=b)", 2, Attribute),
        ("(ab)", 4, Comparison),
        ("(a>b)", 3, Comparison),
        ("(a b=c)", 3, Comparison),
        ("(a;=c)", 2, Attribute),
        ("(1..2=c)", 2, Attribute),
        ("(-a=c)", 2, Attribute),
        (r"(a=\)", 4, Escape),
        (r"(a=ü\2)", 5, Escape),
        (r"(a=\+1)", 4, Escape),
        (r"(a=\zz)", 4, Escape),
        ("(a=(b))", 4, Character),
        ("(a=b\0)", 5, Character),
        ("(a=b**c)", 8, Character),
        ("(a>=b*)", 6, Close),
        ("(:=x)", 2, Attribute),
        ("(:dn:=x)", 5, Attribute),
        ("(a:dn=x)", 6, Comparison),
    ] {
        assert_eq!(text.parse::<Filter>(), Err(FilterFault { at, kind }), "{text}");
    }
    let deep = |depth: usize| format!("{}(a=b){}", "(!".repeat(depth - 1), ")".repeat(depth - 1));
    assert!(deep(MOST_DEPTH).parse::<Filter>().is_ok());
    let fault = FilterFault { at: 33, kind: TooDeep };
    assert_eq!(deep(MOST_DEPTH + 1).parse::<Filter>(), Err(fault));
    let long = |bytes: usize| format!("(a={})", "b".repeat(bytes - 4));
    assert!(long(MOST_BYTES).parse::<Filter>().is_ok());
    let fault = FilterFault { at: MOST_BYTES, kind: TooLong };
    assert_eq!(long(MOST_BYTES + 1).parse::<Filter>(), Err(fault));
    let fault = "(a=b))".parse::<Filter>().unwrap_err();
    assert_eq!(fault.to_string(), "at character 6: nothing is expected after the filter");
    assert_eq!(fault.code(), "filter_malformed");
}

/// Values that mean something to a filter unless they are escaped.
const HOSTILE: &[&str] = &[
    "*",
    "a*",
    "*a",
    "**",
    "(",
    ")",
    "()",
    "(*)",
    "*)(uid=*",
    "*)(uid=*))(|(uid=*",
    "a)(b=c",
    "a))(|(b=c",
    "admin)(&)",
    "admin)(!(&(1=0",
    "x)(|(objectClass=*",
    "x*)(userPassword=*)",
    "*)(|(&",
    "pwd)",
    "*()|&'",
    "\\",
    "\\\\",
    "\\2a",
    "\\29",
    "\\zz",
    "\\",
    "a\\",
    "\\2",
    "\0",
    "a\0b",
    "\0)(uid=*",
    "\n",
    "\r\n",
    "\t",
    " ",
    " a ",
    "=",
    "~=",
    ">=",
    "<=",
    ":=",
    ":dn:=",
    "&",
    "|",
    "!",
    "!(uid=*)",
    "#",
    ";",
    ",",
    "+",
    "\"",
    "<",
    ">",
    "ü",
    "\u{202e}",
    "𝕏",
    "＊",
    "（",
    "）",
    "＼",
    "%2a",
    "%28",
    "&#42;",
    "uid=*",
    "${jndi:ldap://x}",
    "",
];

#[test]
fn an_escaped_value_is_one_value_whatever_it_is() {
    assert!(HOSTILE.len() >= 60);
    for hostile in HOSTILE {
        for escaped in [escape_filter(hostile), escape_filter_bytes(hostile.as_bytes())] {
            let text = format!("(&(objectClass=user)(uid={escaped}))");
            let alone = Node::And(vec![equal("objectClass", "user"), equal("uid", hostile)]);
            assert_eq!(root(&text), alone, "{hostile:?}");
        }
    }
    assert_eq!(escape_filter("a*(b)\\\0é"), r"a\2a\28b\29\5c\00é");
    assert_eq!(escape_filter_bytes(&[0, 0x2a, 0xff]), r"\00\2a\ff");
}

#[test]
fn a_filter_is_stored_as_it_is_typed() {
    let filter: Filter = serde_json::from_str("\" (mail=*) \"").unwrap();
    assert_eq!(serde_json::to_string(&filter).unwrap(), "\"(mail=*)\"");
    assert!(serde_json::from_str::<Filter>("\"mail=*\"").is_err());
}
