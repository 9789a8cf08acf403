//! Running other programs.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure, Result};

/// Lines of a log shown when a program fails.
const TAIL: usize = 25;

/// Runs a program with its output in `log`; when it fails, the end of that is the error.
pub(crate) fn quietly(command: &mut Command, log: &Path) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = File::create(log).doing(log.display())?;
    let err = out.try_clone().doing(log.display())?;
    let status = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .doing(format!("run {name}"))?;
    if status.success() {
        return Ok(());
    }
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    Err(Failure::new(format!("{name} failed ({status}):\n{tail}"))
        .next(format!("The whole output is in {}.", log.display())))
}

/// Runs a program whose progress the person shall see.
pub(crate) fn openly(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    // Standard output belongs to the outcome.
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let status = status.doing(format!("run {name}"))?;
    status.success().then_some(()).ok_or_else(|| Failure::new(format!("{name} failed ({status})")))
}

/// Whether a program runs and says that all is well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
