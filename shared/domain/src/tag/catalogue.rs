//! All tags of a tenant, as they are applied to its users and applications.

use super::facts::Facts;
use super::marks::{Mark, Marks};
use super::{Kind, Subject, Tag, TagValue};
use crate::account::User;
use crate::application::Application;
use crate::text::folded;
use serde::Serialize;
use std::collections::HashMap;

/// The tags of a tenant and the number of the rules they are. A change that was worked out under
/// another number is not written.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Grows with every change of a tag; 0 when there was never one.
    pub rules: u64,
    tags: Vec<Tag>,
    by_number: HashMap<u16, usize>,
}

/// A tag value as people know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shown<'a> {
    /// The tag's key.
    pub key: &'a str,
    /// The value.
    pub value: &'a str,
}

/// What tags are put on.
pub trait Tagged: Clone {
    /// Which kind of thing it is.
    const SUBJECT: Subject;
    /// What rules may ask of it.
    fn facts(&self) -> Facts;
    /// The tag values that it has.
    fn marks(&self) -> &Marks;
    /// Whether it still takes part: a deleted one has no tags.
    fn is_there(&self) -> bool;
    /// The same with other tag values.
    #[must_use]
    fn marked(&self, marks: Marks) -> Self;
}

impl Tagged for User {
    const SUBJECT: Subject = Subject::Users;
    fn facts(&self) -> Facts {
        self.into()
    }
    fn marks(&self) -> &Marks {
        &self.tags
    }
    fn is_there(&self) -> bool {
        !self.is_archived()
    }
    fn marked(&self, tags: Marks) -> Self {
        Self { tags, ..self.clone() }
    }
}

impl Tagged for Application {
    const SUBJECT: Subject = Subject::Applications;
    fn facts(&self) -> Facts {
        self.into()
    }
    fn marks(&self) -> &Marks {
        &self.tags
    }
    fn is_there(&self) -> bool {
        true
    }
    fn marked(&self, tags: Marks) -> Self {
        Self { tags, ..self.clone() }
    }
}

impl Catalogue {
    /// These tags, which are the rules of this number.
    pub fn new(rules: u64, tags: Vec<Tag>) -> Self {
        let by_number = tags.iter().enumerate().map(|(at, tag)| (tag.number, at)).collect();
        Self { rules, tags, by_number }
    }

    /// All tags, in the order in which they were made.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    fn find(&self, mark: Mark) -> Option<(&Tag, &TagValue)> {
        let tag = self.tags.get(*self.by_number.get(&mark.tag)?)?;
        Some((tag, tag.values.iter().find(|value| value.number == mark.value)?))
    }

    /// The values of the tags with this key, or one of them: what a list is filtered by. None when
    /// there is no such tag of this subject, or no such value.
    pub fn named(&self, of: Subject, key: &str, value: Option<&str>) -> Option<Marks> {
        let wanted = folded(key.trim());
        let mut own = self.tags.iter().filter(|tag| tag.applies_to == of);
        let tag = own.find(|tag| folded(tag.key.as_str()) == wanted)?;
        match value {
            None => Some(tag.values.iter().map(|value| tag.mark(value)).collect()),
            Some(text) => Some([tag.mark(tag.value(text)?)].into_iter().collect()),
        }
    }

    /// The tag values that something has by these rules: those assigned to it that there still are,
    /// and those whose rule it fits.
    pub fn marks<T: Tagged>(&self, of: &T) -> Marks {
        if !of.is_there() {
            return Marks::default();
        }
        let assigned = of.marks().iter().filter(|mark| {
            let of_kind = |tag: &Tag| tag.kind == Kind::Static && tag.applies_to == T::SUBJECT;
            self.find(*mark).is_some_and(|(tag, _)| of_kind(tag))
        });
        let facts = of.facts();
        let matched = self.tags.iter().filter(|tag| tag.applies_to == T::SUBJECT);
        let matched = matched.flat_map(|tag| {
            let fits = |value: &&TagValue| value.rule.as_ref().is_some_and(|r| r.matches(&facts));
            tag.values.iter().filter(fits).map(|value| tag.mark(value))
        });
        assigned.chain(matched).collect()
    }

    /// The same thing with the tag values that it has by these rules.
    #[must_use]
    pub fn applied<T: Tagged>(&self, to: &T) -> T {
        to.marked(self.marks(to))
    }

    /// Tag values as people know them, by key and value; those that are gone are left out.
    pub fn shown<'a>(&'a self, marks: &Marks) -> Vec<Shown<'a>> {
        let mut shown: Vec<_> = marks
            .iter()
            .filter_map(|mark| self.find(mark))
            .map(|(tag, value)| Shown { key: tag.key.as_str(), value: value.text.as_str() })
            .collect();
        shown.sort_unstable();
        shown
    }
}

/// Whether somebody with these tag values may use an application with those: each of the
/// application's is among the person's, by key and value. Nobody may use one that has none.
pub fn admits(person: &[Shown<'_>], application: &[Shown<'_>]) -> bool {
    !application.is_empty() && application.iter().all(|wanted| person.contains(wanted))
}
