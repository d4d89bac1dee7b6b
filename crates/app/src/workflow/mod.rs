//! Definitions and workflows of a repository: loading, validating, running (`design/workflows.md`).

pub mod catalogue;
pub mod engine;
pub mod known;
pub mod library;
pub mod observer;
pub mod render;
mod step;
pub mod validate;

pub use catalogue::{Claim, TypeCatalogue};
pub use engine::{Engine, Limits, Request, StartError};
pub use known::CatalogTypes;
pub use library::Library;
pub use observer::{Event, Observer, Silent};
pub use validate::validate;
