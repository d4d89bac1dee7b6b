//! The embedded JavaScript engine: looking at what a bundle exports, and running it if it is pure.
//!
//! Both are plain functions that block their thread; worker processes call them (`design/inspection.md`). One
//! runtime per entry, dropped afterwards: modules are never freed while a runtime lives.

mod compiled;
mod in_process;
mod inspect;
mod limits;
mod machine;
mod modules;
mod names;
mod natives;
pub(crate) mod outcome;
mod session;
mod walk;

pub use in_process::InProcess;
pub use inspect::inspect;
pub use limits::Limits;
pub(crate) use modules::{CALLS_SOURCE, SCHEMA_LIBRARIES};
pub(crate) use names::member_names;
#[expect(clippy::module_name_repetitions, reason = "`Session` is the port")]
pub use session::EngineSession;

/// Moves when the engine would report another shape for the same bundle; part of the key of remembered inspections.
pub(crate) const INSPECTOR_VERSION: &str = "1";
