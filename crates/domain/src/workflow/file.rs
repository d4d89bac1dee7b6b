//! Workflow files that other roots than the repository bring.

use std::collections::BTreeSet;

use crate::{
    glob::Glob,
    problem::Problem,
    source::{Origin, RootId, SourceId},
};

/// The workflows that other roots than the repository bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowFiles {
    /// The files.
    pub files: Vec<WorkflowFile>,
    /// Roots that cannot be looked into, files that cannot be read, manifests that cannot be used.
    pub problems: Vec<Problem>,
    /// The roots that are configured or locked, whether they can be looked into or not.
    pub roots: BTreeSet<RootId>,
    /// By which directories are mounted: one that matches and is not there is awaited.
    pub mount_patterns: Vec<Glob>,
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
