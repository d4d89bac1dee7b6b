//! Random edits: a survey that remembers says the same as one that does not.

use std::{fs, io, os::unix::fs::symlink, sync::Arc};

use mangrove_domain::{
    observation::{Entry, Observation},
    ports::{ObserveRequest, SourceTree as _},
    source::SourceId,
    survey::{EditedEntry, Edits, Survey},
};
use mangrove_sources::STAT_CACHE_FILE;
use mangrove_testkit::fixture::Tree;
use proptest::prelude::*;

use crate::support::{Repository, Result, open, render, request};

/// One random edit, by indexes into [`PATHS`] and [`CONTENTS`].
#[derive(Clone, Debug)]
enum Edit {
    Write(usize, usize),
    Remove(usize),
    Rename(usize, usize),
    Link(usize, usize),
}

const PATHS: [&str; 14] = [
    "extensions/models/a.ts",
    "extensions/models/b.ts",
    "extensions/models/sub/a.ts",
    "extensions/models/_lib/a.ts",
    "extensions/models/sub/manifest.yaml",
    "extensions/vaults/a.ts",
    "extensions/vaults/sub",
    "extensions/models/sub",
    "extensions/deno.json",
    "deno.json",
    "package.json",
    "lib/a.ts",
    "lib/index.ts",
    "lib",
];

const CONTENTS: [&str; 10] = [
    "export const model = { type: '@acme/a' }; import './b.ts'; import '../../lib'; import 'x';",
    "export const vault = { type: '@acme/v' }; import '../_lib/a'; import './a.js';",
    "export const helper = 1; import '#l/a.ts'; export * from '../models/sub/a.ts';",
    "export const model = { type: '@acme/broken', {{{",
    "{ \"imports\": { \"x\": \"npm:x@1\", \"#l/\": \"./lib/\" } }",
    "{ \"dependencies\": { \"x\": \"2\" } }",
    "{ \"imports\": { \"x\": \"./lib/a.ts\" }, \"compilerOptions\": { \"jsx\": \"react\" } }",
    "name: '@acme/sub'\nversion: '2026.01.01.1'\n",
    "name: [",
    "",
];

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let path = || 0..PATHS.len();
    let edit = prop_oneof![
        6 => (path(), 0..CONTENTS.len()).prop_map(|(path, content)| Edit::Write(path, content)),
        1 => path().prop_map(Edit::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Edit::Link(from, to)),
    ];
    proptest::collection::vec(edit, 1..12)
}

fn apply(files: &Tree, edit: &Edit) -> io::Result<()> {
    match edit {
        Edit::Write(path, content) => files.write(PATHS[*path], CONTENTS[*content]),
        Edit::Remove(path) => files.remove(PATHS[*path]),
        Edit::Rename(from, to) => fs::rename(files.path(PATHS[*from]), files.path(PATHS[*to])),
        Edit::Link(from, to) => symlink(files.path(PATHS[*from]), files.path(PATHS[*to])),
    }
}

async fn compare(edits: &[Edit]) {
    let repository = Repository::new("//- /.swamp.yaml\nrepoId: random\n").expect("a repository");
    for (round, edit) in edits.iter().enumerate() {
        // An edit that the file system refuses changes nothing, which is fine.
        let _ = apply(&repository.files, edit);
        if round % 3 == 0 {
            continue;
        }
        let incremental = repository.survey().await.expect("a survey");
        let scratch = repository.without_memory().await.expect("a survey");
        let (left, right) = (render(&incremental), render(&scratch));
        assert_eq!(incremental.disk, scratch.disk, "after {edit:?}\n{left}\n---\n{right}");
        assert_eq!(incremental.entries, scratch.entries);
        for seen in &scratch.disk.observations {
            let Entry::Readable { inputs, .. } = &seen.entry else { continue };
            let graph = repository.tree.graph(&seen.source).await.expect("a graph").expect("readable");
            assert_eq!((&graph.source, &graph.config), (&inputs.source, &inputs.config));
        }
    }
}

/// What a look at this edit alone makes of what was seen before it; `None` if it takes a survey.
async fn after_edit(repository: &Repository, before: &Survey, edit: &Edit) -> Option<Survey> {
    let named = match edit {
        Edit::Write(path, _) | Edit::Remove(path) => vec![*path],
        Edit::Rename(from, to) => vec![*from, *to],
        // A link says nothing of what it leads to.
        Edit::Link(_, to) => vec![*to],
    };
    let paths = named.into_iter().map(|path| repository.tree.repository().join(PATHS[path])).collect();
    let kinds = request().kinds;
    let files = repository.tree.modules_at(&kinds, &paths).await.expect("a look")?;
    let reaches = |seen: &Observation| {
        let inputs = seen.inputs();
        let is_reached = |file: &SourceId| inputs.is_some_and(|inputs| inputs.source.has_key(file.path.as_str()));
        files.contains(&seen.source) || files.iter().any(is_reached)
    };
    let entry = |seen: &Observation| EditedEntry {
        source: seen.source.clone(),
        origin: seen.origin,
        extension: seen.extension.clone(),
        kind: seen.kind.clone(),
    };
    let entries = before.disk.observations.iter().filter(|seen| reaches(seen)).map(entry).collect();
    let edited = repository.tree.survey_edits(&Edits { kinds, files, entries }).await.expect("a look")?;
    overlaid(before, &edited)
}

/// The survey with these entries in the place of what it says of them.
fn overlaid(before: &Survey, edited: &Survey) -> Option<Survey> {
    let mut after = before.clone();
    for (seen, needs) in edited.observed() {
        let place = after.disk.observations.iter().position(|known| known.source == seen.source)?;
        after.disk.observations[place] = seen.clone();
        after.entries[place] = needs.clone();
    }
    Some(after)
}

/// What a survey of everything makes of what the latest one left, which stays as it is.
async fn with_its_memory(repository: &Repository) -> Result<Survey> {
    let state = tempfile::tempdir()?;
    fs::copy(repository.files.path(".mangrove").join(STAT_CACHE_FILE), state.path().join(STAT_CACHE_FILE))?;
    let tree = open(&repository.files, state.path().to_owned(), &[], Arc::clone(&repository.parser))?;
    Ok(tree.survey(&request()).await?)
}

/// Each edit is met by a process of its own that knows the survey before it, or the one before that. Gives how often what
/// follows from edits was enough.
async fn compare_since(edits: &[Edit]) -> usize {
    let repository = Repository::new("//- /.swamp.yaml\nrepoId: random\n").expect("a repository");
    let mut known = repository.survey().await.expect("a survey");
    let mut enough = 0;
    for (round, edit) in edits.iter().enumerate() {
        // An edit that the file system refuses changes nothing, which is fine.
        let _ = apply(&repository.files, edit);
        let process = repository.restarted().expect("a tree");
        let seen = process.survey(&ObserveRequest { unless: known.mark, ..request() }).await.expect("a survey");
        let mark = seen.mark;
        let after = match seen.since {
            Some(_) => {
                enough += 1;
                overlaid(&known, &seen).expect("entries that are known")
            }
            None if mark == known.mark => known.clone(),
            None => seen,
        };
        let scratch = repository.without_memory().await.expect("a survey");
        assert_eq!(after.disk, scratch.disk, "after {edit:?}\n{}\n---\n{}", render(&after), render(&scratch));
        assert_eq!(after.entries, scratch.entries);
        let whole = with_its_memory(&repository).await.expect("a survey");
        assert_eq!((&whole.disk, &whole.entries), (&scratch.disk, &scratch.entries));
        // Whoever only looks takes nothing over.
        if round % 3 != 2 {
            known = Survey { mark, ..after };
        }
    }
    enough
}

/// Gives how often a look at an edit was enough.
async fn compare_edits(edits: &[Edit]) -> usize {
    let repository = Repository::new("//- /.swamp.yaml\nrepoId: random\n").expect("a repository");
    let mut before = repository.survey().await.expect("a survey");
    let mut enough = 0;
    for edit in edits {
        // An edit that the file system refuses changes nothing, which is fine.
        let _ = apply(&repository.files, edit);
        let edited = after_edit(&repository, &before, edit).await;
        before = repository.survey().await.expect("a survey");
        if let Some(edited) = edited {
            enough += 1;
            assert_eq!(edited.disk, before.disk, "after {edit:?}");
            assert_eq!(edited.entries, before.entries);
        }
    }
    enough
}

#[tokio::test]
async fn a_look_at_an_edit_is_enough_where_only_a_text_changed() {
    let edits = [Edit::Write(0, 0), Edit::Write(1, 2), Edit::Write(0, 3), Edit::Write(0, 0), Edit::Remove(12)];
    // The text of an entry, twice, and a path where nothing was and is.
    assert_eq!(compare_edits(&edits).await, 3);
}

#[tokio::test]
async fn what_follows_from_edits_is_enough_where_only_texts_changed() {
    let new = [Edit::Write(0, 0), Edit::Write(1, 2), Edit::Write(11, 2), Edit::Write(12, 2)];
    // The text of an entry, of what it imports, and of a helper that imports an entry; then another export.
    let edits = [Edit::Write(0, 3), Edit::Write(0, 0), Edit::Write(11, 2), Edit::Write(0, 3), Edit::Write(0, 1)];
    assert_eq!(compare_since(&[new.as_slice(), edits.as_slice()].concat()).await, 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_from_scratch(edits in edits()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(compare(&edits));
    }

    #[test]
    fn a_look_at_edits_sees_what_a_survey_sees(edits in edits()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(compare_edits(&edits));
    }

    #[test]
    fn what_follows_from_edits_is_what_a_survey_sees(edits in edits()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(compare_since(&edits));
    }
}
