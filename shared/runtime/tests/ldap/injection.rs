//! Values that mean something to filters and names unless they are escaped, asked of a real directory.

use super::{names, session};
use belfry_domain::directory::ldap::{
    Dn, Flavor, Security, escape_dn, escape_filter, escape_filter_bytes,
};
use belfry_testkit::slapd::{BASE, Ldif, Slapd};

const HOSTILE: &[&str] = &[
    "*",
    "a*",
    "*nn",
    "a*n",
    "**",
    "(",
    ")",
    "()",
    "(*)",
    "*)(uid=*",
    "*)(uid=*))(|(uid=*",
    "ann)(uid=*",
    "ann))(|(uid=*",
    "ann)(&)",
    "ann)(!(uid=x",
    "x)(|(objectClass=*",
    "x*)(userPassword=*)",
    "*)(|(&",
    "\\",
    "\\\\",
    "\\2a",
    "\\2A",
    "\\61nn",
    "ann\\",
    "ann\\2",
    "\0",
    "ann\0",
    "\0)(uid=*",
    "ann\n",
    "ann\r\nuid: x",
    "=ann",
    "~=ann",
    ">=a",
    "<=z",
    ":=ann",
    ":dn:=ann",
    ":caseIgnoreMatch:=ann",
    "&",
    "|",
    "!",
    "!(uid=x)",
    "#",
    ";",
    ",",
    "+",
    "\"",
    "<",
    ">",
    "ann,dc=example,dc=com",
    "ann+cn=ann",
    "ann,",
    "ann;",
    "\"ann\"",
    "#616e6e",
    "a\\,b",
    "%2a",
    "&#42;",
    "＊",
    "（uid=*）",
    "\u{202e}nna",
    "ann\u{0}\u{2a}",
];

#[tokio::test]
async fn no_value_is_more_than_a_value() {
    assert!(HOSTILE.len() >= 60);
    let mut ldif = Ldif::new();
    ldif.open_ldap_user("ann", &[]);
    // Somebody whose uid each of them is, so that it is known to be searched for as it stands.
    for hostile in HOSTILE {
        let dn = format!("cn=h{},{BASE}", hex(hostile));
        let attributes = [
            ("objectClass", "device"),
            ("objectClass", "extensibleObject"),
            ("cn", &format!("h{}", hex(hostile)) as &str),
            ("employeeNumber", &hex(hostile)),
            ("description", hostile),
        ];
        ldif.entry(&dn, &attributes);
    }
    let slapd = Slapd::start(&ldif);
    let settings = slapd.settings(Security::Ldaps, Flavor::OpenLdap);
    let mut session = session(slapd.network(), &settings).await;
    let base = &settings.base_dn;
    for hostile in HOSTILE {
        let own = format!("cn=h{},{BASE}", hex(hostile));
        for escaped in [escape_filter(hostile), escape_filter_bytes(hostile.as_bytes())] {
            let filter = format!("(&(objectClass=inetOrgPerson)(uid={escaped}))");
            let found = names(session.as_mut(), base, filter.parse().unwrap()).await;
            assert_eq!(found, [""; 0], "{hostile:?}");
            let filter = format!("(&(objectClass=device)(description={escaped}))");
            let found = names(session.as_mut(), base, filter.parse().unwrap()).await;
            // Matching takes some of them for the same, such as a plain and a wide asterisk.
            assert!(found.contains(&own), "{hostile:?}: {found:?}");
            assert!(found.len() <= 4, "{hostile:?}: {found:?}");
        }
    }
}

#[tokio::test]
async fn no_part_of_a_name_is_more_than_a_part() {
    let mut ldif = Ldif::new();
    ldif.open_ldap_user("ann", &[]);
    let slapd = Slapd::start(&ldif);
    let settings = slapd.settings(Security::Ldaps, Flavor::OpenLdap);
    let mut session = session(slapd.network(), &settings).await;
    let any = "(objectClass=*)".parse().unwrap();
    for hostile in HOSTILE {
        let base: Dn = format!("uid={},{BASE}", escape_dn(hostile)).parse().unwrap();
        let fault = session.base(&base, &any, &mut super::trace()).await.unwrap_err();
        assert_eq!(fault.code(), "base_missing", "{hostile:?}: {fault}");
    }
    let ann: Dn = format!("uid={},{BASE}", escape_dn("ann")).parse().unwrap();
    session.base(&ann, &any, &mut super::trace()).await.unwrap();
}

fn hex(text: &str) -> String {
    hex::encode(text)
}
