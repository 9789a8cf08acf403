use super::*;
use crate::directory::ldap::Flavor;

const UUID: &str = "597ae2f6-16a6-1027-98f4-d28b5365dc14";

/// An entry of `base` with these attributes instead or besides; an empty value takes one away.
fn entry(base: &[(&str, &str)], other: &[(&str, &str)]) -> Entry {
    let mut entry = Entry::new("cn=Ann Lee,dc=example".into());
    for (name, value) in base.iter().filter(|(name, _)| other.iter().all(|(also, _)| also != name))
    {
        entry.append(name, [value.as_bytes().to_vec()]);
    }
    for (name, value) in other.iter().filter(|(_, value)| !value.is_empty()) {
        entry.append(name, [value.as_bytes().to_vec()]);
    }
    entry
}

const OPEN: &[(&str, &str)] = &[
    ("entryUUID", UUID),
    ("uid", "ann"),
    ("mail", "Ann.Lee@Example.com"),
    ("givenName", "Ann"),
    ("sn", "Lee"),
    ("cn", "Ann Lee"),
];

fn open(other: &[(&str, &str)]) -> Result<Reading, Rejected> {
    Reading::of(&entry(OPEN, other), &Mapping::of(Flavor::OpenLdap), &Groups::default())
}

fn faults(other: &[(&str, &str)]) -> Vec<EntryFault> {
    open(other).map_or_else(|rejected| rejected.faults, |_| vec![])
}

#[test]
fn a_user_of_active_directory() {
    let mut ann = entry(
        &[
            ("userPrincipalName", "ann@corp.example.com"),
            ("sAMAccountName", "ann"),
            ("mail", "Ann.Lee@Example.com"),
            ("givenName", "Ann"),
            ("sn", "Lee"),
            ("telephoneNumber", "+1 (555) 0100-200"),
            ("mobile", "555 0100"),
            ("department", " Sales  EMEA "),
            ("division", "Field"),
            ("title", &"x".repeat(129)),
            ("company", "Example"),
            ("employeeID", "E7"),
            ("physicalDeliveryOfficeName", "B2"),
            ("l", "Berlin"),
            ("co", "Germany"),
            ("c", "DE"),
            ("manager", r"CN=Roe\, Joe,OU=Staff,DC=example"),
            ("employeeType", "contractor"),
            ("userAccountControl", "512"),
        ],
        &[],
    );
    ann.append("objectGUID", [hex::decode("c98b918035198f469d4a3a0cb9ba9c9a").unwrap()]);
    let mapping = Mapping::of(Flavor::ActiveDirectory);
    let Reading { key, person, notes, .. } =
        Reading::of(&ann, &mapping, &Groups::default()).unwrap();
    assert_eq!(key.to_string(), "80918bc9-1935-468f-9d4a-3a0cb9ba9c9a");
    assert_eq!(person.email.as_str(), "ann.lee@example.com");
    assert_eq!((person.first_name.as_str(), person.last_name.as_str()), ("Ann", "Lee"));
    assert_eq!(person.phone.unwrap().as_str(), "+15550100200");
    assert_eq!(person.mobile, None);
    assert!(person.active);
    let attributes: Vec<_> = person
        .attributes
        .iter()
        .map(|(attribute, text)| (attribute.name(), text.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("department", "Sales EMEA"),
            ("division", "Field"),
            ("organization", "Example"),
            ("employee_number", "E7"),
            ("user_type", "contractor"),
            ("location", "B2"),
            ("country", "Germany"),
            ("manager", "Roe, Joe"),
        ]
    );
    let fields: Vec<_> = notes.iter().map(|note| (note.field, note.fault.code())).collect();
    assert_eq!(fields, [("mobile", "invalid"), ("title", "too_long")]);

    for (control, active) in [
        ("514", Ok(false)),
        ("66050", Ok(false)),
        ("66048", Ok(true)),
        ("-2147483646", Ok(false)),
        ("", Err(vec![EntryFault::UnknownStatus])),
        ("x", Err(vec![EntryFault::UnknownStatus])),
    ] {
        let mut other = entry(OPEN, &[("userAccountControl", control)]);
        other.append("objectGUID", [vec![7; 16]]);
        let read = Reading::of(&other, &mapping, &Groups::default());
        let found = read.map(|read| read.person.active).map_err(|rejected| rejected.faults);
        assert_eq!(found, active, "{control}");
    }
}

#[test]
fn a_user_of_openldap_and_how_it_is_disabled() {
    let Reading { key, person, .. } =
        open(&[("ou", "Sales"), ("o", "Example"), ("manager", "uid=joe,dc=x")]).unwrap();
    assert_eq!(key.to_string(), UUID);
    assert_eq!(person.attributes[&UserAttribute::Department].as_str(), "Sales");
    assert_eq!(person.attributes[&UserAttribute::Organization].as_str(), "Example");
    assert_eq!(person.attributes[&UserAttribute::Manager].as_str(), "joe");

    let active = |value: &str| open(&[("pwdAccountLockedTime", value)]).unwrap().person.active;
    assert!(active(""));
    assert!(!active("000001010000Z"));
    // Too many wrong passwords.
    assert!(active("20260615120000Z"));

    let mut mapping = Mapping::of(Flavor::OpenLdap);
    mapping.disabled = vec![
        DisabledWhen::Equals { attribute: "nsAccountLock".parse().unwrap(), value: "true".into() },
        DisabledWhen::IsPresent { attribute: "shadowExpire".parse().unwrap() },
    ];
    for (name, value, active) in [
        ("nsAccountLock", "TRUE", false),
        ("nsAccountLock", "false", true),
        ("shadowExpire", "1", false),
    ] {
        let read = Reading::of(&entry(OPEN, &[(name, value)]), &mapping, &Groups::default());
        assert_eq!(read.unwrap().person.active, active, "{name}={value}");
    }
}

#[test]
fn a_missing_name_is_taken_from_the_full_one() {
    for (other, first, last) in [
        (&[("givenName", ""), ("cn", "Ann Mary Lee")][..], "Ann Mary", "Lee"),
        (&[("givenName", ""), ("displayName", "Lee, Ann")], "Ann", "Lee"),
        (&[("sn", ""), ("cn", "Ann Lee")], "Ann", "Lee"),
        (&[("givenName", ""), ("sn", ""), ("cn", "山田 太郎")], "山田", "太郎"),
    ] {
        let person = open(other).unwrap().person;
        assert_eq!((person.first_name.as_str(), person.last_name.as_str()), (first, last));
    }
}

#[test]
fn an_entry_that_cannot_be_a_person_says_all_that_is_wrong() {
    assert_eq!(faults(&[]), []);
    assert_eq!(faults(&[("mail", "")]), [EntryFault::NoEmail]);
    assert_eq!(faults(&[("mail", "ann")]), [EntryFault::BadEmail]);
    assert_eq!(faults(&[("entryUUID", "")]), [EntryFault::NoKey]);
    assert_eq!(faults(&[("givenName", ""), ("cn", "Ann")]), [EntryFault::NoFirstName]);
    assert_eq!(faults(&[("sn", "<b>")]), [EntryFault::LastName(BadText::Character)]);
    let rejected = open(&[("mail", ""), ("sn", ""), ("cn", "Ann")]).unwrap_err();
    assert_eq!(rejected.faults, [EntryFault::NoEmail, EntryFault::NoLastName]);
    // It is there: whoever goes by this key has not left.
    assert_eq!(rejected.key.unwrap().to_string(), UUID);
    assert_eq!(rejected.dn, "cn=Ann Lee,dc=example");
    let binary = {
        let mut entry = entry(OPEN, &[("mail", "")]);
        entry.append("mail", [vec![0xff; 9]]);
        entry
    };
    let read = Reading::of(&binary, &Mapping::of(Flavor::OpenLdap), &Groups::default());
    assert_eq!(read.unwrap_err().faults, [EntryFault::NoEmail]);
}
