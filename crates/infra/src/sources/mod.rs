//! Discovery, digests and module graphs. The rules are in `design/discovery.md`.

pub mod parse;
pub mod parser;
mod tokens;
