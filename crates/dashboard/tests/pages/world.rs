//! A repository in memory, a service over it, and a person who looks at its pages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use mangrove_app::{
    loaders::Registry,
    scan::{Ports, Report, ScanRequest},
    service::{Parts, Repository, Running, Service},
    workflow::Limits,
};
use mangrove_daemon::{
    Phase, ScanOptions, Status,
    http::{Access, ApiParts, ApiState, Backend, Hosts, router},
    webhook::{Secrets, Webhooks},
};
use mangrove_documents::{CheckDocument, ErrorReport, QueueDocument, ScheduleDocument, SchedulesDocument};
use mangrove_domain::{
    json::Json,
    ports::{Call, HostCall, MethodHost, MethodRunner, OpenRequest, RunError as CallError, Session},
    problem::Code,
    time::Timestamp,
    workflow::webhook::SecretSource,
};
use mangrove_fs::files::DiskFiles;
use mangrove_infra::{documents::YamlDocuments, expressions::CelExpressions, schema::JsonSchemas};
use mangrove_testkit::{
    fakes::{
        ManualClock, MemoryCatalog, MemoryData, MemoryDefinitionFiles, MemoryRuns, MemorySeals, MemoryStore,
        MemoryTree, NeverAsked, PeriodicCalendar, ScriptedBundler, ScriptedInspector, ScriptedPackages, SeededEntropy,
    },
    fixture::Tree,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const FILES: &str = "
//- /mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000001
//- /models/thing.yaml
id: 00000000-0000-4000-8000-000000000002
name: thing
type: '@acme/thing'
//- /workflows/deploy.yaml
id: 00000000-0000-4000-8000-000000000003
name: deploy
description: Puts things where they belong
inputs:
  type: object
  properties:
    zone: {type: string}
jobs:
  - name: only
    steps:
      - name: work
        task: {type: model_method, modelIdOrName: thing, methodName: work}
//- /models/broken.yaml
id: 00000000-0000-4000-8000-000000000004
name: broken
type: '@acme/broken'
//- /workflows/asked.yaml
id: 00000000-0000-4000-8000-000000000005
name: asked
inputs:
  type: object
  required: [zone]
  properties:
    zone: {type: string}
    size: {type: integer, minimum: 1, default: 2}
jobs:
  - name: first
    steps:
      - name: look
        task: {type: model_method, modelIdOrName: thing, methodName: work}
  - name: second
    dependsOn: [{job: first, condition: {type: succeeded}}]
    steps:
      - name: act
        task: {type: model_method, modelIdOrName: thing, methodName: work}
//- /workflows/others.yaml
id: 00000000-0000-4000-8000-000000000006
name: slow
jobs: [{name: only, steps: [{name: wait, task: {type: model_method, modelIdOrName: thing, methodName: wait}}]}]
//- /workflows/failing.yaml
id: 00000000-0000-4000-8000-000000000007
name: failing
jobs:
  - {name: first, steps: [{name: break, task: {type: model_method, modelIdOrName: thing, methodName: fail}}]}
  - name: second
    dependsOn: [{job: first, condition: {type: succeeded}}]
    steps: [{name: work, task: {type: model_method, modelIdOrName: thing, methodName: work}}]
//- /workflows/stuck.yaml
id: 00000000-0000-4000-8000-000000000008
name: stuck
jobs: [{name: only, steps: [{name: go, task: {type: model_method, modelIdOrName: broken, methodName: go}}]}]
//- /workflows/writing.yaml
id: 00000000-0000-4000-8000-000000000009
name: writing
jobs: [{name: only, steps: [{name: write, task: {type: model_method, modelIdOrName: thing, methodName: write}}]}]
";

/// A model with the methods of [`Script`].
const THING: &str = "type @acme/thing
export model
method work
method wait
method fail
method write
resource state
file report
";

/// 2026-01-01 00:00:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Methods by their names: each logs a line; `wait` ends when it is told to, `fail` throws, `write` writes a resource and a file.
#[derive(Clone, Default)]
struct Script;

#[async_trait]
impl MethodRunner for Script {
    async fn open(&self, _request: OpenRequest) -> Result<Box<dyn Session>, CallError> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Session for Script {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, CallError> {
        let method = call.path[1].as_str();
        let arguments = vec![Json::from("info"), Json::from(format!("{method} begins"))];
        host.call(HostCall { function: "log".to_owned(), arguments }).await.expect("a line");
        let write = async |function: &str, spec: &str, name: &str, content: Json| {
            let arguments = vec![Json::from(spec), Json::from(name), content, Json::Null];
            host.call(HostCall { function: function.to_owned(), arguments }).await.expect("it is declared");
        };
        match method {
            "wait" => host.cancelled().await,
            "fail" => return Err(CallError::Threw { message: "the disk is full".to_owned(), stack: None }),
            "write" => {
                write("writeResource", "state", "state", Json::object([("healthy", Json::Bool(true))])).await;
                write("writeFile", "report", "summary", Json::from("# All is <well>\n")).await;
            }
            _ => {}
        }
        Ok(Json::Null)
    }
}

/// The rest of the daemon: scans at once.
struct Rest {
    service: Service,
    schedules: Mutex<Vec<ScheduleDocument>>,
    status: Mutex<Status>,
}

#[async_trait]
impl Backend for Rest {
    async fn scan(&self, options: ScanOptions) -> Result<Arc<Report>, ErrorReport> {
        let request = ScanRequest { rehash: options.rehash, ..self.service.scan_request(CancellationToken::new()) };
        self.service.scan(&request).await.map(Arc::new).map_err(|error| (&error).into())
    }

    fn is_stopping(&self) -> bool {
        self.status().phase == Phase::Stopping
    }

    fn status(&self) -> Status {
        self.status.lock().expect("nobody panics").clone()
    }

    async fn schedules(&self) -> Option<SchedulesDocument> {
        let queue = QueueDocument { running: 0, limit: 4, waiting: Vec::new() };
        let schedules = self.schedules.lock().expect("nobody panics").clone();
        Some(SchedulesDocument {
            schema: "mangrove.schedules/1".to_owned(),
            schedules,
            queue,
            ..SchedulesDocument::default()
        })
    }

    async fn readiness(&self) -> Vec<CheckDocument> {
        Vec::new()
    }
}

pub(crate) struct World {
    files: Tree,
    pub(crate) sources: Arc<MemoryTree>,
    pub(crate) bundler: Arc<ScriptedBundler>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) data: Arc<MemoryData>,
    pub(crate) service: Service,
    rest: Arc<Rest>,
    router: Router,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// What a person reads: the text without the elements, with one blank for each of them and for all white space.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut is_inside = false;
        for character in self.body.chars() {
            match character {
                '<' => is_inside = true,
                '>' if is_inside => {
                    is_inside = false;
                    text.push(' ');
                }
                _ if !is_inside => text.push(character),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    pub(crate) fn assert_tells(&self, text: &str) {
        assert!(self.text().contains(text), "no {text:?} in: {}", self.text());
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Access::Open).await
    }

    pub(crate) async fn with(access: Access) -> Self {
        let files = Tree::new(FILES).expect("a directory");
        let sources = Arc::new(MemoryTree::default());
        sources.write("models/thing.ts", THING);
        let (bundler, clock) = (Arc::new(ScriptedBundler::new()), Arc::new(ManualClock::new(NOW)));
        let ports = Ports {
            tree: Arc::clone(&sources) as _,
            packages: Arc::new(ScriptedPackages::new()),
            bundler: Arc::clone(&bundler) as _,
            store: Arc::new(MemoryStore::default()),
            inspector: Arc::new(ScriptedInspector::new()),
            catalog: Arc::new(MemoryCatalog::default()),
            seals: Arc::new(MemorySeals::default()),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            leases: None,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SeededEntropy::new(1)),
        };
        let repository = Repository {
            directory: files.root(),
            environment: BTreeMap::new(),
            definitions: Arc::new(MemoryDefinitionFiles::new()),
            files: Arc::new(DiskFiles::new(files.root())),
            documents: Arc::new(YamlDocuments),
            expressions: Arc::new(CelExpressions),
            schemas: Arc::new(JsonSchemas),
        };
        let data = Arc::new(MemoryData::new());
        let running = Running {
            runner: Arc::new(Script),
            shell: Arc::new(NeverAsked),
            vaults: Arc::new(NeverAsked),
            data: Arc::clone(&data) as _,
            limits: Limits::default(),
        };
        let service = Service::new(Parts { ports, loaders: Registry::built_in(), jobs: 1, repository })
            .with_runs(Arc::new(MemoryRuns::new()))
            .with_calendar(Arc::new(PeriodicCalendar::default()))
            .with_running(running);
        let status = Status { phase: Phase::Ready, ..Status::starting(NOW) };
        let rest = Rest { service: service.clone(), schedules: Mutex::default(), status: Mutex::new(status) };
        let rest = Arc::new(rest);
        let state = ApiState::new(ApiParts {
            service: service.clone(),
            backend: Arc::clone(&rest) as _,
            access,
            hosts: Hosts::default(),
            pages: |code| (code == Code::REGISTRY_UNREACHABLE).then_some("# MG0301: unreachable\n\n## What happened\n"),
            webhooks: Arc::new(Webhooks::new(Arc::new(NoSecrets), 1)),
            metrics: Arc::default(),
            stopping: CancellationToken::new(),
        });
        let router = router(&state, mangrove_dashboard::further());
        let world = Self { files, sources, bundler, clock, data, service, rest, router };
        world.scan().await;
        world
    }

    pub(crate) async fn scan(&self) {
        self.service.scan(&ScanRequest::default()).await.expect("a scan over fakes cannot fail");
    }

    /// Writes a file of the repository.
    pub(crate) fn write(&self, path: &str, text: &str) {
        self.files.write(path, text).expect("a file");
    }

    pub(crate) fn set_status(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.rest.status.lock().expect("nobody panics"));
    }

    pub(crate) fn set_schedules(&self, schedules: Vec<ScheduleDocument>) {
        *self.rest.schedules.lock().expect("nobody panics") = schedules;
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = within(self.router.clone().oneshot(request)).await.expect("an answer").into_parts();
        let body = within(axum::body::to_bytes(body, usize::MAX)).await.expect("a body");
        let body = String::from_utf8(body.into()).expect("text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// What a person sees at this path.
    pub(crate) async fn look(&self, path: &str) -> Answer {
        let answer = self.send(request(Method::GET, path).body(Body::empty()).expect("a request")).await;
        assert!(answer.header(header::CONTENT_TYPE).starts_with("text/html"), "{path}: {answer:?}");
        answer
    }

    /// What becomes of a form with these fields, already in the form of a query.
    pub(crate) async fn press(&self, path: &str, fields: &str) -> Answer {
        let request = request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::from(fields.to_owned())).expect("a request")).await
    }
}

/// A request of a browser.
pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8787").header(header::ACCEPT, accept)
}

/// A bound for what must end: generous, and reached only by a failure.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("an end")
}

/// A daemon without secrets of webhooks.
struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn find(&self, _source: &SecretSource) -> Result<Vec<u8>, String> {
        Err("there are none here".to_owned())
    }
}
