//! What a body says of an application.

use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::application::{Described, MOST_ATTRIBUTES};
use belfry_domain::failure::pointer_token;
use belfry_domain::text::AttributeName;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationBody {
    name: String,
    host: String,
    category: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// The version that was seen, of a change.
    pub(crate) version: Option<u64>,
}

impl ApplicationBody {
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn described(&self) -> Result<Described, Problem> {
        let mut fields = Fields::new();
        let name = fields.read("/name", &self.name);
        let host = fields.read("/host", &self.host);
        let category = match self.category.as_deref().map(str::trim) {
            None | Some("") => Some(None),
            Some(text) => fields.read("/category", text).map(Some),
        };
        let mut attributes = BTreeMap::new();
        if self.attributes.len() > MOST_ATTRIBUTES {
            let detail = format!("An application has at most {MOST_ATTRIBUTES} attributes.");
            fields.fault("/attributes", "too_many", detail);
        } else {
            for (name, text) in &self.attributes {
                let pointer = format!("/attributes/{}", pointer_token(name));
                let name = fields.read::<AttributeName>(pointer.as_str(), name);
                let text = fields.read(pointer, text);
                attributes.extend(name.zip(text));
            }
        }
        let described =
            || Some(Described { name: name?, host: host?, category: category?, attributes });
        let described = described();
        fields.finish(described)
    }
}
