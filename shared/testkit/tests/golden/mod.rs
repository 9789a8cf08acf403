//! Files that are reviewed as data, and what a request left behind in the table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

use belfry_testkit::{Answer, EmbeddedTable, Member};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Holds `lines` against the file; `UPDATE=1` writes it anew.
#[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the test")]
pub(crate) fn check(name: &str, lines: &[String]) -> Result<(), String> {
    let path = path(name);
    if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let kept: Vec<_> = kept.lines().collect();
    let gone = kept.iter().filter(|line| !lines.iter().any(|new| new == *line));
    let new = lines.iter().filter(|line| !kept.contains(&line.as_str()));
    let differing: Vec<_> =
        gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
    if kept == lines {
        return Ok(());
    }
    Err(format!(
        "{name} is not what the code does (UPDATE=1 writes it):\n{}",
        differing.join("\n").replace('\t', " | ")
    ))
}

/// Status and code, as the files have them.
pub(crate) fn verdict(answer: &Answer) -> String {
    let (status, code) = answer.verdict();
    if status < 400 { status.to_string() } else { format!("{status} {code}") }
}

/// Every item of a table at one moment, by its key.
pub(crate) struct Stood(BTreeMap<(String, String), Value>);

impl Stood {
    pub(crate) fn in_table(db: &EmbeddedTable) -> Self {
        let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap().to_owned();
        let mut items = db.dump();
        // That somebody is there may be written down whatever is answered.
        for session in items.iter_mut().filter(|item| item["et"]["S"] == "session") {
            session["last_used_at"] = Value::Null;
        }
        Self(items.into_iter().map(|i| ((text(&i, "pk"), text(&i, "sk")), i)).collect())
    }

    /// The items that are new or differ in `later`, and those that are gone there.
    fn differing<'a>(&'a self, later: &'a Self) -> Vec<&'a Value> {
        let new = later.0.iter().filter(|(key, item)| self.0.get(*key) != Some(*item));
        let gone = self.0.iter().filter(|(key, _)| !later.0.contains_key(*key));
        new.chain(gone).map(|(_, item)| item).collect()
    }

    /// What a refusal left behind that it may not: of what is denied exactly one item may be there, in
    /// the tenant of whoever asked, that says so; of any other refusal nothing.
    pub(crate) fn fault(&self, later: &Self, answer: &Answer, by: &Member) -> Option<String> {
        let differing = self.differing(later);
        let right = match answer.verdict() {
            (403, "forbidden" | "confirmation_required") => match differing[..] {
                [item] => {
                    let (user, tenant) = (by.user.to_string(), by.tenant.to_string());
                    let pk = item["pk"]["S"].as_str().unwrap();
                    item["denied"]["S"].is_string()
                        && item["user"]["S"] == user
                        && pk.contains(&tenant)
                }
                _ => false,
            },
            (400.., _) => differing.is_empty(),
            _ => true,
        };
        (!right).then(|| format!("{} left behind {}", verdict(answer), shown(&differing)))
    }

    /// The items in which one of these marks is, and that are not as they were.
    pub(crate) fn changed<'a>(&'a self, later: &'a Self, marks: &[String]) -> Vec<&'a Value> {
        let mut differing = self.differing(later);
        differing.retain(|item| marks.iter().any(|mark| item.to_string().contains(mark)));
        differing
    }
}

/// Items, one a line.
pub(crate) fn shown(items: &[&Value]) -> String {
    let lines: Vec<_> = items.iter().map(|item| format!("\n    {item}")).collect();
    lines.concat()
}

/// Every identifier of the table: `usr_` and the like, with 32 hex digits.
pub(crate) fn ids(db: &EmbeddedTable) -> Vec<String> {
    let text = Value::from(db.dump()).to_string();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_id = |word: &&str| {
        let hex = word.split_once('_').map(|(_, rest)| rest);
        hex.is_some_and(|hex| hex.len() == 32 && hex.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let mut ids: Vec<_> = words.filter(is_id).map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    ids
}
