//! A real directory.

use super::{directory, failed, names, read_until_fault, session, steps, trace, users};
use belfry_domain::directory::ldap::{
    Entry, EntryKey, Flavor, Groups, KeyAttribute, LdapSettings, Mapping, Reading, Security,
};
use belfry_domain::outbound::Reach;
use belfry_runtime::ldap::{LdapFault, Search, test};
use belfry_runtime::outbound::{Outbound, OutboundError, Patience, StepName};
use belfry_testkit::FixedResolver;
use belfry_testkit::slapd::{BASE, Certificates, Ldif, PASSWORD, Slapd};
use std::collections::BTreeSet;
use std::sync::Arc;

fn small() -> Ldif {
    let mut ldif = Ldif::new();
    ldif.open_ldap_user("ann", &[]);
    ldif.entry(
        &format!("ou=empty,{BASE}"),
        &[("objectClass", "organizationalUnit"), ("ou", "empty")],
    );
    ldif
}

fn ldaps(slapd: &Slapd) -> LdapSettings {
    slapd.settings(Security::Ldaps, Flavor::OpenLdap)
}

#[tokio::test]
async fn every_step_is_told() {
    let slapd = Slapd::start(&small());
    for (security, way) in [
        (Security::Ldaps, &["resolve", "connect", "tls", "bind", "root", "base"][..]),
        (Security::StartTls, &["resolve", "connect", "starttls", "tls", "bind", "root", "base"]),
    ] {
        let settings = slapd.settings(security, Flavor::OpenLdap);
        let mut trace = trace();
        let root =
            test(&directory(slapd.network()), &settings, PASSWORD, &mut trace).await.unwrap();
        assert_eq!(steps(&trace), way);
        assert!(trace.steps().iter().all(|step| step.fault.is_none()));
        assert_eq!((root.flavor(), root.pages()), (Flavor::OpenLdap, true));
        assert_eq!(root.vendor.as_deref(), Some("OpenLDAP"));
        assert_eq!(root.naming_contexts, [BASE]);
    }
}

/// What a test of these settings fails with.
async fn fault(
    outbound: Outbound,
    settings: &LdapSettings,
    password: &str,
) -> (StepName, OutboundError) {
    let mut trace = trace();
    let outcome = test(&directory(outbound), settings, password, &mut trace).await;
    let (step, fault) = failed(&trace);
    assert_eq!(outcome, Err(fault.clone()));
    steps(&trace);
    (step, fault)
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_ends_it_before_the_password() {
    let slapd = Slapd::start(&small());
    let good = ldaps(&slapd);
    let by_others = Some(Certificates::new().ca);
    for security in [Security::Ldaps, Security::StartTls] {
        let port = slapd.settings(security, Flavor::OpenLdap).port;
        let good = LdapSettings { security, port, ..good.clone() };
        for ca_pem in [&by_others, &None] {
            let settings = LdapSettings { ca_pem: ca_pem.clone(), ..good.clone() };
            let found = fault(slapd.network(), &settings, PASSWORD).await;
            assert_eq!(found, (StepName::Tls, OutboundError::CertificateUnknownIssuer));
        }
        let settings = LdapSettings { host: "dc1.example.com".parse().unwrap(), ..good };
        let (step, found) = fault(slapd.network(), &settings, PASSWORD).await;
        assert_eq!((step, found.code()), (StepName::Tls, "tls_certificate_name"));
    }
}

#[tokio::test]
async fn a_server_that_refuses_encryption_gets_no_password() {
    let slapd = Slapd::start_with(&small(), None);
    let settings = slapd.settings(Security::StartTls, Flavor::OpenLdap);
    let (step, fault) = fault(slapd.network(), &settings, PASSWORD).await;
    assert_eq!((step, fault.code()), (StepName::StartTls, "starttls_refused"));
    assert_eq!(
        fault.to_string(),
        "the directory refuses StartTLS: protocolError (2): unsupported extended operation"
    );
}

#[tokio::test]
async fn a_wrong_password_is_shown_in_the_server_s_words_and_none_is_not_sent() {
    let slapd = Slapd::start(&small());
    let settings = ldaps(&slapd);
    let unknown =
        LdapSettings { bind_dn: format!("cn=x,{BASE}").parse().unwrap(), ..settings.clone() };
    for (settings, password) in [(&settings, "wrong"), (&unknown, PASSWORD)] {
        let (step, fault) = fault(slapd.network(), settings, password).await;
        assert_eq!((step, fault.code()), (StepName::Bind, "invalid_credentials"));
        assert_eq!(fault.to_string(), "the directory answered invalidCredentials (49)");
        assert!(fault.is_lasting());
    }
    let found = fault(slapd.network(), &settings, "").await;
    assert_eq!(found, (StepName::Bind, LdapFault::NoPassword.into()));
}

#[tokio::test]
async fn a_base_that_is_missing_or_empty_is_no_empty_directory() {
    let slapd = Slapd::start(&small());
    let with_base = |base: &str| LdapSettings { base_dn: base.parse().unwrap(), ..ldaps(&slapd) };
    for (base, code) in [
        ("ou=nowhere,dc=example,dc=com", "base_missing"),
        ("dc=elsewhere", "base_missing"),
        ("nosuchattribute=x", "base_missing"),
        ("ou=empty,dc=example,dc=com", "base_empty"),
    ] {
        let settings = with_base(base);
        let (step, fault) = fault(slapd.network(), &settings, PASSWORD).await;
        assert_eq!((step, fault.code()), (StepName::Base, code), "{base}");
        let mut session = session(slapd.network(), &settings).await;
        let fault = session.next_page(&mut users(&settings, 10).not_empty()).await.unwrap_err();
        assert!(
            ["base_missing", "base_empty", "directory_refused"].contains(&fault.code()),
            "{fault}"
        );
    }
    let settings = with_base("ou=empty,dc=example,dc=com");
    let mut session = session(slapd.network(), &settings).await;
    let mut search = users(&settings, 10);
    assert!(session.next_page(&mut search).await.unwrap().unwrap().entries.is_empty());
    assert!(session.next_page(&mut search).await.unwrap().is_none());
}

#[tokio::test]
async fn many_entries_come_in_pages_each_once() {
    let slapd = Slapd::start(&Ldif::company(1_500, 3));
    let settings = ldaps(&slapd);
    let mut session = session(slapd.network(), &settings).await;
    let mut search = users(&settings, 1_500).not_empty();
    let (mut pages, mut keys) = (Vec::new(), BTreeSet::new());
    while let Some(page) = session.next_page(&mut search).await.unwrap() {
        pages.push(page.entries.len());
        keys.extend(page.entries.iter().filter_map(|entry| entry.key(KeyAttribute::EntryUuid)));
    }
    assert_eq!((pages, keys.len(), search.found()), (vec![500, 500, 500], 1_500, 1_500));
    assert!(session.next_page(&mut search).await.unwrap().is_none());

    let mut fewer = users(&settings, 1_499);
    let fault = read_until_fault(session.as_mut(), &mut fewer).await;
    assert_eq!(fault, LdapFault::TooManyEntries(1_499).into());

    let mapping = Mapping::of(Flavor::OpenLdap);
    let filter = Flavor::OpenLdap.groups().unwrap();
    let mut search = Search::new(&settings.base_dn, filter, mapping.of_groups(), 3).pages_of(2);
    let mut groups = Groups::default();
    let mut session = super::session(slapd.network(), &settings).await;
    while let Some(page) = session.next_page(&mut search).await.unwrap() {
        page.entries.iter().for_each(|entry| groups.add(entry, mapping.key).unwrap());
    }
    let user = Entry::new(format!("uid=user00004,{BASE}"));
    assert_eq!(names_of(&groups, &groups.of(&user)), ["group001"]);
    session.close().await;
}

/// The names of groups by their keys.
fn names_of(groups: &Groups, keys: &BTreeSet<EntryKey>) -> Vec<String> {
    let of = groups.all().iter().filter(|group| keys.contains(&group.key));
    of.map(|group| group.name.as_str().to_owned()).collect()
}

#[tokio::test]
async fn a_server_that_dies_midway_gives_an_error_and_no_short_list() {
    let mut slapd = Slapd::start(&Ldif::company(1_500, 1));
    let settings = ldaps(&slapd);
    let mut session = session(slapd.network(), &settings).await;
    let mut search = users(&settings, 20_000);
    assert_eq!(session.next_page(&mut search).await.unwrap().unwrap().entries.len(), 500);
    slapd.kill();
    let fault = session.next_page(&mut search).await.unwrap_err();
    assert!(["connection_closed", "connection_reset"].contains(&fault.code()), "{fault}");
    // Nor is it taken for over when somebody goes on asking.
    assert_eq!(session.next_page(&mut search).await.unwrap_err(), LdapFault::NotLdap.into());
    assert_eq!(search.found(), 500);
}

#[tokio::test]
async fn people_and_groups_of_active_directory() {
    let mut ldif = Ldif::new();
    let staff = format!("cn=Staff,{BASE}");
    let manager = format!("cn=ann,{BASE}");
    ldif.active_directory_user("ann", 1, "512", &[("memberOf", &staff), ("company", "Example")])
        .active_directory_user("bob", 2, "514", &[("manager", &manager), ("department", "Sales")])
        .active_directory_group("Staff", 3, &["ann"])
        .active_directory_group("Board", 4, &["bob"]);
    let slapd = Slapd::start(&ldif);
    let settings = slapd.settings(Security::Ldaps, Flavor::ActiveDirectory);
    let mapping = Mapping::of(Flavor::ActiveDirectory);
    let mut session = session(slapd.network(), &settings).await;
    let filter = Flavor::ActiveDirectory.groups().unwrap();
    let mut search = Search::new(&settings.base_dn, filter, mapping.of_groups(), 10);
    let page = session.next_page(&mut search).await.unwrap().unwrap();
    let mut groups = Groups::default();
    page.entries.iter().for_each(|entry| groups.add(entry, mapping.key).unwrap());
    let mut search =
        Search::new(&settings.base_dn, settings.filter.clone(), mapping.of_users(), 10).not_empty();
    let page = session.next_page(&mut search).await.unwrap().unwrap();
    let people: Vec<_> = page
        .entries
        .iter()
        .map(|entry| Reading::of(entry, &mapping, &groups).unwrap())
        .map(|Reading { key, person, groups: of, .. }| {
            let attributes: Vec<_> = person.attributes.into_values().map(String::from).collect();
            let email = person.email.as_str().to_owned();
            (key.to_string(), email, person.active, names_of(&groups, &of), attributes)
        })
        .collect();
    let key = |digits: &str| {
        format!("{0}-{1}-{1}-{1}-{2}", digits.repeat(4), digits.repeat(2), digits.repeat(6))
    };
    let owned = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        people,
        [
            (key("01"), "ann@example.com".into(), true, owned(&["Staff"]), owned(&["Example"])),
            (
                key("02"),
                "bob@example.com".into(),
                false,
                owned(&["Board"]),
                owned(&["Sales", "ann"])
            ),
        ]
    );
}

#[tokio::test]
async fn referrals_are_counted_and_not_followed() {
    let mut ldif = small();
    let referral = [
        ("objectClass", "referral"),
        ("objectClass", "extensibleObject"),
        ("ou", "far"),
        ("ref", "ldap://127.0.0.1:1/ou=far,dc=example,dc=com"),
    ];
    ldif.entry(&format!("ou=far,{BASE}"), &referral);
    let slapd = Slapd::start(&ldif);
    let settings = ldaps(&slapd);
    let mut session = session(slapd.network(), &settings).await;
    let mut search = users(&settings, 10);
    let page = session.next_page(&mut search).await.unwrap().unwrap();
    assert_eq!((page.entries.len(), page.referrals, search.referrals()), (1, 1, 1));
    let far = LdapSettings { base_dn: format!("ou=far,{BASE}").parse().unwrap(), ..settings };
    let found = fault(slapd.network(), &far, PASSWORD).await;
    assert_eq!(found, (StepName::Base, LdapFault::Referred.into()));
}

#[tokio::test]
async fn nobody_is_read_who_is_not_public() {
    let slapd = Slapd::start(&small());
    let settings = ldaps(&slapd);
    let inside = "10.0.0.7".parse().unwrap();
    for (addresses, reach, refused) in [
        (vec![slapd.address()], Reach::Public, slapd.address()),
        (vec![slapd.address(), inside], Reach::LocalStack, inside),
    ] {
        let resolver = Arc::new(FixedResolver(addresses));
        let outbound = Outbound::new(resolver, reach, Patience::default());
        let found = fault(outbound, &settings, PASSWORD).await;
        assert_eq!(found, (StepName::Resolve, OutboundError::AddressNotAllowed(refused)));
    }
    let mut session = session(slapd.network(), &settings).await;
    let found = names(session.as_mut(), &settings.base_dn, "(uid=ann)".parse().unwrap()).await;
    assert_eq!(found, [format!("uid=ann,{BASE}")]);
}
