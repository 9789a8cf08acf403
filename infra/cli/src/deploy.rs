//! Building the functions and deploying them to the local endpoint; only what changed.

use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::failure::{Doing, Failure, Result};
use crate::ministack::{Daemon, REGION};
use crate::shell;
use crate::stack::{self, LOCAL, Stack};
use crate::vendor_key;
use crate::workspace::Workspace;

/// The functions of template.yaml: crate, folder and binary are of one name.
const FUNCTIONS: [&str; 19] = [
    "auth",
    "users",
    "user-import",
    "tenant",
    "ingest",
    "rollup",
    "dashboard",
    "mail",
    "backoffice",
    "licenses",
    "license-watch",
    "onboarding",
    "siem",
    "siem-forward",
    "tags",
    "tagging",
    "directory",
    "directory-sync",
    "product",
];

/// Sender of mails on the local stack.
const MAIL_SENDER: &str = "belfry@example.com";

/// Where tickets go on the local stack.
const SUPPORT_EMAIL: &str = "support@example.com";

/// Where the console will run locally; until then the origin that CORS allows.
const CONSOLE_URL: &str = "http://localhost:5173";

/// The parameters that say where the products have their consoles, and their paths at the local console,
/// which stands in for them.
const PRODUCT_URLS: [(&str, &str); 4] =
    [("EppUrl", "epp"), ("EmmUrl", "emm"), ("DataPrivacyUrl", "data-privacy"), ("ZtnaUrl", "ztna")];

/// The file in `.local` that says what is deployed where.
const FILE: &str = "deployed.json";

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Deployed {
    digest: String,
    parameters: Vec<String>,
    daemon: Daemon,
}

/// How the functions are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Quick to build
    Local,
    /// As for AWS
    Release,
}

/// Compiles all functions into `target/lambda`.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<()> {
    eprintln!("- Building {} functions", FUNCTIONS.len());
    let profile = match profile {
        Profile::Local => "local",
        Profile::Release => "release",
    };
    let mut cargo = Command::new(workspace.tool("cargo-lambda"));
    cargo.current_dir(workspace.root()).args(["lambda", "build", "--locked", "--profile", profile]);
    cargo.arg("--lambda-dir").arg(workspace.path("target/lambda"));
    cargo.args(FUNCTIONS.iter().flat_map(|function| ["--package", function]));
    // The jitter entropy source is for FIPS, and costs a start 2 ms.
    cargo.env("AWS_LC_SYS_NO_JITTER_ENTROPY", "1");
    cargo.env("PATH", path_with_tools(workspace)?);
    shell::openly(&mut cargo)?;
    eprintln!("✓ Functions built ({profile})");
    Ok(())
}

/// Brings the local stack to the state of template.yaml and `target/lambda`.
pub(crate) fn deploy(workspace: &Workspace, daemon: &Daemon) -> Result<Stack> {
    let digest = workspace.digest(&inputs(workspace))?;
    let wanted = Deployed { digest, parameters: parameters(workspace)?, daemon: daemon.clone() };
    let kept = Stack::local(workspace);
    if let Some(stack) = kept.clone()
        && workspace.recall::<Deployed>(FILE).is_some_and(|deployed| deployed == wanted)
    {
        eprintln!("✓ Stack is up to date");
        return Ok(stack);
    }
    let step = Console::step("Deploying template.yaml");
    sam_deploy(workspace, daemon, &wanted.parameters)?;
    let outputs = stack::outputs(workspace, LOCAL, REGION, Some(&daemon.variables()))?;
    let api_id =
        outputs.get("ApiId").ok_or_else(|| Failure::new("template.yaml has no output ApiId"))?;
    let endpoint = daemon.endpoint();
    let stack = Stack {
        api: format!("{endpoint}/_aws/execute-api/{api_id}/v1"),
        aws_endpoint: Some(endpoint),
        region: REGION.to_owned(),
        // The same API, so the same table: its demo tenant is still there.
        demo: kept
            .filter(|kept| kept.outputs.get("ApiId") == Some(api_id))
            .and_then(|kept| kept.demo),
        outputs,
    };
    stack.keep(workspace)?;
    workspace.keep(FILE, &wanted)?;
    Console::done(&step, format!("Stack deployed: {}", stack.api));
    Ok(stack)
}

/// Forgets what is deployed.
pub(crate) fn forget(workspace: &Workspace) -> Result<()> {
    workspace.forget(FILE)
}

fn sam_deploy(workspace: &Workspace, daemon: &Daemon, parameters: &[String]) -> Result<()> {
    let mut sam = Command::new(workspace.tool("sam"));
    sam.current_dir(workspace.root())
        .args(["deploy", "--stack-name", LOCAL, "--template-file", "template.yaml"])
        .args(["--region", REGION, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"])
        .args(["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"])
        .arg("--parameter-overrides")
        .args(parameters)
        .envs(daemon.variables())
        .env("SAM_CLI_TELEMETRY", "0");
    shell::quietly(&mut sam, &workspace.local("deploy.log"))?;
    let mut complete = Command::new(workspace.tool("python"));
    complete
        .arg(workspace.path("infra/local/complete.py"))
        .args([LOCAL, MAIL_SENDER])
        .envs(daemon.variables());
    shell::quietly(&mut complete, &workspace.local("complete.log"))
}

/// The template's parameters, each one argument as sam reads it: `NAME=VALUE` up to the next blank, so a
/// value may have commas.
fn parameters(workspace: &Workspace) -> Result<Vec<String>> {
    let vendor_keys = vendor_key::ensure_local(workspace)?.map(|key| key.text()).join(",");
    let architecture = format!("Architecture={}", architecture());
    let fixed = ["Stage=local", "ProtectData=false", "LogRetentionDays=1"].map(str::to_owned);
    let addresses = [
        format!("MailSender={MAIL_SENDER}"),
        format!("SupportEmail={SUPPORT_EMAIL}"),
        format!("ConsoleUrl={CONSOLE_URL}"),
    ];
    let products = PRODUCT_URLS.map(|(name, path)| format!("{name}={CONSOLE_URL}/products/{path}"));
    let all = [architecture, format!("VendorKeys={vendor_keys}")].into_iter();
    Ok(all.chain(fixed).chain(addresses).chain(products).collect())
}

/// Everything that a deployment is made of, beside its parameters.
fn inputs(workspace: &Workspace) -> Vec<PathBuf> {
    let bootstraps =
        FUNCTIONS.iter().map(|name| workspace.path(&format!("target/lambda/{name}/bootstrap")));
    let fixed = ["template.yaml", "infra/local/complete.py"];
    fixed.into_iter().map(|file| workspace.path(file)).chain(bootstraps).collect()
}

/// This machine's processor in AWS's words.
fn architecture() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { "arm64" } else { "x86_64" }
}

/// cargo-lambda looks for its zig on the path.
#[expect(
    clippy::disallowed_methods,
    reason = "the path of this very process, to put a folder before it"
)]
fn path_with_tools(workspace: &Workspace) -> Result<std::ffi::OsString> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = std::iter::once(workspace.local("tools/bin")).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).doing("PATH")
}
