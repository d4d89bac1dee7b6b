//! Bundling one file by hand, outside the catalog, by the same steps as the pipeline.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    bundle::Bundle,
    failure::Fault,
    module_graph::EdgeTarget,
    package::PackageRequest,
    ports::{BuildFailure, BundleRequest},
    source::SourceId,
};

use crate::scan::{self, Ports};

/// Why a file could not be bundled.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such file, or it cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(SourceId),
    /// Something on the way failed.
    #[error("{}", .0.fault)]
    Failed(BuildFailure),
}

impl From<Fault> for BundleError {
    fn from(fault: Fault) -> Self {
        BundleError::Failed(fault.into())
    }
}

/// What a bundle by hand holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its packages stay outside, in the store.
    Shared,
    /// Its packages go in: one file that needs nothing but an engine.
    SelfContained,
}

/// The bundle of one source.
pub async fn bundle(ports: &Ports, source: &SourceId, form: Form) -> Result<Bundle, BundleError> {
    let graph = ports.tree.graph(source).await.map_err(|error| error.fault().clone())?;
    let graph = graph.ok_or_else(|| BundleError::Unreadable(source.clone()))?;
    let specifiers: BTreeSet<String> = graph
        .edges
        .iter()
        .filter_map(|edge| match &edge.target {
            EdgeTarget::External(specifier) => Some(specifier.clone()),
            EdgeTarget::File(_) | EdgeTarget::Missing | EdgeTarget::OutsideRoot => None,
        })
        .collect();
    let request = PackageRequest { specifiers, lock: graph.lock.clone() };
    let prepared = scan::prepare(ports, &request).await.map_err(|fault| graph.placed(fault))?;
    let inlined = match form {
        Form::Shared => Vec::new(),
        Form::SelfContained => {
            ports.store.vendor_files(&prepared.vendors).await.map_err(|error| error.fault().clone())?
        }
    };
    let request = BundleRequest { graph, imports: prepared.imports, offers: prepared.offers, inlined };
    ports.bundler.bundle(request, &Arc::default()).await.map_err(BundleError::Failed)
}
