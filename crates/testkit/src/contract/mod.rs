//! Contract suites: one per port, run by the fake and by every adapter.

mod export_inspector;
mod method_runner;

pub use export_inspector::export_inspector;
pub use method_runner::method_runner;
