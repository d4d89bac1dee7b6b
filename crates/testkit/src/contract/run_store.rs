//! What every [`RunStore`] must do.

use std::sync::Arc;

use mangrove_domain::{
    advice::{Advice, UserAction},
    json::{Json, Number},
    ports::{RunFilter, RunPlace, RunStore},
    problem::Code,
    report::ReportScope,
    run::{
        ApprovalRecord, AssertSeverity, AssertionRecord, Decision, JobRecord, LogLine, Provenance, ReportRecord,
        RunHeader, RunLookup, RunProblem, RunRecord, RunStatus, SkipReason, StepRecord,
    },
    time::Timestamp,
};

use crate::rows;

/// Runs every case on a fresh history.
///
/// # Panics
/// If the history breaks the contract.
pub async fn run<S: RunStore>(factory: impl AsyncFn() -> S) {
    gives_a_record_back_as_it_was(factory().await).await;
    replaces_a_record(factory().await).await;
    finds_by_the_start_of_an_identifier(factory().await).await;
    lists_newest_first(factory().await).await;
    follows_the_steps_of_a_run(factory().await).await;
    gives_back_what_was_written_under_way(factory().await).await;
    replaces_only_what_is_still_there(factory().await).await;
    forgets_runs_that_ended_long_ago(factory().await).await;
    forgets_what_runs_logged_long_ago(factory().await).await;
}

/// A sentence that names everything that an advice can name.
fn every_action() -> Advice {
    let name = || "@acme/dns".to_owned();
    [
        UserAction::Scan,
        UserAction::ScanAllowingMassRemoval,
        UserAction::Why { subject: name() },
        UserAction::Explain(Code::SYNTAX),
        UserAction::ListTypes,
        UserAction::ListWorkflows,
        UserAction::ValidateWorkflows,
        UserAction::CreateDefinition { name: name() },
        UserAction::RebuildCatalog,
        UserAction::Repair,
        UserAction::InstallDeno,
        UserAction::UpdateLocks { is_committed: false },
        UserAction::UpdateLocks { is_committed: true },
        UserAction::InstallExtensions,
        UserAction::ListExtensions,
        UserAction::PullExtension { name: name(), is_forced: false },
        UserAction::PullExtension { name: name(), is_forced: true },
        UserAction::RemoveChangedExtension { name: name() },
    ]
    .into_iter()
    .fold(Advice::new("try "), |advice, action| advice.and(action).and(", then "))
}

/// A record with every field set.
#[must_use]
pub fn full_record(id: &str) -> RunRecord {
    let at = Timestamp::from_millis;
    let problem = RunProblem {
        code: Code::RUN_BLOCKED,
        message: "blocked by `@acme/dns`".to_owned(),
        blocked_by: Some("@acme/dns".to_owned()),
        failure: Some(rows::failure("registry unreachable")),
        advice: Some(every_action()),
    };
    let step = StepRecord {
        name: "create-eu".to_owned(),
        template: Some("create".to_owned()),
        task: "zone.create".to_owned(),
        status: RunStatus::Failed,
        started_at: Some(at(1_100)),
        finished_at: Some(at(1_200)),
        data_handles: vec![Json::object([("name", Json::from("zone")), ("version", Json::from(1))])],
        logs: vec![LogLine { at: at(1_150), level: "info".to_owned(), text: "creating \"zone\"\n".to_owned() }],
        error: Some(problem.clone()),
        is_failure_allowed: true,
        skipped: Some(SkipReason::NotBegun),
        guard_reason: Some("the zone is there".to_owned()),
        assertion: Some(AssertionRecord {
            passed: false,
            expression: "size(inputs.zones) > 0".to_owned(),
            message: "no zones".to_owned(),
            severity: AssertSeverity::Medium,
            error: Some("no such key".to_owned()),
        }),
        approval: Some(ApprovalRecord {
            prompt: "create it?".to_owned(),
            timeout: Some(60),
            decision: Some(Decision {
                approved: true,
                reason: Some("fine".to_owned()),
                decided_by: "ada".to_owned(),
                decided_at: at(1_180),
            }),
        }),
        provenance: Some(Provenance {
            definition_digest: Some("d".repeat(64)),
            type_name: "@acme/zone".to_owned(),
            type_version: None,
            bundle_digest: "b".repeat(64),
            fingerprint: "f".repeat(64),
            extension: "@local/test@0.0.0".to_owned(),
            source: "models/zone.ts".to_owned(),
            shadow_fallback: true,
            driver: Some("@acme/ssh".to_owned()),
        }),
        reports: vec![made_report()],
    };
    RunRecord {
        id: id.to_owned(),
        name: "deploy".to_owned(),
        workflow_id: Some("00000000-0000-4000-8000-000000000001".to_owned()),
        tags: vec![("team".to_owned(), "net".to_owned())],
        trigger: "command-line".to_owned(),
        status: RunStatus::Blocked,
        started_at: at(1_000),
        finished_at: Some(at(1_300)),
        written_at: Some(at(1_250)),
        inputs: Json::object([
            ("größe", Json::Number(Number::Float(0.5))),
            ("count", Json::from(i64::MAX)),
            ("token", Json::from("***")),
            ("list", Json::Array(vec![Json::Null, Json::Bool(true)])),
        ]),
        jobs: vec![JobRecord {
            name: "main".to_owned(),
            status: RunStatus::Failed,
            started_at: Some(at(1_050)),
            finished_at: None,
            steps: vec![Arc::new(step)],
        }],
        error: Some(problem.clone()),
        file_problem: Some(problem.clone()),
        reports: vec![failed_report(problem)],
    }
}

fn made_report() -> ReportRecord {
    ReportRecord {
        name: "@acme/cost".to_owned(),
        scope: ReportScope::Model,
        data_handles: vec![Json::object([("name", Json::from("report-acme-cost"))])],
        error: None,
        logs: Vec::new(),
    }
}

fn failed_report(error: RunProblem) -> ReportRecord {
    let line = LogLine { at: Timestamp::from_millis(1_250), level: "warn".to_owned(), text: "no prices".to_owned() };
    ReportRecord { logs: vec![line], ..ReportRecord::failed("@acme/all".to_owned(), ReportScope::Workflow, error) }
}

fn record(id: &str, name: &str, started_at: i64) -> RunRecord {
    RunRecord {
        name: name.to_owned(),
        status: RunStatus::Running,
        started_at: Timestamp::from_millis(started_at),
        finished_at: None,
        jobs: Vec::new(),
        error: None,
        ..full_record(id)
    }
}

async fn save(store: &impl RunStore, record: &RunRecord) {
    store.save(record).await.expect("saved");
}

async fn found(store: &impl RunStore, id: &str) -> Option<RunRecord> {
    store.get(id).await.expect("a lookup").found()
}

async fn gives_a_record_back_as_it_was(store: impl RunStore) {
    assert_eq!(store.get("01").await.expect("nothing"), RunLookup::Unknown);
    let record = full_record("01");
    save(&store, &record).await;
    assert_eq!(store.get("01").await.expect("a record"), RunLookup::Found(Box::new(record)));
}

async fn replaces_a_record(store: impl RunStore) {
    save(&store, &record("01", "deploy", 1)).await;
    let ended = RunRecord { status: RunStatus::Succeeded, ..record("01", "deploy", 1) };
    save(&store, &ended).await;
    assert_eq!(store.get("01").await.expect("a record").found().as_ref(), Some(&ended));
    assert_eq!(store.list(&RunFilter::default()).await.expect("headers"), [RunHeader::from(&ended)]);
}

async fn finds_by_the_start_of_an_identifier(store: impl RunStore) {
    for id in ["0a1", "0a2", "0b", "0b2", "0%"] {
        save(&store, &record(id, "deploy", 1)).await;
    }
    let id = async |prefix: &str| store.get(prefix).await.expect("looked").found().map(|record| record.id);
    assert_eq!(id("0a1").await.as_deref(), Some("0a1"));
    assert_eq!(id("0a").await, None, "two of them");
    assert_eq!(id("0b").await.as_deref(), Some("0b"), "the whole identifier beats a start");
    assert_eq!(id("0b2").await.as_deref(), Some("0b2"));
    assert_eq!(id("0%").await.as_deref(), Some("0%"));
    assert_eq!(id("%").await, None, "no pattern");
    assert_eq!(id("0c").await, None);
    assert_eq!(store.get("0a").await.expect("looked"), RunLookup::Ambiguous);
    assert_eq!(store.get("0c").await.expect("looked"), RunLookup::Unknown);
}

async fn lists_newest_first(store: impl RunStore) {
    for (id, name, at) in [("01", "deploy", 10), ("02", "check", 20), ("03", "deploy", 20), ("04", "deploy", 5)] {
        save(&store, &record(id, name, at)).await;
    }
    let ids = async |name: Option<&str>, limit| {
        let filter = RunFilter { name: name.map(str::to_owned), limit, ..RunFilter::default() };
        let records = store.list(&filter).await.expect("records");
        records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None).await, ["03", "02", "01", "04"]);
    assert_eq!(ids(None, Some(2)).await, ["03", "02"]);
    assert_eq!(ids(Some("deploy"), Some(2)).await, ["03", "01"]);
    assert_eq!(ids(Some("nothing"), None).await, Vec::<String>::new());
    let after = async |started_at, id: &str| {
        let place = RunPlace { started_at: Timestamp::from_millis(started_at), id: id.to_owned() };
        let filter = RunFilter { before: Some(place), ..RunFilter::default() };
        let records = store.list(&filter).await.expect("records");
        records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(after(20, "03").await, ["02", "01", "04"], "of one moment, the later identifier comes first");
    assert_eq!(after(20, "02").await, ["01", "04"]);
    assert_eq!(after(10, "00").await, ["04"], "a run that is gone keeps its place");
    assert_eq!(after(5, "04").await, Vec::<String>::new());
    save(&store, &full_record("05")).await;
    let newest = store.list(&RunFilter { limit: Some(1), ..RunFilter::default() }).await.expect("headers");
    assert_eq!(newest, [RunHeader::from(&full_record("05"))], "all of a header is given back");
}

/// What is written under way is seen at once, whatever is written before and after it, and in whatever way.
async fn gives_back_what_was_written_under_way(store: impl RunStore) {
    let open = RunRecord { status: RunStatus::Running, finished_at: None, ..full_record("01") };
    for round in 0..3 {
        let mut record = open.clone();
        Arc::make_mut(&mut record.jobs[0].steps[0]).task = format!("task {round}");
        store.save_under_way(&record).await.expect("a record");
        assert_eq!(found(&store, "01").await, Some(record.clone()));
        store.settle().await.expect("a disk");
        save(&store, &full_record("02")).await;
        assert_eq!(found(&store, "01").await, Some(record));
    }
    store.save_under_way(&full_record("01")).await.expect("a record");
    assert_eq!(found(&store, "01").await, Some(full_record("01")));
}

/// What a store writes of a run that goes on may be what has changed; what it gives back is all.
async fn follows_the_steps_of_a_run(store: impl RunStore) {
    let step = full_record("01").jobs[0].steps[0].clone();
    let named = |name: &str| StepRecord { name: name.to_owned(), ..StepRecord::clone(&step) };
    let job = |steps: &[&str]| JobRecord {
        steps: steps.iter().map(|name| Arc::new(named(name))).collect(),
        ..full_record("01").jobs[0].clone()
    };
    let mut record =
        RunRecord { jobs: vec![job(&["a", "b", "c"]), job(&[]), job(&["d"])], ..record("01", "deploy", 1) };
    let mut states = vec![record.clone()];
    Arc::make_mut(&mut record.jobs[0].steps[1]).status = RunStatus::Running;
    states.push(record.clone());
    Arc::make_mut(&mut record.jobs[0].steps[1]).logs.clear();
    Arc::make_mut(&mut record.jobs[2].steps[0]).error = None;
    record.jobs[1].status = RunStatus::Skipped;
    states.push(record.clone());
    // Steps that are repeated become others.
    record.jobs[1] = job(&["e-1", "e-2"]);
    record.jobs[0].steps.pop();
    states.push(record.clone());
    states.push(record.clone());
    record.jobs.pop();
    states.push(record.clone());
    states.push(RunRecord { status: RunStatus::Failed, ..record.clone() });
    Arc::make_mut(&mut record.jobs[0].steps[0]).status = RunStatus::Pending;
    states.push(RunRecord { status: RunStatus::Failed, ..record });
    for state in states {
        save(&store, &state).await;
        let mut found = store.get("01").await.expect("a record").found().expect("it is there");
        found.written_at = state.written_at;
        assert_eq!(found, state);
    }
}

async fn replaces_only_what_is_still_there(store: impl RunStore) {
    let replace = async |before: &RunRecord, record: &RunRecord| store.replace(before, record).await.expect("looked");
    let suspended = RunRecord { status: RunStatus::Suspended, ..record("01", "deploy", 1) };
    let decided = RunRecord { trigger: "decided".to_owned(), ..suspended.clone() };
    let running = RunRecord { status: RunStatus::Running, ..decided.clone() };
    assert!(!replace(&suspended, &decided).await, "there is no such run");
    assert_eq!(store.get("01").await.expect("looked"), RunLookup::Unknown);
    save(&store, &suspended).await;
    assert!(!replace(&decided, &running).await, "it is not what is there");
    assert!(replace(&suspended, &decided).await);
    assert!(!replace(&suspended, &running).await, "it is there no more");
    assert!(replace(&decided, &running).await);
    assert_eq!(store.get("01").await.expect("a record").found().as_ref(), Some(&running));
    assert!(!replace(&decided, &running).await, "the run goes on");
    assert!(!replace(&running, &running).await, "somebody has it");
    let ended = RunRecord { status: RunStatus::Failed, ..running.clone() };
    store.save_ended(&ended).await.expect("saved");
    assert_eq!(store.get("01").await.expect("a record").found().as_ref(), Some(&ended));
    assert!(!replace(&ended, &running).await, "something is still added to it");
    save(&store, &ended).await;
    assert!(replace(&ended, &running).await);
}

/// Records that ended at 1,000, at 2,000 and at 3,000, and one that goes on since 500.
async fn of_different_ages(runs: &impl RunStore) -> Vec<RunRecord> {
    let ended = |id: &str, at| RunRecord { finished_at: Some(Timestamp::from_millis(at)), ..full_record(id) };
    let open = RunRecord {
        status: RunStatus::Running,
        started_at: Timestamp::from_millis(500),
        finished_at: None,
        ..full_record("open")
    };
    let records = vec![ended("old", 1_000), ended("older than most", 2_000), ended("young", 3_000), open];
    for record in &records {
        runs.save(record).await.expect("saved");
    }
    records
}

async fn identifiers(runs: &impl RunStore) -> Vec<String> {
    let mut ids: Vec<String> =
        runs.list(&RunFilter::default()).await.expect("runs").into_iter().map(|header| header.id).collect();
    ids.sort_unstable();
    ids
}

async fn forgets_runs_that_ended_long_ago(runs: impl RunStore) {
    let forget = async |before: i64| runs.forget(Timestamp::from_millis(before)).await.expect("runs");
    assert_eq!(forget(i64::MAX).await, 0, "there is none");
    of_different_ages(&runs).await;
    assert_eq!(forget(1_000).await, 0, "ended at that very time");
    assert_eq!(forget(2_001).await, 2);
    assert_eq!(identifiers(&runs).await, ["open", "young"]);
    assert_eq!(forget(i64::MAX).await, 1);
    assert_eq!(identifiers(&runs).await, ["open"], "what goes on is never forgotten");
}

async fn forgets_what_runs_logged_long_ago(runs: impl RunStore) {
    let forget = async |before: i64| runs.forget_lines(Timestamp::from_millis(before)).await.expect("runs");
    let records = of_different_ages(&runs).await;
    assert_eq!(forget(2_001).await, 2);
    assert_eq!(forget(2_001).await, 0, "there is nothing left");
    for (record, keeps) in records.iter().zip([false, false, true, true]) {
        let mut expected = record.clone();
        if !keeps {
            assert!(expected.forget_lines());
        }
        let found = runs.get(&record.id).await.expect("a record").found();
        assert_eq!(found, Some(expected), "all but the lines is as it was");
    }
}
