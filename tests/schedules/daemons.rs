//! Several daemons on one state directory, and one that starts anew.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use mangrove_daemon::schedule::{Schedule, Scheduler};
use mangrove_domain::{
    ports::{ClaimAnswer, ScheduleClaim, ScheduleLeases as _},
    time::Timestamp,
    workflow::Misfire,
};
use mangrove_infra::runs::{OpenMode, SqliteRuns};
use mangrove_testkit::instant::instant;
use tempfile::TempDir;

use crate::{run, schedule, scheduler, scheduler_of};

async fn open(path: &Path) -> Arc<SqliteRuns> {
    Arc::new(SqliteRuns::open(path, OpenMode::ReadWrite).await.expect("a history").runs)
}

/// Runs what is due, as a daemon does: what another one claimed is left to it.
async fn run_claimed(scheduler: &mut Scheduler, leases: &SqliteRuns, holder: &str, now: Timestamp) -> Vec<Timestamp> {
    let mut ran = Vec::new();
    for fire in run(scheduler, now) {
        let claim = ScheduleClaim {
            workflow: fire.workflow.to_string(),
            instant: fire.due,
            holder: holder.to_owned(),
            run: format!("{holder}-{}", fire.due.as_millis()),
            may_overlap: true,
            most_at_once: None,
            at: now,
        };
        if leases.claim(&claim).await.expect("leases") == ClaimAnswer::Given {
            ran.push(fire.due);
        }
    }
    ran
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_38_of_several_daemons_one_fires() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("runs.db");
    open(&path).await;
    let start = instant("2026-11-28T10:00:30Z");
    let daemons: Vec<_> = (0..4)
        .map(|number| {
            let path = path.clone();
            tokio::spawn(async move {
                let leases = open(&path).await;
                let mut scheduler = scheduler_of(schedule("* * * * *", "UTC"), start);
                let mut ran = Vec::new();
                for minute in 1..=10 {
                    let now = start.plus(Duration::from_secs(minute * 60 - 30));
                    ran.extend(run_claimed(&mut scheduler, &leases, &format!("daemon-{number}"), now).await);
                }
                // What it claimed is abandoned when it ends.
                (ran, leases)
            })
        })
        .collect();
    let mut ended = Vec::new();
    for daemon in daemons {
        ended.push(daemon.await.expect("no panic"));
    }
    let mut ran: Vec<Timestamp> = ended.iter().flat_map(|(ran, _)| ran).copied().collect();
    ran.sort_unstable();
    let expected: Vec<Timestamp> = (1..=10).map(|minute| start.plus(Duration::from_secs(minute * 60 - 30))).collect();
    assert_eq!(ran, expected, "each instant once");
}

#[tokio::test]
async fn a_daemon_that_starts_anew_knows_what_was_missed() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("runs.db");
    let hourly = |misfire| Schedule { misfire, ..schedule("0 * * * *", "UTC") };
    let first = open(&path).await;
    let mut before = scheduler_of(hourly(Misfire::RunOnce), instant("2026-11-28T09:30:00Z"));
    let ten = instant("2026-11-28T10:00:00Z");
    assert_eq!(run_claimed(&mut before, &first, "first", ten).await, [ten]);
    drop(first);
    for (misfire, now, expected) in [
        (Misfire::Skip, "2026-11-28T14:20:00Z", None),
        (Misfire::RunOnce, "2026-11-28T10:59:59Z", None),
        (Misfire::RunOnce, "2026-11-28T14:20:00Z", Some("2026-11-28T14:00:00Z")),
        // It was made up for: the next start has nothing to do.
        (Misfire::RunOnce, "2026-11-28T14:21:00Z", None),
        (Misfire::Skip, "2026-11-28T15:00:20Z", Some("2026-11-28T15:00:00Z")),
    ] {
        let leases = open(&path).await;
        let last: HashMap<String, Timestamp> = leases.latest().await.expect("leases").into_iter().collect();
        let mut scheduler = scheduler();
        scheduler.replace(vec![hourly(misfire)], |_| None, &last, instant(now));
        let ran = run_claimed(&mut scheduler, &leases, &instant(now).as_millis().to_string(), instant(now)).await;
        assert_eq!(ran, expected.map(instant).into_iter().collect::<Vec<_>>(), "{misfire:?} at {now}");
    }
}
