//! A repository in memory, a service over it, and requests to it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
};
use mangrove_app::{
    loaders::Registry,
    scan::{Ports, Report, ScanRequest},
    service::{Parts, Repository, Running, Service},
    workflow::Limits,
};
use mangrove_daemon::{
    Phase, ScanOptions, Status,
    http::{Access, ApiParts, ApiState, Backend, Further, Hosts, router},
    metrics::Metrics,
    webhook::{Secrets, Webhooks},
};
use mangrove_documents::{CheckDocument, ErrorReport, QueueDocument, SchedulesDocument};
use mangrove_domain::{
    cache::{LockUpdate, PackageUsage, PrunedPackages},
    failure::Fault,
    json::Json,
    ports::{
        Call, HostCall, MethodHost, MethodRunner, OpenRequest, PackageCache, PruneRequest, RunError as CallError,
        Session,
    },
    problem::Code,
    time::Timestamp,
    workflow::webhook::SecretSource,
};
use mangrove_fs::files::DiskFiles;
use mangrove_infra::{documents::YamlDocuments, expressions::CelExpressions, schema::JsonSchemas};
use mangrove_testkit::{
    fakes::{
        ManualClock, MemoryCatalog, MemoryData, MemoryDefinitionFiles, MemoryLeases, MemoryRuns, MemorySeals,
        MemoryStore, MemoryTree, NeverAsked, PeriodicCalendar, ScriptedBundler, ScriptedInspector, ScriptedPackages,
        SeededEntropy,
    },
    fixture::Tree,
};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const FILES: &str = "
//- /mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000001
//- /models/thing.yaml
id: 00000000-0000-4000-8000-000000000002
name: thing
type: '@acme/thing'
//- /models/broken.yaml
id: 00000000-0000-4000-8000-000000000005
name: broken
type: '@acme/broken'
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
//- /workflows/slow.yaml
id: 00000000-0000-4000-8000-000000000004
name: slow
jobs:
  - name: only
    steps:
      - name: wait
        task: {type: model_method, modelIdOrName: thing, methodName: wait}
//- /workflows/stuck.yaml
id: 00000000-0000-4000-8000-000000000006
name: stuck
jobs:
  - name: only
    steps:
      - name: break
        task: {type: model_method, modelIdOrName: broken, methodName: work}
";

/// Methods by their names: `work` logs and ends, `wait` logs and ends when it is let go.
#[derive(Clone, Default)]
struct Script {
    released: Arc<Notify>,
    started: Arc<AtomicUsize>,
}

#[async_trait]
impl MethodRunner for Script {
    async fn open(&self, _request: OpenRequest) -> Result<Box<dyn Session>, CallError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Session for Script {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, CallError> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let method = call.path[1].clone();
        let arguments = vec![Json::from("info"), Json::from(format!("{method} begins"))];
        host.call(HostCall { function: "log".to_owned(), arguments }).await.expect("a line");
        if method == "wait" {
            self.released.notified().await;
        }
        Ok(Json::Null)
    }
}

/// The rest of the daemon: scans at once.
struct Rest {
    service: Service,
    is_ready: bool,
    stopping: CancellationToken,
}

#[async_trait]
impl Backend for Rest {
    async fn scan(&self, options: ScanOptions) -> Result<Arc<Report>, ErrorReport> {
        let request = ScanRequest {
            rehash: options.rehash,
            allow_mass_removal: options.allow_mass_removal,
            ..self.service.scan_request(CancellationToken::new())
        };
        self.service.scan(&request).await.map(Arc::new).map_err(|error| (&error).into())
    }

    fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    fn status(&self) -> Status {
        Status {
            phase: if self.is_ready { Phase::Ready } else { Phase::Starting },
            ..Status::starting(self.service.clock().now())
        }
    }

    async fn schedules(&self) -> Option<SchedulesDocument> {
        let queue = QueueDocument { running: 0, limit: 4, waiting: Vec::new() };
        Some(SchedulesDocument {
            schema: "mangrove.schedules/1".to_owned(),
            schedules: Vec::new(),
            queue,
            ..SchedulesDocument::default()
        })
    }

    async fn readiness(&self) -> Vec<CheckDocument> {
        let check =
            |name: &str, ok, message: &str| CheckDocument { name: name.to_owned(), ok, message: message.to_owned() };
        vec![
            check("catalog", true, "the catalog can be written"),
            check("first-scan", self.is_ready, if self.is_ready { "done" } else { "under way" }),
        ]
    }
}

pub(crate) struct World {
    _files: Tree,
    pub(crate) sources: Arc<MemoryTree>,
    pub(crate) bundler: Arc<ScriptedBundler>,
    pub(crate) clock: Arc<ManualClock>,
    script: Script,
    pub(crate) runs: Arc<MemoryRuns>,
    pub(crate) service: Service,
    pub(crate) state: ApiState,
    pub(crate) stopping: CancellationToken,
    pub(crate) router: Router,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Status, the headers that say something, and the body, with what differs from run to run taken out.
    pub(crate) fn shown(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for name in ["content-type", "location", "retry-after", "allow", "cache-control", "www-authenticate"] {
            for value in self.headers.get_all(name) {
                text.push_str(&format!("{name}: {}\n", value.to_str().expect("text")));
            }
        }
        text.push('\n');
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(json) => text.push_str(&format!("{json:#}")),
            Err(_) => text.push_str(&String::from_utf8_lossy(&self.body)),
        }
        text
    }
}

/// Compares an answer with its snapshot.
macro_rules! assert_answer {
    ($answer:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.add_filter(r"\b[0-9a-f]{64}\b", "<digest>");
        settings.add_filter(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<identifier>");
        settings.add_filter(r#""durationMs": \d+"#, r#""durationMs": <number>"#);
        let shown = $answer.shown();
        settings.bind(|| insta::assert_snapshot!(shown));
    }};
}
pub(crate) use assert_answer;

pub(crate) struct Setup {
    pub(crate) access: Access,
    pub(crate) is_ready: bool,
    pub(crate) clock: Arc<ManualClock>,
}

impl Default for Setup {
    fn default() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_767_225_600_000)));
        Self { access: Access::Open, is_ready: true, clock }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let files = Tree::new(FILES).expect("a directory");
        let sources = Arc::new(MemoryTree::default());
        sources.write("models/thing.ts", "type @acme/thing\nexport model\nmethod work\nmethod wait\n");
        sources.write("models/broken.ts", "type @acme/broken\nexport model\nbroken\n");
        let bundler = Arc::new(ScriptedBundler::new());
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
            clock: Arc::clone(&setup.clock) as _,
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
        let script = Script::default();
        let running = Running {
            runner: Arc::new(script.clone()),
            shell: Arc::new(NeverAsked),
            vaults: Arc::new(NeverAsked),
            data: Arc::new(MemoryData::new()),
            limits: Limits::default(),
        };
        let (metrics, runs) = (Arc::new(Metrics::default()), Arc::new(MemoryRuns::new()));
        let service = Service::new(Parts { ports, loaders: Registry::built_in(), jobs: 1, repository })
            .with_runs(Arc::clone(&runs) as _)
            .with_leases(Arc::new(MemoryLeases::default()))
            .with_package_cache(Arc::new(NoPackages))
            .with_calendar(Arc::new(PeriodicCalendar::default()))
            .with_running(running)
            .with_progress(Arc::clone(&metrics) as _);
        let stopping = CancellationToken::new();
        let state = ApiState::new(ApiParts {
            service: service.clone(),
            backend: Arc::new(Rest { service: service.clone(), is_ready: setup.is_ready, stopping: stopping.clone() }),
            access: setup.access,
            hosts: Hosts::new(["mangrove.example".to_owned()]),
            pages: |code| (code == Code::UNKNOWN_TYPE).then_some("# MG0101: unknown type\n"),
            webhooks: Arc::new(Webhooks::new(Arc::new(NoSecrets), 1)),
            metrics,
            stopping: stopping.clone(),
        });
        let router = router(&state, Further::default());
        let clock = setup.clock;
        let world = Self { _files: files, sources, bundler, clock, script, runs, service, state, stopping, router };
        world.scan().await;
        world
    }

    pub(crate) async fn scan(&self) {
        self.service
            .scan(&self.service.scan_request(CancellationToken::new()))
            .await
            .expect("a scan over fakes cannot fail");
    }

    /// How many methods were called.
    pub(crate) fn calls(&self) -> usize {
        self.script.started.load(Ordering::SeqCst)
    }

    /// Lets one `wait` end.
    pub(crate) fn release(&self) {
        self.script.released.notify_one();
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> Response<Body> {
        within(self.router.clone().oneshot(request)).await.expect("an answer")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.respond(request).await.into_parts();
        let body = within(axum::body::to_bytes(body, usize::MAX)).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, body: body.into() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_owned())).expect("a request")).await
    }
}

pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8787")
}

/// A bound for what must end: generous, and reached only by a failure.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("an end")
}

/// A cache without packages.
struct NoPackages;

#[async_trait]
impl PackageCache for NoPackages {
    async fn usage(&self) -> Result<PackageUsage, Fault> {
        Ok(PackageUsage::default())
    }

    async fn prune(&self, _request: &PruneRequest) -> Result<PrunedPackages, Fault> {
        Ok(PrunedPackages::default())
    }

    async fn update(&self, _names: &[String], _is_pinned: bool) -> Result<LockUpdate, Fault> {
        Ok(LockUpdate::default())
    }
}

/// A daemon without secrets of webhooks.
pub(crate) struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn find(&self, _source: &SecretSource) -> Result<Vec<u8>, String> {
        Err("there are none here".to_owned())
    }
}
