//! The pages, one file for each.

pub(crate) mod overview;
pub(crate) mod problems;
pub(crate) mod source;
pub(crate) mod type_page;
pub(crate) mod types;
