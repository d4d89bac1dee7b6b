//! What a power failure may take: nothing that a record names, but for what the record itself says.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    json::Json,
    ports::{RunFilter, RunStore, RunStoreError},
    problem::Code,
    run::{RunHeader, RunLookup, RunRecord, RunStatus},
    time::Timestamp,
};
use mangrove_testkit::fakes::MemoryData;
use tokio::sync::Notify;

use crate::bench::{Action, Bench, Telling, step, within, workflow};

/// A history that looks, whenever something is written into it, at what it names that a power failure would take.
struct Watching {
    inner: Arc<dyn RunStore>,
    data: Arc<MemoryData>,
    saved: Mutex<Vec<RunRecord>>,
}

impl Watching {
    fn look(&self, record: &RunRecord) {
        let unsettled = self.data.unsettled();
        let is_lost = |handle: &Json| {
            let text = |name: &str| handle.get(name).and_then(Json::as_str).expect("a text");
            let version = handle.get("version").and_then(Json::as_integer).expect("a version");
            unsettled.iter().any(|written| {
                (&*written.model_id, &*written.name, i64::from(written.version))
                    == (text("modelId"), text("name"), version)
            })
        };
        let steps = || record.jobs.iter().flat_map(|job| &job.steps);
        let reports = steps().flat_map(|step| &step.reports).filter(|report| report.name != "@swamp/method-summary");
        let reports = reports.chain(&record.reports).flat_map(|report| &report.data_handles);
        for handle in steps().flat_map(|step| &step.data_handles).chain(reports) {
            assert!(!is_lost(handle), "{handle}");
        }
        self.saved.lock().expect("no panic before").push(record.clone());
    }
}

#[async_trait]
impl RunStore for Watching {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.look(record);
        self.inner.save(record).await
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.look(record);
        self.inner.save_ended(record).await
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        self.look(record);
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

fn watched(mut bench: Bench) -> (Bench, Arc<Watching>) {
    let (inner, data) = (Arc::clone(&bench.runs), Arc::clone(&bench.data));
    let watching = Arc::new(Watching { inner, data, saved: Mutex::default() });
    bench.runs = Arc::clone(&watching) as _;
    (bench, watching)
}

#[tokio::test]
async fn a_record_names_nothing_that_a_power_failure_would_take_but_summaries_of_steps() {
    let steps = [
        step("first", "run", ""),
        step("second", "fails", "        dependsOn: [first]\n        allowFailure: true\n"),
        step("third", "saves", "        dependsOn: [{step: second, condition: {type: always}}]\n"),
    ];
    let jobs = format!("  - name: a\n    steps:\n{}reports: {{require: ['@acme/all']}}\n", steps.concat());
    let types = "'@acme/thing': {methods: {run: {type: object}, fails: {type: object}, saves: {type: object}, delete: {type: object}},
  details: {resources: {state: {}}, reports: ['@acme/cost']}}";
    let save = "['@acme/thing', '00000000-0000-4000-8000-000000000001', {name: saved}, '{}']";
    let bench = Bench::new(&workflow(&jobs))
        .types(types)
        .report("@acme/cost", "method", "", Telling::Gives("{markdown: dear}"))
        .report("@acme/all", "workflow", "", Telling::Gives("{markdown: all}"))
        .method("thing.run", &[Action::Write("state", "a", "{n: 1}"), Action::Write("state", "b", "{n: 1}")])
        .method("thing.fails", &[Action::Write("state", "c", "{n: 1}"), Action::Throw("no")])
        .method("thing.saves", &[Action::Call("data.save", save)]);
    let (bench, watching) = watched(bench);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded);
    let named: usize = record.jobs[0].steps.iter().map(|step| step.data_handles.len()).sum();
    assert_eq!((named, record.reports.len()), (3, 2), "{record:?}");
    let mut left: Vec<String> = bench.data.unsettled().into_iter().map(|written| written.name).collect();
    left.dedup();
    left.sort();
    left.dedup();
    assert_eq!(left, ["report-swamp-method-summary", "report-swamp-method-summary-json"]);
    // What a method deletes is not gone while the record says that it ran.
    let deleted = bench.run_method("thing", "delete", "{}").await;
    assert_eq!(deleted.status, RunStatus::Succeeded, "{deleted:?}");
    assert!(bench.data.unsettled().iter().all(|written| written.name.starts_with("report-swamp-method")));
    assert!(watching.saved.lock().expect("no panic before").len() > 6);
}

/// A history on a disk that takes its time: it has what was written only once so much more was written.
struct Slow {
    inner: Arc<dyn RunStore>,
    /// What was written since the disk was asked last.
    behind: AtomicUsize,
    waits: AtomicUsize,
    enough: Notify,
    /// True if it takes nothing that is written before it is asked.
    fails: bool,
    /// True since it took nothing, until a record was written that waited for it.
    has_failed: AtomicBool,
}

impl Slow {
    fn new(inner: &Arc<dyn RunStore>, fails: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            behind: AtomicUsize::new(0),
            waits: AtomicUsize::new(0),
            enough: Notify::new(),
            fails,
            has_failed: AtomicBool::new(false),
        })
    }
}

const BEHIND: usize = 16;

#[async_trait]
impl RunStore for Slow {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        if self.has_failed.swap(false, Ordering::Relaxed) {
            self.behind.store(0, Ordering::Relaxed);
        }
        self.inner.save(record).await
    }

    async fn save_under_way(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        assert!(!self.has_failed.load(Ordering::Relaxed), "what the disk did not take is left behind");
        let behind = self.behind.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(behind <= BEHIND, "a power failure would take {behind} records");
        if behind == BEHIND {
            self.enough.notify_one();
        }
        self.inner.save_under_way(record).await
    }

    async fn settle(&self) -> Result<(), RunStoreError> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        if self.fails {
            self.has_failed.store(true, Ordering::Relaxed);
            let fault = Fault::environment(Code::DISK_FULL, "runs:sync", "the disk is full");
            return Err(RunStoreError { operation: "write", fault });
        }
        self.behind.store(0, Ordering::Relaxed);
        self.enough.notified().await;
        Ok(())
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

#[tokio::test]
async fn steps_do_not_wait_for_the_disk_and_a_power_failure_takes_few_of_them() {
    let steps: String = (0..40).map(|number| step(&format!("s{number}"), "run", "")).collect();
    let mut bench = Bench::new(&workflow(&format!("  - name: a\n    concurrency: 1\n    steps:\n{steps}")));
    let slow = Slow::new(&bench.runs, false);
    bench.runs = Arc::clone(&slow) as _;
    let record = within(bench.run("{}")).await;
    assert_eq!(record.status, RunStatus::Succeeded);
    // A record at the beginning and one for each step: the first wait begins with the first of them.
    assert_eq!(slow.waits.load(Ordering::Relaxed), 1 + 40 / BEHIND);
}

#[tokio::test]
async fn after_the_disk_did_not_take_records_the_next_one_waits_for_it() {
    let steps: String = (0..40).map(|number| step(&format!("s{number}"), "run", "")).collect();
    let mut bench = Bench::new(&workflow(&format!("  - name: a\n    concurrency: 1\n    steps:\n{steps}")));
    let slow = Slow::new(&bench.runs, true);
    bench.runs = Arc::clone(&slow) as _;
    let record = within(bench.run("{}")).await;
    assert_eq!(record.status, RunStatus::Succeeded);
    assert!(slow.waits.load(Ordering::Relaxed) > 1);
}

#[tokio::test]
async fn a_run_whose_reports_are_being_made_has_ended() {
    let jobs = format!("  - name: a\n    steps:\n{}reports: {{require: ['@acme/all']}}\n", step("one", "run", ""));
    let bench = Bench::new(&workflow(&jobs)).report("@acme/all", "workflow", "", Telling::Gives("{markdown: all}"));
    let (bench, watching) = watched(bench);
    let record = bench.run("{}").await;
    let saved = watching.saved.lock().expect("no panic before").clone();
    let [.., before, last] = saved.as_slice() else { panic!("too few records") };
    assert_eq!((before.status, before.finished_at, before.reports.len()), (RunStatus::Succeeded, last.finished_at, 0));
    assert_eq!((last.status, last.reports.len()), (record.status, 2));
}

#[tokio::test]
async fn of_two_that_let_a_run_go_on_at_one_moment_one_does() {
    let approval = "      - name: ask\n        task: {type: manual_approval, prompt: go?}\n";
    let after = step("after", "run", "        dependsOn: [ask]\n");
    let bench = Bench::new(&workflow(&format!("  - name: a\n    steps:\n{approval}{after}")));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Suspended);
    let decided = record
        .clone()
        .decided(
            "ask",
            mangrove_domain::run::Decision {
                approved: true,
                reason: None,
                decided_by: "ada".to_owned(),
                decided_at: Timestamp::from_millis(0),
            },
        )
        .expect("it waits");
    assert!(bench.runs.replace(&record, &decided).await.expect("a history"));
    let (one, other) =
        tokio::join!(bench.resume(decided.clone(), None, "{}"), bench.resume(decided.clone(), None, "{}"));
    let (went_on, refused): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
    assert_eq!((went_on.len(), bench.calls().len()), (1, 1));
    let error = refused.into_iter().next().expect("one is refused").expect_err("an error");
    assert_eq!(error.code(), mangrove_domain::problem::Code::RUN_STATE, "{error}");
    assert!(error.to_string().contains("another process or request has the run"), "{error}");
}
