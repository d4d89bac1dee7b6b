//! A scan as two calls: a look, and what follows from it for the sources that were chosen.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::sync::{Arc, Mutex};

use mangrove_app::scan::{Choice, ScanRequest};
use mangrove_domain::{
    plan::Scope,
    ports::{Event, Phase, Progress},
    source::{RelativePath, RootId, SourceId},
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
