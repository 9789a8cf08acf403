//! A person as a directory of any kind tells of one, in our terms.

use crate::attribute::UserAttributes;
use crate::directory::provider::Settings;
use crate::email::EmailAddress;
use crate::scim::resource::Resource;
use crate::scim::{ScimError, ScimType};
use crate::text::{AttributeText, GroupName, PersonName, Telephone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// What a directory says of a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Where to write to; whoever has another one is another user.
    pub email: EmailAddress,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Mobile number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<Telephone>,
    /// Another number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Telephone>,
    /// What else is known, by the provider's mapping.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: UserAttributes,
    /// Whether it may use anything at all.
    pub active: bool,
    /// The names of its groups, all of them; kept beside, by their ids.
    #[serde(skip)]
    pub groups: BTreeSet<GroupName>,
}

/// People's data is not for logs.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(..)")
    }
}

impl Person {
    /// The person that a SCIM user is, who is in these groups.
    ///
    /// Nobody is refused for a name, a number or an attribute that does not fit ours: names are found
    /// elsewhere or shortened, what else does not fit is left out.
    ///
    /// # Errors
    /// [`ScimType::InvalidValue`] without an address: in `emails`, or as the `userName`.
    pub fn of_scim(
        resource: &Resource,
        settings: &Settings,
        groups: BTreeSet<GroupName>,
    ) -> Result<Self, ScimError> {
        let user_name = resource.text("userName").unwrap_or_default();
        let address = resource.email().and_then(|text| text.parse().ok());
        let email: EmailAddress = address.or_else(|| user_name.parse().ok()).ok_or_else(|| {
            let detail = "emails needs an address to write to, as userName is none";
            ScimError::new(ScimType::InvalidValue, detail)
        })?;
        let (first_name, last_name) = names(resource, &email)?;
        let attributes =
            settings.scim_mapping().into_iter().flatten().filter_map(|(ours, theirs)| {
                Some((*ours, fitted::<AttributeText>(resource.text(theirs.as_str())?, 128)?))
            });
        Ok(Self {
            first_name,
            last_name,
            mobile: number(resource, |kind| kind.eq_ignore_ascii_case("mobile")),
            phone: number(resource, |kind| !kind.eq_ignore_ascii_case("mobile")),
            attributes: attributes.collect(),
            active: resource.is_active(),
            groups,
            email,
        })
    }
}

/// First and last name: as given, else of the name as a whole, else of the address.
fn names(resource: &Resource, email: &EmailAddress) -> Result<(PersonName, PersonName), ScimError> {
    let fit = |text: &str| fitted::<PersonName>(text, 60);
    let part = |name| resource.text(name).and_then(fit);
    let whole = ["name.formatted", "displayName"].into_iter().find_map(|name| resource.text(name));
    let whole = whole.filter(|text| fit(text).is_some()).unwrap_or_else(|| email.local_part());
    let (first, last) = match whole.trim().split_once(char::is_whitespace) {
        Some((first, rest)) => (fit(first), fit(rest)),
        None => (fit(whole), None),
    };
    let first = part("name.givenName").or(first);
    // Who has one name only.
    let last = part("name.familyName").or(last).or_else(|| fit("-"));
    first
        .zip(last)
        .ok_or_else(|| ScimError::new(ScimType::InvalidValue, "name has no character of a name"))
}

/// The text, without what ours do not have, as far as it fits.
fn fitted<T: FromStr>(text: &str, limit: usize) -> Option<T> {
    if let Ok(fits) = text.parse() {
        return Some(fits);
    }
    let plain = |c: &char| {
        !c.is_control()
            && !matches!(c, '<' | '>' | '\u{200b}'..='\u{200f}' | '\u{feff}')
            && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    let text: String = text.chars().filter(plain).take(limit).collect();
    text.parse().ok()
}

/// The first number of that kind, the primary one first, that is written with its country code.
fn number(resource: &Resource, wanted: impl Fn(&str) -> bool) -> Option<Telephone> {
    let numbers = resource.attributes().get("phoneNumbers").and_then(Value::as_array);
    let text = |number: &Map<String, Value>, name| {
        number.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut numbers: Vec<_> = numbers
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter(|number| wanted(&text(number, "type")))
        .collect();
    numbers.sort_by_key(|number| number.get("primary") != Some(&Value::Bool(true)));
    numbers.iter().find_map(|number| text(number, "value").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::UserAttribute;
    use crate::directory::provider::{Protocol, default_mapping};
    use serde_json::json;

    fn settings() -> Settings {
        Settings {
            name: "Okta".parse().unwrap(),
            protocol: Protocol::Scim { mapping: default_mapping() },
            enabled: true,
            group_roles: Vec::new(),
            adopt_existing: false,
        }
    }

    fn person(body: &Value) -> Result<Person, ScimError> {
        let resource = Resource::read_user(body).unwrap();
        Person::of_scim(&resource, &settings(), BTreeSet::new())
    }

    #[test]
    fn names_are_found_somewhere() {
        for (body, first, last) in [
            (json!({"name": {"givenName": "Ann", "familyName": "Lee"}}), "Ann", "Lee"),
            (json!({"displayName": "Ann Mary Lee"}), "Ann", "Mary Lee"),
            (json!({"name": {"givenName": "Ann"}, "displayName": "Ann Lee"}), "Ann", "Lee"),
            (json!({"name": {"formatted": "Prince"}}), "Prince", "-"),
            (json!({"name": {"givenName": "A<n>n\u{7}", "familyName": "Lee"}}), "Ann", "Lee"),
            (json!({"name": {"givenName": "<>", "familyName": "Lee"}}), "ann.lee", "Lee"),
            (json!({}), "ann.lee", "-"),
        ] {
            let mut whole = body.clone();
            whole["userName"] = "u".into();
            whole["emails"] = json!([{"value": "Ann.Lee@Globex.example"}]);
            let person = person(&whole).unwrap();
            assert_eq!(
                (person.first_name.as_str(), person.last_name.as_str()),
                (first, last),
                "{body}"
            );
        }
        let long = "x".repeat(500);
        let body = json!({"userName": "a@globex.example", "displayName": format!("{long} {long}")});
        assert_eq!(person(&body).unwrap().last_name.as_str().len(), 60);
    }

    #[test]
    fn an_address_is_the_one_thing_asked_for() {
        let of = |body: &Value| person(body).map(|person| person.email.as_str().to_owned());
        let emails = json!([{"value": "no address"}]);
        let named = json!({"userName": "Ann@Globex.example", "emails": emails});
        assert_eq!(of(&named).as_deref(), Ok("ann@globex.example"));
        let error = of(&json!({"userName": "ann", "emails": emails})).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        assert_eq!(error.status, 400);
    }

    #[test]
    fn numbers_and_attributes_that_fit_are_taken() {
        let body = json!({
            "userName": "a@globex.example",
            "active": false,
            "title": "t".repeat(500),
            "userType": "Employee",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales"},
            "phoneNumbers": [
                {"value": "030 1234", "type": "work"},
                {"value": "+49 30 12345678", "type": "work"},
                {"value": "+49 151 1", "type": "mobile"},
                {"value": "+49 151 1234567", "type": "Mobile"},
                {"value": "+49 151 7654321", "type": "mobile", "primary": true},
            ],
        });
        let person = person(&body).unwrap();
        assert!(!person.active);
        assert_eq!(person.mobile.unwrap().as_str(), "+491517654321");
        assert_eq!(person.phone.unwrap().as_str(), "+493012345678");
        assert_eq!(person.attributes[&UserAttribute::Title].as_str().len(), 128);
        assert_eq!(person.attributes[&UserAttribute::Department].as_str(), "Sales");
        assert_eq!(person.attributes[&UserAttribute::UserType].as_str(), "Employee");
    }
}
