//! The rule of a dynamic tag's value: conditions on the attributes of a user or an application, joined
//! by `all`, `any` and `not`.

use super::Subject;
use super::facts::{Attribute, Facts};
use crate::failure::FieldError;
use crate::text::folded;
use serde_json::{Map, Value, json};

/// Most conditions of a rule.
pub const MOST_CONDITIONS: usize = 20;
/// How deep `all`, `any` and `not` may be nested.
pub const MOST_DEPTH: usize = 8;
/// Most values of an `in`.
pub const MOST_CHOICES: usize = 100;
/// Most characters of a value that is compared.
pub const MOST_LITERAL: usize = 128;

/// A rule. Comparisons know neither case nor width, and an attribute that is not there matches nothing
/// but `{"exists": false}` and what is under `not`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Every one of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// One condition.
    Is(Condition),
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    attribute: Attribute,
    test: Test,
}

/// What is asked of an attribute's values; of several, one has to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Eq(Literal),
    In(Vec<Literal>),
    Prefix(Literal),
    Exists(bool),
}

/// A value to compare with: as it was typed, and as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Literal {
    text: String,
    folded: String,
}

impl Literal {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), folded: folded(text.trim()) }
    }
}

impl Rule {
    /// Reads a rule, noting every fault with its place; none only when one was noted.
    pub fn read(
        value: &Value,
        subject: Subject,
        pointer: &str,
        faults: &mut Vec<FieldError>,
    ) -> Option<Self> {
        let mut reader = Reader { subject, conditions: 0, faults };
        let rule = reader.rule(value, pointer, 1);
        if reader.conditions > MOST_CONDITIONS {
            let detail = format!("A rule has at most {MOST_CONDITIONS} conditions.");
            faults.push(FieldError::new(pointer, "too_many_conditions", detail));
            return None;
        }
        rule
    }

    /// About so many bytes of memory it takes.
    pub fn weight(&self) -> u32 {
        let all = |rules: &[Self]| rules.iter().map(Self::weight).fold(64, u32::saturating_add);
        match self {
            Self::All(rules) | Self::Any(rules) => all(rules),
            Self::Not(rule) => rule.weight().saturating_add(64),
            Self::Is(condition) => condition.weight(),
        }
    }

    /// Whether it holds.
    pub fn matches(&self, facts: &Facts) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.matches(facts)),
            Self::Any(rules) => rules.iter().any(|rule| rule.matches(facts)),
            Self::Not(rule) => !rule.matches(facts),
            Self::Is(condition) => condition.matches(facts),
        }
    }

    /// The rule with what it finds: every part with `matches`, every condition with the `actual`
    /// values.
    pub fn explain(&self, facts: &Facts) -> Value {
        let mut part = match self {
            Self::All(rules) => parts("all", rules, |rule| rule.explain(facts)),
            Self::Any(rules) => parts("any", rules, |rule| rule.explain(facts)),
            Self::Not(rule) => Map::from_iter([("not".to_owned(), rule.explain(facts))]),
            Self::Is(condition) => {
                let mut part = condition.json();
                let actual = facts.shown(&condition.attribute).map(Value::from).collect();
                part.insert("actual".to_owned(), Value::Array(actual));
                part
            }
        };
        part.insert("matches".to_owned(), self.matches(facts).into());
        Value::Object(part)
    }

    /// The rule that was kept as this text. The attributes of users and applications have no name in
    /// common, so a rule need not say whose it is.
    pub(super) fn restored(text: &str) -> Option<Self> {
        let value = serde_json::from_str(text).ok()?;
        let read = |of| Self::read(&value, of, "", &mut Vec::new());
        Subject::ALL.into_iter().find_map(read)
    }

    /// The rule as it is written.
    pub fn json(&self) -> Value {
        Value::Object(match self {
            Self::All(rules) => parts("all", rules, Self::json),
            Self::Any(rules) => parts("any", rules, Self::json),
            Self::Not(rule) => Map::from_iter([("not".to_owned(), rule.json())]),
            Self::Is(condition) => condition.json(),
        })
    }
}

fn parts(name: &str, rules: &[Rule], part: impl Fn(&Rule) -> Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), rules.iter().map(part).collect())])
}

impl Condition {
    fn weight(&self) -> u32 {
        let literals = match &self.test {
            Test::Eq(literal) | Test::Prefix(literal) => std::slice::from_ref(literal),
            Test::In(literals) => literals,
            Test::Exists(_) => &[],
        };
        let bytes = |literal: &Literal| literal.text.len() + literal.folded.len() + 80;
        let bytes = literals.iter().map(bytes).fold(128, usize::saturating_add);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    fn matches(&self, facts: &Facts) -> bool {
        let mut values = facts.folded(&self.attribute);
        match &self.test {
            Test::Eq(wanted) => values.any(|value| value == wanted.folded),
            Test::In(wanted) => {
                values.any(|value| wanted.iter().any(|wanted| value == wanted.folded))
            }
            Test::Prefix(wanted) => values.any(|value| value.starts_with(&wanted.folded)),
            Test::Exists(wanted) => values.next().is_some() == *wanted,
        }
    }

    fn json(&self) -> Map<String, Value> {
        let (name, value) = match &self.test {
            Test::Eq(wanted) => ("eq", json!(wanted.text)),
            Test::In(wanted) => ("in", wanted.iter().map(|w| w.text.as_str()).collect()),
            Test::Prefix(wanted) => ("prefix", json!(wanted.text)),
            Test::Exists(wanted) => ("exists", json!(wanted)),
        };
        Map::from_iter([
            ("attribute".to_owned(), json!(self.attribute.to_string())),
            (name.to_owned(), value),
        ])
    }
}

/// Reads the parts of a rule.
struct Reader<'a> {
    subject: Subject,
    conditions: usize,
    faults: &'a mut Vec<FieldError>,
}

impl Reader<'_> {
    fn fault<T>(&mut self, pointer: &str, code: &'static str, detail: &str) -> Option<T> {
        self.faults.push(FieldError::new(pointer, code, detail));
        None
    }

    fn rule(&mut self, value: &Value, pointer: &str, depth: usize) -> Option<Rule> {
        let Value::Object(parts) = value else {
            let detail = "A rule is an object: all, any, not, or a condition on an attribute.";
            return self.fault(pointer, "invalid", detail);
        };
        if depth > MOST_DEPTH {
            let detail = format!("Rules are nested at most {MOST_DEPTH} deep.");
            return self.fault(pointer, "too_deep", &detail);
        }
        let mut parts_iter = parts.iter();
        match (parts_iter.next(), parts_iter.next()) {
            (Some((name, inner)), None) => match name.as_str() {
                "all" => self.rules(inner, &format!("{pointer}/all"), depth).map(Rule::All),
                "any" => self.rules(inner, &format!("{pointer}/any"), depth).map(Rule::Any),
                "not" => {
                    let inner = self.rule(inner, &format!("{pointer}/not"), depth + 1)?;
                    Some(Rule::Not(Box::new(inner)))
                }
                _ => self.condition(parts, pointer).map(Rule::Is),
            },
            _ => self.condition(parts, pointer).map(Rule::Is),
        }
    }

    fn rules(&mut self, value: &Value, pointer: &str, depth: usize) -> Option<Vec<Rule>> {
        let Value::Array(rules) = value else {
            return self.fault(pointer, "invalid", "This is a list of rules.");
        };
        if rules.is_empty() {
            return self.fault(pointer, "required", "At least one rule is needed here.");
        }
        let mut read = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            // Far over the limit nothing more is looked at: what is wrong is known.
            if self.conditions > MOST_CONDITIONS || self.faults.len() > MOST_CONDITIONS {
                return None;
            }
            read.extend(self.rule(rule, &format!("{pointer}/{at}"), depth + 1));
        }
        (read.len() == rules.len()).then_some(read)
    }

    fn condition(&mut self, parts: &Map<String, Value>, pointer: &str) -> Option<Condition> {
        self.conditions += 1;
        let attribute = match parts.get("attribute") {
            Some(Value::String(name)) => {
                let attribute = Attribute::named(name, self.subject);
                if attribute.is_none() {
                    let known = Attribute::names(self.subject);
                    let detail = format!("There is no such attribute here; there are {known}.");
                    let place = format!("{pointer}/attribute");
                    self.fault::<()>(&place, "unknown_attribute", &detail);
                }
                attribute
            }
            Some(_) => {
                let place = format!("{pointer}/attribute");
                self.fault(&place, "invalid", "This is the name of an attribute.")
            }
            None => {
                let detail = "A condition names an attribute; other rules are all, any or not.";
                self.fault(pointer, "invalid", detail)
            }
        };
        let mut tests = parts.iter().filter(|(name, _)| *name != "attribute");
        let (Some((name, value)), None) = (tests.next(), tests.next()) else {
            let detail = "A condition has exactly one of eq, in, prefix and exists.";
            return self.fault(pointer, "invalid", detail);
        };
        let place = format!("{pointer}/{}", escaped(name));
        let of = attribute.as_ref();
        let test = match (name.as_str(), value) {
            ("eq", value) => self.literal(value, of, &place).map(Test::Eq),
            ("prefix", value) => self.literal(value, None, &place).map(Test::Prefix),
            ("in", Value::Array(values)) if (1..=MOST_CHOICES).contains(&values.len()) => {
                let read: Vec<_> = values
                    .iter()
                    .enumerate()
                    .filter_map(|(at, value)| self.literal(value, of, &format!("{place}/{at}")))
                    .collect();
                (read.len() == values.len()).then_some(Test::In(read))
            }
            ("in", _) => {
                let detail = format!("in takes a list of 1 to {MOST_CHOICES} values.");
                self.fault(&place, "invalid", &detail)
            }
            ("exists", Value::Bool(wanted)) => Some(Test::Exists(*wanted)),
            ("exists", _) => self.fault(&place, "invalid", "exists is true or false."),
            _ => self.fault(&place, "invalid", "There is no such test: eq, in, prefix or exists."),
        };
        Some(Condition { attribute: attribute?, test: test? })
    }

    fn literal(&mut self, value: &Value, of: Option<&Attribute>, place: &str) -> Option<Literal> {
        let Value::String(text) = value else {
            return self.fault(place, "invalid", "This attribute is compared with a text.");
        };
        if text.trim().is_empty() || text.chars().count() > MOST_LITERAL {
            let detail = format!("A value has 1 to {MOST_LITERAL} characters.");
            return self.fault(place, "length", &detail);
        }
        if let Some(choices) = of.and_then(Attribute::choices)
            && !choices.iter().any(|choice| choice.eq_ignore_ascii_case(text.trim()))
        {
            let detail = format!("The attribute is one of {}.", choices.join(", "));
            return self.fault(place, "invalid", &detail);
        }
        Some(Literal::new(text))
    }
}

/// A key as JSON pointers have it (RFC 6901), cut where nobody reads on.
fn escaped(key: &str) -> String {
    let key: String = key.chars().take(64).collect();
    key.replace('~', "~0").replace('/', "~1")
}
