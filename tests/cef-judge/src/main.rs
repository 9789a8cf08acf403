//! Reads `{"line","header","fields"}` a line: has VRL's `parse_cef` read the line, and says where it
//! reads other fields than were expected. Known peculiarities of VRL count as equal: it reads `\r` as
//! LF, loses blanks and bars that end a value, and takes off quotes around one.

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::process::ExitCode;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{TargetValue, TimeZone, compile};
use vrl::value::{Secrets, Value};

const HEADER: [&str; 7] = [
    "cefVersion",
    "deviceVendor",
    "deviceProduct",
    "deviceVersion",
    "deviceEventClassId",
    "name",
    "severity",
];

fn trimmed(text: &str) -> &str {
    text.trim_end_matches([' ', '|'])
}

fn as_vrl_reads(text: &str) -> String {
    let text = text.replace('\r', "\n");
    let text = trimmed(&text);
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    trimmed(inner.unwrap_or(text)).to_owned()
}

fn main() -> ExitCode {
    let source = ". = parse_cef!(.line, translate_custom_fields: true, strict: true)";
    let program = compile(source, &vrl::stdlib::all()).expect("the program compiles").program;
    let (mut lines, mut bad) = (0, 0);
    for line in std::io::stdin().lock().lines() {
        let case: Json = serde_json::from_str(&line.expect("a line")).expect("JSON");
        lines += 1;
        let text = |value: &Json| value.as_str().expect("text").to_owned();
        let mut expected: BTreeMap<String, String> = case["fields"]
            .as_object()
            .expect("fields")
            .iter()
            .map(|(key, value)| (key.clone(), as_vrl_reads(&text(value))))
            .collect();
        for (n, (name, part)) in
            HEADER.iter().zip(case["header"].as_array().expect("header")).enumerate()
        {
            let part = text(part);
            let part = if n == 0 { part.trim_start_matches("CEF:") } else { part.trim() };
            expected.insert((*name).to_owned(), part.to_owned());
        }
        let mut target = TargetValue {
            value: Value::Object([("line".into(), text(&case["line"]).into())].into()),
            metadata: Value::Object(Default::default()),
            secrets: Secrets::default(),
        };
        let result = Runtime::default().resolve(&mut target, &program, &TimeZone::default());
        let got: Result<BTreeMap<String, String>, String> = match result {
            Ok(Value::Object(read)) => Ok(read
                .into_iter()
                .map(|(key, value)| (key.to_string(), trimmed(&value.to_string_lossy()).to_owned()))
                .collect()),
            other => Err(format!("{other:?}")),
        };
        if got.as_ref() != Ok(&expected) {
            bad += 1;
            if bad <= 5 {
                println!(
                    "line {lines}: {}\n  expected {expected:?}\n  read     {got:?}",
                    case["line"]
                );
            }
        }
    }
    println!("{lines} lines, {bad} read otherwise");
    if bad == 0 && lines > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
