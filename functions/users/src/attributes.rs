//! What is known of a user beyond name, address and numbers, as bodies have it.

use belfry_api::fields::Fields;
use belfry_domain::attribute::UserAttribute;
use belfry_domain::failure::pointer_token;
use belfry_domain::text::AttributeText;
use std::collections::BTreeMap;

/// The named attributes; one that is null or blank is none.
pub(crate) fn attributes(
    fields: &mut Fields,
    body: &BTreeMap<String, Option<String>>,
) -> BTreeMap<UserAttribute, Option<AttributeText>> {
    let mut read = BTreeMap::new();
    for (name, text) in body {
        let pointer = format!("/attributes/{}", pointer_token(name));
        let Some(name) = UserAttribute::named(name) else {
            let names = UserAttribute::ALL.map(UserAttribute::name).join(", ");
            let detail = format!("There is no such attribute; there are {names}.");
            fields.fault(pointer, "unknown_attribute", detail);
            continue;
        };
        match text.as_deref().map(str::trim) {
            None | Some("") => read.insert(name, None),
            Some(text) => fields.read(pointer, text).and_then(|text| read.insert(name, Some(text))),
        };
    }
    read
}
