//! The demo: a tenant made through the product's own ways, its telemetry, and the proof that the
//! dashboard shows exactly that.
//!
//! Every step is kept as it is done, so that an interrupted demo goes on where it stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use belfry_demo::oracle::{PERIODS, in_order};
use belfry_demo::{Demo, PRODUCTS, Scale};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::Keys;
use crate::backoffice::{self, text_at};
use crate::client::Client;
use crate::console::Console;
use crate::dashboard;
use crate::failure::{Doing, Failure, Result};
use crate::stack::{DemoTenant, Stack};
use crate::workspace::Workspace;

/// The file in `.local` that says how far the demo has come.
const FILE: &str = "demo.json";

/// The same telemetry for everyone, but for its dates.
const SEED: u64 = 20_261_122;

const COMPANY: &str = "Harbor Works";
const EMAIL: &str = "ada.quinn@harbor-works.example";

/// Only ever used on the local endpoint, which listens on this machine alone.
const PASSWORD: &str = "lantern-quartz-orbit-58";

/// How often a state that is awaited is looked at.
const POLL: Duration = Duration::from_secs(1);

/// Looks without any change before giving up. Mail is swept every minute.
const PATIENCE: u32 = 120;

/// Looks at the dashboard with one access token.
const LOOKS_A_TOKEN: u32 = 30;

/// How far the demo has come.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    /// The API that this is about; another stack begins anew.
    api: String,
    /// The moment up to which telemetry is made.
    now: Timestamp,
    tenant_id: Option<String>,
    activated: bool,
    credentials: BTreeMap<String, String>,
    /// Credentials for events up to 400 days old.
    history: BTreeMap<String, String>,
    /// Batches sent.
    sent: usize,
    /// Whether the dashboard has once shown it all.
    shown: bool,
}

/// Makes what is missing of the demo and compares the dashboard with the oracle.
pub(crate) async fn ensure(workspace: &Workspace, stack: &mut Stack, keys: &Keys) -> Result<Value> {
    let Some(endpoint) = stack.aws_endpoint.clone() else {
        return Err(Failure::new("the demo is for the local stack only: it reads the mails there")
            .next("At AWS, create a tenant with `belfry tenant create`."));
    };
    let kept: Option<Progress> = workspace.recall(FILE);
    let mut progress =
        kept.filter(|progress| progress.api == stack.api).unwrap_or_else(|| Progress {
            api: stack.api.clone(),
            now: now(),
            tenant_id: None,
            activated: false,
            credentials: BTreeMap::new(),
            history: BTreeMap::new(),
            sent: 0,
            shown: false,
        });
    let client = Client::new(&stack.api)?;
    let tenant = tenant(workspace, stack, keys, &client, &endpoint, &mut progress).await?;
    stack.demo = Some(tenant.clone());
    stack.keep(workspace)?;

    let demo = Demo::new(SEED, progress.now, Scale::FULL);
    send(workspace, &client, &demo, &mut progress).await?;
    let dashboards = compare(&client, &tenant, &demo, progress.shown).await?;
    progress.shown = true;
    workspace.keep(FILE, &progress)?;
    Ok(dashboards)
}

/// Forgets how far the demo has come.
pub(crate) fn forget(workspace: &Workspace) -> Result<()> {
    workspace.forget(FILE)
}

/// Back office, activation mail, log-in, credentials.
async fn tenant(
    workspace: &Workspace,
    stack: &Stack,
    keys: &Keys,
    client: &Client,
    endpoint: &str,
    progress: &mut Progress,
) -> Result<DemoTenant> {
    let step = Console::step(format!("Creating the demo tenant {COMPANY}"));
    let tenant_id = if let Some(id) = progress.tenant_id.clone() {
        id
    } else {
        let answer = backoffice::call(stack, keys, &create_tenant()).await?;
        text_at(&answer, "/tenant/id")?
    };
    progress.tenant_id = Some(tenant_id.clone());
    workspace.keep(FILE, progress)?;

    if !progress.activated {
        step.set_message("Waiting for the activation mail");
        let token = activation_token(client, endpoint).await?;
        client.activate(&token, PASSWORD).await?;
        progress.activated = true;
        workspace.keep(FILE, progress)?;
    }
    step.set_message("Enrolling the second factor");
    client.first_log_in(EMAIL, PASSWORD).await?;

    step.set_message("Creating product credentials");
    let access = client.log_in(EMAIL, PASSWORD, None).await?;
    for product in PRODUCTS {
        if !progress.credentials.contains_key(product) {
            let secret = client.create_credential(&access, product).await?;
            progress.credentials.insert(product.to_owned(), secret);
            workspace.keep(FILE, progress)?;
        }
        if !progress.history.contains_key(product) && !progress.shown {
            let command = json!({
                "command": "issue_history_credential", "operator": "demo",
                "reason": "demo telemetry of the last 60 days",
                "tenant_id": tenant_id, "product": product, "valid_days": 7,
            });
            let answer = backoffice::call(stack, keys, &command).await?;
            progress.history.insert(product.to_owned(), text_at(&answer, "/credential/secret")?);
            workspace.keep(FILE, progress)?;
        }
    }
    Console::done(&step, format!("Demo tenant {COMPANY}, {EMAIL}"));
    Ok(DemoTenant {
        tenant_id,
        email: EMAIL.to_owned(),
        password: PASSWORD.to_owned(),
        // Enrolled, then required no longer: one curl logs in.
        totp_secret: None,
        credentials: progress.credentials.clone(),
    })
}

fn create_tenant() -> Value {
    let products: Vec<Value> = PRODUCTS
        .iter()
        .map(|product| {
            json!({
                "product": product, "edition": "standard", "kind": "commercial",
                "seats": 5_000, "term_days": 365, "partitions": 1,
            })
        })
        .collect();
    json!({
        "command": "create_tenant", "operator": "demo", "reason": "demo tenant",
        "company": COMPANY, "country": "IN", "language": "en",
        "admin": {
            "first_name": "Ada", "last_name": "Quinn", "email": EMAIL,
            "mobile": "+91 98765 43210", "language": "en",
        },
        "products": products,
    })
}

/// The token of the newest activation mail to the demo's administrator.
async fn activation_token(client: &Client, endpoint: &str) -> Result<String> {
    for _ in 0..PATIENCE {
        let mails = client.json(&format!("{endpoint}/_ministack/ses/messages")).await?;
        if let Some(token) = token_in(&mails, EMAIL) {
            return Ok(token);
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Failure::new("no activation mail came")
        .next("See the log group of the function `mail`, then run `belfry demo` to go on."))
}

/// Looks through SES's messages, the newest first.
fn token_in(mails: &Value, email: &str) -> Option<String> {
    let accounts = mails.get("messages")?.as_object()?;
    accounts.values().filter_map(Value::as_array).flatten().rev().find_map(|mail| {
        let to = mail.get("To")?.as_array()?;
        let text = mail.get("BodyText")?.as_str()?;
        let (_, token) = text.split_once("/activate#")?;
        let end = token.find(char::is_whitespace).unwrap_or(token.len());
        to.contains(&json!(email)).then(|| token.get(..end).unwrap_or_default().to_owned())
    })
}

/// Sends every batch that has not been sent.
async fn send(
    workspace: &Workspace,
    client: &Client,
    demo: &Demo,
    progress: &mut Progress,
) -> Result<()> {
    let batches = demo.batches();
    if progress.sent >= batches.len() {
        return Ok(());
    }
    let total = demo.events();
    let bar =
        Console::bar(format!("Sending {} events", dashboard::grouped(total)), batches.len() as u64);
    for batch in batches.skip(progress.sent) {
        bar.set_position(progress.sent as u64);
        let secrets = if batch.history { &progress.history } else { &progress.credentials };
        let secret = secrets.get(batch.product).map(String::as_str).unwrap_or_default();
        let answer = client.send(secret, batch).await?;
        if answer.get("rejected").and_then(Value::as_u64) != Some(0) {
            return Err(Failure::new(format!("events of the demo were refused: {answer}")));
        }
        progress.sent += 1;
        workspace.keep(FILE, progress)?;
    }
    Console::done(&bar, format!("{} events sent to POST /telemetry", dashboard::grouped(total)));
    Ok(())
}

/// Waits until every figure of every period is the oracle's.
async fn compare(
    client: &Client,
    tenant: &DemoTenant,
    demo: &Demo,
    shown_before: bool,
) -> Result<Value> {
    let oracle = demo.oracle(now()).doing("read the demo's own telemetry")?;
    let expected = |at: Timestamp| -> Value {
        let periods = PERIODS.iter();
        let of = |(period, _): &(&str, _)| ((*period).to_owned(), oracle.dashboard(period, at));
        Value::Object(periods.map(of).collect())
    };
    let mut at = now();
    let mut wanted = figures(&expected(at));
    let bar = Console::bar("Waiting for the dashboard", wanted.len() as u64);
    let (mut access, mut best, mut patience) = (String::new(), 0, PATIENCE);
    for look in 0_u32.. {
        // An access token lives five minutes.
        if look % LOOKS_A_TOKEN == 0 {
            access = client.log_in(&tenant.email, &tenant.password, None).await?;
        }
        let dashboards = dashboard::fetch(client, &access).await?;
        // Every period moves on at midnight.
        if at.as_second() / 86_400 != now().as_second() / 86_400 {
            at = now();
            wanted = figures(&expected(at));
        }
        let shown: Value = dashboards
            .as_object()
            .into_iter()
            .flatten()
            .map(|(period, answer)| (period.clone(), in_order(answer.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let shown = figures(&shown);
        let different = differences(&wanted, &shown);
        let equal = wanted.len().saturating_sub(different.len());
        bar.set_position(equal as u64);
        if different.is_empty() {
            let text =
                format!("All {} figures of the five periods equal the oracle's", wanted.len());
            Console::done(&bar, text);
            return Ok(dashboards);
        }
        if shown_before {
            let text = "The dashboard has more than the demo's telemetry by now";
            Console::done(&bar, text);
            return Ok(dashboards);
        }
        if equal > best {
            (best, patience) = (equal, PATIENCE);
        }
        if patience == 0 {
            bar.abandon();
            let list = different.iter().take(20).cloned().collect::<Vec<_>>().join("\n  ");
            return Err(Failure::new(format!(
                "the dashboard differs from the oracle in {} of {} figures:\n  {list}",
                different.len(),
                wanted.len()
            ))
            .next("`belfry status` shows what still waits in the queues."));
        }
        patience -= 1;
        tokio::time::sleep(POLL).await;
    }
    Err(Failure::new("the dashboard was never complete"))
}

/// Every leaf of a document by its JSON pointer.
fn figures(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, pointer: &str, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    walk(inner, &format!("{pointer}/{name}"), into);
                }
            }
            Value::Array(rows) => {
                for (number, inner) in rows.iter().enumerate() {
                    walk(inner, &format!("{pointer}/{number}"), into);
                }
            }
            leaf => {
                into.insert(pointer.to_owned(), leaf.clone());
            }
        }
    }
    let mut leaves = BTreeMap::new();
    walk(value, "", &mut leaves);
    leaves
}

/// Where two documents differ, in words.
fn differences(wanted: &BTreeMap<String, Value>, shown: &BTreeMap<String, Value>) -> Vec<String> {
    let missing = wanted.iter().filter(|(pointer, value)| shown.get(*pointer) != Some(value)).map(
        |(pointer, value)| {
            let shown = shown.get(pointer).map_or_else(|| "nothing".to_owned(), Value::to_string);
            format!("{pointer}: expected {value}, shown {shown}")
        },
    );
    let extra = shown.iter().filter(|(pointer, _)| !wanted.contains_key(*pointer));
    let extra = extra.map(|(pointer, value)| format!("{pointer}: expected nothing, shown {value}"));
    missing.chain(extra).collect()
}

/// What to try next, ready to paste.
pub(crate) fn try_next(stack: &Stack) -> String {
    let Some(demo) = &stack.demo else { return String::new() };
    let api = &stack.api;
    let log_in = json!({"email": demo.email, "password": demo.password});
    let batch = json!([{
        "specversion": "1.0", "id": "1", "source": "/try/1", "type": "endpoint.status",
        "time": now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "data": {"endpoint": {"id": "my-laptop", "kind": "computer", "os": "Linux",
                              "os_version": "13", "agent_version": "9.9.9"}},
    }]);
    let epp = demo.credentials.get("EPP").map(String::as_str).unwrap_or_default();
    format!(
        "Try next
  API     {api}
  Log in  {email} / {password}
  More    .local/stack.json, `target/debug/belfry --help`

  # log in, and keep the access token (5 minutes)
  TOKEN=$(curl -s {api}/auth/login -H 'Content-Type: application/json' -d '{log_in}' \\
    | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')

  # send telemetry as the product EPP
  curl -sw '\\n' {api}/telemetry -H 'Authorization: Bearer {epp}' \\
    -H 'Content-Type: application/cloudevents-batch+json' -d '{batch}'

  # the dashboard of today and the two days before
  curl -s '{api}/dashboard?period=0-2d' -H \"Authorization: Bearer $TOKEN\" | python3 -m json.tool
",
        email = demo.email,
        password = demo.password,
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the demo ends now; everything else takes it as an argument"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_mail_to_the_address_gives_the_token() {
        let mail = |to: &str, text: &str| json!({"To": [to], "BodyText": text});
        let mails = json!({"messages": {"0": [
            mail(EMAIL, "Open http://c/activate#old now"),
            mail(EMAIL, "Open http://c/activate#new-token_1\nwithin 72 hours"),
            mail("other@b.example", "Open http://c/activate#foreign"),
        ]}});
        assert_eq!(token_in(&mails, EMAIL).as_deref(), Some("new-token_1"));
        assert_eq!(token_in(&json!({"messages": {}}), EMAIL), None);
    }

    #[test]
    fn every_differing_missing_and_extra_figure_is_named() {
        let wanted = figures(&json!({"a": {"b": 1, "c": 2}, "rows": [{"n": 1}]}));
        let shown = figures(&json!({"a": {"b": 1, "c": 3}, "rows": [], "x": 9}));
        assert_eq!(wanted.len(), 3);
        assert_eq!(
            differences(&wanted, &shown),
            [
                "/a/c: expected 2, shown 3",
                "/rows/0/n: expected 1, shown nothing",
                "/x: expected nothing, shown 9",
            ]
        );
        assert!(differences(&wanted, &wanted).is_empty());
    }
}
