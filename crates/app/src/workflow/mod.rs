//! Definitions and workflows of a repository: loading, validating, running (`design/workflows.md`).

mod assembly;
pub mod catalogue;
mod definitions;
pub mod events;
mod files;
pub mod inputs;
pub mod known;
pub mod library;
mod lookup;
mod named;
mod outside;
mod part;
mod parts;
mod reach;
mod read_file;
mod reading;
pub mod routes;
pub mod run;
pub mod triggers;
pub mod validate;
mod watched;

pub use catalogue::{Claim, TypeCatalogue};
pub use events::{Observer, RunChange, RunEvent, Silent, replay};
pub use files::BrokenFile;
pub use known::CatalogTypes;
pub use library::Library;
pub use parts::Files;
pub use reading::LibraryReader;
pub use routes::LibraryWebhooks;
pub use run::{Engine, Limits, NotRecorded, RecordedRun, Resumption, RunOptions, RunRequest, StartError};
pub use triggers::{LibrarySchedules, Scheduled};
pub use validate::validate;
