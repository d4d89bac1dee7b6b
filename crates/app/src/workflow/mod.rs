//! Definitions and workflows of a repository: loading, validating, running (`design/workflows.md`).

pub mod catalogue;
mod definitions;
pub mod events;
mod files;
pub mod inputs;
pub mod known;
pub mod library;
mod lookup;
mod named;
pub mod routes;
pub mod run;
pub mod triggers;
pub mod validate;

pub use catalogue::{Claim, TypeCatalogue};
pub use events::{Observer, RunChange, RunEvent, Silent, replay};
pub use files::BrokenFile;
pub use known::CatalogTypes;
pub use library::Library;
pub use routes::LibraryWebhooks;
pub use run::{Engine, Limits, NotRecorded, RecordedRun, Resumption, RunOptions, RunRequest, StartError};
pub use triggers::{LibrarySchedules, Scheduled};
pub use validate::validate;
