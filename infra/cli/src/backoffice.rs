//! The back office, called as the vendor's staff does: directly, held by IAM.

use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;

use crate::aws::{self, Keys};
use crate::failure::{Doing, Failure, Result};
use crate::stack::Stack;

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
