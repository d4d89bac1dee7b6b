//! Faults 28, 30 and 48 of the engine, and the history.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_app::workflow::{NotRecorded, StartError};
use mangrove_domain::{
    failure::Fault,
    ports::{RunFilter, RunStore, RunStoreError},
    problem::Code,
    run::{RunHeader, RunLookup, RunRecord, RunStatus},
    time::Timestamp,
};
use mangrove_testkit::rows;

use crate::bench::{Action, Bench, step, told, workflow};

fn two_jobs() -> String {
    let first = step("one", "run", "");
    let second = step("two", "run", "");
    workflow(&format!("  - name: a\n    steps:\n{first}  - name: b\n    dependsOn: [{{job: a}}]\n    steps:\n{second}"))
}

#[tokio::test]
async fn fault_30_a_failed_run_is_recorded_as_failed() {
    let bench = Bench::new(&two_jobs()).method("thing.run", &[Action::Log("so far"), Action::Throw("no disk")]);
    let record = bench.run("{}").await;
    insta::assert_snapshot!(told(&record), @r"
    w failed: MG0701 job `a`, step `one`: `thing.run` failed: no disk
      a failed
        one (thing.run) failed: MG0701 `thing.run` failed: no disk
          so far
      b skipped
        two (thing.run) skipped
    ");
    assert_eq!(record.status, RunStatus::Failed);
    assert_eq!(bench.history().await, [record]);
    assert_eq!(bench.events().last().map(String::as_str), Some("run w failed"));
}

#[tokio::test]
async fn a_run_that_succeeds_is_recorded_with_where_its_code_came_from() {
    let bench = Bench::new(&two_jobs());
    let record = bench.run("{}").await;
    insta::assert_snapshot!(told(&record), @r"
    w succeeded
      a succeeded
        one (thing.run) succeeded
      b succeeded
        two (thing.run) succeeded
    ");
    let provenance = record.jobs[0].steps[0].provenance.clone().expect("a provenance");
    assert_eq!(provenance.type_name, "@acme/thing");
    assert_eq!(provenance.type_version.as_deref(), Some("2026.01.01.1"));
    assert_eq!(provenance.source, rows::source("models/thing.ts").to_string());
    assert!(provenance.definition_digest.is_some() && !provenance.fingerprint.is_empty());
    insta::assert_snapshot!(bench.events().join("\n"), @r"
    run w starts
    job a starts
    step a/one starts
    step a/one succeeded
    job a succeeded
    job b starts
    step b/two starts
    step b/two succeeded
    job b succeeded
    run w succeeded
    ");
}

/// A step of each kind beside and behind one whose type cannot be built.
fn blocked() -> Bench {
    let lost = "      - name: lost
        allowFailure: true
        dependsOn: [{step: first}]
        task: {type: model_method, modelType: '@acme/broken', modelName: it, methodName: run}\n";
    let steps = [
        step("first", "run", ""),
        lost.to_owned(),
        step("later", "run", "        dependsOn: [{step: lost, condition: {type: always}}]\n"),
    ];
    let job = format!("  - name: a\n    steps:\n{}", steps.concat());
    let next = format!(
        "  - name: b\n    dependsOn: [{{job: a, condition: {{type: always}}}}]\n    steps:\n{}",
        step("more", "run", "")
    );
    Bench::new(&workflow(&format!("{job}{next}")))
        .failed_type("@acme/broken", rows::failure("registry unreachable"))
        .method("thing.run", &[Action::Write("state", "kept", "{size: 1}")])
}

#[tokio::test]
async fn fault_48_a_run_whose_type_is_missing_is_blocked_by_it() {
    let bench = blocked();
    let record = bench.run("{}").await;
    insta::assert_snapshot!(told(&record), @r"
    w blocked: MG0702 job `a`, step `lost`: unknown model type `@acme/broken`; models/broken.ts claims it, but its last build failed (1 attempt): registry unreachable
      a blocked
        first (thing.run) succeeded
        lost (it.run) blocked: MG0702 unknown model type `@acme/broken`; models/broken.ts claims it, but its last build failed (1 attempt): registry unreachable
        later (thing.run) skipped
      b skipped
        more (thing.run) skipped
    ");
    let statuses: Vec<RunStatus> = record.jobs.iter().flat_map(|job| &job.steps).map(|step| step.status).collect();
    assert_eq!(statuses, [RunStatus::Succeeded, RunStatus::Blocked, RunStatus::Skipped, RunStatus::Skipped]);
    assert_eq!(record.jobs[0].steps[0].data_handles.len(), 1);
    assert_eq!(bench.calls().len(), 1);
    assert_eq!(bench.history().await, [record]);
    assert!(bench.library().await.workflow("w").is_ok());
}

#[tokio::test]
async fn fault_28_a_blocked_run_says_what_claims_the_type_and_why_it_failed() {
    let record = blocked().run("{}").await;
    for error in [record.error.as_ref(), record.jobs[0].steps[1].error.as_ref()] {
        let error = error.expect("an error");
        assert_eq!(error.code, Code::RUN_BLOCKED);
        assert_eq!(error.blocked_by.as_deref(), Some("@acme/broken"));
        assert_eq!(error.failure, Some(rows::failure("registry unreachable")));
        for part in ["@acme/broken", "models/broken.ts", "registry unreachable", "1 attempt"] {
            assert!(error.message.contains(part), "{part} in {}", error.message);
        }
    }
}

#[tokio::test]
async fn fault_28_a_type_that_nothing_claims_is_named_with_the_nearest() {
    let lost = "      - name: lost
        task: {type: model_method, modelType: '@acme/thin', modelName: it, methodName: run}\n";
    let record = Bench::new(&workflow(&format!("  - name: a\n    steps:\n{lost}"))).run("{}").await;
    insta::assert_snapshot!(told(&record), @r"
    w blocked: MG0101 job `a`, step `lost`: unknown model type `@acme/thin`; no source claims this type; did you mean `@acme/thing`?
      a blocked
        lost (it.run) blocked: MG0101 unknown model type `@acme/thin`; no source claims this type; did you mean `@acme/thing`?
    ");
    assert_eq!(record.error.and_then(|error| error.blocked_by).as_deref(), Some("@acme/thin"));
}

#[tokio::test]
async fn fault_48_what_runs_beside_a_blocked_step_may_end() {
    let lost = "      - name: lost
        task: {type: model_method, modelType: '@acme/broken', modelName: it, methodName: run}\n";
    let steps = [lost.to_owned(), step("beside", "run", ""), step("later", "run", "        dependsOn: [beside]\n")];
    let bench = Bench::new(&workflow(&format!("  - name: a\n    steps:\n{}", steps.concat())))
        .failed_type("@acme/broken", rows::failure("registry unreachable"))
        .method("thing.run", &[Action::Log("to the end")]);
    let record = bench.run("{}").await;
    insta::assert_snapshot!(told(&record), @r"
    w blocked: MG0702 job `a`, step `lost`: unknown model type `@acme/broken`; models/broken.ts claims it, but its last build failed (1 attempt): registry unreachable
      a blocked
        lost (it.run) blocked: MG0702 unknown model type `@acme/broken`; models/broken.ts claims it, but its last build failed (1 attempt): registry unreachable
        beside (thing.run) succeeded
          to the end
        later (thing.run) skipped
    ");
}

/// A history that fails at one of its saves.
struct Failing {
    inner: Arc<dyn RunStore>,
    saves: std::sync::atomic::AtomicUsize,
    fails_at: usize,
}

#[async_trait]
impl RunStore for Failing {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        if self.saves.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == self.fails_at {
            let fault = Fault::environment(Code::DISK_FULL, "disk", "no space");
            return Err(RunStoreError { operation: "write", fault });
        }
        self.inner.save(record).await
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.inner.save_ended(record).await
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        self.inner.replace(before, record).await
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        self.inner.get(id).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        self.inner.list(filter).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.inner.forget(before).await
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.inner.forget_lines(before).await
    }
}

/// A history whose writers wait for each other, each with its turn in hand while others may run.
struct OneAtATime {
    inner: Arc<dyn RunStore>,
    turn: tokio::sync::Mutex<()>,
}

#[async_trait]
impl RunStore for OneAtATime {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        let _turn = self.turn.lock().await;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.inner.save(record).await
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.inner.save_ended(record).await
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        self.inner.replace(before, record).await
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        self.inner.get(id).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        self.inner.list(filter).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.inner.forget(before).await
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.inner.forget_lines(before).await
    }
}

/// A run and those that its steps start are one task: what waits for the history must not keep its turn from going on.
#[tokio::test]
async fn runs_within_a_run_write_their_records_beside_each_other() {
    let child = |name: &str, id: u8| {
        format!(
            "//- /workflows/{name}.yaml\nid: 00000000-0000-4000-8000-0000000001{id:02}\nname: {name}\njobs:\n  - name: j\n    steps:\n{}{}",
            step("one", "run", ""),
            step("two", "run", "        dependsOn: [one]\n"),
        )
    };
    let call =
        |name: &str| format!("      - name: {name}\n        task: {{type: workflow, workflowIdOrName: {name}}}\n");
    let steps = [call("a"), call("b"), call("c"), step("own", "run", "")].concat();
    let files = [child("a", 1), child("b", 2), child("c", 3), workflow(&format!("  - name: all\n    steps:\n{steps}"))];
    let mut bench = Bench::new(&files.concat());
    bench.runs = Arc::new(OneAtATime { inner: Arc::clone(&bench.runs), turn: tokio::sync::Mutex::default() });
    let record = tokio::time::timeout(std::time::Duration::from_secs(20), bench.run("{}")).await.expect("it ends");
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    assert!(bench.history().await.iter().all(|run| run.status == RunStatus::Succeeded), "all four");
}

fn failing(fails_at: usize) -> Bench {
    let mut bench = Bench::new(&two_jobs());
    let inner = Arc::clone(&bench.runs);
    bench.runs = Arc::new(Failing { inner, saves: std::sync::atomic::AtomicUsize::new(0), fails_at });
    bench
}

#[tokio::test]
async fn a_run_that_cannot_be_recorded_does_not_begin() {
    let bench = failing(0);
    let error = bench.try_run("{}").await.expect_err("a failure");
    assert!(matches!(error, StartError::NotRecorded(_)), "{error}");
    assert_eq!(error.code(), Code::DISK_FULL);
    assert!(bench.calls().is_empty());
}

#[tokio::test]
async fn a_history_that_is_away_for_a_moment_does_not_lose_the_run() {
    let bench = failing(1);
    assert_eq!(bench.run("{}").await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn a_run_whose_end_cannot_be_recorded_hands_its_record_over() {
    let bench = failing(4);
    let Err(StartError::NotRecorded(NotRecorded { record, .. })) = bench.try_run("{}").await else {
        panic!("a failure")
    };
    assert_eq!(record.status, RunStatus::Succeeded);
    assert!(record.finished_at.is_some());
    assert_eq!(bench.calls().len(), 2);
}
