//! Directories of customers, from which users come.

pub mod ldap;
