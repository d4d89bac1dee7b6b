//! What a look at a repository reads: manifests, lockfiles, what it remembers itself.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use mangrove_domain::{
    kind_layout::KindLayout,
    ports::{ObserveRequest, SourceTree as _},
    source::Kind,
    survey::Survey,
    type_name::TypeName,
};
use mangrove_infra::documents::YamlDocuments;
use mangrove_sources::{LocalTree, STAT_CACHE_FILE, TreeOptions, parse::InProcessParser};

use super::{finished, packages::with_file};

/// Files of a repository, each with its text.
const REPOSITORY: [(&str, &str); 5] = [
    (".mangrove.yaml", "repositoryId: 6a1d9b7e-7f6b-4b7c-8a53-0b1a9a3c2d10\n"),
    ("manifest.yaml", "manifestVersion: 1\nname: '@acme/dns'\nversion: 2026.11.30.1\nmodels: [zone.ts]\n"),
    (
        "extensions/models/zone.ts",
        "import { z } from 'npm:zod@4';\nimport './_lib/a.ts';\nexport const model = { type: '@acme/zone', z };\n",
    ),
    ("extensions/models/_lib/a.ts", "export const a = 1;\n"),
    ("deno.json", "{\"imports\": {\"zod\": \"npm:zod@4\"}}\n"),
];

fn kinds() -> Vec<KindLayout> {
    let kind = |name: &str, exports: &[&str], key: &str| KindLayout {
        kind: Kind::new(name),
        directory: format!("{name}s").into(),
        export_names: exports.iter().map(|export| Arc::from(*export)).collect(),
        add_on_export_names: Vec::new(),
        type_key: key.into(),
        normalise: TypeName::model,
    };
    vec![kind("model", &["model"], "type"), kind("report", &["report"], "name")]
}

/// What a new process sees of the repository in this directory; `None` if it refuses it.
fn seen(directory: &Path, is_read_only: bool) -> Option<Survey> {
    let options = TreeOptions {
        repository: directory.to_owned(),
        state_directory: directory.join(".mangrove"),
        environment: BTreeMap::new(),
        parser: Arc::new(InProcessParser),
        documents: Arc::new(YamlDocuments),
        extensions_directory: None,
        is_read_only,
        walk_bounds: mangrove_fs::walk::Bounds::default(),
    };
    let tree = LocalTree::new(options).ok()?;
    finished(tree.survey(&ObserveRequest { kinds: kinds(), ..ObserveRequest::default() }))?.ok()
}

fn write(directory: &Path, files: &[(&str, &str)]) -> Option<()> {
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent()?).ok()?;
        fs::write(path, text).ok()?;
    }
    Some(())
}

fn survey_with(name: &str, bytes: &[u8]) -> Option<()> {
    let directory = tempfile::tempdir().ok()?;
    write(directory.path(), &REPOSITORY)?;
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent()?).ok()?;
    fs::write(path, bytes).ok()?;
    let survey = seen(directory.path(), true)?;
    // Whatever it says, the sources beside it are found.
    let is_there = |path: &str| survey.disk.observations.iter().any(|seen| seen.source.path.as_str() == path);
    assert!(is_there("extensions/models/zone.ts"), "a file beside it hides a source");
    Some(())
}

pub(super) fn manifest(bytes: &[u8]) {
    let _ = survey_with("extensions/models/manifest.yaml", bytes);
}

pub(super) fn extension_lockfile(bytes: &[u8]) {
    let _ = survey_with("extensions/models/upstream_extensions.json", bytes);
}

/// What a look remembers. A damaged memory is none: the next look sees what one without any sees.
pub(super) fn stat_cache(bytes: &[u8]) {
    let Some(directory) = with_file(&format!(".mangrove/{STAT_CACHE_FILE}"), bytes) else { return };
    let _ = write(directory.path(), &REPOSITORY);
    let with_memory = seen(directory.path(), true);
    let _ = fs::remove_dir_all(directory.path().join(".mangrove"));
    let without = seen(directory.path(), true);
    let content = |survey: Option<Survey>| survey.map(|survey| format!("{:?}{:?}", survey.disk, survey.entries));
    assert_eq!(content(with_memory), content(without));
}

pub(super) fn stat_caches() -> Vec<Vec<u8>> {
    let made = || {
        let directory = tempfile::tempdir().ok()?;
        write(directory.path(), &REPOSITORY)?;
        seen(directory.path(), false)?;
        fs::read(directory.path().join(".mangrove").join(STAT_CACHE_FILE)).ok()
    };
    made().into_iter().collect()
}
