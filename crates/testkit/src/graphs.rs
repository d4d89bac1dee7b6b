//! Module graphs from a few words.

use std::sync::Arc;

use mangrove_domain::{
    digest::Digest,
    fingerprint::Part,
    json::Json,
    module_graph::{Edge, EdgeTarget, ModuleGraph, SourceFile},
    source::RelativePath,
};

/// A path of a fixture.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).expect("a path of a fixture")
}

/// The target of an import that leads to a package or an address.
#[must_use]
pub fn external(specifier: &str) -> EdgeTarget {
    EdgeTarget::External(specifier.to_owned())
}

/// The graph of these files by path and text, the first of which is the entry, and these edges by importer, specifier
/// and target. Without settings, lock and fingerprint.
///
/// # Panics
/// If there is no file, or a path is none.
#[must_use]
pub fn module_graph(files: &[(&str, &str)], edges: &[(&str, &str, EdgeTarget)]) -> ModuleGraph {
    let file = |(name, text): &(&str, &str)| SourceFile {
        path: path(name),
        bytes: Arc::from(text.as_bytes()),
        digest: Digest::of(text.as_bytes()),
    };
    let edge = |(importer, specifier, target): &(&str, &str, EdgeTarget)| Edge {
        importer: path(importer),
        specifier: (*specifier).to_owned(),
        target: target.clone(),
    };
    ModuleGraph {
        entry: path(files[0].0),
        files: files.iter().map(file).collect(),
        edges: edges.iter().map(edge).collect(),
        source: Part::of([]),
        config: Part::of([]),
        compiler_options: Json::object::<&str>([]),
        lock: None,
        config_files: Vec::new(),
    }
}
