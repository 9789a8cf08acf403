//! Tags: keys with values, put on users or applications by hand or by rules, which integrated products
//! read to decide who may use what.

use crate::failure::{Failure, FailureKind};
use crate::id::{TagId, TenantId};
use crate::ports::Entropy;
use crate::text::{TagKey, TagText, folded};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub mod catalogue;
pub mod facts;
pub mod marks;
pub mod rule;
pub mod work;

use marks::Mark;
use rule::Rule;

/// Most tags of a tenant.
pub const MOST_TAGS: u32 = 500;
/// Most values of a tag.
pub const MOST_VALUES: usize = 50;
/// Most values of all tags of a tenant: four bytes each in the item of whoever has them all.
pub const MOST_VALUES_IN_ALL: u32 = 2_000;
/// Most that the rules of a tenant may weigh (see [`rule::Rule::weight`]): what a function keeps of
/// them.
pub const MOST_WEIGHT: u32 = 512 * 1024;
/// Most bytes of a tag's rules as JSON, so that a tag fits into an item and an audit record.
pub const MOST_RULE_BYTES: usize = 16 * 1024;

/// What a tag is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Users.
    Users,
    /// Applications.
    Applications,
}

impl Subject {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Users, Self::Applications];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Applications => "applications",
        }
    }

    /// The subject of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.name() == name)
    }
}

/// How a tag gets its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Each is assigned.
    Static,
    /// By rules, one for each value.
    Dynamic,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Static, Self::Dynamic];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A value of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredValue", into = "StoredValue")]
pub struct TagValue {
    /// Its number in the tag, never given again.
    pub number: u16,
    /// The value.
    pub text: TagText,
    /// Who has it; none when it is assigned.
    pub rule: Option<Rule>,
}

/// A value as it is stored: its rule as JSON.
#[derive(Serialize, Deserialize)]
struct StoredValue {
    number: u16,
    text: TagText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl TryFrom<StoredValue> for TagValue {
    type Error = &'static str;
    fn try_from(stored: StoredValue) -> Result<Self, Self::Error> {
        let StoredValue { number, text, rule } = stored;
        let rule = match rule {
            Some(json) => Some(Rule::restored(&json).ok_or("not a rule of a tag")?),
            None => None,
        };
        Ok(Self { number, text, rule })
    }
}

impl From<TagValue> for StoredValue {
    fn from(value: TagValue) -> Self {
        let TagValue { number, text, rule } = value;
        Self { number, text, rule: rule.map(|rule| rule.json().to_string()) }
    }
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: TagId,
    /// Whose.
    pub tenant: TenantId,
    /// Its number in the tenant, never given again.
    pub number: u16,
    /// The key: unique among the tags of the same subject, whatever its case.
    pub key: TagKey,
    /// What it is put on.
    pub applies_to: Subject,
    /// How it gets its members.
    pub kind: Kind,
    /// The values, as they were listed.
    pub values: Vec<TagValue>,
    /// Number of the next value.
    pub next_value: u16,
    /// Number of the rules in which its membership last changed, 0 when it never did by rules; see
    /// [`work::Tagging`].
    pub rules: u64,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// The values of a tag as an administrator wants them, each with its rule if the tag is dynamic.
pub type WantedValues = Vec<(TagText, Option<Rule>)>;

/// Why a tag cannot be made or changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTag {
    /// As many as there may be.
    #[error("a company has at most {MOST_TAGS} tags; delete some first")]
    Limit,
    /// All tags together have as many values as there may be.
    #[error("all tags of a company have at most {MOST_VALUES_IN_ALL} values; take some away first")]
    Values,
    /// All rules together are as long as they may be.
    #[error("the rules of all tags are too long together; shorten some first")]
    Weight,
    /// The tenant has one with this key for the same subject.
    #[error("there is a tag with this key already")]
    Taken,
    /// Somebody or something has it.
    #[error("the tag value is in use {0} times; with force=true it is taken away from all of them")]
    InUse(i32),
    /// Numbers of tags are never given twice, and there are no more.
    #[error("the company has had too many tags in its life; change one of those there are")]
    TagsWornOut,
    /// Numbers of values are never given twice, and there are no more.
    #[error("the tag has had too many values in its life; make another tag")]
    WornOut,
}

impl Failure for BadTag {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Limit | Self::Values | Self::Weight => FailureKind::Invalid,
            _ => FailureKind::Conflict,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Limit | Self::Values | Self::Weight => "tag_limit",
            Self::Taken => "already_exists",
            Self::InUse(_) => "tag_in_use",
            Self::TagsWornOut | Self::WornOut => "tag_worn_out",
        }
    }
}

/// A tag to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTag {
    /// The key.
    pub key: TagKey,
    /// What it is put on.
    pub applies_to: Subject,
    /// How it gets its members.
    pub kind: Kind,
    /// The values.
    pub values: WantedValues,
}

impl Tag {
    /// A new tag, with this number, in rules of that number.
    ///
    /// # Errors
    /// [`BadTag::WornOut`], which no new tag is.
    pub fn new(
        tenant: TenantId,
        (number, rules): (u16, u64),
        new: NewTag,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, BadTag> {
        let NewTag { key, applies_to, kind, values } = new;
        let tag = Self {
            id: TagId::new(now, entropy),
            tenant,
            number,
            key,
            applies_to,
            kind,
            values: Vec::new(),
            next_value: 0,
            rules: 0,
            created_at: now,
            version: 0,
        };
        Ok(tag.wanted(values, rules)?.0)
    }

    /// The tag with these values in place of its own, in rules of that number, and the values it no
    /// longer has. One that stays keeps its number, so that who has it keeps it. The same version
    /// again when nothing changes.
    ///
    /// # Errors
    /// [`BadTag::WornOut`].
    pub fn wanted(
        &self,
        values: WantedValues,
        rules: u64,
    ) -> Result<(Self, Vec<TagValue>), BadTag> {
        let mut next = self.clone();
        next.values.clear();
        for (text, rule) in values {
            let known = self.values.iter().find(|value| same(&value.text, &text));
            let number = if let Some(value) = known {
                value.number
            } else {
                let number = next.next_value;
                next.next_value = number.checked_add(1).ok_or(BadTag::WornOut)?;
                number
            };
            next.values.push(TagValue { number, text, rule });
        }
        let numbers: BTreeSet<u16> = next.values.iter().map(|value| value.number).collect();
        let lost = self.values.iter().filter(|value| !numbers.contains(&value.number));
        let lost: Vec<_> = lost.cloned().collect();
        if next != *self || self.version == 0 {
            next.version = self.version.saturating_add(1);
            // Who is assigned what a static tag keeps has it still.
            if next.kind == Kind::Dynamic || !lost.is_empty() {
                next.rules = rules;
            }
        }
        Ok((next, lost))
    }

    /// What its rules weigh.
    pub fn weight(&self) -> u32 {
        let rules = self.values.iter().filter_map(|value| value.rule.as_ref());
        rules.map(Rule::weight).fold(0, u32::saturating_add)
    }

    /// What who has this value has.
    pub const fn mark(&self, value: &TagValue) -> Mark {
        Mark { tag: self.number, value: value.number }
    }

    /// The value that is this text, whatever its case.
    pub fn value(&self, text: &str) -> Option<&TagValue> {
        let wanted = folded(text.trim());
        self.values.iter().find(|value| folded(value.text.as_str()) == wanted)
    }
}

/// Whether two texts are the same value of a tag.
pub fn same(one: &TagText, other: &TagText) -> bool {
    folded(one.as_str()) == folded(other.as_str())
}
