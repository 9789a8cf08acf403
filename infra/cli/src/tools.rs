//! The pinned tools: what the machine must have, and what is installed beside the checkout.

use std::fs;
use std::process::Command;

use crate::console::Console;
use crate::failure::{Doing, Failure, Result};
use crate::shell;
use crate::workspace::Workspace;

/// What the machine must have: a command that proves it, and how to get it.
const NEEDED: [(&str, &[&str], &str); 3] = [
    ("Rust (cargo)", &["cargo", "--version"], "install it from https://rustup.rs"),
    ("a C compiler (cc)", &["cc", "--version"], "Debian: apt-get install gcc libc6-dev"),
    ("make", &["make", "--version"], "Debian: apt-get install make"),
];

/// Python that can make virtual environments; the newest of those that are here.
const PYTHONS: [&str; 6] =
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/// The virtual environments, apart because SAM and `MiniStack` ask for different botocores, and canaille for
/// another click and another client of SCIM.
const ENVIRONMENTS: [(&str, &str); 3] = [
    ("tools", "infra/requirements-tools.txt"),
    ("ministack", "infra/requirements-local.txt"),
    ("canaille", "infra/requirements-canaille.txt"),
];

/// Checks the machine and installs what is missing of the pinned tools.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let python = check()?;
    fs::create_dir_all(workspace.local("")).doing("make .local")?;
    for (name, requirements) in ENVIRONMENTS {
        let list = workspace.path(requirements);
        let wanted = workspace.digest(std::slice::from_ref(&list))?;
        let stamp = format!("{name}.installed");
        if workspace.recall::<String>(&stamp).is_some_and(|installed| installed == wanted) {
            continue;
        }
        let step = Console::step(format!("Installing {requirements} into .local/{name}"));
        let (folder, log) = (workspace.local(name), workspace.local(&format!("{name}.log")));
        workspace.forget(&stamp)?;
        shell::quietly(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder), &log)?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        shell::quietly(Command::new(folder.join("bin/python")).args(pip).arg(&list), &log)?;
        workspace.keep(&stamp, &wanted)?;
        Console::done(&step, format!("Tools in .local/{name}"));
    }
    Ok(())
}

/// Names everything that is missing at once.
fn check() -> Result<&'static str> {
    let python = PYTHONS.into_iter().find(|python| {
        let new_enough = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
        shell::succeeds(Command::new(python).args(["-c", new_enough]))
    });
    let missing = NEEDED.iter().filter(|(_, command, _)| {
        command
            .split_first()
            .is_some_and(|(program, args)| !shell::succeeds(Command::new(program).args(args)))
    });
    let mut missing: Vec<String> =
        missing.map(|(name, _, remedy)| format!("{name} - {remedy}")).collect();
    if python.is_none() {
        missing.push(
            "Python 3.10 or newer with venv - Debian: apt-get install python3 python3-venv".into(),
        );
    }
    match python {
        Some(python) if missing.is_empty() => Ok(python),
        _ => Err(Failure::new(format!("this machine lacks:\n  {}", missing.join("\n  ")))
            .next("Get these, then run the same command again.")),
    }
}
