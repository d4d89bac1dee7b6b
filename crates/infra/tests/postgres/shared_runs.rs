//! Histories of several machines over one server (decision 0014).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use mangrove_domain::{
    ports::{ClaimAnswer, GivenUp, RunFilter, RunStore, ScheduleClaim, ScheduleLeases as _},
    problem::Code,
    run::{RunRecord, RunStatus},
};
use mangrove_infra::{
    databases::SqliteDatabases,
    postgres::{OpenMode, PostgresRuns},
    runs::DeferredRuns,
    shared_runs::SharedRuns,
    store::LocalStore,
};
use mangrove_testkit::{
    contract::{
        self,
        two_processes::{claim, ended, running},
    },
    postgres::PostgresServer,
};
use tempfile::TempDir;

use crate::{LEASE, address, impatient, runs};

/// Long enough for whatever one machine tells another in the background.
const SOON: Duration = Duration::from_secs(30);

/// The history of a machine with this state directory.
fn machine(state: &Path, url: &str) -> SharedRuns {
    let shared = PostgresRuns::with_limits(address(url), OpenMode::ReadWrite, impatient(), LEASE);
    SharedRuns::new(Arc::new(local_runs(state)), shared)
}

/// What is on record on a machine with this state directory alone.
fn local_runs(state: &Path) -> DeferredRuns {
    std::fs::create_dir_all(state).expect("a directory");
    let store = Arc::new(LocalStore::new(state.join("bundles")));
    SqliteDatabases::new(state.to_owned(), PathBuf::from(state), OpenMode::ReadWrite, false, store as Arc<_>).runs()
}

/// The status of a run, as soon as it is this one.
async fn becomes(store: &impl RunStore, id: &str, expected: Option<RunStatus>) {
    let mut found = None;
    let waited = tokio::time::timeout(SOON, async {
        loop {
            found = store.get(id).await.expect("looked").found().map(|record| record.status);
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{id} is {found:?}, not {expected:?}");
}

#[tokio::test]
async fn the_history_of_a_machine_keeps_the_contract() {
    let server = PostgresServer::start();
    let place = TempDir::new().expect("a directory");
    contract::run_store::run(async || {
        let state = TempDir::new_in(place.path()).expect("a directory").keep();
        machine(&state, &server.fresh_url())
    })
    .await;
}

#[tokio::test]
async fn what_runs_on_one_machine_is_seen_on_the_other() {
    let server = PostgresServer::start();
    let (place, url) = (TempDir::new().expect("a directory"), server.fresh_url());
    let (one, two) = (machine(&place.path().join("one"), &url), machine(&place.path().join("two"), &url));
    one.save(&running("01")).await.expect("saved");
    becomes(&two, "01", Some(RunStatus::Running)).await;
    assert!(!two.replace(&running("01"), &ended("01")).await.expect("looked"), "somebody has it");
    one.save(&ended("01")).await.expect("saved");
    assert_eq!(two.get("01").await.expect("looked").found(), Some(ended("01")), "its end waits for the server");
    two.save(&ended("02")).await.expect("saved");
    for machine in [&one, &two] {
        let listed = machine.list(&RunFilter::default()).await.expect("headers");
        assert_eq!(listed.iter().map(|header| header.id.as_str()).collect::<Vec<_>>(), ["02", "01"]);
    }
    // Whoever decides over a run that waits, decides for all.
    let suspended = RunRecord { status: RunStatus::Suspended, ..running("03") };
    one.save(&suspended).await.expect("saved");
    assert!(two.replace(&suspended, &running("03")).await.expect("replaced"));
    assert!(!one.replace(&suspended, &running("03")).await.expect("looked"), "it is another one by now");
    let asked = Instant::now();
    becomes(&one, "03", Some(RunStatus::Running)).await;
    assert!(asked.elapsed() < SOON / 3, "what the other has is not told to it again and again: {:?}", asked.elapsed());
}

/// A drill found that a run was in no list whose command was killed in its first moments.
#[tokio::test]
async fn what_a_killed_process_told_nobody_is_listed_on_its_machine() {
    let server = PostgresServer::start();
    let (place, database) = (TempDir::new().expect("a directory"), server.create_database());
    let (state, url) = (place.path().join("one"), server.url(&database));
    machine(&state, &url).save(&ended("01")).await.expect("saved");
    becomes(&runs(&url), "01", Some(RunStatus::Succeeded)).await;
    // It was killed before it sent this.
    local_runs(&state).save(&ended("02")).await.expect("saved");
    let listed = async |limit| {
        let filter = RunFilter { limit, ..RunFilter::default() };
        let listed = machine(&state, &url).list(&filter).await.expect("headers");
        listed.into_iter().map(|header| header.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, ["02", "01"]);
    assert_eq!(listed(Some(1)).await, ["02"]);
    // The other machines hear of it with the next run of this one.
    let other = machine(&place.path().join("two"), &url).list(&RunFilter::default()).await.expect("headers");
    assert_eq!(other.iter().map(|header| header.id.as_str()).collect::<Vec<_>>(), ["01"]);
}

#[tokio::test]
async fn a_machine_without_its_server_goes_on_and_tells_the_rest_later() {
    let mut server = PostgresServer::start();
    let (place, url) = (TempDir::new().expect("a directory"), server.fresh_url());
    let one = machine(&place.path().join("one"), &url);
    one.save(&running("01")).await.expect("saved");
    one.save(&running("02")).await.expect("saved");
    becomes(&runs(&url), "02", Some(RunStatus::Running)).await;
    server.stop();
    for id in ["01", "03"] {
        one.save(&running(id)).await.expect("it needs no server");
        one.save(&ended(id)).await.expect("it needs no server");
        assert_eq!(one.get(id).await.expect("looked").found(), Some(ended(id)));
    }
    assert_eq!(one.list(&RunFilter::default()).await.expect("headers").len(), 3);
    assert!(!one.sees_all(), "whoever looks is told that these are not all");
    server.start_again();
    let other = machine(&place.path().join("two"), &url);
    for id in ["01", "03"] {
        becomes(&other, id, Some(RunStatus::Succeeded)).await;
    }
    becomes(&other, "02", Some(RunStatus::Running)).await;
    becomes(&one, "02", Some(RunStatus::Running)).await;
    one.list(&RunFilter::default()).await.expect("headers");
    assert!(one.sees_all());
}

/// Fault 39, among machines.
#[tokio::test]
async fn what_a_killed_process_left_behind_is_told_by_the_next_one() {
    let server = PostgresServer::start();
    let (place, database) = (TempDir::new().expect("a directory"), server.create_database());
    let (state, url) = (place.path().join("one"), server.url(&database));
    let killed = machine(&state, &url);
    killed.save(&running("01")).await.expect("saved");
    let other = runs(&url);
    becomes(&other, "01", Some(RunStatus::Running)).await;
    drop(killed);
    let next = machine(&state, &url);
    // As a daemon does at its start.
    next.latest().await.expect("claims");
    becomes(&other, "01", Some(RunStatus::Interrupted)).await;
    let stored = || server.sql(&database, "SELECT status FROM mangrove_runs.runs");
    let told = async {
        while stored() != "interrupted" {
            tokio::time::sleep(LEASE / 10).await;
        }
    };
    tokio::time::timeout(SOON, told).await.expect("it is not only shown, but told");
}

/// A machine may be lost for good, or killed between the two records of a run that begins. Otherwise it tells later what it knows better.
#[tokio::test]
async fn the_end_of_what_a_lost_machine_ran_is_written_down_by_another() {
    let server = PostgresServer::start();
    let (place, database) = (TempDir::new().expect("a directory"), server.create_database());
    let (state, url) = (place.path().join("lost"), server.url(&database));
    let stored = |id: &str| server.sql(&database, &format!("SELECT status FROM mangrove_runs.runs WHERE id = '{id}'"));
    let is_stored = async |id: &str, status: &str| {
        let told = async {
            while stored(id) != status {
                tokio::time::sleep(LEASE / 10).await;
            }
        };
        tokio::time::timeout(SOON, told).await.unwrap_or_else(|_| panic!("{id} is {}, not {status}", stored(id)));
    };
    let lost = machine(&state, &url);
    lost.save(&running("01")).await.expect("saved");
    let without_history = runs(&url);
    without_history.save(&running("02")).await.expect("saved");
    let other = runs(&url);
    other.save(&running("03")).await.expect("saved");
    is_stored("01", "running").await;
    drop((lost, without_history));
    is_stored("01", "interrupted").await;
    is_stored("02", "interrupted").await;
    let shown = other.get("01").await.expect("looked").found().expect("there");
    assert_eq!(shown.error.expect("a cause").code, Code::RUN_INTERRUPTED);
    assert_eq!(stored("03"), "running", "its process lives");
    // It had ended when the machine was lost.
    local_runs(&state).save(&ended("01")).await.expect("saved");
    machine(&state, &url).latest().await.expect("claims");
    is_stored("01", "succeeded").await;
}

/// Whoever was stopped for so long that others took over does not begin what they began.
#[tokio::test]
async fn of_a_late_holder_and_whoever_took_over_one_begins() {
    let server = PostgresServer::start();
    let (place, database) = (TempDir::new().expect("a directory"), server.create_database());
    let url = server.url(&database);
    let (late, next) = (machine(&place.path().join("late"), &url), machine(&place.path().join("next"), &url));
    for instant in [1_000, 2_000, 3_000] {
        assert_eq!(late.claim(&claim(instant, "late")).await.expect("asked"), ClaimAnswer::Given);
    }
    late.save(&running("late-2000")).await.expect("it begins in time");
    assert_eq!(next.claim(&claim(1_000, "next")).await.expect("asked"), ClaimAnswer::Elsewhere);
    let is_stopped = || server.sql(&database, "UPDATE mangrove_runs.processes SET seen_at = 'epoch'");
    is_stopped();
    assert_eq!(next.claim(&claim(2_000, "next")).await.expect("asked"), ClaimAnswer::Elsewhere, "it has begun");
    for instant in [1_000, 3_000] {
        // Until it is given: the late one is not really stopped, and may just have said that it lives.
        let taken_over = async {
            while next.claim(&claim(instant, "next")).await.expect("asked") != ClaimAnswer::Given {
                is_stopped();
            }
        };
        assert!(tokio::time::timeout(SOON, taken_over).await.is_ok(), "{instant}");
    }
    let refused = late.save(&running("late-1000")).await.expect_err("it was taken over");
    assert_eq!(refused.fault.code, Code::RUN_TAKEN_OVER, "{refused}");
    assert_eq!(late.get("late-1000").await.expect("looked").found(), None, "it is on record nowhere");
    next.save(&running("next-1000")).await.expect("it has the instant");
    next.give_up(&claim(3_000, "next"), GivenUp::ForOthers).await.expect("told");
    assert_eq!(late.claim(&claim(3_000, "late")).await.expect("asked"), ClaimAnswer::Given, "for whoever asks next");
}

/// Whoever was cut off while somebody else resumed its run keeps what it did to itself.
#[tokio::test]
async fn a_run_that_was_resumed_elsewhere_is_the_others() {
    let server = PostgresServer::start();
    let (place, database) = (TempDir::new().expect("a directory"), server.create_database());
    let url = server.url(&database);
    let (late, next) = (machine(&place.path().join("late"), &url), runs(&url));
    late.save(&running("01")).await.expect("saved");
    becomes(&next, "01", Some(RunStatus::Running)).await;
    let resumed = async {
        loop {
            server.sql(&database, "UPDATE mangrove_runs.processes SET seen_at = 'epoch'");
            let interrupted = next.get("01").await.expect("looked").found().expect("there");
            if interrupted.status == RunStatus::Interrupted
                && next.replace(&interrupted, &running("01")).await.expect("looked")
            {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, resumed).await.expect("nothing is heard of the other");
    next.save(&RunRecord { trigger: "resumed".to_owned(), ..ended("01") }).await.expect("saved");
    for record in [running("01"), RunRecord { status: RunStatus::Failed, ..ended("01") }] {
        late.save(&record).await.expect("it has a history of its own");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let counts = next.get("01").await.expect("looked").found().expect("there");
        assert_eq!((counts.status, counts.trigger.as_str()), (RunStatus::Succeeded, "resumed"));
    }
}

/// The answer to a claim can be lost, and a process that lives may not know of it: then nobody would start the run.
#[tokio::test]
async fn a_claim_that_its_process_does_not_know_of_is_given_to_others() {
    let server = PostgresServer::start();
    let database = server.create_database();
    let (one, two) = (runs(&server.url(&database)), runs(&server.url(&database)));
    for instant in [1_000, 2_000] {
        assert_eq!(one.claim(&claim(instant, "one")).await.expect("asked"), ClaimAnswer::Given);
    }
    server.sql(&database, "UPDATE mangrove_runs.schedule_claims SET run = 'unheard' WHERE instant_millis = 2000");
    let given = async {
        while two.claim(&claim(2_000, "two")).await.expect("asked") != ClaimAnswer::Given {
            tokio::time::sleep(LEASE / 20).await;
        }
    };
    tokio::time::timeout(SOON, given).await.expect("it is anybody's");
    assert_eq!(two.claim(&claim(1_000, "two")).await.expect("asked"), ClaimAnswer::Elsewhere, "it knows of this one");
    one.save(&running("one-1000")).await.expect("it begins");
}

/// Nobody can say that it lives while the server is away: that makes nobody dead.
#[tokio::test]
async fn an_outage_longer_than_a_lease_ends_nobodys_runs() {
    let mut server = PostgresServer::start();
    let url = server.fresh_url();
    let (one, two) = (runs(&url), runs(&url));
    let apart = |instant, holder| ScheduleClaim { may_overlap: false, ..claim(instant, holder) };
    assert_eq!(one.claim(&apart(1_000, "one")).await.expect("asked"), ClaimAnswer::Given);
    one.save(&running("one-1000")).await.expect("it begins");
    assert_eq!(two.claim(&apart(1_000, "two")).await.expect("asked"), ClaimAnswer::Elsewhere);
    server.stop();
    tokio::time::sleep(LEASE * 2).await;
    server.start_again();
    assert_eq!(two.claim(&apart(2_000, "two")).await.expect("asked"), ClaimAnswer::Overlaps);
    assert_eq!(two.get("one-1000").await.expect("looked").found().map(|run| run.status), Some(RunStatus::Running));
}
