//! Runs as a service starts them, and a configuration that changes while it runs.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mangrove_app::{
    loaders::Registry,
    scan::Ports,
    service::{
        DataPlace, Parts, Repository, RunError, Runnable, Running, Service, ServiceError, StartRun, StartTriggered,
        StartedRun,
    },
    workflow::{
        Limits, RunChange, RunOptions, StartError,
        inputs::{self, Mistakes},
    },
};
use mangrove_domain::{
    configuration::InForce,
    json::Json,
    permission::{Grant, Permission},
    ports::{
        Call, Configuration, DataStore as _, FileList, FileReading, FilesError, HostCall, KnownFile, MethodHost,
        MethodRunner, OpenRequest, RepositoryFiles, RunError as CallError, RunFilter, RunStore, Session,
    },
    problem::{Code, Problem, Severity},
    run::{RunLookup, RunRecord, RunStatus},
    workflow::Workflow,
};
use mangrove_fs::files::DiskFiles;
use mangrove_infra::{
    calendar::CronCalendar, catalog::OpenMode, documents::YamlDocuments, expressions::CelExpressions, runs::SqliteRuns,
    schema::JsonSchemas,
};
use mangrove_sources::Layout;
use mangrove_testkit::{
    contract::data_store::new_data,
    fakes::{
        ManualClock, MemoryCatalog, MemoryData, MemoryDefinitionFiles, MemoryRuns, MemorySeals, MemoryStore,
        MemoryTree, NeverAsked, ScriptedBundler, ScriptedInspector, ScriptedPackages, SeededEntropy,
    },
    fixture::Tree,
};
use tokio::sync::Notify;

use crate::bench::within;

const FILES: &str = "
//- /mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000001
//- /models/thing.yaml
id: 00000000-0000-4000-8000-000000000002
name: thing
type: '@acme/thing'
//- /workflows/outer.yaml
id: 00000000-0000-4000-8000-000000000003
name: outer
jobs:
  - name: first
    steps:
      - name: call
        task: {type: workflow, workflowIdOrName: inner}
  - name: second
    dependsOn: [{job: first, condition: {type: succeeded}}]
    steps:
      - name: more
        task: {type: model_method, modelIdOrName: thing, methodName: work}
//- /workflows/inner.yaml
id: 00000000-0000-4000-8000-000000000004
name: inner
jobs:
  - name: only
    steps:
      - name: break
        task: {type: model_method, modelIdOrName: thing, methodName: panic}
//- /workflows/asked.yaml
id: 00000000-0000-4000-8000-000000000005
name: asked
inputs:
  type: object
  required: [zone]
  properties:
    zone: {type: string}
    size: {type: integer, default: 2}
jobs:
  - name: only
    steps:
      - name: work
        task: {type: model_method, modelIdOrName: thing, methodName: work}
";

/// Methods by their names: `work` ends at once, `wait` when it is let go, `panic` never returns.
#[derive(Clone, Default)]
struct Script {
    released: Arc<Notify>,
    /// What each session was granted of the network.
    granted: Arc<Mutex<Vec<Option<Grant>>>>,
}

#[async_trait]
impl MethodRunner for Script {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, CallError> {
        let net = request.grantee.grants.get(&Permission::Net).cloned();
        self.granted.lock().expect("a list").push(net);
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Session for Script {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, CallError> {
        match call.path[1].as_str() {
            "wait" => {
                let arguments = vec![Json::from("info"), Json::from("it waits")];
                host.call(HostCall { function: "log".to_owned(), arguments }).await.expect("a line");
                self.released.notified().await;
            }
            "panic" => panic!("the engine met something that cannot be"),
            _ => {}
        }
        Ok(Json::Null)
    }
}

/// Reads the marker of a directory.
struct Marker {
    tree: Arc<Tree>,
    in_force: Mutex<InForce>,
}

impl Marker {
    fn read(tree: &Tree) -> Result<InForce, Vec<Problem>> {
        let layout = Layout::of_repository(&tree.root(), &YamlDocuments)
            .map_err(|fault| vec![Problem::error(fault.code, "mangrove.yaml", fault.to_string())])?;
        let allowed_schedules = layout.allowed_schedules;
        Ok(InForce {
            permissions: layout.permissions,
            drivers: layout.drivers,
            bundler: "auto",
            allowed_schedules,
            default_vault: layout.default_vault,
        })
    }
}

#[async_trait]
impl Configuration for Marker {
    fn in_force(&self) -> InForce {
        self.in_force.lock().expect("a configuration").clone()
    }

    async fn reload(&self) -> Result<InForce, Vec<Problem>> {
        let read = Self::read(&self.tree)?;
        *self.in_force.lock().expect("a configuration") = read.clone();
        Ok(read)
    }
}

pub(crate) struct World {
    pub(crate) tree: Arc<Tree>,
    pub(crate) files: Arc<CountedFiles>,
    script: Script,
    runs: Arc<dyn RunStore>,
    data: Arc<MemoryData>,
    pub(crate) service: Service,
}

/// The files of a repository, and how many of them were opened.
pub(crate) struct CountedFiles {
    files: DiskFiles,
    opened: AtomicUsize,
    listed: AtomicUsize,
    looked_at: Mutex<Vec<String>>,
}

impl CountedFiles {
    fn new(tree: &Tree) -> Self {
        let files = DiskFiles::new(tree.root()).probing_in(tree.root());
        Self { files, opened: AtomicUsize::new(0), listed: AtomicUsize::new(0), looked_at: Mutex::default() }
    }

    /// How many files were opened and how many lists were made since this was asked last.
    pub(crate) fn take(&self) -> (usize, usize) {
        (self.opened.swap(0, Ordering::Relaxed), self.listed.swap(0, Ordering::Relaxed))
    }

    /// The files that were looked at since this was asked last, sorted.
    pub(crate) fn take_looked_at(&self) -> Vec<String> {
        let mut looked_at = std::mem::take(&mut *self.looked_at.lock().expect("a list"));
        looked_at.sort();
        looked_at
    }
}

#[async_trait]
impl RepositoryFiles for CountedFiles {
    async fn list(&self, directories: &[&str], endings: &[&str]) -> Result<FileList, FilesError> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.files.list(directories, endings).await
    }

    async fn read(&self, path: &str) -> Result<Option<String>, FilesError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.files.read(path).await
    }

    async fn read_changed(&self, files: Vec<KnownFile>) -> Vec<FileReading> {
        self.looked_at.lock().expect("a list").extend(files.iter().map(|file| file.path.clone()));
        let readings = self.files.read_changed(files).await;
        let opened = readings.iter().filter(|reading| !matches!(reading, FileReading::Unchanged));
        self.opened.fetch_add(opened.count(), Ordering::Relaxed);
        readings
    }

    async fn is_listed_so(&self, list: &FileList) -> bool {
        self.files.is_listed_so(list).await
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_runs(Arc::new(MemoryRuns::new()))
    }

    fn with_runs(runs: Arc<dyn RunStore>) -> Self {
        let tree = Arc::new(Tree::new(FILES).expect("a directory"));
        let sources = MemoryTree::default();
        sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod work\nmethod wait\nmethod panic\n");
        let ports = Ports {
            tree: Arc::new(sources),
            packages: Arc::new(ScriptedPackages::new()),
            bundler: Arc::new(ScriptedBundler::new()),
            store: Arc::new(MemoryStore::default()),
            inspector: Arc::new(ScriptedInspector::new()),
            catalog: Arc::new(MemoryCatalog::default()),
            seals: Arc::new(MemorySeals::default()),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            leases: None,
            clock: Arc::new(ManualClock::default()),
            entropy: Arc::new(SeededEntropy::new(1)),
        };
        let files = Arc::new(CountedFiles::new(&tree));
        let repository = Repository {
            directory: tree.root(),
            environment: [("TOKEN_OF_TESTS".to_owned(), "somewhere".to_owned())].into(),
            definitions: Arc::new(MemoryDefinitionFiles::new()),
            files: Arc::clone(&files) as _,
            documents: Arc::new(YamlDocuments),
            expressions: Arc::new(CelExpressions),
            schemas: Arc::new(JsonSchemas),
        };
        let script = Script::default();
        let data = Arc::new(MemoryData::new());
        let running = Running {
            runner: Arc::new(script.clone()),
            shell: Arc::new(NeverAsked),
            vaults: Arc::new(NeverAsked),
            data: Arc::clone(&data) as _,
            limits: Limits::default(),
        };
        let in_force = Mutex::new(Marker::read(&tree).expect("a marker"));
        let marker = Marker { tree: Arc::clone(&tree), in_force };
        let calendar = CronCalendar::new("UTC").expect("a zone");
        let service = Service::new(Parts { ports, loaders: Registry::built_in(), jobs: 2, repository })
            .with_calendar(Arc::new(calendar))
            .with_configuration(Arc::new(marker))
            .with_runs(Arc::clone(&runs))
            .with_running(running);
        Self { tree, files, script, runs, data, service }
    }

    async fn start(&self, what: Runnable) -> StartedRun {
        let start = StartRun {
            what,
            inputs: Json::Object(Vec::new()),
            inputs_written: None,
            trigger: "test".to_owned(),
            options: RunOptions::default(),
        };
        within(self.service.start_run(start)).await.expect("it begins")
    }

    async fn start_method(&self, method: &str) -> StartedRun {
        self.start(Runnable::Method { definition: "thing".to_owned(), method: method.to_owned() }).await
    }

    async fn recorded(&self, id: &str) -> RunRecord {
        self.runs.get(id).await.expect("a history").found().expect("a record")
    }
}

#[tokio::test]
async fn a_run_is_on_record_and_listed_before_it_ends_and_is_cancelled_by_its_identifier() {
    let world = World::new();
    let StartedRun { run, mut events, .. } = world.start_method("wait").await;
    let id = run.id().to_owned();
    assert_eq!(world.recorded(&id).await.status, RunStatus::Running);
    let active: Vec<String> = world.service.active_runs().iter().map(|record| record.id.clone()).collect();
    assert_eq!(active, [id.as_str()]);
    assert!(!world.service.cancel_run("another"));
    assert!(world.service.cancel_run(&id));
    let record = within(run.wait()).await.expect("a record");
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_eq!(*record, world.recorded(&id).await);
    let mut changes = Vec::new();
    while let Some(event) = within(events.next()).await {
        assert_eq!(&*event.run_id, id);
        changes.push(event.change);
    }
    assert!(matches!(changes.first(), Some(RunChange::Started(_))), "{changes:?}");
    assert_eq!(changes.last(), Some(&RunChange::Finished(record)));
    assert!(world.service.active_runs().is_empty());
    assert!(!world.service.cancel_run(&id), "it has ended");
}

#[tokio::test]
async fn a_run_goes_on_when_everybody_let_go_of_it_unless_that_was_asked_for() {
    let world = World::new();
    let started = world.start_method("wait").await;
    let id = started.run.id().to_owned();
    drop(started);
    let run = world.service.active_run(&id).expect("it goes on");
    world.script.released.notify_one();
    assert_eq!(within(run.wait()).await.expect("a record").status, RunStatus::Succeeded);

    let StartedRun { run, events, .. } = world.start_method("wait").await;
    drop(events);
    let other = world.service.active_run(run.id()).expect("it goes on");
    drop(run.cancel_on_drop());
    assert_eq!(within(other.wait()).await.expect("a record").status, RunStatus::Cancelled);
}

#[tokio::test]
async fn who_asks_goes_away_before_the_answer_and_the_run_is_neither_lost_nor_doubled() {
    let world = World::new();
    let start = StartRun {
        what: Runnable::Method { definition: "thing".to_owned(), method: "work".to_owned() },
        inputs: Json::Object(Vec::new()),
        inputs_written: None,
        trigger: "test".to_owned(),
        options: RunOptions::default(),
    };
    // The client hangs up at each point where it can.
    for polls in 1.. {
        let mut starting = Box::pin(world.service.start_run(start.clone()));
        let mut left = polls;
        let outcome = std::future::poll_fn(|context| {
            left -= 1;
            match starting.as_mut().poll(context) {
                std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
                std::task::Poll::Ready(outcome) => std::task::Poll::Ready(Some(outcome)),
            }
        });
        if let Some(started) = within(outcome).await {
            within(started.expect("it begins").run.wait()).await.expect("a record");
            break;
        }
    }
    within(async {
        while !world.service.active_runs().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for record in world.runs.list(&RunFilter::default()).await.expect("a history") {
        assert_eq!(record.status, RunStatus::Succeeded, "{record:?}");
    }
}

#[tokio::test]
async fn a_run_whose_task_panics_ends_as_failed_with_its_record_and_others_go_on() {
    let world = World::new();
    let StartedRun { run, mut events, .. } = world.start(Runnable::Workflow("outer".to_owned())).await;
    let record = within(run.wait()).await.expect("a record");
    assert_eq!(record.status, RunStatus::Failed);
    let error = record.error.as_ref().expect("a reason");
    assert_eq!(error.code, Code::RUN_PANICKED);
    assert!(error.message.contains("cannot be"), "{}", error.message);
    assert_eq!(*record, world.recorded(run.id()).await);
    let statuses: Vec<RunStatus> = record.jobs.iter().map(|job| job.status).collect();
    assert_eq!(statuses[1], RunStatus::Skipped, "{statuses:?}");
    // The run that its step had started ends with it.
    let history = world.runs.list(&RunFilter::default()).await.expect("a history");
    assert_eq!(history.len(), 2);
    assert!(history.iter().all(|record| record.status == RunStatus::Failed), "{history:?}");
    let mut last = None;
    while let Some(event) = within(events.next()).await {
        last = Some(event);
    }
    assert!(matches!(last.expect("events").change, RunChange::Finished(_)));
    assert!(world.service.active_runs().is_empty());
    let StartedRun { run, .. } = world.start_method("work").await;
    assert_eq!(within(run.wait()).await.expect("a record").status, RunStatus::Succeeded);
}

#[tokio::test]
async fn who_listens_later_gets_the_record_as_it_is_first() {
    let world = World::new();
    let StartedRun { run, .. } = world.start_method("wait").await;
    let mut late = run.events();
    let first = within(late.next()).await.expect("an event");
    assert!(matches!(&first.change, RunChange::Started(record) if record.id == run.id()), "{first:?}");
    world.script.released.notify_one();
    let record = within(run.wait()).await.expect("a record");
    let mut after = run.events();
    assert_eq!(within(after.next()).await.expect("an event").change, RunChange::Finished(record));
    assert_eq!(within(after.next()).await, None);
}

#[test]
fn a_run_that_was_dropped_with_its_process_is_shown_as_interrupted() {
    let directory = Tree::new("").expect("a directory");
    let file = directory.root().join("runs.db");
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let first = runtime();
    let id = first.block_on(async {
        let opened = SqliteRuns::open(&file, OpenMode::ReadWrite).await.expect("a history");
        let world = World::with_runs(Arc::new(opened.runs));
        let id = world.start_method("wait").await.run.id().to_owned();
        // Within a second it is on record what the step has logged.
        within(async {
            while world.recorded(&id).await.jobs[0].steps[0].logs.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        id
    });
    first.shutdown_timeout(Duration::from_secs(10));
    runtime().block_on(async {
        let runs = SqliteRuns::open(&file, OpenMode::ReadOnly).await.expect("a history").runs;
        let RunLookup::Found(record) = runs.get(&id).await.expect("a record") else { panic!("it is on record") };
        assert_eq!(record.status, RunStatus::Interrupted);
        let step = &record.jobs[0].steps[0];
        assert_eq!(step.status, RunStatus::Interrupted, "it was under way, and not left out");
        assert_eq!(step.logs.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["it waits"]);
        assert_eq!(record.error.expect("a reason").code, Code::RUN_INTERRUPTED);
    });
}

#[tokio::test]
async fn what_methods_wrote_is_found_by_definition_item_and_version() {
    let world = World::new();
    assert_eq!(world.service.data_models().await.expect("data"), [""; 0]);
    for (model_id, name, content) in [("b", "one", 1), ("a", "one", 2), ("a", "one", 3), ("a", "two", 4)] {
        world.data.write(new_data(model_id, "state", name, &Json::from(content))).await.expect("written");
    }
    assert_eq!(world.service.data_models().await.expect("data"), ["a", "b"]);
    let items = world.service.data_of("a").await.expect("data");
    let items: Vec<_> = items.iter().map(|item| (item.name.as_str(), item.version)).collect();
    assert_eq!(items, [("one", 2), ("two", 1)]);
    let place = DataPlace { model_id: "a".to_owned(), name: "one".to_owned() };
    for (version, content) in [(None, Some(3)), (Some(1), Some(2)), (Some(3), None)] {
        let found = world.service.data_item(&place, version).await.expect("data");
        assert_eq!(found.and_then(|(_, content)| content.json), content.map(Json::from), "{version:?}");
    }
}

#[tokio::test]
async fn inputs_are_checked_before_a_run_as_the_run_itself_checks_them() {
    let world = World::new();
    let library = world.service.library().await.expect("files");
    let asked = library.workflow("asked").expect("a workflow");
    let text = |members: &[(&str, &str)]| Json::object(members.iter().map(|(name, text)| (*name, Json::from(*text))));
    let checked = Service::check_inputs(asked, text(&[("zone", "a"), ("size", "7")])).expect("right inputs");
    assert_eq!(checked.to_string(), r#"{"zone":"a","size":7}"#);
    let right = Service::check_inputs(asked, text(&[("zone", "a")])).expect("right inputs");
    assert_eq!(right.to_string(), r#"{"zone":"a","size":2}"#);
    let wrong = text(&[("size", "many"), ("zoen", "a")]);
    let Err(Mistakes(found)) = Service::check_inputs(asked, wrong.clone()) else { panic!("they are wrong") };
    let start = StartRun {
        what: Runnable::Workflow("asked".to_owned()),
        inputs: wrong.clone(),
        inputs_written: None,
        trigger: "test".to_owned(),
        options: RunOptions::default(),
    };
    let refused = world.service.start_run(start).await.expect_err("they are wrong");
    let RunError::Start(StartError::Problems(problems)) = refused else { panic!("{refused}") };
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let expected = found.iter().map(|wrong| format!("input {}", wrong.violation));
    let unnamed = inputs::unnamed(asked, &wrong);
    let expected: Vec<String> = expected.chain(unnamed.iter().map(|problem| problem.message.clone())).collect();
    assert_eq!((messages.len(), messages), (3, expected.iter().map(String::as_str).collect()));
    assert!(unnamed.len() == 1 && unnamed[0].advice.is_some(), "`zoen` is told, and no reason to refuse: {unnamed:?}");
    assert!(world.runs.list(&RunFilter::default()).await.expect("a history").is_empty());
}

#[tokio::test]
async fn after_a_reload_the_next_call_goes_by_the_permissions_on_disk() {
    let world = World::new();
    let call = async || {
        let StartedRun { run, .. } = world.start_method("work").await;
        let record = within(run.wait()).await.expect("a record");
        assert_eq!(record.status, RunStatus::Succeeded, "{record:?}");
        world.script.granted.lock().expect("a list").last().expect("a session").clone()
    };
    assert_eq!(call().await, None);
    world.tree.write("mangrove.yaml", "permissions: { '@acme/thing': { net: [example.com] } }\n").expect("a marker");
    assert_eq!(call().await, None, "nobody asked for it to be read");
    assert_eq!(world.service.reload().await.expect("a configuration"), []);
    let granted = Some(Grant::Only(vec!["example.com".to_owned()]));
    assert_eq!(call().await, granted);
    world.tree.write("mangrove.yaml", "permissions: [\n").expect("a marker");
    let problems = world.service.reload().await.expect("a configuration");
    assert!(matches!(problems.as_slice(), [problem] if problem.code == Code::MALFORMED_DOCUMENT), "{problems:?}");
    assert_eq!(call().await, granted, "the old one is in force");
}

#[tokio::test]
async fn a_service_that_was_built_without_a_part_says_so_and_does_the_rest() {
    let World { service, .. } = World::new();
    let error = service.cache_usage().await.expect_err("no cache");
    assert!(matches!(error, ServiceError::Without("a cache of packages")), "{error}");
    assert!(service.types().await.expect("a catalog").rows().next().is_none());
    let validation = service.validate(None).await.expect("it looks");
    assert!(validation.is_valid(), "{:?}", validation.problems);
    let unknown = StartRun {
        what: Runnable::Workflow("ghost".to_owned()),
        inputs: Json::Object(Vec::new()),
        inputs_written: None,
        trigger: "test".to_owned(),
        options: RunOptions::default(),
    };
    let error = service.start_run(unknown).await.expect_err("there is none");
    assert!(matches!(&error, RunError::Unknown { problem, .. } if problem.code == Code::UNKNOWN_NAME), "{error}");
}

/// What is told in passing is no mistake.
#[test]
fn information_does_not_make_a_workflow_invalid() {
    let problem = |severity| Problem::new(severity, Code::SHIPPED_IN_USE, "workflows/a.yaml", "it is so");
    let validation = |severity| mangrove_app::service::Validation { problems: vec![problem(severity)] };
    assert!(validation(Severity::Information).is_valid());
    assert!(validation(Severity::Warning).is_valid());
    assert!(!validation(Severity::Error).is_valid());
}

/// A workflow whose trigger gives inputs, and declares what a request is.
const TRIGGERED: &str = "
id: 00000000-0000-4000-8000-000000000300
name: triggered
inputs: {properties: {event: {type: object}, ref: {type: string}, home: {type: string}}}
trigger: {schedule: '@daily', inputs: {home: '${{ env.TOKEN_OF_TESTS }}', ref: '${{ webhook.body.ref }}'}}
jobs:
  - name: j
    steps:
      - name: s
        task: {type: model_method, modelIdOrName: thing, methodName: work}
";

async fn triggered(world: &World, webhook: Option<Json>) -> Result<RunRecord, RunError> {
    let start = StartTriggered {
        workflow: "triggered".to_owned(),
        trigger: "schedule".to_owned(),
        webhook,
        last_good: None,
        run: None,
    };
    let started = within(world.service.start_triggered(start)).await?;
    Ok((*within(started.run.wait()).await.expect("a record")).clone())
}

#[tokio::test]
async fn a_trigger_gives_its_run_the_inputs_that_its_file_has() {
    let world = World::new();
    world.tree.write("workflows/triggered.yaml", TRIGGERED).expect("written");
    let body = Json::object([("ref", Json::from("main"))]);
    let record = triggered(&world, Some(Json::object([("body", body.clone())]))).await.expect("it begins");
    assert_eq!((record.status, record.trigger.as_str()), (RunStatus::Succeeded, "schedule"));
    let expected = [("event", body), ("home", Json::from("***")), ("ref", Json::from("main"))];
    assert_eq!(record.inputs, Json::object(expected), "what came of `env` is masked");

    // A schedule has no request, and a request may lack what the trigger needs: no run.
    for webhook in [None, Some(Json::object([("body", Json::from("text"))]))] {
        let error = triggered(&world, webhook).await.expect_err("an expression without a value");
        let RunError::Start(StartError::Problems(problems)) = &error else { panic!("{error}") };
        assert!(problems[0].message.contains("workflows/triggered.yaml:5:"), "{error}");
    }
    let plain = TRIGGERED.replace(", ref: '${{ webhook.body.ref }}'", "");
    world.tree.write("workflows/triggered.yaml", plain).expect("written");
    assert_eq!(triggered(&world, None).await.expect("it begins").inputs, Json::object([("home", Json::from("***"))]));
    let start = StartTriggered {
        workflow: "trigered".to_owned(),
        trigger: "schedule".to_owned(),
        webhook: None,
        last_good: None,
        run: None,
    };
    let error = within(world.service.start_triggered(start)).await.expect_err("no such workflow");
    assert!(matches!(error, RunError::Unknown { .. }), "{error}");
}

/// The workflow as it is in its file now.
async fn in_order(world: &World) -> Arc<Workflow> {
    let library = world.service.library().await.expect("a library");
    Arc::clone(library.workflow("triggered").expect("a workflow"))
}

/// A trigger starts the workflow as it was before, because its file cannot be used.
async fn with_last_good(world: &World, last_good: &Arc<Workflow>) -> Result<RunRecord, RunError> {
    let start = StartTriggered {
        workflow: last_good.id.clone(),
        trigger: "schedule".to_owned(),
        webhook: None,
        last_good: Some(Arc::clone(last_good)),
        run: None,
    };
    let started = within(world.service.start_triggered(start)).await?;
    Ok((*within(started.run.wait()).await.expect("a record")).clone())
}

#[tokio::test]
async fn fault_48_a_trigger_whose_file_is_broken_starts_the_workflow_as_it_was_and_the_record_says_so() {
    let world = World::new();
    let good = TRIGGERED.replace(", ref: '${{ webhook.body.ref }}'", "").replace("name: s", "name: as-it-was");
    let file = "workflows/triggered.yaml";
    world.tree.write(file, &good).expect("written");
    let last_good = in_order(&world).await;
    let changed = good.replace("as-it-was", "as-it-is");
    for broken in [
        "{".to_owned(),
        String::new(),
        "name: triggered\n".to_owned(),
        changed.replace("'@daily'", "'61 * * * *'"),
        changed.replace("'@daily'", "'@daily', overlap: sometimes"),
        changed.replace("inputs: {properties: {", "inputs: {required: [size], properties: {size: {type: integer}, "),
    ] {
        world.tree.write(file, &broken).expect("written");
        let record = with_last_good(&world, &last_good).await.expect("it begins");
        assert_eq!((record.status, &*record.jobs[0].steps[0].name), (RunStatus::Succeeded, "as-it-was"), "{broken}");
        let problem = record.file_problem.as_ref().unwrap_or_else(|| panic!("nobody says so: {broken}"));
        assert!(problem.message.starts_with(file), "{problem:?}");
        assert_eq!(world.recorded(&record.id).await, record);
    }
    world.tree.write(file, &changed).expect("written");
    let record = with_last_good(&world, &last_good).await.expect("it begins");
    assert_eq!((&*record.jobs[0].steps[0].name, record.file_problem), ("as-it-is", None), "mended");
    world.tree.remove(file).expect("removed");
    let error = with_last_good(&world, &last_good).await.expect_err("its author took it out");
    assert!(matches!(error, RunError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn a_mistake_in_a_trigger_keeps_nobody_from_running_the_workflow_by_hand() {
    let world = World::new();
    let mistaken = TRIGGERED.replace("'@daily'", "'@daily', overlap: sometimes");
    world.tree.write("workflows/triggered.yaml", mistaken).expect("written");
    let started = world.start(Runnable::Workflow("triggered".to_owned())).await;
    assert!(started.problems.iter().any(|problem| problem.message.contains("sometimes")), "{:?}", started.problems);
    assert_eq!(within(started.run.wait()).await.expect("a record").status, RunStatus::Succeeded);
    let library = world.service.library().await.expect("a library");
    let schedules = world.service.schedules(&library).expect("a calendar");
    assert!(schedules.scheduled.is_empty());
    assert!(schedules.broken.contains_key("workflows/triggered.yaml"), "{:?}", schedules.broken);
    let ghost = library.workflow("ghost").expect_err("there is none");
    assert!(!format!("{:?}", ghost.advice).contains("triggered.yaml"), "it hides no other: {ghost:?}");
}
