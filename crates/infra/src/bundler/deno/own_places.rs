//! `import.meta` of the files that Deno bundles, which would be that of the bundle: they ask for their own, as the embedded
//! bundler's do (`lowering/import_meta.rs`).

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    failure::Fault,
    module_graph::{EdgeTarget, ModuleGraph, SourceFile},
};
use mangrove_sources::parser::ModuleParser;

use super::super::lowering::import_meta;

/// Changes the files of a graph, but those that are imported as texts.
pub(super) async fn tell(graph: &mut ModuleGraph, parser: &dyn ModuleParser) -> Result<(), Fault> {
    if !graph.files.iter().any(is_concerned) {
        return Ok(());
    }
    let texts = texts(graph, parser).await?;
    for file in &mut graph.files {
        let path = file.path.as_str();
        let Some(address) = import_meta::address(path, "") else { continue };
        if texts.contains(path) || !is_concerned(file) {
            continue;
        }
        let parsed = parser.parse(path, Arc::clone(&file.bytes)).await?;
        let asked = import_meta::asked(&address);
        let text = std::str::from_utf8(&file.bytes).unwrap_or_default();
        let mut told = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end) in &parsed.import_metas {
            let (start, end) = (*start as usize, *end as usize);
            told.push_str(text.get(at..start).unwrap_or_default());
            told.push_str(&import_meta::fitting(text, start, &asked));
            at = end;
        }
        told.push_str(text.get(at..).unwrap_or_default());
        file.bytes = told.into_bytes().into();
    }
    Ok(())
}

fn is_concerned(file: &SourceFile) -> bool {
    std::str::from_utf8(&file.bytes).is_ok_and(import_meta::is_mentioned)
}

/// The paths of files that something imports as a text or as bytes.
async fn texts(graph: &ModuleGraph, parser: &dyn ModuleParser) -> Result<BTreeSet<String>, Fault> {
    let mut texts = BTreeSet::new();
    for file in &graph.files {
        let may_import_one = std::str::from_utf8(&file.bytes)
            .is_ok_and(|text| ["\"text\"", "'text'", "\"bytes\"", "'bytes'"].iter().any(|word| text.contains(word)));
        if !may_import_one {
            continue;
        }
        let parsed = parser.parse(file.path.as_str(), Arc::clone(&file.bytes)).await?;
        let as_text = |specifier: &str| {
            parsed.imports.iter().any(|import| {
                import.specifier == specifier && matches!(import.attribute.as_deref(), Some("text" | "bytes"))
            })
        };
        for edge in graph.edges.iter().filter(|edge| edge.importer == file.path && as_text(&edge.specifier)) {
            if let EdgeTarget::File(path) = &edge.target {
                texts.insert(path.as_str().to_owned());
            }
        }
    }
    Ok(texts)
}
