//! Small pieces of pages. Each writes HTML by itself, with everything escaped that it was given.

pub(crate) mod address;
pub(crate) mod badge;
pub(crate) mod moment;
pub(crate) mod names;
pub(crate) mod run_line;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod timeline;
pub(crate) mod words;
