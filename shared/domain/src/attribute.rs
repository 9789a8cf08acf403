//! What is known of a user beyond name, address and numbers: department, title and the like, typed in
//! by an administrator or told by a directory. Rules of tags look at it.

use crate::text::AttributeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An attribute of a user: a closed list, after SCIM's core and enterprise user (RFC 7643, sections
/// 4.1 and 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserAttribute {
    /// Department.
    Department,
    /// Division.
    Division,
    /// Organization.
    Organization,
    /// Cost centre.
    CostCenter,
    /// Number in the company.
    EmployeeNumber,
    /// Job title.
    Title,
    /// Kind of relation to the company: employee, contractor.
    UserType,
    /// Office or place.
    Location,
    /// Country, in whatever form the company writes it.
    Country,
    /// Name of the manager.
    Manager,
}

impl UserAttribute {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Department,
        Self::Division,
        Self::Organization,
        Self::CostCenter,
        Self::EmployeeNumber,
        Self::Title,
        Self::UserType,
        Self::Location,
        Self::Country,
        Self::Manager,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Department => "department",
            Self::Division => "division",
            Self::Organization => "organization",
            Self::CostCenter => "cost_center",
            Self::EmployeeNumber => "employee_number",
            Self::Title => "title",
            Self::UserType => "user_type",
            Self::Location => "location",
            Self::Country => "country",
            Self::Manager => "manager",
        }
    }

    /// The attribute of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.name() == name)
    }
}

/// The attributes of a user, those that are known.
pub type UserAttributes = BTreeMap<UserAttribute, AttributeText>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_stored_under_its_name() {
        for attribute in UserAttribute::ALL {
            assert_eq!(serde_json::to_value(attribute).unwrap(), attribute.name());
            assert_eq!(UserAttribute::named(attribute.name()), Some(attribute));
        }
        assert_eq!(UserAttribute::named("password"), None);
    }
}
