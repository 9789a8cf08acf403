//! The local AWS endpoint as a background process: MiniStack, with IAM enforcement on.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::failure::{Doing, Failure, Result};
use crate::shell;
use crate::workspace::Workspace;

/// The file in `.local` that says which process it is.
const FILE: &str = "ministack.json";

/// Region of everything local.
pub(crate) const REGION: &str = "us-east-1";

/// How often a state that is awaited is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Looks before giving up: a minute, for a machine that is busy.
const POLLS: usize = 300;

/// The running endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Daemon {
    /// The process, which also leads its process group.
    pid: u32,
    port: u16,
}

impl Daemon {
    /// The endpoint's address.
    pub(crate) fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// The variables with which an AWS client finds it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 5] {
        variables(self.port)
    }

    /// The process that an earlier call started, if it still lives and answers.
    pub(crate) async fn running(workspace: &Workspace) -> Option<Self> {
        let daemon: Self = workspace.recall(FILE)?;
        (daemon.lives() && answers(daemon.port).await).then_some(daemon)
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(workspace: &Workspace, port: u16) -> Result<Self> {
        let step = Console::step(format!("Starting the local AWS endpoint on port {port}"));
        if answers(port).await {
            return Err(Failure::new(format!("port {port} is taken by another program"))
                .next("Stop that one, or choose another port: BELFRY_PORT=4567 make up."));
        }
        let log = workspace.local("ministack.log");
        let out = File::create(&log).doing(log.display())?;
        let err = out.try_clone().doing(log.display())?;
        let scratch = workspace.local("tmp");
        std::fs::create_dir_all(&scratch).doing(scratch.display())?;
        let child = Command::new(workspace.local("ministack/bin/ministack"))
            .envs(variables(port))
            .env("GATEWAY_PORT", port.to_string())
            // Each function gets its role's credentials and is refused what they do not allow.
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "false")
            .env("SFTP_ENABLED", "false")
            .env("TMPDIR", &scratch)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // Its own group: Ctrl-C here does not reach it, and `down` reaches its functions.
            .process_group(0)
            .spawn()
            .doing("start MiniStack")?;
        let daemon = Self { pid: child.id(), port };
        workspace.keep(FILE, &daemon)?;
        for _ in 0..POLLS {
            if answers(port).await {
                Console::done(&step, format!("AWS endpoint {}", endpoint(port)));
                return Ok(daemon);
            }
            if !daemon.lives() {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        daemon.stop(workspace, &step).await?;
        Err(Failure::new("the local AWS endpoint did not start")
            .next(format!("Its log is {}.", log.display())))
    }

    /// Ends it and every function that it runs.
    pub(crate) async fn stop(&self, workspace: &Workspace, step: &ProgressBar) -> Result<()> {
        for signal in ["-TERM", "-KILL"] {
            self.signal(signal);
            for _ in 0..POLLS / 6 {
                if !self.lives() {
                    // Functions whose parent is gone.
                    self.signal("-KILL");
                    workspace.forget(FILE)?;
                    let _ = std::fs::remove_dir_all(workspace.local("tmp"));
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
                step.tick();
            }
        }
        Err(Failure::new(format!("process {} does not end", self.pid)))
    }

    /// The endpoint of an earlier call, answering or not.
    pub(crate) fn recorded(workspace: &Workspace) -> Option<Self> {
        workspace.recall(FILE)
    }

    fn signal(&self, signal: &str) {
        shell::succeeds(Command::new("kill").args([signal, "--"]).arg(format!("-{}", self.pid)));
    }

    /// Whether the process is there and is MiniStack: numbers of processes come round again.
    fn lives(&self) -> bool {
        let ps =
            Command::new("ps").args(["-o", "stat=,args=", "-p"]).arg(self.pid.to_string()).output();
        ps.is_ok_and(|ps| {
            let line = String::from_utf8_lossy(&ps.stdout).into_owned();
            line.contains("ministack") && !line.trim_start().starts_with('Z')
        })
    }
}

fn endpoint(port: u16) -> String {
    format!("http://localhost:{port}")
}

fn variables(port: u16) -> [(&'static str, String); 5] {
    [
        // MiniStack passes its own to the functions, so they find it as well.
        ("AWS_ENDPOINT_URL", endpoint(port)),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ]
}

async fn answers(port: u16) -> bool {
    let health = format!("{}/_ministack/health", endpoint(port));
    reqwest::get(health).await.is_ok_and(|answer| answer.status().is_success())
}
