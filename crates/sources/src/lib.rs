//! Discovery, digests and module graphs. The rules are in `design/discovery.md`.
//!
//! [`LocalTree`] is the adapter. A survey looks at every path that the last one looked at; if nothing moved, the
//! remembered outcome stands, and if nothing but the text of modules did, whoever knows the outcome before is told what follows
//! from that. Otherwise the whole survey is computed again, over a view that takes unchanged
//! files and listings from memory: one path of code, whether warm or cold.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod checkout;
mod config;
mod contents;
mod drivers;
mod edits;
mod graph;
mod layout;
mod literals;
mod looks;
mod manifest;
mod options;
mod package_imports;
pub mod parse;
pub mod parser;
mod path;
mod permissions;
mod places;
mod problems;
mod resolve;
mod root;
mod roots;
mod saved;
mod session;
mod shipped;
mod since;
mod sites;
mod stat_cache;
mod survey;
mod tokens;
mod tree;
mod version_control;
mod view;
mod views;
mod walk;
mod workflows;
mod workspace;

pub use checkout::Checkout;
pub use layout::{EXTENSIONS_DIRECTORY, Layout, MARKERS, find_repository};
pub use options::TreeOptions;
pub use stat_cache::FILE_NAME as STAT_CACHE_FILE;
pub use tree::LocalTree;
