//! Looking at what a bundle exports.

use std::sync::Arc;

use async_trait::async_trait;

use super::AttemptCache;
use crate::{bundle::LoadedBundle, digest::Digest, failure::Fault, inspection::Inspection};

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

    /// The same inspector, remembering what it finds in another cache; `None` if it remembers nothing.
    fn remembering_in(&self, _cache: Arc<dyn AttemptCache>) -> Option<Arc<dyn ExportInspector>> {
        None
    }
}

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectRequest {
    /// Code and vendors.
    pub bundle: LoadedBundle,
    /// The digest of the extension's own code, where its store has told it.
    pub code_digest: Option<Digest>,
    /// The exports to look for, first in precedence first; the first one that is there is reported.
    pub export_names: Vec<Arc<str>>,
    /// What a person calls the source, for messages.
    pub subject: String,
}
