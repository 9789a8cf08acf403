//! Long lists of values, in parts as Active Directory gives them.

use super::server::{Asked, Reply, Server, done, entry};
use super::{session, users};
use belfry_domain::directory::ldap::Security;
use belfry_runtime::ldap::{LdapFault, Page};
use belfry_runtime::outbound::OutboundError;
use belfry_testkit::slapd::BASE;

fn members(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|number| format!("cn=user{number},{BASE}")).collect()
}

/// The one group of a directory, as far as a question asks for it: what is said to the first, and to each
/// that goes on at a place.
async fn group(
    parts: &'static [(&'static str, &'static str, usize, usize)],
) -> Result<Page, OutboundError> {
    let server = Server::start(Security::Ldaps, move |asked: &Asked| {
        let place = parts.iter().skip(1).find(|(question, ..)| asked.contains(question));
        let (_, description, from, to) = place.or(parts.first()).unwrap();
        let values = if from > to { vec![] } else { members(*from, *to) };
        let dn = format!("cn=staff,{BASE}");
        let attributes = [("cn", vec!["staff".into()]), ("member", vec![]), (*description, values)];
        Reply::Say([entry(asked.id, &dn, &attributes), done(asked.id, 0, Some(""))].concat())
    })
    .await;
    let settings = server.settings();
    let mut session = session(server.network(), &settings).await;
    let mut search = users(&settings, 10);
    let page = session.next_page(&mut search).await?.unwrap();
    assert!(session.next_page(&mut search).await.unwrap().is_none());
    Ok(page)
}

#[tokio::test]
async fn a_list_in_parts_is_read_to_its_end() {
    let page = group(&[
        ("", "member;range=0-1499", 0, 1_499),
        ("member;range=1500-*", "member;range=1500-2999", 1_500, 2_999),
        ("member;range=3000-*", "Member;Range=3000-*", 3_000, 3_456),
    ])
    .await
    .unwrap();
    let texts: Vec<_> = page.entries[0].texts("member").map(str::to_owned).collect();
    assert_eq!(texts, members(0, 3_456));
    let page = group(&[("", "member;range=0-*", 0, 9)]).await.unwrap();
    assert_eq!(page.entries[0].texts("member").count(), 10);
}

#[tokio::test]
async fn a_part_that_does_not_go_on_is_no_end() {
    const FIRST: (&str, &str, usize, usize) = ("", "member;range=0-9", 0, 9);
    for (what, second) in [
        ("a gap", ("range=10-*", "member;range=11-*", 11, 20)),
        ("the same again", ("range=10-*", "member;range=0-9", 0, 9)),
        ("backwards", ("range=10-*", "member;range=10-5", 10, 12)),
        ("standing still", ("range=10-*", "member;range=10-9", 10, 12)),
        ("nothing", ("range=10-*", "member;range=10-*", 1, 0)),
        ("without a range", ("range=10-*", "member", 10, 20)),
        ("another attribute", ("range=10-*", "members;range=10-*", 10, 20)),
    ] {
        let parts = Box::leak(Box::new([FIRST, second]));
        let fault = group(parts).await.unwrap_err();
        assert_eq!(fault, LdapFault::NotLdap.into(), "{what}");
    }
}

#[tokio::test]
async fn a_list_without_end_has_an_end() {
    let server = Server::start(Security::Ldaps, |asked: &Asked| {
        let text = String::from_utf8_lossy(&asked.message).into_owned();
        let from = text.split_once("range=").and_then(|(_, rest)| rest.split_once('-'));
        let from: usize = from.map_or(0, |(from, _)| from.parse().unwrap());
        let description = format!("member;range={from}-{}", from + 9_999);
        let values = vec!["x".to_owned(); 10_000];
        let entry = entry(asked.id, "cn=staff", &[(&description as &str, values)]);
        Reply::Say([entry, done(asked.id, 0, None)].concat())
    })
    .await;
    let settings = server.settings();
    let mut session = session(server.network(), &settings).await;
    let fault = session.next_page(&mut users(&settings, 10)).await.unwrap_err();
    assert_eq!(fault, LdapFault::TooLarge.into());
}
