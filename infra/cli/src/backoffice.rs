//! The back office, called as the vendor's staff does: directly, held by IAM.

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};

use crate::aws::{self, Keys};
use crate::console::Console;
use crate::dashboard;
use crate::failure::{Doing, Failure, Result};
use crate::stack::Stack;

/// Who asks for something, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Staff {
    /// Who asks for it; kept in the back-office log
    #[arg(long, env = "USER")]
    pub(crate) operator: String,
    /// Why; kept in the back-office log
    #[arg(long)]
    pub(crate) reason: String,
}

impl Staff {
    /// The back office's command of this name, with the fields that it has beside who and why.
    pub(crate) fn command(&self, name: &str, mut fields: Value) -> Value {
        let own = [("command", name), ("operator", &self.operator), ("reason", &self.reason)];
        for (field, text) in own {
            if let Some(fields) = fields.as_object_mut() {
                fields.insert(field.to_owned(), json!(text));
            }
        }
        fields
    }
}

/// One command, and how its answer is told to people.
pub(crate) trait Ask {
    /// What to send.
    fn command(&self) -> Result<Value>;

    /// What the answer says.
    fn text(&self, answer: &Value) -> String;
}

/// Asks the back office, and tells its answer.
pub(crate) async fn ask(
    stack: &Stack,
    keys: &Keys,
    console: Console,
    what: &dyn Ask,
) -> Result<()> {
    let answer = call(stack, keys, &what.command()?).await?;
    console.outcome(&answer, || what.text(&answer));
    Ok(())
}

/// Sends a command; a refusal names every faulty field.
pub(crate) async fn call(stack: &Stack, keys: &Keys, command: &Value) -> Result<Value> {
    let answer = aws::lambda(stack, keys)?
        .invoke()
        .function_name(stack.output("BackofficeFunction")?)
        .payload(Blob::new(command.to_string()))
        .send()
        .await
        .doing("call the back office")?;
    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
    let text = String::from_utf8_lossy(&payload);
    if answer.function_error.is_some() {
        return Err(Failure::new(format!("the back office failed: {text}"))
            .next("Its log group is named after the function."));
    }
    let answer: Value = serde_json::from_slice(&payload).doing("read the back office's answer")?;
    if answer.get("status").and_then(Value::as_str) == Some("ok") {
        return Ok(answer);
    }
    Err(refusal("the back office refused", answer.get("problem").unwrap_or(&answer)))
}

/// A problem (RFC 9457) as a failure.
pub(crate) fn refusal(what: &str, problem: &Value) -> Failure {
    let text = |value: &Value, field: &str| {
        value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut lines =
        vec![format!("{what}: {} ({})", text(problem, "detail"), text(problem, "code"))];
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let [pointer, code, detail] = ["pointer", "code", "detail"].map(|field| text(error, field));
        lines.push(format!("  {pointer}: {detail} ({code})"));
    }
    Failure::new(lines.join("\n"))
}

/// The string at a JSON pointer.
pub(crate) fn text_at(answer: &Value, pointer: &str) -> Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| Failure::new(format!("the answer lacks {pointer}")))
}

/// What the answer says at a JSON pointer, for people: a string, a number, or nothing.
pub(crate) fn said(answer: &Value, pointer: &str) -> String {
    match answer.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A count in the answer, its thousands apart.
pub(crate) fn counted(answer: &Value, pointer: &str) -> String {
    let count = answer.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    dashboard::grouped(usize::try_from(count).unwrap_or(usize::MAX))
}
