//! What the run history does beyond its contract.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::symlink,
    sync::Arc,
    time::{Duration, SystemTime},
};

use mangrove_domain::{
    ports::{RunFilter, RunStore as _},
    problem::Code,
    run::{LogLine, RunHeader, RunRecord, RunStatus},
    time::Timestamp,
};
use mangrove_infra::runs::{OpenMode, SqliteRuns};
use mangrove_testkit::contract::run_store::full_record;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

#[tokio::test]
async fn runs_survive_closing_and_reading_creates_nothing() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let reading = SqliteRuns::open(&path, OpenMode::ReadOnly).await.expect("an empty view").runs;
    assert_eq!(reading.list(&RunFilter::default()).await.expect("nothing"), []);
    assert!(!path.exists());
    let runs = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    runs.save(&full_record("01")).await.expect("saved");
    let reading = SqliteRuns::open(&path, OpenMode::ReadOnly).await.expect("a history").runs;
    let found = reading.get("01").await.expect("a record").found();
    assert_eq!(found, Some(full_record("01")));
    let error = reading.save(&full_record("02")).await.expect_err("read-only");
    assert_eq!(error.fault.code, Code::NOT_WRITABLE);
}

#[tokio::test]
async fn fault_39_a_run_whose_holder_is_gone_is_interrupted_and_a_live_one_is_left_alone() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let mut record = RunRecord { status: RunStatus::Running, finished_at: None, error: None, ..full_record("01") };
    Arc::make_mut(&mut record.jobs[0].steps[0]).status = RunStatus::Running;
    let holder = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    holder.save(&record).await.expect("saved");
    let status = async |mode| {
        let runs = SqliteRuns::open(&path, mode).await.expect("a history").runs;
        runs.get("01").await.expect("readable").found().expect("there").status
    };
    assert_eq!(status(OpenMode::ReadOnly).await, RunStatus::Running);
    assert_eq!(status(OpenMode::ReadWrite).await, RunStatus::Running, "a live run is left alone");
    drop(holder);
    assert_eq!(status(OpenMode::ReadOnly).await, RunStatus::Interrupted, "shown before anybody writes it");
    assert_eq!(status(OpenMode::ReadWrite).await, RunStatus::Interrupted);
    let runs = SqliteRuns::open(&path, OpenMode::ReadOnly).await.expect("a history").runs;
    let listed = runs.list(&RunFilter::default()).await.expect("headers").remove(0);
    let ended = runs.get("01").await.expect("readable").found().expect("there");
    assert_eq!(listed, RunHeader::from(&ended));
    assert_eq!(ended.error.expect("why").code, Code::RUN_INTERRUPTED);
    let step = &ended.jobs[0].steps[0];
    assert_eq!((step.status, step.logs.len()), (RunStatus::Interrupted, 1), "with what it had logged");
    assert_eq!(ended.finished_at, record.written_at, "the last sign of life");
    let locks = fs::read_dir(directory.path().join("runs.db-running")).expect("the locks").count();
    assert_eq!(locks, 0, "nothing is left behind");
}

#[tokio::test]
async fn a_damaged_history_is_set_aside() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    fs::write(&path, vec![7; 5_000]).expect("written");
    let opened = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a new history");
    assert_eq!(fs::read(opened.set_aside.expect("where it went")).expect("bytes"), vec![7; 5_000]);
    opened.runs.save(&full_record("01")).await.expect("the new one works");
}

#[tokio::test]
async fn one_record_that_cannot_be_read_does_not_hide_the_others() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let runs = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    for id in ["01", "02"] {
        runs.save(&full_record(id)).await.expect("saved");
    }
    let options = SqliteConnectOptions::new().filename(&path);
    let mut raw = SqliteConnection::connect_with(&options).await.expect("a connection");
    sqlx::query("UPDATE runs SET record = '{}' WHERE id = '01'").execute(&mut raw).await.expect("tampered");
    let error = runs.get("01").await.expect_err("not understood");
    assert_eq!(error.fault.code, Code::CATALOG_ROW);
    let header = |id: &str| RunHeader::from(&full_record(id));
    assert_eq!(runs.list(&RunFilter::default()).await.expect("headers"), [header("02"), header("01")]);
    sqlx::query("UPDATE runs SET status = 'unheard-of' WHERE id = '01'").execute(&mut raw).await.expect("tampered");
    assert_eq!(runs.list(&RunFilter::default()).await.expect("headers"), [header("02")]);
}

/// A record with a log of so many bytes.
fn with_log(id: &str, bytes: usize) -> RunRecord {
    let mut record = full_record(id);
    let line = LogLine { at: Timestamp::from_millis(1), level: "info".to_owned(), text: "x".repeat(16_384) };
    Arc::make_mut(&mut record.jobs[0].steps[0]).logs = vec![line; bytes / 16_384];
    record
}

#[tokio::test]
async fn f04_a_list_costs_the_same_whatever_was_logged() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let runs = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    for number in 0..12 {
        runs.save(&with_log(&format!("{number:02}"), 8 << 20)).await.expect("saved");
    }
    runs.close().await;
    let size = fs::metadata(&path).expect("the history").len();
    assert!(size > 12 * (8 << 20), "{size} bytes prove nothing");
    let runs = SqliteRuns::open(&path, OpenMode::ReadOnly).await.expect("a history").runs;
    let read = || -> u64 {
        let told = fs::read_to_string("/proc/self/io").expect("counters");
        let line = told.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a counter");
        line.trim().parse().expect("a number")
    };
    let before = read();
    assert_eq!(runs.list(&RunFilter::default()).await.expect("headers").len(), 12);
    let cost = read() - before;
    assert!(cost < 1 << 20, "{cost} bytes read for a list of 12");
}

#[tokio::test]
async fn f04_a_history_of_the_first_layout_is_listed_as_it_is_and_migrated_with_its_runs() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let (done, open) =
        (full_record("01"), RunRecord { status: RunStatus::Running, finished_at: None, ..full_record("02") });
    let runs = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    for record in [&done, &open] {
        runs.save(record).await.expect("saved");
    }
    runs.close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut raw = SqliteConnection::connect_with(&options).await.expect("a connection");
    for statement in [
        "DROP TABLE run_cancellations",
        "DROP TABLE schedule_claims",
        "UPDATE runs SET record = json_set(record, '$.jobs[0].steps', \
         (SELECT json_group_array(json(run_steps.record)) FROM run_steps WHERE run = runs.id))",
        "DROP TABLE run_steps",
        "ALTER TABLE runs DROP COLUMN trigger_name",
        "ALTER TABLE runs DROP COLUMN finished_millis",
        "DELETE FROM _sqlx_migrations WHERE version > 1",
        "UPDATE meta SET value = '1' WHERE name = 'layout'",
        "INSERT INTO runs (id, name, status, started_millis, record) VALUES ('00', 'deploy', 'failed', 1, 'no JSON')",
    ] {
        sqlx::query(statement).execute(&mut raw).await.expect("the first layout");
    }
    raw.close().await.expect("closed");
    let list = async |mode| {
        let runs = SqliteRuns::open(&path, mode).await.expect("a history").runs;
        let listed = runs.list(&RunFilter::default()).await.expect("headers");
        let found = runs.get("01").await.expect("readable").found();
        (listed, found)
    };
    let (before, found) = list(OpenMode::ReadOnly).await;
    assert_eq!(found.as_ref(), Some(&done));
    assert_eq!(before[1], RunHeader::from(&done));
    assert_eq!(
        before.iter().map(|run| (&*run.id, run.status)).collect::<Vec<_>>(),
        [("02", RunStatus::Interrupted), ("01", RunStatus::Blocked), ("00", RunStatus::Failed)]
    );
    assert_eq!(list(OpenMode::ReadWrite).await, (before, found));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_18_runs_saved_at_once_are_all_there() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let path = path.clone();
            tokio::spawn(async move {
                let runs = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
                for number in 0..5 {
                    runs.save(&full_record(&format!("{writer}-{number}"))).await.expect("no lock reaches us");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    let runs = SqliteRuns::open(&path, OpenMode::ReadOnly).await.expect("a history").runs;
    assert_eq!(runs.list(&RunFilter::default()).await.expect("records").len(), 30);
}

/// A record of many steps.
fn with_steps(count: usize) -> RunRecord {
    let mut record = RunRecord { status: RunStatus::Running, finished_at: None, ..full_record("01") };
    record.jobs[0].steps = vec![record.jobs[0].steps[0].clone(); count];
    record
}

#[tokio::test]
async fn what_becomes_of_one_step_is_written_without_the_others() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let runs = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    let log = || fs::metadata(directory.path().join("runs.db-wal")).expect("a log").len();
    let mut record = with_steps(500);
    runs.save(&record).await.expect("saved");
    let whole = log();
    assert!(whole > 500_000, "{whole} bytes prove nothing");
    for step in 0..5 {
        Arc::make_mut(&mut record.jobs[0].steps[step]).status = RunStatus::Succeeded;
        runs.save(&record).await.expect("saved");
    }
    let more = log() - whole;
    assert!(more < 5 * 64 * 1_024, "{more} bytes for five steps of {whole} bytes");
    assert_eq!(runs.get("01").await.expect("readable").found(), Some(record));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_processes_that_take_a_run_up_at_one_moment_one_gets_it() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let open = async || Arc::new(SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs);
    let suspended = RunRecord { status: RunStatus::Suspended, finished_at: None, ..full_record("01") };
    open().await.save(&suspended).await.expect("saved");
    for round in 0..20 {
        let processes = [open().await, open().await, open().await];
        let taken = processes.iter().enumerate().map(|(number, process)| {
            let (process, before) = (Arc::clone(process), suspended.clone());
            let record = RunRecord { status: RunStatus::Running, trigger: number.to_string(), ..before.clone() };
            tokio::spawn(async move { process.replace(&before, &record).await.expect("looked") })
        });
        let taken: Vec<_> = taken.collect();
        let mut winners = Vec::new();
        for (number, taken) in taken.into_iter().enumerate() {
            if taken.await.expect("a process") {
                winners.push(number);
            }
        }
        let [winner] = winners[..] else { panic!("round {round}: {winners:?}") };
        let found = processes[winner].get("01").await.expect("readable").found().expect("there");
        assert_eq!((found.status, found.trigger), (RunStatus::Running, winner.to_string()));
        processes[winner].save(&suspended).await.expect("saved");
    }
}

#[tokio::test]
async fn a_run_that_had_ended_is_not_interrupted_by_the_end_of_its_process() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let open = async || SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    let running = RunRecord { status: RunStatus::Running, finished_at: None, ..full_record("01") };
    let ended = RunRecord { status: RunStatus::Failed, ..full_record("01") };
    let holder = open().await;
    holder.save(&running).await.expect("saved");
    holder.save_ended(&ended).await.expect("saved");
    let other = open().await;
    assert_eq!(other.get("01").await.expect("readable").found().as_ref(), Some(&ended));
    assert!(!other.replace(&ended, &running).await.expect("looked"), "its process adds reports");
    drop(holder);
    assert_eq!(open().await.get("01").await.expect("readable").found().as_ref(), Some(&ended));
    assert!(other.replace(&ended, &running).await.expect("looked"), "nobody adds anything any more");
}

#[tokio::test]
async fn the_lock_of_a_run_whose_end_cannot_be_written_is_given_back() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let holder = SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    let running = RunRecord { status: RunStatus::Running, finished_at: None, ..full_record("01") };
    holder.save(&running).await.expect("saved");
    let options = SqliteConnectOptions::new().filename(&path);
    let mut raw = SqliteConnection::connect_with(&options).await.expect("a connection");
    sqlx::query("ALTER TABLE runs RENAME TO away").execute(&mut raw).await.expect("tampered");
    holder.save(&full_record("01")).await.expect_err("it cannot be written");
    sqlx::query("ALTER TABLE away RENAME TO runs").execute(&mut raw).await.expect("mended");
    let other = SqliteRuns::open(&path, OpenMode::ReadOnly).await.expect("a history").runs;
    let found = other.get("01").await.expect("readable").found().expect("there");
    assert_eq!(found.status, RunStatus::Interrupted, "nobody goes on with it");
    holder.save(&full_record("01")).await.expect("the next one may be written");
}

#[tokio::test]
async fn a_run_that_was_interrupted_goes_on_from_what_is_shown_of_it() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("runs.db");
    let open = async || SqliteRuns::open(&path, OpenMode::ReadWrite).await.expect("a history").runs;
    let holder = open().await;
    let other = open().await;
    let running = RunRecord { status: RunStatus::Running, finished_at: None, ..full_record("01") };
    holder.save(&running).await.expect("saved");
    drop(holder);
    let shown = other.get("01").await.expect("readable").found().expect("there");
    assert_eq!(shown.status, RunStatus::Interrupted);
    assert!(other.replace(&shown, &running).await.expect("looked"));
    let third = open().await;
    assert_eq!(third.get("01").await.expect("readable").found().expect("there").status, RunStatus::Running);
}

/// A directory of somebody else with an old file that looks like a leftover.
fn elsewhere(directory: &TempDir) -> std::path::PathBuf {
    let outside = directory.path().join("outside");
    fs::create_dir_all(&outside).expect("a directory");
    let file = fs::File::create(outside.join(".new-diary")).expect("a file");
    file.set_modified(SystemTime::now() - Duration::from_hours(3)).expect("made old");
    outside
}

#[tokio::test]
async fn f03_the_lock_of_a_run_is_not_taken_through_a_link() {
    let directory = TempDir::new().expect("a temporary directory");
    let outside = elsewhere(&directory);
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("a directory");
    fs::create_dir(state.join("runs.db-running")).expect("a directory");
    symlink(outside.join(".new-diary"), state.join("runs.db-running/01.lock")).expect("a link");
    let runs = SqliteRuns::open(&state.join("runs.db"), OpenMode::ReadWrite).await.expect("a history").runs;
    let record = RunRecord { status: RunStatus::Running, finished_at: None, error: None, ..full_record("01") };
    let error = runs.save(&record).await.expect_err("a link");
    assert_eq!(error.fault.code, Code::NOT_A_FILE, "{error}");
}
