//! What every [`Catalog`] must do.

use mangrove_domain::{
    description::Violation,
    digest::Digest,
    ports::{Catalog, Change, Commit, CommitOutcome, Names, NumberedRecord, Write},
    row::Row,
    settle::Transition,
    shipped::Acceptance,
    source::{Extension, Kind, Origin, SourceId},
    state::{State, StateName},
    time::Timestamp,
    type_name::TypeName,
};

use crate::rows;

/// Runs every case on a fresh catalog.
///
/// # Panics
/// If the catalog breaks the contract.
pub async fn run<C: Catalog>(factory: impl AsyncFn() -> C) {
    starts_empty(factory().await).await;
    tells_itself_from_others(factory().await, factory().await).await;
    gives_back_every_state_as_it_was(factory().await).await;
    refuses_a_stale_revision_and_writes_the_rest(factory().await).await;
    expects_what_is_not_there_to_be_not_there(factory().await).await;
    deletes_and_records_in_one_commit(factory().await).await;
    a_source_that_comes_back_does_not_get_an_old_revision(factory().await).await;
    hands_a_type_over_within_one_batch(factory().await).await;
    swaps_two_types_within_one_batch(factory().await).await;
    a_type_that_somebody_else_took_is_a_conflict(factory().await).await;
    a_winner_whose_loser_was_refused_is_refused_too(factory().await).await;
    add_ons_and_shadowed_rows_share_a_type(factory().await).await;
    one_path_in_two_roots_is_two_rows(factory().await).await;
    keeps_descriptions_by_digest(factory().await).await;
    keeps_history_oldest_first(factory().await).await;
    gives_the_history_of_all_sources_page_by_page(factory().await).await;
    forgets_old_history_but_the_latest_line_of_each_source(factory().await).await;
    knows_which_sources_had_a_type(factory().await).await;
    no_commit_leaves_the_mark_as_it_was(factory().await).await;
    keeps_unusual_names(factory().await).await;
    gives_the_rows_of_some_sources(factory().await).await;
    gives_the_rows_that_go_by_a_name(factory().await).await;
    names_what_it_holds(factory().await, factory().await).await;
}

async fn gives_the_rows_of_some_sources(catalog: impl Catalog) {
    let pulled = rows::source_in("pulled:@acme/pulled", "models/a.ts");
    let written = put(
        &catalog,
        &[
            rows::indexed("models/a.ts", "@acme/a"),
            rows::degraded("models/b's \"other\".ts", "@acme/b"),
            rows::rejected("models/c.ts", "@acme/c"),
            rows::failed("models/d.ts", "@acme/d"),
            Row { source: pulled.clone(), origin: Origin::Pulled, ..rows::failed("models/a.ts", "@acme/e") },
        ],
    )
    .await;
    let whole = catalog.snapshot().await.expect("a snapshot");
    let absent = rows::source("models/absent.ts");
    for wanted in [
        Vec::new(),
        vec![absent.clone()],
        vec![written[1].source.clone(), pulled, absent],
        written.iter().map(|row| row.source.clone()).collect(),
    ] {
        let wanted = wanted.into_iter().collect();
        let mut view = catalog.rows(&wanted).await.expect("rows");
        view.rows.sort_by(|one, other| one.source.cmp(&other.source));
        let mut expected = whole.clone();
        expected.rows.retain(|row| wanted.contains(&row.source));
        expected.rows.sort_by(|one, other| one.source.cmp(&other.source));
        assert_eq!(view, expected, "{wanted:?}");
    }
}

async fn gives_the_rows_that_go_by_a_name(catalog: impl Catalog) {
    let pulled = rows::source_in("pulled:@acme/pulled", "models/a.ts");
    put(
        &catalog,
        &[
            rows::indexed("models/a.ts", "@acme/a"),
            rows::shadowed(rows::indexed("models/a2.ts", "@acme/a"), &rows::source("models/a.ts")),
            rows::degraded("models/b's \"other\".ts", "@acme/b's \"other\""),
            rows::rejected("models/c.ts", "@acme/c"),
            rows::failed("models/d.ts", "@acme/d"),
            add_on("models/e.ts"),
            Row { source: pulled.clone(), origin: Origin::Pulled, ..rows::failed("models/a.ts", "@acme/a") },
        ],
    )
    .await;
    let whole = catalog.snapshot().await.expect("a snapshot");
    let paths = |paths: &[&str]| paths.iter().map(|path| rows::source(path).path).collect();
    let types = |types: &[&str]| types.iter().map(|name| TypeName::stored(*name)).collect();
    for (names, count) in [
        (Names::default(), 0),
        (Names { types: types(&["@acme/a"]), ..Names::default() }, 4),
        (Names { types: types(&["@acme/b's \"other\"", "@acme/c", "@acme/d", "@acme"]), ..Names::default() }, 3),
        (Names { paths: paths(&["models/a.ts", "models"]), ..Names::default() }, 2),
        (Names { types: types(&["@acme/d", "@acme/a"]), paths: paths(&["models/c.ts", "models/d.ts"]) }, 6),
    ] {
        let mut view = catalog.rows_named(&names).await.expect("rows");
        view.rows.sort_by(|one, other| one.source.cmp(&other.source));
        let mut expected = whole.clone();
        expected.rows.retain(|row| names.is_one(&row.source.path, row.type_name()));
        expected.rows.sort_by(|one, other| one.source.cmp(&other.source));
        assert_eq!(view, expected, "{names:?}");
        assert_eq!(view.rows.len(), count, "{names:?}");
    }
}

async fn names_what_it_holds(catalog: impl Catalog, other: impl Catalog) {
    let version = async |catalog: &dyn Catalog| catalog.snapshot().await.expect("a snapshot").version;
    let row = put(&catalog, &[rows::indexed("models/a.ts", "@acme/a")]).await.remove(0);
    put(&other, &[rows::indexed("models/a.ts", "@acme/a")]).await;
    let first = version(&catalog).await;
    assert!(first.is_some(), "a catalog that can be written has one");
    assert_ne!(version(&other).await, first, "another catalog has another one, whatever it holds");
    assert_eq!(version(&catalog).await, first, "reading changes nothing");
    let mut seen = vec![first];
    for change in [rows::put(&row), rows::delete(&Row { revision: row.revision + 1, ..row.clone() })] {
        let outcome = commit(&catalog, rows::batch([change])).await;
        assert_eq!(outcome.version_before, seen.last().copied().flatten(), "what was there before");
        assert_eq!(outcome.version, version(&catalog).await, "and what there is after it");
        assert!(!seen.contains(&outcome.version), "no version comes again");
        seen.push(outcome.version);
    }
}

async fn no_commit_leaves_the_mark_as_it_was(catalog: impl Catalog) {
    let mut marks = vec![catalog.mark().await];
    let mut row = rows::indexed("models/a.ts", "@acme/a");
    for _ in 0..20 {
        row = put(&catalog, std::slice::from_ref(&row)).await.remove(0);
        let mark = catalog.mark().await;
        assert!(mark.is_none() || !marks.contains(&mark), "a mark from before a commit was given again");
        marks.push(mark);
    }
    commit(&catalog, rows::batch([rows::delete(&row)])).await;
    let mark = catalog.mark().await;
    assert!(mark.is_none() || !marks.contains(&mark), "a mark from before a commit was given again");
}

async fn commit(catalog: &impl Catalog, commit: Commit) -> CommitOutcome {
    catalog.commit(commit).await.expect("a commit")
}

/// Puts rows that are new and gives them back with their revisions.
async fn put(catalog: &impl Catalog, rows: &[Row]) -> Vec<Row> {
    let outcome = commit(catalog, rows::put_all(rows)).await;
    assert_eq!(outcome.conflicts, [], "new rows have no conflicts");
    assert_eq!(outcome.revisions.len(), rows.len());
    rows.iter()
        .zip(outcome.revisions)
        .map(|(row, (source, revision))| {
            assert_eq!(row.source, source, "revisions come in the order of the changes");
            Row { revision, ..row.clone() }
        })
        .collect()
}

async fn stored(catalog: &impl Catalog) -> Vec<Row> {
    let mut rows = catalog.snapshot().await.expect("a snapshot").rows;
    rows.sort_by(|one, other| one.source.cmp(&other.source));
    rows
}

async fn starts_empty(catalog: impl Catalog) {
    assert_eq!(stored(&catalog).await, []);
    let outcome = commit(&catalog, Commit::default()).await;
    assert_eq!((outcome.conflicts, outcome.revisions), (Vec::new(), Vec::new()));
}

async fn tells_itself_from_others(catalog: impl Catalog, other: impl Catalog) {
    let identity = catalog.identity().await.expect("an answer");
    assert!(identity.is_some(), "a catalog that can be written has one");
    put(&catalog, &[rows::indexed("models/a.ts", "@acme/a")]).await;
    assert_eq!(catalog.identity().await.expect("an answer"), identity, "and keeps it");
    assert_ne!(other.identity().await.expect("an answer"), identity, "and no other has it");
}

async fn gives_back_every_state_as_it_was(catalog: impl Catalog) {
    let with_vendor = {
        let mut row = rows::indexed("models/b.ts", "@acme/b");
        let State::Indexed(indexed) = &mut row.state else { unreachable!("an indexed row") };
        let key = mangrove_domain::bundle::ObjectKey::Vendor(Digest::of(b"vendor"));
        indexed.bundle.vendors =
            vec![mangrove_domain::bundle::StoredObject { key, size_bytes: u64::from(u32::MAX) + 7 }];
        row
    };
    let half_built = {
        let mut row = rows::failed("models/e.ts", "@acme/e");
        let State::BundleBuildFailed { bundle, failure } = &mut row.state else { unreachable!("a failed row") };
        *bundle = Some(rows::bundle("half"));
        failure.next_retry = None;
        row.rejected_before = vec![Violation { path: String::new(), message: "was no model".to_owned() }];
        row
    };
    let other = Row {
        origin: Origin::Pulled,
        extension: Extension { name: "@acme/pulled".into(), version: "2026.01.02.3".into() },
        kind: Kind::new("vault"),
        entry_digest: None,
        rule_version: 7,
        shadow_fallback: true,
        shipped: Some(Acceptance {
            bundle: Digest::of(b"bundle"),
            source: Digest::of(b"source"),
            pull: "2026.01.02.3 pulled 2026-01-02T03:04:05Z".into(),
            unmapped: vec!["@acme/tools/deep".to_owned(), "zod".to_owned()],
        }),
        source: rows::source_in("pulled:@acme/pulled", "vaults/v.ts"),
        ..rows::indexed("vaults/v.ts", "@acme/v")
    };
    let shadowed = rows::shadowed(rows::indexed("models/z.ts", "@acme/b"), &with_vendor.source);
    let mut rows = vec![
        rows::indexed("models/a.ts", "@acme/a"),
        with_vendor,
        rows::degraded("models/c.ts", "@acme/c"),
        rows::failed("models/d.ts", "@acme/d"),
        half_built,
        rows::rejected("models/f.ts", "@acme/f"),
        rows::unreadable("models/g.ts"),
        rows::orphaned("models/h.ts", "@acme/h"),
        other,
        shadowed,
    ];
    rows.sort_by(|one, other| one.source.cmp(&other.source));
    let written = put(&catalog, &rows).await;
    assert!(written.iter().all(|row| row.revision > 0));
    let read = stored(&catalog).await;
    assert_eq!(read, written);
    for (read, written) in read.iter().zip(&written) {
        let lines = |row: &Row| row.built.as_ref().map(|inputs| inputs.source.lines().expect("lines"));
        assert_eq!(lines(read), lines(written), "what differs can be named later");
    }
}

async fn refuses_a_stale_revision_and_writes_the_rest(catalog: impl Catalog) {
    let first = put(&catalog, &[rows::failed("models/a.ts", "@acme/a"), rows::failed("models/b.ts", "@acme/b")]).await;
    let won = Row { revision: first[0].revision, ..rows::indexed("models/a.ts", "@acme/a") };
    assert_eq!(commit(&catalog, rows::put_all([&won])).await.conflicts, []);
    // I9: a failure that was planned on the old row comes too late.
    let late = Change {
        transition: Some(rows::transition(None, StateName::BundleBuildFailed, "late")),
        ..rows::put(&first[0])
    };
    let outcome = commit(&catalog, rows::batch([late, rows::put(&first[1])])).await;
    assert_eq!(outcome.conflicts, [first[0].source.clone()]);
    assert_eq!(outcome.revisions.len(), 1);
    assert_eq!(outcome.revisions[0].0, first[1].source);
    assert!(outcome.revisions[0].1 > first[1].revision, "each commit of a row has a higher revision");
    let rows = stored(&catalog).await;
    assert_eq!(rows[0].state, won.state, "the success stands");
    assert_eq!(catalog.transitions(&first[0].source).await.expect("history"), [], "what was refused left no trace");
}

async fn expects_what_is_not_there_to_be_not_there(catalog: impl Catalog) {
    let row = rows::failed("models/a.ts", "@acme/a");
    let first = put(&catalog, std::slice::from_ref(&row)).await;
    assert_eq!(commit(&catalog, rows::put_all([&row])).await.conflicts, std::slice::from_ref(&row.source));
    let ghost = Row { revision: 3, ..rows::failed("models/ghost.ts", "@acme/ghost") };
    assert_eq!(commit(&catalog, rows::put_all([&ghost])).await.conflicts, std::slice::from_ref(&ghost.source));
    assert_eq!(commit(&catalog, rows::batch([rows::delete(&ghost)])).await.conflicts, [ghost.source]);
    assert_eq!(stored(&catalog).await, first);
}

async fn deletes_and_records_in_one_commit(catalog: impl Catalog) {
    let first = put(&catalog, &[rows::indexed("models/a.ts", "@acme/a")]).await;
    let outcome = commit(&catalog, rows::batch([rows::delete(&first[0])])).await;
    assert_eq!((outcome.conflicts.len(), outcome.revisions.len()), (0, 0));
    assert_eq!(stored(&catalog).await, [], "I4: a tombstoned row is gone at commit");
    let history = catalog.transitions(&first[0].source).await.expect("history");
    assert_eq!(history.iter().map(|record| record.transition.to).collect::<Vec<_>>(), [StateName::Tombstoned]);
}

async fn a_source_that_comes_back_does_not_get_an_old_revision(catalog: impl Catalog) {
    let row = rows::failed("models/a.ts", "@acme/a");
    let first = put(&catalog, std::slice::from_ref(&row)).await;
    commit(&catalog, rows::batch([rows::delete(&first[0])])).await;
    let again = put(&catalog, &[rows::indexed("models/a.ts", "@acme/a")]).await;
    assert!(again[0].revision > first[0].revision);
    assert_eq!(commit(&catalog, rows::put_all([&first[0]])).await.conflicts, std::slice::from_ref(&row.source));
    assert_eq!(stored(&catalog).await, again);
}

async fn hands_a_type_over_within_one_batch(catalog: impl Catalog) {
    let low = put(&catalog, &[rows::indexed("models/low.ts", "@acme/a")]).await.remove(0);
    let high = rows::indexed("models/high.ts", "@acme/a");
    let loser = rows::shadowed(low, &high.source);
    let outcome = commit(&catalog, rows::put_all([&loser, &high])).await;
    assert_eq!(outcome.conflicts, []);
    let rows = stored(&catalog).await;
    assert_eq!(rows.iter().map(Row::is_resolvable).collect::<Vec<_>>(), [true, false]);
    // And back, by deletion of the winner in the same batch (fault 14).
    let back = Row { shadowed_by: None, ..rows[1].clone() };
    let outcome = commit(&catalog, rows::batch([rows::delete(&rows[0]), rows::put(&back)])).await;
    assert_eq!(outcome.conflicts, []);
    assert!(stored(&catalog).await[0].is_resolvable());
}

async fn swaps_two_types_within_one_batch(catalog: impl Catalog) {
    let rows = [rows::indexed("models/a.ts", "@acme/a"), rows::indexed("models/b.ts", "@acme/b")];
    let first = put(&catalog, &rows).await;
    let swapped = [
        Row { revision: first[0].revision, ..rows::indexed("models/a.ts", "@acme/b") },
        Row { revision: first[1].revision, ..rows::indexed("models/b.ts", "@acme/a") },
    ];
    let outcome = commit(&catalog, rows::put_all(&swapped)).await;
    assert_eq!(outcome.conflicts, []);
    assert_eq!(stored(&catalog).await[0].type_name(), swapped[0].type_name());
}

async fn a_type_that_somebody_else_took_is_a_conflict(catalog: impl Catalog) {
    let first = put(&catalog, &[rows::indexed("models/a.ts", "@acme/a")]).await;
    let late = rows::indexed("models/late.ts", "@acme/a");
    let other = rows::indexed("models/other.ts", "@acme/other");
    let outcome = commit(&catalog, rows::put_all([&late, &other])).await;
    assert_eq!(outcome.conflicts, [late.source]);
    assert_eq!(outcome.revisions.len(), 1, "the rest is written");
    let rows = stored(&catalog).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0], first[0], "the first stays as it is");
}

async fn a_winner_whose_loser_was_refused_is_refused_too(catalog: impl Catalog) {
    let low = put(&catalog, &[rows::indexed("models/low.ts", "@acme/a")]).await.remove(0);
    let moved = commit(&catalog, rows::put_all([&low])).await;
    assert_eq!(moved.conflicts, []);
    let high = rows::indexed("models/high.ts", "@acme/a");
    let loser = rows::shadowed(low.clone(), &high.source);
    let mut conflicts = commit(&catalog, rows::put_all([&loser, &high])).await.conflicts;
    conflicts.sort();
    assert_eq!(conflicts, [high.source, low.source]);
    let rows = stored(&catalog).await;
    assert_eq!((rows.len(), rows[0].is_resolvable()), (1, true));
}

fn add_on(path: &str) -> Row {
    let mut row = rows::indexed(path, "@acme/a");
    if let State::Indexed(indexed) = &mut row.state {
        indexed.is_add_on = true;
    }
    row
}

async fn add_ons_and_shadowed_rows_share_a_type(catalog: impl Catalog) {
    let base = rows::indexed("models/a.ts", "@acme/a");
    let shadowed = rows::shadowed(rows::indexed("models/b.ts", "@acme/a"), &base.source);
    let written = put(&catalog, &[base, shadowed, add_on("models/x.ts"), add_on("models/y.ts")]).await;
    assert_eq!(stored(&catalog).await, written);
}

async fn one_path_in_two_roots_is_two_rows(catalog: impl Catalog) {
    let local = rows::failed("models/a.ts", "@acme/a");
    let mounted = Row {
        source: rows::source_in("mount:other", "models/a.ts"),
        origin: Origin::Mounted,
        ..rows::failed("models/a.ts", "@acme/a")
    };
    let record = |row: &Row, reason: &str| Change {
        transition: Some(rows::transition(None, StateName::BundleBuildFailed, reason)),
        ..rows::put(row)
    };
    commit(&catalog, rows::batch([record(&local, "local"), record(&mounted, "mounted")])).await;
    assert_eq!(stored(&catalog).await.len(), 2);
    let history = catalog.transitions(&mounted.source).await.expect("history");
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].transition.reason, "mounted");
}

async fn keeps_descriptions_by_digest(catalog: impl Catalog) {
    let row = rows::indexed("models/a.ts", "@acme/a");
    let description = rows::description("@acme/a");
    let digest = description.digest();
    assert_eq!(catalog.description(digest).await.expect("no description"), None);
    put(&catalog, &[row]).await;
    assert_eq!(catalog.description(digest).await.expect("a description"), Some(description));
    // A second row that names it need not bring it again.
    let again = Commit {
        descriptions: Vec::new(),
        ..rows::put_all([&rows::shadowed(rows::indexed("models/b.ts", "@acme/a"), &rows::source("models/a.ts"))])
    };
    assert_eq!(commit(&catalog, again).await.conflicts, []);
}

async fn keeps_history_oldest_first(catalog: impl Catalog) {
    let mut row = rows::failed("models/a.ts", "@acme/a");
    for reason in ["first", "second", "third"] {
        let mut line = rows::transition(Some(StateName::Indexed), StateName::BundleBuildFailed, reason);
        line.entry_digest = Some(Digest::of(reason.as_bytes()));
        let change = Change { transition: Some(line), ..rows::put(&row) };
        row.revision = commit(&catalog, rows::batch([change])).await.revisions[0].1;
    }
    let history = catalog.transitions(&row.source).await.expect("history");
    let reasons: Vec<&str> = history.iter().map(|record| record.transition.reason.as_str()).collect();
    assert_eq!(reasons, ["first", "second", "third"]);
    assert_eq!(history[2].transition.entry_digest, Some(Digest::of(b"third")));
    assert_eq!(history[2].transition.from, Some(StateName::Indexed));
    assert_eq!(history[2].source, row.source);
}

async fn gives_the_history_of_all_sources_page_by_page(catalog: impl Catalog) {
    assert_eq!(catalog.history(None, 10).await.expect("history"), []);
    for (path, reason) in [("models/a.ts", "first"), ("models/b.ts", "second"), ("models/c.ts", "third")] {
        let row = rows::failed(path, "@acme/a");
        let line = rows::transition(None, StateName::BundleBuildFailed, reason);
        commit(&catalog, rows::batch([Change { transition: Some(line), ..rows::put(&row) }])).await;
    }
    let told = |page: &[NumberedRecord]| -> Vec<String> {
        page.iter().map(|line| format!("{} {}", line.record.source, line.record.transition.reason)).collect()
    };
    let newest = catalog.history(None, 2).await.expect("history");
    assert_eq!(told(&newest), ["models/c.ts third", "models/b.ts second"]);
    let rest = catalog.history(Some(newest[1].number), 2).await.expect("history");
    assert_eq!(told(&rest), ["models/a.ts first"]);
    assert_eq!(catalog.history(Some(rest[0].number), 2).await.expect("history"), []);
}

async fn forgets_old_history_but_the_latest_line_of_each_source(catalog: impl Catalog) {
    let forget = async |before: i64| catalog.forget_history(Timestamp::from_millis(before)).await.expect("history");
    assert_eq!(forget(i64::MAX).await, 0);
    let (mut changing, quiet) = (rows::failed("models/a.ts", "@acme/a"), rows::failed("models/b.ts", "@acme/b"));
    let line = |reason: &str, at| Transition {
        at: Timestamp::from_millis(at),
        ..rows::transition(None, StateName::BundleBuildFailed, reason)
    };
    commit(&catalog, rows::batch([Change { transition: Some(line("quiet", 1)), ..rows::put(&quiet) }])).await;
    for (reason, at) in [("first", 2), ("second", 3), ("third", 4)] {
        let change = Change { transition: Some(line(reason, at)), ..rows::put(&changing) };
        changing.revision = commit(&catalog, rows::batch([change])).await.revisions[0].1;
    }
    let before = catalog.history(None, 10).await.expect("history");
    assert_eq!(forget(2).await, 0, "the only line of a source stays, however old it is");
    assert_eq!(forget(3).await, 1);
    let after = catalog.history(None, 10).await.expect("history");
    assert_eq!(after, [&before[..2], &before[3..]].concat(), "the others are as they were, with their numbers");
    assert_eq!(forget(i64::MAX).await, 1);
    let reasons: Vec<String> = catalog
        .history(None, 10)
        .await
        .expect("history")
        .into_iter()
        .map(|line| line.record.transition.reason)
        .collect();
    assert_eq!(reasons, ["third", "quiet"]);
    assert_eq!(stored(&catalog).await.len(), 2, "rows are no history");
    let change = Change { transition: Some(line("fourth", 5)), ..rows::put(&changing) };
    commit(&catalog, rows::batch([change])).await;
    let newest = catalog.history(None, 1).await.expect("history");
    assert!(newest[0].number > before[0].number, "numbers are not used again");
}

async fn knows_which_sources_had_a_type(catalog: impl Catalog) {
    let (model, vault) = (Kind::new("model"), Kind::new("vault"));
    let name = TypeName::stored("@acme/a");
    let departed = async |kind: &Kind| catalog.departed(kind, &name).await.expect("an answer");
    assert_eq!(departed(&model).await, []);
    let healthy = rows::indexed("models/a.ts", "@acme/a");
    let claimant = rows::failed("models/b.ts", "@acme/a");
    let stored = put(&catalog, &[healthy.clone(), claimant]).await;
    assert_eq!(departed(&model).await, [], "they are there");
    let removal = |row: &Row| Change {
        source: row.source.clone(),
        expected_revision: row.revision,
        write: Write::Delete,
        transition: None,
    };
    let changes = stored.iter().map(removal).collect();
    commit(&catalog, Commit { changes, descriptions: Vec::new() }).await;
    let sources: Vec<SourceId> = stored.iter().map(|row| row.source.clone()).collect();
    assert_eq!(departed(&model).await, sources, "whether they had it or claimed it");
    assert_eq!(departed(&vault).await, [], "it was of another kind");
    put(&catalog, &[healthy]).await;
    assert_eq!(departed(&model).await, sources[1..], "one is there again");
}

async fn keeps_unusual_names(catalog: impl Catalog) {
    let paths = ["models/it's \"quoted\"\\.ts", "models/two\nlines.ts", "models/größe-模型.ts", "models/%_[a].ts"];
    let rows: Vec<Row> = paths.iter().map(|path| rows::indexed(path, path)).collect();
    let mut written = put(&catalog, &rows).await;
    written.sort_by(|one, other| one.source.cmp(&other.source));
    assert_eq!(stored(&catalog).await, written);
    let outcome = commit(&catalog, rows::batch(written.iter().map(rows::delete))).await;
    assert_eq!(outcome.conflicts, []);
    assert_eq!(stored(&catalog).await, []);
}
