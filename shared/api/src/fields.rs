//! Reading the fields of a body into domain values, every fault at once.

use crate::Problem;
use belfry_domain::failure::{FieldError, FieldFault};
use std::str::FromStr;

/// Collects faults while fields are read; a value read is there only if it has none.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Without a fault so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a text.
    pub fn read<T>(&mut self, pointer: impl Into<String>, text: &str) -> Option<T>
    where
        T: FromStr<Err: FieldFault>,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(fault) => {
                let code = if text.is_empty() { "required" } else { fault.code() };
                self.fault(pointer, code, fault.to_string());
                None
            }
        }
    }

    /// Takes a value that a rule has looked at.
    pub fn want<T>(
        &mut self,
        value: Option<T>,
        pointer: impl Into<String>,
        detail: &str,
    ) -> Option<T> {
        if value.is_none() {
            self.fault(pointer, "invalid", detail);
        }
        value
    }

    /// Notes why a value is refused.
    pub fn refuse(&mut self, pointer: impl Into<String>, why: &impl FieldFault) {
        self.fault(pointer, why.code(), crate::problem::sentence(&why.to_string()));
    }

    /// Notes a fault.
    pub fn fault(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        self.0.push(FieldError::new(pointer, code, detail));
    }

    /// What was made of the fields. `value` is none only when a fault was noted.
    ///
    /// # Errors
    /// 422 with all faults.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}
