//! Servers that mean harm, or are broken.

use super::server::{BIND, Reply, SEARCH, Server, done, element, entry, message, result, text};
use super::{directory, failed, read_until_fault, session, trace, users};
use belfry_domain::directory::ldap::Security;
use belfry_runtime::ldap::{Directory as _, LdapFault, Network, Patience, test};
use belfry_runtime::outbound::OutboundError;
use belfry_testkit::slapd::{BASE, PASSWORD};
use std::sync::Arc;
use std::time::Duration;

const EXTENDED: u8 = 0x78;

/// What comes of an answer to the very first question, which is sent in clear text.
async fn greeted(reply: impl Fn(u32) -> Reply + Send + Sync + 'static) -> OutboundError {
    let server = Server::start(Security::StartTls, move |asked| reply(asked.id)).await;
    let mut trace = trace();
    let patience = Patience { answer: Duration::from_millis(500), ..Patience::default() };
    let directory = Network::new(server.network(), patience, Arc::new(super::Noon));
    let fault = directory.bind(&server.settings(), PASSWORD, &mut trace).await.err().unwrap();
    let (_, seen) = failed(&trace);
    assert_eq!(seen, fault);
    assert!(!server.heard.lock().unwrap().contains(&BIND), "the password was sent");
    fault
}

#[tokio::test]
async fn what_is_no_answer_ends_it() {
    let deep = (0..100_000_u32).rev().fold(Vec::new(), |mut bytes, depth| {
        bytes.extend(element(0x30, &[]).iter().take(2));
        bytes.extend((depth * 6).to_be_bytes());
        bytes
    });
    for (what, bytes) in [
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("TLS", vec![0x15, 3, 1, 0, 2, 2, 40]),
        ("an empty message", vec![0x30, 0]),
        ("a number alone", vec![0x30, 3, 2, 1, 1]),
        ("no number", vec![0x30, 2, 0x78, 0]),
        ("a number that is long", element(0x30, &element(2, &[1; 5]))),
        ("no end", vec![0x30, 0x80, 2, 1, 1]),
        ("a length of 8 bytes", vec![0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("an element beyond its message", vec![0x30, 5, 2, 1, 1, 0x78, 9]),
        ("a tag that goes on", element(0x30, &[2, 1, 1, 0x7f, 0x78, 0])),
        ("depth", deep.iter().copied().take(5 * 6).chain(vec![0; 600_000]).collect()),
        ("no result", message(1, EXTENDED, &[], &[])),
        ("half a result", message(1, EXTENDED, &element(0x0a, &[0]), &[])),
        (
            "a negative code",
            message(1, EXTENDED, &[element(0x0a, &[0xff; 4]), text(""), text("")].concat(), &[]),
        ),
        ("another number", message(7, EXTENDED, &result(0, ""), &[])),
        ("another operation", message(1, 0x61, &result(0, ""), &[])),
        ("a question", message(1, 0x63, &[], &[])),
        // CVE-2021-33515 and its kin: whoever stands between adds to the last words in clear text.
        ("consent and more", [message(1, EXTENDED, &result(0, ""), &[]), vec![0x30]].concat()),
    ] {
        let fault = greeted(move |_| Reply::SayAndClose(bytes.clone())).await;
        assert_eq!(fault, LdapFault::NotLdap.into(), "{what}");
    }
}

#[tokio::test]
async fn a_length_is_not_believed() {
    for head in [vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], vec![0x30, 0x83, 0x40, 0, 0]] {
        let fault = greeted(move |_| Reply::Say(head.clone())).await;
        assert_eq!(fault, LdapFault::TooLarge.into());
    }
}

#[tokio::test]
async fn talk_without_end_has_an_end() {
    let fault = greeted(|id| Reply::SayForEver(message(id, 0x79, &vec![0x80; 60_000], &[]))).await;
    assert_eq!(fault, LdapFault::TooLarge.into());
}

#[tokio::test]
async fn silence_and_an_early_end_are_told() {
    assert_eq!(greeted(|_| Reply::Nothing).await, OutboundError::Timeout);
    assert_eq!(greeted(|_| Reply::SayAndClose(vec![])).await, OutboundError::ConnectionClosed);
    let half = |id| message(id, EXTENDED, &result(0, ""), &[]).into_iter().take(9).collect();
    assert_eq!(
        greeted(move |id| Reply::SayAndClose(half(id))).await,
        OutboundError::ConnectionClosed
    );
    assert_eq!(greeted(move |id| Reply::Say(half(id))).await, OutboundError::Timeout);
}

#[tokio::test]
async fn the_server_s_words_are_cut_and_the_password_is_not_among_them() {
    let parted = PASSWORD.replace(' ', "\u{7} ");
    let words = format!(
        "80090308: LdapErr: \u{1b}[2J\r\n{PASSWORD}, {parted}, data 52e, {}",
        "v".repeat(5_000)
    );
    for (security, operation, tag) in
        [(Security::StartTls, 0x77, EXTENDED), (Security::Ldaps, SEARCH, 0x65)]
    {
        let words = words.clone();
        let server = Server::start(security, move |asked| {
            assert_eq!(asked.operation, operation);
            Reply::Say(message(asked.id, tag, &result(49, &words), &[]))
        })
        .await;
        let fault =
            test(&directory(server.network()), &server.settings(), PASSWORD, &mut trace()).await;
        let sentence = fault.unwrap_err().to_string();
        let shown = "invalidCredentials (49): 80090308: LdapErr: [2J***, ***, data 52e, vvv";
        assert!(sentence.contains(shown), "{sentence}");
        assert!(sentence.chars().count() < 300 && !sentence.chars().any(char::is_control));
    }
}

#[tokio::test]
async fn a_server_may_end_the_connection_in_its_words() {
    let name = element(0x8a, b"1.3.6.1.4.1.1466.20036");
    let notice = [result(52, "going down"), name.clone()].concat();
    let right = message(0, EXTENDED, &notice, &[]);
    // Active Directory puts the name where controls belong.
    let active_directory = message(0, EXTENDED, &result(52, "going down"), &name);
    for notice in [right, active_directory] {
        let fault = greeted(move |_| Reply::SayAndClose(notice.clone())).await;
        assert_eq!(
            fault.to_string(),
            "the directory ended the connection: unavailable (52): going down"
        );
        assert!(!fault.is_lasting());
    }
}

/// What a search that is read to its end fails with.
async fn searched(
    most: usize,
    reply: impl Fn(u32) -> Reply + Send + Sync + 'static,
) -> OutboundError {
    let server = Server::start(Security::Ldaps, move |asked| reply(asked.id)).await;
    let settings = server.settings();
    let mut session = session(server.network(), &settings).await;
    let mut search = users(&settings, most);
    let fault = read_until_fault(session.as_mut(), &mut search).await;
    let again = session.next_page(&mut search).await;
    assert_eq!(again.unwrap_err(), LdapFault::NotLdap.into(), "a broken search goes on");
    fault
}

#[tokio::test]
async fn a_search_that_ends_otherwise_than_well_is_no_list() {
    let ann = |id| entry(id, &format!("cn=ann,{BASE}"), &[("cn", vec!["ann".into()])]);
    for code in [1, 3, 4, 11, 51, 80] {
        let fault =
            searched(10, move |id| Reply::Say([ann(id), done(id, code, Some(""))].concat())).await;
        assert_eq!(fault.code(), "directory_refused", "{code}");
    }
    let fault = searched(10, move |id| Reply::SayAndClose(ann(id))).await;
    assert_eq!(fault, OutboundError::ConnectionClosed);
    let fault = searched(10, move |id| Reply::Say([ann(id), done(id, 10, None)].concat())).await;
    assert_eq!(fault, LdapFault::Referred.into());
    let other = move |id| Reply::Say([ann(id + 1), done(id, 0, None)].concat());
    assert_eq!(searched(10, other).await, LdapFault::NotLdap.into());
    let bind = move |id| Reply::Say([ann(id), message(id, 0x61, &result(0, ""), &[])].concat());
    assert_eq!(searched(10, bind).await, LdapFault::NotLdap.into());
}

#[tokio::test]
async fn pages_and_entries_without_end_have_an_end() {
    let fault = searched(10, |id| Reply::Say(done(id, 0, Some("again")))).await;
    assert_eq!(fault, LdapFault::NotLdap.into());
    let fault = searched(600, |id| {
        Reply::SayForEver(entry(id, &format!("cn=ann,{BASE}"), &[("cn", vec!["ann".into()])]))
    })
    .await;
    assert_eq!(fault, LdapFault::TooManyEntries(600).into());
    let fault = searched(20_000, |id| {
        Reply::SayForEver(message(id, 0x73, &text(&"x".repeat(60_000)), &[]))
    })
    .await;
    assert_eq!(fault, LdapFault::TooLarge.into());
}

#[tokio::test]
async fn an_entry_weighs_what_it_takes_here() {
    let values = |count: usize, length: usize| vec!["v".repeat(length); count];
    let empty = values(50_001, 0);
    let fault = searched(10, move |id| {
        Reply::Say([entry(id, "cn=x", &[("cn", empty.clone())]), done(id, 0, None)].concat())
    })
    .await;
    assert_eq!(fault, LdapFault::TooLarge.into());
    let long = values(1, 5 << 20);
    let fault =
        searched(10, move |id| Reply::Say(entry(id, "cn=x", &[("cn", long.clone())]))).await;
    assert_eq!(fault, LdapFault::TooLarge.into());
    let large = values(1, 3 << 20);
    let fault =
        searched(20_000, move |id| Reply::SayForEver(entry(id, "cn=x", &[("cn", large.clone())])))
            .await;
    assert_eq!(fault, LdapFault::TooLarge.into());
    // 6 MB on the wire.
    let many = values(40_000, 0);
    let fault = searched(20_000, move |id| {
        let entries = entry(id, "cn=x", &[("cn", many.clone())]).repeat(25);
        Reply::Say([entries, done(id, 0, None)].concat())
    })
    .await;
    assert_eq!(fault, LdapFault::TooLarge.into());
}
