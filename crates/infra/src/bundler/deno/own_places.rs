//! `import.meta` of the files that Deno bundles, which would be that of the bundle: they ask for their own, as the embedded
//! bundler's do (`lowering/import_meta.rs`).

use std::sync::Arc;

use mangrove_domain::{failure::Fault, module_graph::ModuleGraph};
use mangrove_sources::parser::ModuleParser;

use super::super::lowering::import_meta;

/// Changes the files of a graph.
pub(super) async fn tell(graph: &mut ModuleGraph, parser: &dyn ModuleParser) -> Result<(), Fault> {
    for file in &mut graph.files {
        let path = file.path.as_str();
        let Some(address) = import_meta::address(path, "") else { continue };
        if !std::str::from_utf8(&file.bytes).is_ok_and(import_meta::is_mentioned) {
            continue;
        }
        let parsed = parser.parse(path, Arc::clone(&file.bytes)).await?;
        let asked = import_meta::asked(&address);
        let mut told = Vec::with_capacity(file.bytes.len());
        let mut at = 0;
        for (start, end) in &parsed.import_metas {
            let (start, end) = (*start as usize, *end as usize);
            told.extend_from_slice(file.bytes.get(at..start).unwrap_or_default());
            told.extend_from_slice(asked.as_bytes());
            at = end;
        }
        told.extend_from_slice(file.bytes.get(at..).unwrap_or_default());
        file.bytes = told.into();
    }
    Ok(())
}
