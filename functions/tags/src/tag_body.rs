//! What a body says of a tag.

use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::failure::FieldError;
use belfry_domain::tag::rule::Rule;
use belfry_domain::tag::{
    Kind, MOST_RULE_BYTES, MOST_VALUES, NewTag, Subject, Tag, TagValue, WantedValues, same,
};
use belfry_domain::text::TagText;
use serde::Deserialize;
use serde_json::Value;

/// A tag to be made, or what one shall be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagBody {
    key: Option<String>,
    applies_to: Option<String>,
    kind: Option<String>,
    /// Of a dynamic tag, those of its rules when absent.
    values: Option<Vec<String>>,
    #[serde(default)]
    rules: Vec<RuleBody>,
    /// The version that was seen, of a change.
    pub(crate) version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleBody {
    value: String,
    when: Value,
}

impl TagBody {
    /// A new tag.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn new_tag(&self) -> Result<NewTag, Problem> {
        let mut fields = Fields::new();
        let key = fields.read("/key", self.key.as_deref().unwrap_or_default());
        let subject = self.applies_to.as_deref().and_then(Subject::named);
        let subject = fields.want(subject, "/applies_to", "A tag is put on users or applications.");
        let kind = self.kind.as_deref().and_then(Kind::named);
        let kind = fields.want(kind, "/kind", "A tag is static or dynamic.");
        if self.version.is_some() {
            fields.fault("/version", "invalid", "A new tag has no version yet.");
        }
        let values = match (subject, kind) {
            (Some(subject), Some(kind)) => self.values(subject, kind, &[], &mut fields),
            _ => None,
        };
        let new = || Some(NewTag { key: key?, applies_to: subject?, kind: kind?, values: values? });
        let new = new();
        fields.finish(new)
    }

    /// The values that a tag shall have. Key, subject and kind stay what they are.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn changed(&self, tag: &Tag) -> Result<WantedValues, Problem> {
        let mut fields = Fields::new();
        let own = [
            ("/key", &self.key, tag.key.as_str()),
            ("/applies_to", &self.applies_to, tag.applies_to.name()),
            ("/kind", &self.kind, tag.kind.name()),
        ];
        for (pointer, said, is) in own {
            if said.as_ref().is_some_and(|said| said.trim() != is) {
                fields.fault(pointer, "immutable", "This never changes: make another tag.");
            }
        }
        let values = self.values(tag.applies_to, tag.kind, &tag.values, &mut fields);
        fields.finish(values)
    }

    /// The values; each that is there is spelled as it is, because who keeps a copy of those who have
    /// it hears only of members that change.
    fn values(
        &self,
        subject: Subject,
        kind: Kind,
        there: &[TagValue],
        fields: &mut Fields,
    ) -> Option<WantedValues> {
        let named = self.values.iter().flatten().enumerate();
        let mut named: Vec<(String, &str)> =
            named.map(|(at, text)| (format!("/values/{at}"), text.as_str())).collect();
        if self.values.is_none() && kind == Kind::Dynamic {
            let of_rules = self.rules.iter().enumerate();
            named = of_rules
                .map(|(at, rule)| (format!("/rules/{at}/value"), rule.value.as_str()))
                .collect();
        }
        if named.is_empty() || named.len() > MOST_VALUES {
            let detail = format!("A tag has 1 to {MOST_VALUES} values.");
            fields.fault("/values", if named.is_empty() { "required" } else { "too_many" }, detail);
            return None;
        }
        let mut values: WantedValues = Vec::new();
        let mut good = true;
        for (pointer, text) in named {
            let Some(text) = fields.read::<TagText>(pointer.as_str(), text) else {
                good = false;
                continue;
            };
            if values.iter().any(|(known, _)| same(known, &text)) {
                fields.fault(pointer, "duplicate", "The value is listed twice.");
                good = false;
                continue;
            }
            if there.iter().any(|value| same(&value.text, &text) && value.text != text) {
                let detail = "How a value is spelled never changes: take it away and add another.";
                fields.fault(pointer, "immutable", detail);
                good = false;
            }
            values.push((text, None));
        }
        if kind == Kind::Static && !self.rules.is_empty() {
            fields.fault("/rules", "invalid", "A static tag has no rules: it is assigned.");
            return None;
        }
        if kind == Kind::Dynamic {
            good &= self.rules(subject, &mut values, fields);
        }
        good.then_some(values)
    }

    /// Gives each value its rule.
    fn rules(&self, subject: Subject, values: &mut WantedValues, fields: &mut Fields) -> bool {
        let mut good = self.rules.len() <= MOST_VALUES;
        if !good {
            fields.fault("/rules", "too_many", format!("A tag has at most {MOST_VALUES} rules."));
            return false;
        }
        let mut bytes = 0;
        for (at, RuleBody { value, when }) in self.rules.iter().enumerate() {
            let mut faults: Vec<FieldError> = Vec::new();
            let rule = Rule::read(when, subject, &format!("/rules/{at}/when"), &mut faults);
            for FieldError { pointer, code, detail } in faults {
                fields.fault(pointer, code, detail);
            }
            let pointer = format!("/rules/{at}/value");
            let text: Option<TagText> = value.parse().ok();
            let own = text.and_then(|text| values.iter_mut().find(|(own, _)| same(own, &text)));
            match (own, rule) {
                (None, _) => {
                    fields.fault(pointer, "unknown_value", "The tag does not have this value.");
                    good = false;
                }
                (Some((_, Some(_))), _) => {
                    let detail = "The value has a rule already; join the two by any.";
                    fields.fault(pointer, "duplicate", detail);
                    good = false;
                }
                (Some(_), None) => good = false,
                (Some((_, own)), Some(rule)) => {
                    bytes += rule.json().to_string().len();
                    *own = Some(rule);
                }
            }
        }
        if bytes > MOST_RULE_BYTES {
            let detail = format!("The rules of a tag have at most {MOST_RULE_BYTES} bytes.");
            fields.fault("/rules", "too_long", detail);
            good = false;
        }
        if good && values.iter().any(|(_, rule)| rule.is_none()) {
            let detail = "Each value of a dynamic tag has a rule.";
            fields.fault("/rules", "required", detail);
            good = false;
        }
        good
    }
}
