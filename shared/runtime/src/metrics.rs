//! Metrics as `CloudWatch` embedded metric format lines, one per invocation.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::Write as _;

/// Unit of a metric, in the specification's names.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
}

/// The metrics of one invocation.
#[derive(Debug)]
pub struct Metrics {
    function: &'static str,
    stage: String,
    values: Vec<(&'static str, Unit, f64)>,
}

impl Metrics {
    /// An empty set for one invocation of `function`.
    pub fn new(function: &'static str, stage: &str) -> Self {
        Self { function, stage: stage.to_owned(), values: Vec::new() }
    }

    /// Adds a value, to the present one where the metric is already there.
    pub fn add(&mut self, name: &'static str, unit: Unit, value: f64) {
        match self.values.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, _, sum)) => *sum += value,
            None => self.values.push((name, unit, value)),
        }
    }

    /// The line for the log.
    pub fn line(&self, now: Timestamp) -> String {
        let definitions: Vec<Value> = self
            .values
            .iter()
            .map(|(name, unit, _)| json!({"Name": name, "Unit": format!("{unit:?}")}))
            .collect();
        let mut line = Map::new();
        line.insert(
            "_aws".into(),
            json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [{
                "Namespace": "Belfry", "Dimensions": [["function", "stage"]], "Metrics": definitions}]}),
        );
        line.insert("function".into(), self.function.into());
        line.insert("stage".into(), self.stage.clone().into());
        for (name, _, value) in &self.values {
            line.insert((*name).into(), json!(value));
        }
        Value::Object(line).to_string()
    }

    /// Writes the line. A closed standard output loses metrics, never an answer.
    pub fn emit(&self, now: Timestamp) {
        let _ = writeln!(std::io::stdout().lock(), "{}", self.line(now));
    }
}
