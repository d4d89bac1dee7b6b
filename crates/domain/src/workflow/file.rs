//! Workflow files that other roots than the repository bring.

use crate::{
    problem::Problem,
    source::{Origin, SourceId},
};

/// The workflows that other roots than the repository bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowFiles {
    /// The files.
    pub files: Vec<WorkflowFile>,
    /// Roots that cannot be looked into, files that cannot be read, manifests that cannot be used.
    pub problems: Vec<Problem>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFile {
    /// Where it lies.
    pub source: SourceId,
    /// Where its root comes from.
    pub origin: Origin,
    /// Its text.
    pub text: String,
}
