//! What the ways in share: the verifier, the screen and the report.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::failure::{Doing, Result};
use crate::siem::show;
use crate::siem::tls;
use crate::siem::verify::{Ending, Label, Summary, Transport, Verdict, Verifier, Wrong};

/// Most connections at a time, over all ways in.
pub(crate) const MOST_CONNECTIONS: usize = 64;

/// One record, as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) label: Label,
    /// When it happened, as it says.
    pub(crate) time: String,
    /// Its type.
    pub(crate) kind: String,
    /// The record itself.
    pub(crate) text: String,
}

/// How the receiver speaks.
#[derive(Debug)]
pub(crate) struct Screen {
    /// No line a record.
    pub(crate) quiet: bool,
    /// Standard output is kept for one JSON document.
    pub(crate) json: bool,
    bar: Option<ProgressBar>,
}

impl Screen {
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Self { quiet, json, bar }
    }

    /// A line for people.
    pub(crate) fn say(&self, text: &str) {
        self.aside(|| eprintln!("{text}"));
    }

    /// A record's line.
    fn record(&self, line: &str) {
        if self.quiet {
            return;
        }
        if self.json {
            return self.say(line);
        }
        // Nobody reads on when the pipe is closed.
        self.aside(|| drop(writeln!(std::io::stdout(), "{line}")));
    }

    /// The line at the bottom of a terminal.
    fn state(&self, line: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(line());
            bar.tick();
        }
    }

    /// The line at the bottom goes.
    pub(crate) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

/// What the ways in share.
#[derive(Debug)]
pub(crate) struct Receiver {
    verifier: Mutex<Verifier>,
    screen: Screen,
    /// File that always holds the latest summary.
    report: Option<PathBuf>,
    /// Where it listens, for the report.
    listening: Value,
    seats: Arc<Semaphore>,
    /// Rung when something has come and nobody is connected any more.
    pub(crate) idle: Notify,
}

impl Receiver {
    pub(crate) fn new(
        verifier: Verifier,
        screen: Screen,
        report: Option<PathBuf>,
        listening: Value,
    ) -> Self {
        Self {
            verifier: Mutex::new(verifier),
            screen,
            report,
            listening,
            seats: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            idle: Notify::new(),
        }
    }

    /// A seat for a connection; none when all are taken.
    pub(crate) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(seat) = self.seats.clone().try_acquire_owned() {
            self.verifier().opened();
            return Some(seat);
        }
        self.verifier().turned_away();
        self.report(true);
        None
    }

    /// Rings when something has come and the last connection is gone; its seat is free by then.
    pub(crate) fn left(&self) {
        let is_empty = self.seats.available_permits() == MOST_CONNECTIONS;
        if is_empty && self.verifier().has_messages() {
            self.idle.notify_one();
        }
    }

    /// A message of so many bytes came: a record, or what is wrong with it.
    pub(crate) fn took(
        &self,
        transport: Transport,
        bytes: usize,
        record: Result<Record, &'static str>,
    ) {
        let mut verifier = self.verifier();
        verifier.message(bytes);
        let record = match record {
            Ok(record) => record,
            Err(why) => {
                drop(verifier);
                return self.wrong(transport, Wrong::Unreadable, why);
            }
        };
        let verdict = verifier.record(transport, &record.label);
        let is_error = verifier.is_error(verdict);
        let Label { tenant, stream, sequence, .. } = &record.label;
        let words = match verdict {
            Verdict::OtherId => "another record had this number",
            Verdict::SteppedBack => "it came for the first time after higher ones",
            _ => "there are too many streams to follow this one",
        };
        let words = format!("{}, {tenant}, {stream}:{sequence}: {words}", transport.name());
        if is_error {
            verifier.tell(&words);
        }
        self.screen.record(&show::line(&record, verdict, is_error));
        if is_error {
            self.screen.say(&format!("✗ {words}"));
        }
        self.screen.state(|| verifier.line());
    }

    /// Something came that is no record.
    pub(crate) fn wrong(&self, transport: Transport, wrong: Wrong, why: &str) {
        let mut verifier = self.verifier();
        verifier.wrong(wrong);
        let what = match wrong {
            Wrong::Malformed => "bytes that are no frame",
            Wrong::Unreadable => "no record of Belfry's",
        };
        let words = format!("{}: {what}: {why}", transport.name());
        verifier.tell(&words);
        self.screen.say(&format!("✗ {words}"));
        self.screen.state(|| verifier.line());
    }

    /// A request had no token or no channel.
    pub(crate) fn unauthorized(&self, why: &str) {
        self.verifier().unauthorized();
        self.screen.say(&format!("- splunk_hec: refused: {why}"));
    }

    /// A connection ended; `why` when it did not end well.
    pub(crate) fn ended(&self, transport: Transport, ending: Ending, why: &str) {
        let mut verifier = self.verifier();
        verifier.ended(ending);
        let what = match ending {
            Ending::Clean | Ending::Malformed => None,
            // HTTP says itself where a request ends, and clients just hang up.
            Ending::Unannounced if transport == Transport::SplunkHec => None,
            Ending::Unannounced => Some("a connection ended without close_notify"),
            Ending::Cut => Some("a connection ended within a message; it has to come again"),
            Ending::Broken => Some("a connection broke"),
            Ending::NoTls => Some("no TLS was agreed on"),
        };
        if let Some(what) = what {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            let why = show::visible(&why, 300);
            self.screen.say(&format!("- {}: {what}{why}", transport.name()));
        }
        self.screen.state(|| verifier.line());
        drop(verifier);
        self.report(true);
    }

    /// What has come.
    pub(crate) fn summary(&self) -> Summary {
        self.verifier().summary()
    }

    /// Writes the report, where one is wanted. One that cannot be written is told of, and no reason to
    /// stop receiving.
    pub(crate) fn report(&self, running: bool) {
        let Some(file) = &self.report else { return };
        let summary = serde_json::to_value(self.summary()).unwrap_or_default();
        let mut report = json!({"running": running, "listening": self.listening});
        if let (Some(report), Value::Object(summary)) = (report.as_object_mut(), summary) {
            report.extend(summary);
        }
        let written = serde_json::to_vec_pretty(&report).doing("the report");
        if let Err(failure) = written.and_then(|bytes| tls::keep(file, &bytes)) {
            self.screen.say(&format!("✗ --report: {}", failure.what));
        }
    }

    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }

    fn verifier(&self) -> MutexGuard<'_, Verifier> {
        // Counts are counts, whoever fell over while one was raised.
        self.verifier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
