//! `belfry`, the operator's tool: the local stack, the demo, tenants and their licences, queues.
//!
//! Standard output holds the outcome only (one JSON document with `--json`); progress goes to
//! standard error. The exit code is 0 when all went well and 1 when not.

mod aws;
mod backoffice;
mod captcha;
mod client;
mod console;
mod dashboard;
mod demo;
mod deploy;
mod entropy;
mod failure;
mod license;
mod ministack;
mod product_key;
mod queue;
mod shell;
mod siem;
mod signer;
mod stack;
mod status;
mod super_admin;
mod tenant;
mod tenants;
mod tools;
mod values;
mod vendor_key;
mod workspace;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::aws::Keys;
use crate::backoffice::Ask;
use crate::captcha::Captcha;
use crate::client::Client;
use crate::console::Console;
use crate::deploy::Profile;
use crate::failure::{Failure, Result};
use crate::license::License;
use crate::ministack::Daemon;
use crate::product_key::ProductKey;
use crate::siem::Siem;
use crate::stack::{Stack, Which};
use crate::super_admin::SuperAdmin;
use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// Belfry's operator's tool
#[derive(Debug, Parser)]
#[command(name = "belfry", version, about)]
struct Belfry {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    keys: Keys,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build and start everything on this machine, with a demo; again: only what changed
    Up(Up),
    /// Stop the local stack; its data is gone then
    Down,
    /// Show what runs and what waits in the queues
    Status,
    /// Create the demo tenant, send its telemetry and compare the dashboard with the oracle
    Demo,
    /// Show the dashboard
    Dashboard(LogIn),
    /// Work with tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Work with the product keys that customers register with
    #[command(subcommand)]
    ProductKey(ProductKey),
    /// Work with licences and activation keys
    #[command(subcommand)]
    License(License),
    /// Help a company that has lost its last super admin
    #[command(subcommand)]
    SuperAdmin(SuperAdmin),
    /// Say how the sign-up is guarded
    #[command(subcommand)]
    Captcha(Captcha),
    /// Work with queues
    #[command(subcommand)]
    Queue(Queue),
    /// Try the SIEM export
    #[command(subcommand)]
    Siem(Siem),
    /// Install the pinned tools only
    Tools,
}

#[derive(Debug, Args)]
struct Up {
    /// Port of the local AWS endpoint
    #[arg(long, env = "BELFRY_PORT", default_value_t = 4566)]
    port: u16,
    /// How to build the functions
    #[arg(long, value_enum, default_value_t = Profile::Local)]
    profile: Profile,
    /// Leave out the demo tenant and its telemetry
    #[arg(long)]
    no_demo: bool,
}

#[derive(Debug, Args)]
struct LogIn {
    /// E-mail address to log in with; on the local stack the demo's
    #[arg(long)]
    email: Option<String>,
    /// Its password
    #[arg(long, env = "BELFRY_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Six digits of the authenticator app, when the account asks for them
    #[arg(long)]
    code: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Queue {
    /// Send the telemetry queue's dead letters again; safe to repeat
    Redrive,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let belfry = Belfry::parse();
    let console = Console { json: belfry.json };
    match run(belfry, console).await {
        Ok(exit) => exit,
        Err(failure) => {
            console.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(belfry: Belfry, console: Console) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let (which, keys) = (&belfry.which, &belfry.keys);
    let ask =
        async |what: &dyn Ask| backoffice::ask(&which.find(&workspace)?, keys, console, what).await;
    match belfry.command {
        Command::Up(options) => up(&workspace, keys, &options, console).await,
        Command::Down => down(&workspace, console).await,
        Command::Status => {
            let status = status::of(&workspace, which, keys).await?;
            console.outcome(&status, || status.text());
            Ok(())
        }
        Command::Demo => {
            let mut stack = which.find(&workspace)?;
            let dashboards = demo::ensure(&workspace, &mut stack, keys).await?;
            console.outcome(&dashboards, || page(&stack, &dashboards));
            Ok(())
        }
        Command::Dashboard(log_in) => {
            let stack = which.find(&workspace)?;
            let code = log_in.code.clone();
            let (email, password) = log_in.or_demo(&stack)?;
            let client = Client::new(&stack.api)?;
            let access = client.log_in(&email, &password, code.as_deref()).await?;
            let dashboards = dashboard::fetch(&client, &access).await?;
            console.outcome(&dashboards, || dashboard::render(&email, &dashboards));
            Ok(())
        }
        Command::Tenant(what) => ask(&what).await,
        Command::ProductKey(what) => ask(&what).await,
        Command::License(License::Keygen(keygen)) => {
            let public = keygen.run()?;
            console.outcome(&public, || keygen.text(&public));
            Ok(())
        }
        Command::License(License::Issue(issue)) => {
            let issued = issue.run(&workspace, &which.find(&workspace)?, keys).await?;
            console.outcome(&issued, || license::issued(&issued));
            Ok(())
        }
        Command::License(License::Change(what)) => ask(&what).await,
        Command::SuperAdmin(what) => ask(&what).await,
        Command::Captcha(what) => ask(&what).await,
        Command::Queue(Queue::Redrive) => {
            let redriven = queue::redrive(&which.find(&workspace)?, keys).await?;
            console.outcome(&redriven, || format!("{} messages sent again", redriven.moved));
            Ok(())
        }
        Command::Tools => {
            tools::install(&workspace)?;
            console.outcome(&json!({"status": "ok"}), || "All tools are installed.".to_owned());
            Ok(())
        }
        Command::Siem(Siem::Receive(receive)) => {
            let is_well = receive.run(&workspace, console).await?;
            // What it found wrong is its outcome, and has been told.
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

async fn up(workspace: &Workspace, keys: &Keys, options: &Up, console: Console) -> Result<()> {
    tools::install(workspace)?;
    deploy::build(workspace, options.profile)?;
    let daemon = if let Some(daemon) = Daemon::running(workspace).await {
        daemon
    } else {
        // What an earlier endpoint held went with it.
        clear(workspace).await?;
        Daemon::start(workspace, options.port).await?
    };
    let mut stack = deploy::deploy(workspace, &daemon)?;
    captcha::open_local(workspace, &stack, keys).await?;
    if options.no_demo {
        console.outcome(&json!({"status": "ok", "stack": stack}), || {
            format!("The stack is up: {}\nStop it with `make down`.", stack.api)
        });
        return Ok(());
    }
    let dashboards = demo::ensure(workspace, &mut stack, keys).await?;
    console.outcome(&json!({"status": "ok", "stack": stack, "dashboard": dashboards}), || {
        format!("\n{}\n{}", page(&stack, &dashboards), demo::try_next(&stack))
    });
    Ok(())
}

async fn down(workspace: &Workspace, console: Console) -> Result<()> {
    clear(workspace).await?;
    console.outcome(&json!({"status": "ok"}), || "The local stack is stopped.".to_owned());
    Ok(())
}

/// Ends what runs and forgets what it held.
async fn clear(workspace: &Workspace) -> Result<()> {
    if let Some(daemon) = Daemon::recorded(workspace) {
        let step = Console::step("Stopping the local AWS endpoint");
        daemon.stop(workspace, &step).await?;
        step.finish_and_clear();
    }
    Stack::forget(workspace)?;
    demo::forget(workspace)?;
    captcha::forget(workspace)?;
    deploy::forget(workspace)
}

fn page(stack: &Stack, dashboards: &serde_json::Value) -> String {
    let title = stack.demo.as_ref().map_or("Belfry", |demo| demo.email.as_str());
    dashboard::render(title, dashboards)
}

impl LogIn {
    fn or_demo(self, stack: &Stack) -> Result<(String, String)> {
        let demo = stack.demo.as_ref();
        let email = self.email.or_else(|| demo.map(|demo| demo.email.clone()));
        let password = self.password.or_else(|| demo.map(|demo| demo.password.clone()));
        email.zip(password).ok_or_else(|| {
            Failure::new("whose dashboard?")
                .next("Give --email, and the password in BELFRY_PASSWORD.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    /// What comes of a command line that also says who asks and why.
    fn parsed(line: &str) -> Result<Belfry, ErrorKind> {
        let staff = ["--operator", "ann", "--reason", "ticket 7"];
        let words = std::iter::once("belfry").chain(line.split(' ')).chain(staff);
        Belfry::try_parse_from(words).map_err(|error| error.kind())
    }

    #[test]
    fn the_commands_of_the_vendor_are_read() {
        let issue = "license issue --purpose renew --product EPP --edition gold";
        let extend = "license issue --purpose extend --product EPP --edition gold";
        let key = "product-key issue --product EMM --edition gold --seats 5 --days 365";
        let person = "--first-name Ada --last-name Quinn --email a@b.example --mobile +911234567";
        let captcha = "captcha set --site-key k --provider";
        let seats_and_days = "--seats 5 --days 30";
        let invalid = Some(ErrorKind::InvalidValue);
        let unreadable = Some(ErrorKind::ValueValidation);
        let missing = Some(ErrorKind::MissingRequiredArgument);
        let conflict = Some(ErrorKind::ArgumentConflict);
        let unknown = Some(ErrorKind::UnknownArgument);
        for (line, refused) in [
            ("tenant list".to_owned(), None),
            ("tenant list --after ten_1 --limit 5 --json".to_owned(), None),
            ("tenant list --limit many".to_owned(), unreadable),
            ("tenant suspend ten_1".to_owned(), None),
            ("tenant resume ten_1".to_owned(), None),
            ("tenant resume".to_owned(), missing),
            (key.to_owned(), None),
            (format!("{key} --partitions 4"), None),
            (key.replace("EMM", "emm"), invalid),
            ("product-key revoke 7ZZZZ-00000-ABCDE-FGHJK-M".to_owned(), None),
            ("product-key restore 7ZZZZ-00000-ABCDE-FGHJK-M".to_owned(), None),
            (format!("{issue} {seats_and_days}"), None),
            (format!("{issue} {seats_and_days} --valid-days 7 --key k.pem"), None),
            (format!("{issue} {seats_and_days} --kms-key alias/vendor"), None),
            (format!("{issue} {seats_and_days} --kms-key a --key b"), conflict),
            (format!("{issue} {seats_and_days} --valid-days 0"), unreadable),
            (format!("{issue} --seats 5"), missing),
            (format!("{extend} --seats 5"), None),
            ("license upgrade --tenant ten_1 --product ZTNA --edition gold".to_owned(), None),
            ("license extend-trial --tenant ten_1 --product ZTNA --days 14".to_owned(), None),
            ("license seats --tenant ten_1 --product ZTNA --seats 9".to_owned(), None),
            ("license seats --product ZTNA --seats 9".to_owned(), missing),
            ("super-admin reset --tenant ten_1".to_owned(), None),
            ("super-admin reset --tenant ten_1 --user usr_1".to_owned(), None),
            (format!("super-admin appoint --tenant ten_1 {person}"), None),
            (format!("{captcha} hcaptcha"), None),
            (format!("{captcha} custom"), missing),
            (format!("{captcha} custom --verify-url https://c.example/verify"), None),
            (format!("{captcha} hcaptcha --secret s"), unknown),
            ("captcha off".to_owned(), None),
        ] {
            assert_eq!(parsed(&line).err(), refused, "{line}");
        }
        // Nobody is asked for a reason where nothing is logged.
        let keygen = ["belfry", "license", "keygen", "--out", "key.pem"];
        assert!(Belfry::try_parse_from(keygen).is_ok());
    }
}
