//! The embedded JavaScript engine: looking at what a bundle exports, and running it if it is pure.
//!
//! Both are plain functions that block their thread; worker processes call them (`design/inspection.md`). One
//! runtime per entry, dropped afterwards: modules are never freed while a runtime exists.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod builtin_modules;
mod callees;
mod compiled;
mod encodings;
mod faults;
mod hexadecimal;
mod imported_names;
mod in_process;
mod inbox;
mod inspect;
pub mod language_calls;
mod languages;
mod limits;
mod machine;
mod modules;
mod names;
mod natives;
mod nul;
pub mod outcome;
mod positions;
mod session;
mod walk;
mod web;
mod web_natives;
mod zones;

pub use in_process::InProcess;
pub use inbox::Inbox;
pub use inspect::inspect;
pub use limits::Limits;
pub use modules::{CALLS_SOURCE, CONTEXT_SOURCE, DRIVER_SOURCE, SOURCES_SOURCE};
pub use names::member_names;
pub use natives::HostFunction;
pub use session::EngineSession;
pub use web::{Redirect, WebEvent, WebHead, WebOrder, WebOrders, WebRequest};

/// Moves when the engine would report another shape for the same bundle; part of the key of remembered inspections.
pub const INSPECTOR_VERSION: &str = "4";
