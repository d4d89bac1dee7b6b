//! Rules that every kind and every origin shares.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_app::{
    on_demand::OnDemand,
    scan::{RetryMode, ScanRequest},
    types::Types as _,
};
use mangrove_domain::{
    plan::Scope,
    row::Row,
    source::{Kind, SourceId},
    state::State,
    type_name::TypeName,
};
use mangrove_infra::worker::Pool;
use mangrove_testkit::sources::{Condition, SAMPLES};

use crate::world::{Local, Mount, Place, Process, Pulled, Repository, Seen, loaders, pool};

/// A kind that is added to the program must be added to this matrix.
#[test]
fn the_samples_are_the_kinds_of_the_program() {
    let layouts = loaders().layouts();
    let told: Vec<_> = layouts
        .iter()
        .map(|layout| (layout.kind.as_str(), layout.directory.to_string(), &*layout.export_names[0], &*layout.type_key))
        .collect();
    let samples: Vec<_> = SAMPLES
        .iter()
        .map(|sample| (sample.kind, format!("{}s", sample.kind), sample.export, sample.type_key))
        .collect();
    assert_eq!(told, samples);
}

/// A scan by a new process.
async fn scan(repository: &Repository, state: &std::path::Path, pool: &Pool) -> Seen {
    let process = Process::start(repository, state, pool).await;
    let seen = process.scan(&ScanRequest::default()).await;
    process.end().await;
    seen
}

fn verdict(row: &Row) -> String {
    let type_name = row.type_name().map_or_else(|| "-".to_owned(), ToString::to_string);
    match &row.state {
        State::Indexed(_) => type_name,
        State::ValidationFailed { violations, .. } => {
            format!("rejected: {}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        State::Bundled { .. }
        | State::BundleBuildFailed { .. }
        | State::EntryPointUnreadable { .. }
        | State::OrphanedBundleOnly { .. }
        | State::Tombstoned { .. } => format!("{} {type_name}", row.state.name()),
    }
}

const PLACES: [Place; 3] = [Local, Mount, Pulled];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_12_a_name_is_judged_alike_in_every_origin_cold_and_warm() {
    const NAMES: [&str; 4] = ["Acme::Deep.Name", "@acme/a/b", "single", " @acme/trim "];
    let (pool, repository) = (pool(), Repository::new());
    let file = |index: usize| format!("name{index}.ts");
    let write = |suffix: &str| {
        for place in PLACES {
            for (index, name) in NAMES.iter().enumerate() {
                let type_name = if suffix.is_empty() { (*name).to_owned() } else { format!("@acme/{index}{suffix}") };
                repository.write(place, &file(index), &type_name, Condition::Good);
            }
        }
    };
    let (state, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    write("-before");
    scan(&repository, state.path(), &pool).await;
    write("");
    let warm = scan(&repository, state.path(), &pool).await;
    let cold = scan(&repository, elsewhere.path(), &pool).await;
    let mut lines = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        for sample in &SAMPLES {
            let sources = PLACES.map(|place| place.source(sample.kind, &file(index)));
            let verdicts: BTreeSet<String> = [&warm, &cold]
                .iter()
                .flat_map(|seen| sources.iter().map(|source| verdict(&seen.rows[source])))
                .collect();
            assert_eq!(verdicts.len(), 1, "{name} as a {}: {verdicts:?}", sample.kind);
            lines.push(format!("{name:?} as a {}: {}", sample.kind, verdicts.into_iter().collect::<String>()));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "Acme::Deep.Name" as a datastore: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "Acme::Deep.Name" (export in line 4)
    "Acme::Deep.Name" as a driver: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "Acme::Deep.Name" (export in line 4)
    "Acme::Deep.Name" as a model: acme/deep/name
    "Acme::Deep.Name" as a report: rejected: name: expected `@?[a-z0-9_-]+(/[a-z0-9_-]+)+`, found "Acme::Deep.Name" (export in line 4)
    "Acme::Deep.Name" as a vault: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "Acme::Deep.Name" (export in line 4)
    "@acme/a/b" as a datastore: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "@acme/a/b" (export in line 4)
    "@acme/a/b" as a driver: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "@acme/a/b" (export in line 4)
    "@acme/a/b" as a model: @acme/a/b
    "@acme/a/b" as a report: @acme/a/b
    "@acme/a/b" as a vault: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "@acme/a/b" (export in line 4)
    "single" as a datastore: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "single" (export in line 4)
    "single" as a driver: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "single" (export in line 4)
    "single" as a model: rejected: type: expected at least two segments such as `@acme/dns`, found "single" (export in line 4)
    "single" as a report: rejected: name: expected `@?[a-z0-9_-]+(/[a-z0-9_-]+)+`, found "single" (export in line 4)
    "single" as a vault: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found "single" (export in line 4)
    " @acme/trim " as a datastore: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found " @acme/trim " (export in line 4)
    " @acme/trim " as a driver: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found " @acme/trim " (export in line 4)
    " @acme/trim " as a model: @acme/trim
    " @acme/trim " as a report: rejected: name: expected `@?[a-z0-9_-]+(/[a-z0-9_-]+)+`, found " @acme/trim " (export in line 4)
    " @acme/trim " as a vault: rejected: type: expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found " @acme/trim " (export in line 4)
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_12_an_entry_point_is_one_in_every_directory_cold_and_warm() {
    const ENTRIES: [&str; 4] = ["plain.ts", "deep/er.ts", "module.mts", "view.tsx"];
    const OTHERS: [&str; 7] =
        ["a_test.ts", "a.test.ts", "a.d.ts", "_lib/a.ts", ".hidden/a.ts", "node_modules/a/a.ts", "a.js"];
    let (pool, repository) = (pool(), Repository::new());
    let (state, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    scan(&repository, state.path(), &pool).await;
    let custom = |kind: &str| format!("code/{kind}s");
    let directory = |place: Option<Place>, kind: &str| {
        place.map_or_else(|| custom(kind), |place| format!("{}/{kind}s", place.directory()))
    };
    let everywhere = [Some(Local), Some(Mount), Some(Pulled), None];
    repository.put("code/_lib/note.ts", "export const note = \"custom\";\n");
    for place in everywhere {
        for sample in &SAMPLES {
            for (index, file) in ENTRIES.iter().chain(&OTHERS).enumerate() {
                let text = sample.text(&format!("@acme/t{index}"), Condition::Good, "says");
                // What lies deeper finds the file to import all the same.
                let up = "../".repeat(file.matches('/').count() + 1);
                let text = text.replace("../_lib/note.ts", &format!("{up}_lib/note.ts"));
                repository.put(&format!("{}/{file}", directory(place, sample.kind)), &text);
            }
            let beside = format!("{}-old/a.ts", directory(place, sample.kind));
            repository.put(&beside, &sample.text("@acme/old", Condition::Good, "says"));
        }
    }
    let found = |seen: &Seen, place: Option<Place>| -> BTreeMap<&str, BTreeSet<String>> {
        let of = |kind: &str| {
            let prefix = match place {
                None => format!("{}/", custom(kind)),
                Some(Pulled) => format!("{kind}s/"),
                Some(Local | Mount) => format!("extensions/{kind}s/"),
            };
            let root = place.unwrap_or(Local).source(kind, "a.ts").root;
            let rows = seen.rows.values().filter(|row| row.source.root == root && row.kind.as_str() == kind);
            let paths = rows.filter_map(|row| row.source.path.as_str().strip_prefix(&prefix).map(str::to_owned));
            paths.filter(|path| !["own.ts", "mounted.ts", "pulled.ts"].contains(&path.as_str())).collect()
        };
        SAMPLES.iter().map(|sample| (sample.kind, of(sample.kind))).collect()
    };
    let expected: BTreeSet<String> = ENTRIES.map(str::to_owned).into();
    let check = |seen: &Seen, place: Option<Place>, when: &str| {
        for (kind, paths) in found(seen, place) {
            assert_eq!(paths, expected, "{kind} in {place:?}, {when}");
        }
    };
    for (seen, when) in [
        (scan(&repository, state.path(), &pool).await, "warm"),
        (scan(&repository, elsewhere.path(), &pool).await, "cold"),
    ] {
        for place in PLACES {
            check(&seen, Some(place), when);
        }
    }
    let directories = SAMPLES.map(|sample| format!("{}sDir: {}\n", sample.kind, custom(sample.kind))).concat();
    repository.put("mangrove.yaml", &format!("repoId: 00000000-0000-4000-8000-000000000001\n{directories}"));
    let last = tempfile::tempdir().expect("a directory");
    for (directory, when) in [(state.path(), "warm"), (last.path(), "cold")] {
        check(&scan(&repository, directory, &pool).await, None, when);
    }
}

/// Every row but those of `own.ts`, as it was before.
fn others(seen: &Seen) -> BTreeMap<&SourceId, &Row> {
    seen.rows.iter().filter(|(source, _)| !source.path.as_str().ends_with("/own.ts")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_15_saving_one_extension_prunes_nothing_whatever_else_is_missing() {
    let (pool, repository) = (pool(), Repository::new());
    let state = tempfile::tempdir().expect("a directory");
    repository.write(Local, "more.ts", "@acme/more", Condition::Good);
    let before = scan(&repository, state.path(), &pool).await;
    // One source is saved while a mount is being replaced, a pull is under way and another file is just gone.
    repository.describe(Local, "own.ts", "@acme/own", Condition::Good, "shouts");
    repository.mount(&[]);
    repository.lock(&[], &[]);
    repository.remove(Local, "more.ts");

    let saved: BTreeSet<SourceId> = SAMPLES.iter().map(|sample| Local.source(sample.kind, "own.ts")).collect();
    let process = Process::start(&repository, state.path(), &pool).await;
    let scope = Scope::Sources(saved.clone());
    let seen = process.scan(&ScanRequest { scope, retry: RetryMode::Due, ..ScanRequest::default() }).await;
    assert_eq!(seen.report.changed, saved);
    assert_eq!(others(&seen), others(&before), "rows of everything else are left alone");

    repository.describe(Local, "own.ts", "@acme/own", Condition::Good, "whispers");
    for sample in &SAMPLES {
        let types = OnDemand::new(Arc::clone(&process.scanner));
        let ready = types.ready(&Kind::new(sample.kind), &TypeName::stored("@acme/own")).await;
        assert!(ready.expect("it works").bundle.code.contains("whispers"), "{}", sample.kind);
    }
    let vaults = ScanRequest { scope: Scope::Kinds([Kind::new("vault")].into()), ..ScanRequest::default() };
    let seen = process.scan(&vaults).await;
    process.end().await;
    let lost: BTreeSet<&SourceId> = before.rows.keys().filter(|source| !seen.rows.contains_key(source)).collect();
    let expected = [(Local, "more.ts"), (Mount, "mounted.ts"), (Pulled, "pulled.ts")];
    let expected: Vec<SourceId> = expected.iter().map(|(place, file)| place.source("vault", file)).collect();
    assert_eq!(lost, expected.iter().collect(), "a scan of one kind judges that kind");
}
