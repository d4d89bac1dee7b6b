//! The module graph of one entry, out of what a session read.

use std::sync::Arc;

use mangrove_domain::{
    failure::Fault,
    module_graph::{EdgeTarget, ModuleGraph, SourceFile},
    source::RelativePath,
};

use crate::{
    config::is_local,
    path::parent,
    resolve,
    session::Session,
    view::{Content, Listing, ReadFailure},
};

/// Why it cannot be told where an import of the graph leads: a directory on its way could not be listed. `None` if all were.
pub(super) fn unlisted(session: &Session, config: usize, graph: &ModuleGraph) -> Option<Fault> {
    let fault = |directory: &str, failure: &ReadFailure| {
        let path = if directory.is_empty() { "the root" } else { directory };
        failure.fault(path, format!("listing:{directory}"))
    };
    let config = &session.configs.all[config];
    graph.edges.iter().find_map(|edge| {
        let (importer, specifier) = (edge.importer.as_str(), edge.specifier.as_str());
        if resolve::is_bare(specifier) && config.imports.apply(importer, specifier).is_none() {
            return config.unlisted.first().map(|(directory, failure)| fault(directory, failure));
        }
        if edge.target != EdgeTarget::Missing || !is_local(specifier) {
            return None;
        }
        let path = resolve::local_path(&session.view, parent(importer), specifier).ok()?;
        match &session.view.directories.get(parent(&path))?.listing {
            Listing::Failed(failure) => Some(fault(parent(&path), failure)),
            Listing::Names { .. } | Listing::Absent | Listing::Outside => None,
        }
    })
}

/// The graph of `entry` under a configuration; `None` if the entry cannot be read.
pub(super) fn module_graph(session: &Session, config: usize, entry: RelativePath) -> Option<ModuleGraph> {
    session.view.files.get(entry.as_str())?.digest()?;
    let assembled = session.assemble(config, entry.as_str());
    let mut files = Vec::new();
    for path in &assembled.files {
        let record = session.view.files.get(path)?;
        let bytes = session.bytes.as_ref().and_then(|bytes| bytes.get(path));
        if let (Some(digest), Some(bytes), Ok(path)) = (record.digest(), bytes, RelativePath::parse(path)) {
            files.push(SourceFile { path, bytes: Arc::clone(bytes), digest });
        }
    }
    let mut edges = assembled.edges;
    for edge in &mut edges {
        let EdgeTarget::File(target) = &edge.target else {
            continue;
        };
        match session.view.files.get(target.as_str()).map(|record| &record.content) {
            Some(Content::Read { .. }) => {}
            Some(Content::Outside) => edge.target = EdgeTarget::OutsideRoot,
            Some(Content::Absent | Content::Unreadable(_)) | None => edge.target = EdgeTarget::Missing,
        }
    }
    Some(ModuleGraph {
        entry,
        files,
        edges,
        source: assembled.source,
        config: assembled.config,
        compiler_options: session.configs.all[config].compiler_options.clone(),
        lock: session.lock(config),
        config_files: session.configs.all[config].files.clone(),
    })
}
