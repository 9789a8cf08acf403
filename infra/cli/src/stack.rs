//! A deployed stack, as a script finds it in `.local/stack.json`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::failure::{Doing, Failure, Result};
use crate::workspace::Workspace;

/// Name of the local stack.
pub(crate) const LOCAL: &str = "belfry";

/// The file in `.local`.
const FILE: &str = "stack.json";

/// What a script needs to work with a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stack {
    /// Base address of the API, without a trailing slash.
    pub(crate) api: String,
    /// Address of all AWS services on the local stack; none at AWS.
    pub(crate) aws_endpoint: Option<String>,
    /// AWS region.
    pub(crate) region: String,
    /// The template's outputs.
    pub(crate) outputs: BTreeMap<String, String>,
    /// The demo tenant, once it is complete.
    pub(crate) demo: Option<DemoTenant>,
}

/// A tenant to try things with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DemoTenant {
    pub(crate) tenant_id: String,
    /// Its first `super_admin`.
    pub(crate) email: String,
    pub(crate) password: String,
    /// Base32 secret of the second factor, when there is one.
    pub(crate) totp_secret: Option<String>,
    /// One product credential a product.
    pub(crate) credentials: BTreeMap<String, String>,
}

/// Which stack a command is for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Which {
    /// Name of a stack in an AWS account; without it, the local one
    #[arg(long, global = true, env = "BELFRY_STACK")]
    stack: Option<String>,
    /// AWS region of that stack
    #[arg(long, global = true, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
}

impl Which {
    /// Whether it is the one on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.stack.is_none()
    }

    /// Finds the stack.
    pub(crate) fn find(&self, workspace: &Workspace) -> Result<Stack> {
        match &self.stack {
            None => Stack::local(workspace).ok_or_else(|| {
                Failure::new("there is no local stack")
                    .next("Start one with `make up`, or name one in your AWS account with --stack.")
            }),
            Some(name) => {
                let outputs = outputs(workspace, name, &self.region, None)?;
                let api = outputs.get("ApiUrl").cloned().unwrap_or_default();
                let region = self.region.clone();
                Ok(Stack { api, aws_endpoint: None, region, outputs, demo: None })
            }
        }
    }
}

impl Stack {
    /// The running local stack.
    pub(crate) fn local(workspace: &Workspace) -> Option<Self> {
        workspace.recall(FILE)
    }

    /// Keeps this as the local stack.
    pub(crate) fn keep(&self, workspace: &Workspace) -> Result<()> {
        workspace.keep(FILE, self)
    }

    /// Forgets the local stack.
    pub(crate) fn forget(workspace: &Workspace) -> Result<()> {
        workspace.forget(FILE)
    }

    /// One of the template's outputs.
    pub(crate) fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            Failure::new(format!("the stack has no output {name}"))
                .next("It was deployed from another version of template.yaml: deploy it again.")
        })
    }
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue")]
    value: String,
}

/// The outputs of a deployed stack.
pub(crate) fn outputs(
    workspace: &Workspace,
    stack: &str,
    region: &str,
    endpoint: Option<&[(&str, String)]>,
) -> Result<BTreeMap<String, String>> {
    let mut sam = Command::new(workspace.tool("sam"));
    sam.args(["list", "stack-outputs", "--output", "json", "--stack-name", stack])
        .args(["--region", region])
        .envs(endpoint.unwrap_or_default().iter().map(|(name, value)| (name, value)))
        .env("SAM_CLI_TELEMETRY", "0")
        .stdin(Stdio::null());
    let out = sam.output().doing("run sam")?;
    if !out.status.success() {
        let reason = String::from_utf8_lossy(&out.stderr);
        return Err(Failure::new(format!("stack {stack} in {region}: {}", reason.trim()))
            .next("Check --stack, --region and the AWS credentials in the environment."));
    }
    let outputs: Vec<Output> = serde_json::from_slice(&out.stdout).doing("read sam's answer")?;
    Ok(outputs.into_iter().map(|output| (output.key, output.value)).collect())
}
