//! Contract suites: one per port, run by the fake and by every adapter.

mod documents;
mod expressions;
mod repository_files;
mod schema_validator;

pub use documents::documents;
pub use expressions::expressions;
pub use repository_files::{REPOSITORY_FILES, repository_files};
pub use schema_validator::schema_validator;
