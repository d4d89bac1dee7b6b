//! A scan as two calls: a look, and what follows from it for the sources that were chosen.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use mangrove_app::scan::{Choice, Report, ScanRequest};
use mangrove_domain::{
    plan::Scope,
    ports::{Event, Phase, Progress},
    source::{Kind, RelativePath, RootId, SourceId},
    type_name::TypeName,
};
use tokio_util::sync::CancellationToken;
use world::{World, model};

fn source(path: &str) -> SourceId {
    SourceId { root: RootId::local(), path: RelativePath::parse(path).expect("a path below the root") }
}

/// Notes the sources whose builds it is informed of.
#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Progress for Noted {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Started { phase: Phase::Observe, .. } => "look".to_owned(),
            Event::Done { source, .. } => source.to_string(),
            Event::Started { phase: Phase::Build, .. } | Event::Finished { .. } => return,
        };
        self.0.lock().expect("no test panics with it").push(line);
    }
}

#[tokio::test]
async fn a_look_gives_both_sides_and_changes_nothing() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.scan().await;
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    let commits = world.catalog.commits();
    world.bundler.take_calls();
    let seen = world.scanner.look(&ScanRequest::default()).await.expect("a look over fakes cannot fail");
    assert_eq!((seen.disk.observations.len(), seen.catalog.rows.len()), (2, 1));
    assert_eq!(world.scanner.plan(&seen).steps.len(), 2);
    assert_eq!(world.catalog.commits(), commits);
    assert_eq!(world.bundler.take_calls(), [""; 0]);
}

#[tokio::test]
async fn what_was_not_chosen_stays_as_it_is() {
    let world = World::new();
    for name in ["a", "b"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), ""));
    }
    world.tree.take_surveys();
    let seen = world.scanner.look(&ScanRequest::default()).await.expect("a look over fakes cannot fail");
    let choice = Choice { sources: [source("models/b.ts")].into(), ..Choice::default() };
    let report = world.scanner.carry_out(seen, choice).await.expect("a scan over fakes cannot fail");
    assert_eq!(world.bundler.take_calls(), ["models/b.ts"]);
    assert_eq!(report.rows.len(), 1);
    assert_eq!(world.tree.take_surveys(), 1, "what was seen is not looked at again");
}

/// Who looked at one source knows nothing of the others: they are not gone because they were not seen (I5).
#[tokio::test]
async fn a_choice_beyond_what_was_looked_at_removes_nothing() {
    let world = World::new();
    for name in ["a", "b"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), ""));
    }
    world.scan().await;
    let before = world.catalog.rows();
    world.tree.remove("models/b.ts");
    let scope = Scope::Sources([source("models/a.ts")].into());
    let request = ScanRequest { scope, ..ScanRequest::default() };
    let seen = world.scanner.look(&request).await.expect("a look over fakes cannot fail");
    let everything = Choice { sources: ["models/a.ts", "models/b.ts"].map(source).into(), ..Choice::default() };
    let report = world.scanner.carry_out(seen, everything).await.expect("a scan over fakes cannot fail");
    assert_eq!(report.changed, [].into());
    assert_eq!(world.catalog.rows(), before);
}

#[tokio::test]
async fn two_scans_at_once_have_two_progresses() {
    let world = World::new();
    for name in ["a", "b"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), ""));
    }
    let scan = async |path: &str| {
        let noted = Arc::new(Noted::default());
        let scope = Scope::Sources([source(path)].into());
        let request = ScanRequest { scope, progress: Arc::clone(&noted) as _, ..ScanRequest::default() };
        world.scan_with(request).await;
        noted.0.lock().expect("no test panics with it").clone()
    };
    let (a, b) = futures::join!(scan("models/a.ts"), scan("models/b.ts"));
    assert_eq!(a, ["look", "models/a.ts"]);
    assert_eq!(b, ["look", "models/b.ts"]);
}

#[tokio::test]
async fn a_scan_that_is_cancelled_before_it_looks_does_nothing() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "broken"));
    world.scan().await;
    let commits = world.catalog.commits();
    let cancellation = CancellationToken::new();
    cancellation.cancel();
    let request = ScanRequest { cancellation: cancellation.child_token(), ..ScanRequest::default() };
    let retried = mangrove_app::retry::retry(&world.scanner, None, &request).await.expect("a fake");
    assert!(retried.report.is_cancelled);
    let repaired = mangrove_app::doctor::repair::apply(&world.scanner, &request).await.expect("a fake");
    assert!(repaired.report.is_cancelled && repaired.repair.is_empty());
    assert_eq!(world.catalog.commits(), commits);
}

fn edited(paths: &[&str]) -> BTreeSet<PathBuf> {
    paths.iter().map(|path| Path::new("/repository").join(path)).collect()
}

/// Looks at these edits and carries out what follows, as a daemon does.
async fn reload(world: &World, paths: &[&str]) -> Option<Report> {
    let observed = world.scanner.look_at_edits(&ScanRequest::default(), &edited(paths)).await.expect("a look")?;
    let steps = world.scanner.plan(&observed).steps;
    let sources: BTreeSet<SourceId> = steps.into_iter().map(|step| step.source).collect();
    let choice = Choice { retried: sources.clone(), sources };
    Some(world.scanner.carry_out(observed, choice).await.expect("carried out"))
}

fn in_use(world: &World, type_name: &str) -> Option<String> {
    let index = world.scanner.index();
    let row = index.resolve(&Kind::new("model"), &TypeName::stored(type_name))?;
    Some(row.source.path.to_string())
}

#[tokio::test]
async fn a_look_at_edits_is_about_the_sources_that_reach_them_and_no_others() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "import _lib/shared.ts"));
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    world.tree.write("_lib/shared.ts", "one");
    world.scan().await;
    world.bundler.take_calls();
    world.tree.take_surveys();
    world.catalog.take_reads();
    world.tree.write("_lib/shared.ts", "two");
    let report = reload(&world, &["_lib/shared.ts"]).await.expect("a look at the edit is enough");
    assert_eq!(report.changed, BTreeSet::from([source("models/a.ts")]));
    assert_eq!((world.bundler.take_calls(), world.tree.take_surveys()), (vec!["models/a.ts".to_owned()], 0));
    assert!(world.catalog.take_reads().iter().all(Option::is_some), "not all rows are read");
    assert_eq!((report.rows.len(), world.scanner.index().rows().len()), (2, 2), "all rows stay published");
    let report = world.scan().await;
    assert_eq!((report.changed.len(), report.statistics.built), (0, 0), "a look at everything has nothing to add");
}

/// Who resolves a type is settled among all rows.
#[tokio::test]
async fn an_edit_that_frees_a_type_gives_it_to_the_next_source() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/x", ""));
    world.tree.write("models/b.ts", &model("@acme/x", "another"));
    world.scan().await;
    assert_eq!(in_use(&world, "@acme/x").as_deref(), Some("models/a.ts"));
    world.tree.write("models/a.ts", &model("@acme/y", ""));
    reload(&world, &["models/a.ts"]).await.expect("a look at the edit is enough");
    assert_eq!(in_use(&world, "@acme/x").as_deref(), Some("models/b.ts"));
    assert_eq!(in_use(&world, "@acme/y").as_deref(), Some("models/a.ts"));
    let rows = world.catalog.rows();
    let report = world.scan().await;
    assert_eq!(report.changed.len(), 0);
    assert_eq!(world.catalog.rows(), rows);
}

#[tokio::test]
async fn an_edit_that_fails_and_heals_is_as_after_a_scan() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", "broken"));
    let report = reload(&world, &["models/a.ts"]).await.expect("a look at the edit is enough");
    let row = report.rows.iter().find(|row| row.source == source("models/a.ts")).expect("its row");
    assert!(row.degraded.is_some(), "it runs on its last bundle");
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    reload(&world, &["models/a.ts"]).await.expect("a look at the edit is enough");
    assert!(world.catalog.rows().iter().all(|row| row.failure().is_none()));
}

#[tokio::test]
async fn a_look_at_everything_is_wanted_where_more_may_have_changed() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let look = async |paths: &[&str]| {
        world.scanner.look_at_edits(&ScanRequest::default(), &edited(paths)).await.expect("a look").is_some()
    };
    assert!(!look(&["models/a.ts"]).await, "nothing was looked at yet");
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", "edited"));
    assert!(look(&["models/a.ts"]).await);
    world.tree.write("models/new.ts", &model("@acme/new", ""));
    assert!(!look(&["models/a.ts", "models/new.ts"]).await, "a new source");
    world.tree.write("models/a.ts", "nothing is exported any more");
    assert!(!look(&["models/a.ts"]).await, "it is no entry any more");
    world.tree.write("models/a.ts", &model("@acme/a", "edited"));
    assert!(look(&["models/a.ts"]).await);
    world.another_process().scan(&ScanRequest::default()).await.expect("a scan");
    assert!(!look(&["models/a.ts"]).await, "another process has committed its row");
}
