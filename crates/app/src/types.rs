//! Asking for a type that is ready to run.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    description::Description, failure::Failure, index::TypeIndex, ports::LoadedBundle, row::Row, source::Kind,
    type_name::TypeName,
};

/// Gives out types. A request for a type that failed triggers one shared attempt then and there.
#[async_trait]
pub trait Types: Send + Sync {
    /// The type, ready to run.
    async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady>;
}

/// A type that can run.
#[derive(Clone, Debug)]
pub struct ReadyType {
    /// The row that resolves it.
    pub row: Arc<Row>,
    /// What it offers.
    pub description: Arc<Description>,
    /// Its verified code.
    pub bundle: LoadedBundle,
}

/// Why a type cannot run.
#[derive(Clone, Debug, PartialEq)]
pub struct NotReady {
    /// The kind that was asked for.
    pub kind: Kind,
    /// The type that was asked for.
    pub type_name: TypeName,
    /// The rows that claim it, in order of precedence.
    pub claimed_by: Vec<Arc<Row>>,
    /// The failure of the first of them that has one.
    pub failure: Option<Failure>,
    /// The nearest known names, nearest first; empty if something claims the type.
    pub nearest: Vec<TypeName>,
    /// What else went wrong on the way, such as a damaged store.
    pub remark: Option<String>,
}

impl NotReady {
    /// What the published snapshot knows of a type that does not resolve.
    #[must_use]
    pub fn explain(index: &TypeIndex, kind: &Kind, type_name: &TypeName, remark: Option<String>) -> Self {
        let claimed_by = index.claimants(kind, type_name);
        let failure = claimed_by.iter().find_map(|row| row.failure().cloned());
        let nearest = if claimed_by.is_empty() { index.nearest(kind, type_name) } else { Vec::new() };
        Self { kind: kind.clone(), type_name: type_name.clone(), claimed_by, failure, nearest, remark }
    }
}
