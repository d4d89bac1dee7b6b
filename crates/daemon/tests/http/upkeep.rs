//! What a daemon removes, and when.

use std::{sync::Arc, time::Duration};

use mangrove_app::service::Retention;
use mangrove_daemon::{
    Answers, Daemon, Options,
    http::{Access, Further, Hosts},
};
use mangrove_domain::{
    json::Json,
    ports::{NoServiceManager, NoWatcher, RunFilter, RunStore as _},
    run::{RunRecord, RunStatus},
    time::Timestamp,
};

use crate::world::{NoSecrets, World, within};

const DAY: Duration = Duration::from_hours(24);

async fn recorded(world: &World) -> Vec<(String, RunStatus)> {
    let headers = world.runs.list(&RunFilter::default()).await.expect("runs");
    headers.into_iter().map(|header| (header.name, header.status)).collect()
}

#[tokio::test]
async fn upkeep_removes_what_is_old_and_nothing_that_is_needed() {
    let world = World::new().await;
    let later = "type @acme/later\nexport model\nmethod work\n";
    for text in [format!("{later}broken\n"), later.to_owned()] {
        world.sources.write("models/later.ts", &text);
        world.scan().await;
    }
    world.post("/api/v1/workflows/deploy/runs", "{}").await;
    // Its last good bundle is the one that is in use.
    world.sources.write("models/later.ts", &format!("{later}broken\n"));
    // Its old bundle is needed by nobody any more.
    world.sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod work\nmethod wait\nmethod more\n");
    world.scan().await;
    let started = world.post("/api/v1/workflows/slow/runs", "{}");
    let slow = async {
        while world.calls() < 2 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(40 * 365 * DAY);
        world.post("/api/v1/workflows/deploy/runs", "{}").await;
        let store = &world.service.scanner().ports().store;
        let before = store.list().await.expect("objects").len();
        let upkeep = world.service.keep_up(&Retention::default()).await;
        assert_eq!((upkeep.pruned.bundles.files, &upkeep.pruned.withheld, &upkeep.failures), (1, &vec![], &vec![]));
        assert_eq!(store.list().await.expect("objects").len(), before - 1);
        assert_eq!((upkeep.runs, upkeep.logs), (1, 0), "the run of long ago, and not its lines alone");
        assert_eq!(upkeep.transitions, 1, "that it failed once");
        let left = recorded(&world).await;
        let expected = [("deploy".to_owned(), RunStatus::Succeeded), ("slow".to_owned(), RunStatus::Running)];
        assert_eq!(left, expected, "what goes on stays, however long ago it began");
        assert_eq!(world.get("/api/v1/types/@acme/later").await.status, 200);
        let history = world.get("/api/v1/transitions").await.json();
        assert_eq!(history["transitions"].as_array().map(Vec::len), Some(3), "the latest of each source: {history:#}");
        let again = world.service.keep_up(&Retention::default()).await;
        assert_eq!(again, mangrove_app::service::Upkeep::default());
        world.release();
    };
    let (answer, ()) = tokio::join!(started, slow);
    assert_eq!(answer.json()["status"], "succeeded", "{answer:?}");
    world.post("/api/v1/workflows/deploy/runs", "{}").await;
    assert_eq!(recorded(&world).await[0], ("deploy".to_owned(), RunStatus::Succeeded), "with the bundle that was left");
}

#[tokio::test]
async fn lines_leave_earlier_than_runs_and_for_ever_is_for_ever() {
    let world = World::new().await;
    world.post("/api/v1/workflows/deploy/runs", "{}").await;
    world.clock.advance(31 * DAY);
    let for_ever = Retention { runs: None, logs: None, transitions: None };
    let upkeep = world.service.keep_up(&for_ever).await;
    assert_eq!((upkeep.runs, upkeep.logs, upkeep.transitions), (0, 0, 0));
    let upkeep = world.service.keep_up(&Retention::default()).await;
    assert_eq!((upkeep.runs, upkeep.logs), (0, 1));
    assert_eq!(recorded(&world).await, [("deploy".to_owned(), RunStatus::Succeeded)]);
}

fn old_run() -> RunRecord {
    RunRecord {
        id: "old".to_owned(),
        name: "old".to_owned(),
        workflow_id: None,
        tags: Vec::new(),
        trigger: "test".to_owned(),
        status: RunStatus::Succeeded,
        started_at: Timestamp::from_millis(0),
        finished_at: Some(Timestamp::from_millis(1)),
        written_at: None,
        file_problem: None,
        reports: Vec::new(),
        inputs: Json::Null,
        jobs: Vec::new(),
        error: None,
    }
}

#[tokio::test]
async fn a_daemon_does_it_by_itself_once_it_is_quiet() {
    let world = World::new().await;
    let answers = Answers {
        access: Access::Open,
        hosts: Hosts::new([]),
        pages: |_| None,
        secrets: Arc::new(NoSecrets),
        further: Further::default(),
    };
    let options = Options { listen: ([127, 0, 0, 1], 0).into(), first_upkeep: Duration::ZERO, ..Options::default() };
    world.runs.save(&old_run()).await.expect("saved");
    let daemon = Daemon::new(world.service.clone(), Arc::new(NoWatcher), Arc::new(NoServiceManager), options, answers);
    let mut handle = daemon.start().await.expect("a daemon");
    within(async {
        while !recorded(&world).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    handle.control().stop().await;
    handle.ended().await;
}
