//! The pages, one file for each.

pub(crate) mod data;
pub(crate) mod overview;
pub(crate) mod problems;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod source;
pub(crate) mod type_page;
pub(crate) mod types;
pub(crate) mod workflow;
pub(crate) mod workflows;
