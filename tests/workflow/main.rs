//! The workflow engine over real documents, expressions and schemas. Types and methods are scripted.

mod arguments;
mod bench;
mod faults;
mod flow;
mod problems;
mod service;
mod vectors;
