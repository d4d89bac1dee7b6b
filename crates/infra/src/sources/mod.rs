//! Discovery, digests and module graphs.

pub mod parser;
