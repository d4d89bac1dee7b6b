//! Discovery, digests and module graphs.

pub mod parse;
pub mod parser;
