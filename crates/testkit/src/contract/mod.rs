//! Contract suites: one per port, run by the fake and by every adapter.

mod documents;
mod expressions;
mod schema_validator;

pub use documents::documents;
pub use expressions::expressions;
pub use schema_validator::schema_validator;
mod export_inspector;
mod method_runner;

pub use export_inspector::export_inspector;
pub use method_runner::method_runner;
