//! What runs, and what waits.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::aws::{self, Keys};
use crate::failure::Result;
use crate::ministack::Daemon;
use crate::queue::{self, Depth};
use crate::stack::{Stack, Which};
use crate::workspace::Workspace;

/// The template's outputs that are queues, and what people call them.
const QUEUES: [(&str, &str); 10] = [
    ("TelemetryQueueUrl", "telemetry"),
    ("TelemetryDeadLettersUrl", "telemetry dead letters"),
    ("MailQueueUrl", "mail"),
    ("MailDeadLettersUrl", "mail dead letters"),
    ("SiemQueueUrl", "SIEM rings"),
    ("SiemDeadLettersUrl", "SIEM dead letters"),
    ("TaggingQueueUrl", "work on tags"),
    ("TaggingDeadLettersUrl", "dead letters of work on tags"),
    ("DirectoryQueueUrl", "work on directories"),
    ("DirectoryDeadLettersUrl", "dead letters of work on directories"),
];

/// The state of a stack.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    #[serde(rename = "status")]
    outcome: &'static str,
    running: bool,
    stack: Option<Stack>,
    queues: BTreeMap<&'static str, Depth>,
}

/// Asks after a stack. A local one that is not running is no error.
pub(crate) async fn of(workspace: &Workspace, which: &Which, keys: &Keys) -> Result<Status> {
    let mut status = Status { outcome: "ok", running: false, stack: None, queues: BTreeMap::new() };
    if which.is_local() && Daemon::running(workspace).await.is_none() {
        return Ok(status);
    }
    let stack = which.find(workspace)?;
    let queues = aws::sqs(&stack, keys)?;
    for (output, name) in QUEUES {
        status.queues.insert(name, queue::depth(&queues, stack.output(output)?).await?);
    }
    (status.running, status.stack) = (true, Some(stack));
    Ok(status)
}

impl Status {
    pub(crate) fn text(&self) -> String {
        let Some(stack) = &self.stack else {
            return "No local stack is running. Start one with `make up`.".to_owned();
        };
        let mut text = format!("API      {}\n", stack.api);
        // A string takes everything.
        if let Some(demo) = &stack.demo {
            let _ = writeln!(text, "Demo     {} ({})", demo.email, demo.tenant_id);
        }
        for (name, depth) in &self.queues {
            let Depth { waiting, in_flight } = depth;
            let _ =
                writeln!(text, "Queue    {name:<24} {waiting:>6} waiting {in_flight:>6} in flight");
        }
        text
    }
}
