//! What the person sees: steps and bars on standard error, the outcome on standard output.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// Where everything is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// Whether standard output holds one JSON document and nothing else.
    pub(crate) json: bool,
}

impl Console {
    /// A step that takes a while: a spinner with the seconds gone, or a line where there is no
    /// terminal.
    pub(crate) fn step(text: impl Into<String>) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_message(text.into());
        bar.set_style(style("{spinner} {msg} {elapsed:.dim}"));
        if std::io::stderr().is_terminal() {
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            eprintln!("- {}", bar.message());
        }
        bar
    }

    /// A bar for `length` pieces of work.
    pub(crate) fn bar(text: impl Into<String>, length: u64) -> ProgressBar {
        let bar = ProgressBar::new(length).with_message(text.into());
        bar.set_style(style("  {msg:<32} {bar:40.cyan} {pos:>6}/{len} {elapsed:.dim}"));
        if !std::io::stderr().is_terminal() {
            eprintln!("- {}", bar.message());
        }
        bar
    }

    /// Ends a step or bar with what came of it.
    pub(crate) fn done(bar: &ProgressBar, text: impl AsRef<str>) {
        bar.finish_and_clear();
        eprintln!("✓ {}", text.as_ref());
    }

    /// The outcome: as JSON, or as text for people.
    pub(crate) fn outcome(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let out = if self.json {
            serde_json::to_string_pretty(value).unwrap_or_default()
        } else {
            text()
        };
        // Nobody reads on when the pipe is closed.
        let _ = writeln!(std::io::stdout(), "{}", out.trim_end());
    }

    /// An error, with what to do next.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let next = failure.next.as_deref();
            let value =
                serde_json::json!({"status": "error", "detail": failure.what, "next": next});
            let _ = writeln!(std::io::stdout(), "{value}");
        }
        eprintln!("✗ {}", failure.what);
        if let Some(next) = &failure.next {
            eprintln!("  {next}");
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
