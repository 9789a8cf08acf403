//! Taking a write's condition away at run time, to show that a test notices.

use serde_json::{Map, Value};

/// Writes that may carry a condition, as `strip` and `rewrite` rules name them. Parts of a
/// `TransactWriteItems` are named as if they stood alone.
pub const WRITES: [(&str, &str); 4] = [
    ("Put", "PutItem"),
    ("Update", "UpdateItem"),
    ("Delete", "DeleteItem"),
    ("ConditionCheck", "ConditionCheck"),
];

/// Replaces the condition of a write (or removes it), and drops the names and values that nothing
/// uses any more: the table refuses unused ones.
pub fn replace(write: &mut Value, condition: Option<&str>) {
    let Some(fields) = write.as_object_mut() else { return };
    match condition {
        Some(text) => fields.insert("ConditionExpression".to_owned(), text.into()),
        None => fields.remove("ConditionExpression"),
    };
    let used = ["ConditionExpression", "UpdateExpression"]
        .iter()
        .filter_map(|name| fields.get(*name)?.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    for name in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let empty = fields.get_mut(name).and_then(Value::as_object_mut).is_some_and(|map| {
            map.retain(|placeholder, _| mentions(&used, placeholder));
            map.is_empty()
        });
        if empty {
            fields.remove(name);
        }
    }
}

/// Whether an expression uses `#name` or `:value` as a whole word.
fn mentions(expression: &str, placeholder: &str) -> bool {
    expression.match_indices(placeholder).any(|(at, _)| {
        !expression[at + placeholder.len()..]
            .starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
    })
}

/// Calls `visit` with every single write of a request: itself, or the parts of a transaction. A
/// condition check without a condition is dropped, for that is all it was.
pub(crate) fn each_write(
    operation: &str,
    request: &mut Value,
    mut visit: impl FnMut(&str, &mut Value),
) {
    if WRITES.iter().any(|(_, name)| *name == operation) {
        visit(operation, request);
    } else if operation == "TransactWriteItems"
        && let Some(parts) = request.get_mut("TransactItems").and_then(Value::as_array_mut)
    {
        parts.retain_mut(|part| {
            let Some(fields) = part.as_object_mut() else { return true };
            for (key, name) in WRITES {
                if let Some(write) = fields.get_mut(key) {
                    visit(name, write);
                }
            }
            !is_empty_check(fields)
        });
    }
}

fn is_empty_check(part: &Map<String, Value>) -> bool {
    part.get("ConditionCheck").is_some_and(|check| check.get("ConditionExpression").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn removing_a_condition_keeps_what_the_update_still_uses() {
        let mut write = json!({
            "UpdateExpression": "SET #a = :ab",
            "ConditionExpression": "#b = :a AND #a < :ab",
            "ExpressionAttributeNames": {"#a": "x", "#b": "y"},
            "ExpressionAttributeValues": {":a": {"N": "1"}, ":ab": {"N": "2"}},
        });
        replace(&mut write, None);
        assert_eq!(
            write,
            json!({
                "UpdateExpression": "SET #a = :ab",
                "ExpressionAttributeNames": {"#a": "x"},
                "ExpressionAttributeValues": {":ab": {"N": "2"}},
            })
        );
    }

    #[test]
    fn a_put_keeps_no_empty_maps() {
        let mut write = json!({"Item": {}, "ConditionExpression": "attribute_not_exists(#p)",
            "ExpressionAttributeNames": {"#p": "pk"}});
        replace(&mut write, None);
        assert_eq!(write, json!({"Item": {}}));
    }
}
