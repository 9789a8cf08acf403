//! The stack under test, chance and time, and waiting for what comes by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// How long to wait for what comes by itself: long, as many tests share one small machine.
const DEADLINE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(200);

/// What `.local/stack.json` says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stack {
    pub(crate) api: String,
    pub(crate) aws_endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Stack {
    pub(crate) fn open() -> Self {
        let path = repository().join(".local/stack.json");
        let text = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; start a stack: make up", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    /// One of the template's outputs.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("template.yaml has no output {name}"))
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A name that no other test has, now or on an earlier run.
pub(crate) fn unique(prefix: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "tests share one stack, and it outlives them")]
    let id = Uuid::now_v7().simple();
    format!("{prefix}-{id}")
}

pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the stack under test lives in the present")]
    Timestamp::now()
}

/// A time so many hours before now, as events give it.
pub(crate) fn hours_ago(hours: i64) -> String {
    (now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

/// Asks until `look` is content; its last complaint is the failure.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let mut complaint = String::from("never asked");
    let asking = async {
        loop {
            match look().await {
                Ok(found) => return found,
                Err(not_yet) => complaint = not_yet,
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let found = tokio::time::timeout(DEADLINE, asking).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}; last: {complaint}"))
}

/// For [`eventually`]: content when the two are equal.
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(found: T, wanted: &T) -> Result<T, String> {
    if found == *wanted { Ok(found) } else { Err(format!("found {found:?}, wanted {wanted:?}")) }
}
