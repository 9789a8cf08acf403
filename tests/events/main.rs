//! The sample events in events/ against template.yaml.

#[cfg(test)]
mod samples;
