//! Looking at what a bundle exports.

use std::sync::Arc;

use async_trait::async_trait;

use super::LoadedBundle;
use crate::{failure::Fault, shape::Shape};

/// Evaluates a bundle where it can do no harm and reports what it exports.
///
/// Implementations MUST give the module no file system, network, environment or process; MUST end within
/// their limits of time, memory, stack and pending jobs; MUST evaluate a module once (fault 29); MUST report the
/// same shape for the same bundle. They say what is there and judge nothing.
/// Contract: `testkit::contract::export_inspector`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ExportInspector: Send + Sync {
    /// Looks at one bundle.
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault>;
}

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectRequest {
    /// Code and vendors.
    pub bundle: LoadedBundle,
    /// The exports to look for, first in precedence first; the first one that is there is reported.
    pub export_names: Vec<Arc<str>>,
    /// What a person calls the source, for messages.
    pub subject: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The export that was found, with its name; `None` if the bundle has none of them.
    pub export: Option<(Arc<str>, Shape)>,
    /// What the module needs that only a richer engine has, because it touched it while loading or names it in its
    /// own text; sorted.
    pub touched: Vec<String>,
    /// Remarks such as an inconvertible schema.
    pub notes: Vec<String>,
}
