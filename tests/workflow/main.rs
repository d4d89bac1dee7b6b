//! The workflow engine over real documents, expressions and schemas. Types and methods are scripted.

mod approvals;
mod arguments;
mod bench;
mod calls;
mod definitions;
mod durable;
mod faults;
mod flow;
mod guards;
mod problems;
mod queries;
mod reports;
mod secrets;
mod service;
mod shell;
mod steps;
mod triggers;
mod vectors;
