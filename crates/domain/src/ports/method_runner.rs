//! Running what an extension exports.

use std::sync::Arc;

use async_trait::async_trait;

use super::LoadedBundle;
use crate::{failure::Fault, json::Json};

/// Runs functions of a bundle.
///
/// Implementations MUST make every call of a stand-in a typed failure that names the requirement: work is never
/// pretended; MUST end a call within its time limit; MUST NOT let a rejection that nobody awaits end more than
/// its own session (fault 31). Contract: `testkit::contract::method_runner`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait MethodRunner: Send + Sync {
    /// Loads a bundle for calls.
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError>;
}

/// What to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Code and vendors.
    pub bundle: LoadedBundle,
    /// The export to call into: `model`, `extension`, `vault`, ….
    pub export_name: String,
    /// What a person calls the source, for messages.
    pub subject: String,
}

/// A loaded bundle.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Session: Send {
    /// Calls the function at `path` below the export, such as `["methods", "create", "execute"]`, with `args`
    /// and a context whose data is `context` and whose functions reach `host`. Gives what it returns or resolves to.
    async fn call(
        &mut self,
        path: &[String],
        args: &Json,
        context: &Json,
        host: Arc<dyn MethodHost>,
    ) -> Result<Json, RunError>;
}

/// What a method may ask of its host while it runs.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait MethodHost: Send + Sync {
    /// Answers one call of a context function.
    ///
    /// # Errors
    /// The message with which the method's call is rejected.
    async fn call(&self, call: HostCall) -> Result<Json, String>;
}

/// One call of a context function.
#[derive(Clone, Debug, PartialEq)]
pub struct HostCall {
    /// The function: `writeResource`, `readResource`, `log`, ….
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Json>,
}

/// A call that gave no value.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
pub enum RunError {
    /// The method threw or rejected.
    #[error("{message}")]
    Threw {
        /// What it threw, as text.
        message: String,
        /// Where, if the engine says so.
        stack: Option<String>,
    },
    /// The module could not be loaded, or a limit was hit.
    #[error("{0}")]
    Fault(Fault),
}
