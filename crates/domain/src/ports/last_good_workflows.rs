//! Workflows that run by themselves, as they were when their files were last in order.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{failure::Fault, source::Origin};

/// Keeps the texts of workflows that run by themselves, so that they go on after a restart while their files are broken.
///
/// Implementations MUST give back what was saved last as it was, or nothing: what is damaged or of another format counts as
/// nothing; MUST let nobody see it half written. Contract: `testkit::contract::last_good_workflows`.
#[async_trait]
pub trait LastGoodWorkflows: Send + Sync {
    /// What was saved last.
    async fn load(&self) -> Vec<LastGoodWorkflow>;

    /// Keeps these instead of those before.
    async fn save(&self, workflows: &[LastGoodWorkflow]) -> Result<(), Fault>;
}

/// A workflow as its file was last in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGoodWorkflow {
    /// Its file, as people name it.
    pub file: String,
    /// Where its root comes from.
    pub origin: Origin,
    /// The text of the file.
    pub text: Arc<str>,
}
