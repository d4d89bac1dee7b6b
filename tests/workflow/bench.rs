//! A repository as text, types as text, methods as lists of actions.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_app::{
    method::{Services, definitions::Definitions},
    secrets::Environment,
    self_contained::SelfContained,
    types::{NotReady, ReadyType, Types, Unclaimed},
    vault::{self, Vaults},
    workflow::{
        Claim, Engine, Files, Library, Limits, Observer, Resumption, RunChange, RunEvent, RunOptions, RunRequest,
        StartError, TypeCatalogue,
        library::Layout,
        validate::{self, Tools},
    },
};
use mangrove_domain::{
    advice::{Advice, UserAction},
    bundle::LoadedBundle,
    data::DataHandle,
    description::{Description, MethodDescription},
    failure::Failure,
    inputs,
    json::Json,
    ports::{
        Call, Checked, DataStore as _, DefinitionFiles, Documents as _, HostCall, MethodHost, MethodRunner,
        OpenRequest, RunError, RunFilter, RunStore, SchemaValidator as _, Session, Takes,
    },
    problem::{Problem, Severity},
    report::ReportOptions,
    run::{AssertSeverity, RunProblem, RunRecord, RunStatus},
    source::Kind,
    type_name::TypeName,
    workflow::{Workflow, WorkflowFiles},
};
use mangrove_fs::files::DiskFiles;
use mangrove_infra::{
    calendar::CronCalendar, documents::YamlDocuments, expressions::CelExpressions, schema::JsonSchemas,
    shell::SystemShell, vaults::BuiltInVaults,
};
use mangrove_testkit::{
    fakes::{ManualClock, MemoryData, MemoryDefinitionFiles, MemoryRuns, MemoryTree, ScriptedBundler, SeededEntropy},
    fixture::Tree,
    rows,
};
use tokio_util::sync::CancellationToken;

/// What a method does, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Log(&'static str),
    /// Logs its arguments as JSON.
    LogArguments,
    /// Writes a resource: its spec, its instance, its content as YAML.
    Write(&'static str, &'static str, &'static str),
    /// Writes its arguments as a resource: its spec, its instance.
    WriteArguments(&'static str, &'static str),
    /// Returns this YAML.
    Return(&'static str),
    Throw(&'static str),
    /// Throws its arguments as JSON.
    ThrowArguments,
    /// Calls a function of the host with a YAML list of arguments and logs what comes back.
    Call(&'static str, &'static str),
    /// Never ends.
    Hang,
}

/// What a report does when it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Telling {
    /// Gives this, as YAML.
    Gives(&'static str),
    /// Logs a line and calls a function of the host with a YAML list of arguments, and gives what comes back.
    Asks(&'static str, &'static str),
    Throws(&'static str),
    /// Never ends.
    Hangs,
}

/// One call as the method saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Called {
    /// `definition.method`
    pub(crate) label: String,
    pub(crate) arguments: Json,
    pub(crate) context: Json,
}

#[derive(Debug, Default)]
struct Calls {
    made: Vec<Called>,
    /// The reports that were asked, each with its context.
    reports: Vec<(String, Json)>,
    running: usize,
    busiest: usize,
}

/// Runs actions instead of code.
#[derive(Clone, Debug, Default)]
struct Script {
    /// Their JSON Schemas stand for the schemas of the extensions.
    types: BTreeMap<String, Arc<Description>>,
    actions: Arc<BTreeMap<String, Vec<Action>>>,
    reports: BTreeMap<String, Telling>,
    /// On whose behalf the code runs.
    opened: String,
    calls: Arc<Mutex<Calls>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl MethodRunner for Script {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        Ok(Box::new(Self { opened: request.grantee.name, ..self.clone() }))
    }
}

#[async_trait]
impl Session for Script {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let Call { path, arguments: args, schema, context, global_schema, takes } = call;
        if takes == Takes::ReportContext {
            assert_eq!(path, ["execute"]);
            return self.tell(context, host.as_ref()).await;
        }
        let [kind, method, function] = path.as_slice() else { panic!("an unusual path {path:?}") };
        match (kind.as_str(), function.as_str()) {
            ("methods", "execute") => {}
            // What a check says, or what becomes of global arguments.
            ("checks", "execute") => {
                return self.play(&format!("check.{method}"), args, context, host, json("{pass: true}")).await;
            }
            ("upgrades", "upgradeAttributes") => {
                return self.play(&format!("upgrade.{method}"), args.clone(), context, host, args).await;
            }
            other => panic!("an unusual path {other:?}"),
        }
        assert_eq!(
            (schema.join("."), global_schema.join(".")),
            (format!("methods.{method}.arguments"), "globalArguments".to_owned())
        );
        let name = context.get("definition").and_then(|definition| definition.get("name")).and_then(Json::as_str);
        let label = format!("{}.{method}", name.expect("the name of a definition"));
        let args = self.parsed(method, args, &context)?;
        self.play(&label, args, context, host, Json::Null).await
    }
}

impl Script {
    /// Does what is written for this label, and gives what that returns, else `returned`.
    async fn play(
        &self,
        label: &str,
        args: Json,
        context: Json,
        host: Arc<dyn MethodHost>,
        returned: Json,
    ) -> Result<Json, RunError> {
        {
            let mut calls = lock(&self.calls);
            calls.made.push(Called { label: label.to_owned(), arguments: args.clone(), context: context.clone() });
            calls.running += 1;
            calls.busiest = calls.busiest.max(calls.running);
        }
        // Whatever may run beside this call gets its turn.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let mut outcome = Ok(returned);
        for action in self.actions.get(label).into_iter().flatten() {
            if let Action::Return(value) = action {
                outcome = Ok(json(value));
            }
            if let Err(message) = act(action, &args, host.as_ref()).await {
                outcome = Err(RunError::Threw { message, stack: None });
                break;
            }
        }
        lock(&self.calls).running -= 1;
        outcome
    }

    async fn tell(&self, context: Json, host: &dyn MethodHost) -> Result<Json, RunError> {
        lock(&self.calls).reports.push((self.opened.clone(), context));
        match self.reports.get(&self.opened).expect("a report") {
            Telling::Gives(report) => Ok(json(report)),
            Telling::Asks(function, arguments) => {
                let log = vec![Json::from("info"), Json::from("asking")];
                let call = |function: &str, arguments| HostCall { function: function.to_owned(), arguments };
                host.call(call("log", log)).await.expect("a log");
                let arguments = json(arguments).as_array().expect("a list").to_vec();
                let answer = host.call(call(function, arguments)).await;
                let answer = answer.map_err(|message| RunError::Threw { message, stack: None })?;
                Ok(Json::object([("markdown", Json::from("asked")), ("json", answer)]))
            }
            Telling::Throws(message) => Err(RunError::Threw { message: (*message).to_owned(), stack: None }),
            Telling::Hangs => std::future::pending().await,
        }
    }

    /// What the schemas of the type make of arguments.
    fn parsed(&self, method: &str, arguments: Json, context: &Json) -> Result<Json, RunError> {
        let type_name = context.get("modelType").and_then(|name| name.as_str().or_else(|| name.get("raw")?.as_str()));
        let Some(description) = type_name.and_then(|name| self.types.get(name)) else { return Ok(arguments) };
        let check = |schema: &Json, value: &Json, checked: Checked| {
            let violations = JsonSchemas.validate(schema, value).expect("a schema");
            if violations.is_empty() { Ok(()) } else { Err(RunError::Rejected { checked, violations }) }
        };
        if let (Some(schema), Some(global)) = (description.details.get("globalArguments"), context.get("globalArgs")) {
            check(schema, global, Checked::GlobalArguments)?;
        }
        let schema = &description.method(method).expect("a method").arguments;
        let made = inputs::with_defaults(schema, arguments);
        check(schema, &made, Checked::Arguments)?;
        Ok(made)
    }
}

async fn act(action: &Action, args: &Json, host: &dyn MethodHost) -> Result<(), String> {
    let call = |function: &str, arguments: Vec<Json>| HostCall { function: function.to_owned(), arguments };
    match action {
        Action::Log(text) => host.call(call("log", vec![Json::from("info"), Json::from(*text)])).await.map(drop),
        Action::LogArguments => {
            host.call(call("log", vec![Json::from("info"), Json::from(args.to_string())])).await.map(drop)
        }
        Action::Write(spec, instance, content) => {
            let arguments = vec![Json::from(*spec), Json::from(*instance), json(content), Json::Null];
            host.call(call("writeResource", arguments)).await.map(drop)
        }
        Action::WriteArguments(spec, instance) => {
            let arguments = vec![Json::from(*spec), Json::from(*instance), args.clone(), Json::Null];
            host.call(call("writeResource", arguments)).await.map(drop)
        }
        Action::Return(_) => Ok(()),
        Action::Call(function, arguments) => {
            let arguments = json(arguments).as_array().expect("a list").to_vec();
            let answer = host.call(call(function, arguments)).await?;
            host.call(call("log", vec![Json::from("info"), Json::from(answer.to_string())])).await.map(drop)
        }
        Action::Throw(message) => Err((*message).to_owned()),
        Action::ThrowArguments => Err(args.to_string()),
        Action::Hang => std::future::pending().await,
    }
}

/// A value from YAML.
pub(crate) fn json(yaml: &str) -> Json {
    YamlDocuments.parse("value", yaml).expect("YAML").root.to_json()
}

/// Types from text: those of a catalogue, some of which failed.
#[derive(Clone, Debug, Default)]
struct Catalogue {
    ready: BTreeMap<String, Arc<Description>>,
    reports: BTreeMap<String, Arc<Description>>,
    failed: BTreeMap<String, Failure>,
}

impl Catalogue {
    fn of_kind(&self, kind: &Kind) -> &BTreeMap<String, Arc<Description>> {
        if kind.as_str() == "report" { &self.reports } else { &self.ready }
    }
}

#[async_trait]
impl Types for Catalogue {
    async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady> {
        if let Some(description) = self.of_kind(kind).get(type_name.as_str()) {
            return Ok(ReadyType {
                row: Arc::new(rows::indexed("models/thing.ts", type_name.as_str())),
                description: Arc::clone(description),
                bundle: LoadedBundle { code: Arc::from("export {};"), vendor_files: Vec::new() },
                add_ons: Vec::new(),
                left_out: Vec::new(),
                behind: None,
                foreign_state: None,
            });
        }
        let failure = self.failed.get(type_name.as_str()).cloned();
        let claimed_by = failure.iter().map(|_| Arc::new(rows::failed("models/broken.ts", type_name.as_str())));
        Err(NotReady {
            kind: Some(kind.clone()),
            type_name: type_name.clone(),
            claimed_by: claimed_by.collect(),
            other_kinds: Vec::new(),
            unclaimed: Unclaimed::default(),
            failure: failure.clone(),
            nearest: if failure.is_some() {
                Vec::new()
            } else {
                self.names(kind).into_iter().map(|name| (kind.clone(), name)).collect()
            },
            remark: None,
            advice: None,
            fault: None,
        })
    }
}

impl TypeCatalogue for Catalogue {
    fn describe(&self, kind: &Kind, name: &TypeName) -> Option<Arc<Description>> {
        self.of_kind(kind).get(name.as_str()).cloned()
    }

    fn names(&self, kind: &Kind) -> Vec<TypeName> {
        self.of_kind(kind).keys().map(|name| TypeName::stored(name.as_str())).collect()
    }

    fn claim(&self, _kind: &Kind, name: &TypeName) -> Option<Claim> {
        self.failed.get(name.as_str()).map(|failure| Claim {
            reason: format!("models/broken.ts: {}", failure.latest_message),
            advice: Advice::new("see ").and(UserAction::Why { subject: name.to_string() }),
            is_unscanned: false,
        })
    }
}

/// Writes down what a live view would show.
#[derive(Debug, Default)]
struct Listener(Mutex<Vec<String>>);

impl Observer for Listener {
    fn observe(&self, event: RunEvent) {
        let line = match event.change {
            RunChange::Started(record) => format!("run {} starts", record.name),
            RunChange::JobStarted { job } => format!("job {job} starts"),
            RunChange::StepStarted { job, step, .. } => format!("step {job}/{step} starts"),
            RunChange::Log { job, step, line } => format!("log {job}/{step}: {}", line.text),
            RunChange::LinesDropped { lines } => format!("{lines} lines dropped"),
            RunChange::StepFinished { job, step } => format!("step {job}/{} {}", step.name, step.status.as_str()),
            RunChange::JobFinished { job, status } => format!("job {job} {}", status.as_str()),
            RunChange::Finished(record) => format!("run {} {}", record.name, record.status.as_str()),
        };
        lock(&self.0).push(line);
    }
}

/// The types that most tests use.
const TYPES: &str = "
'@acme/thing':
  methods:
    run: {type: object}
    size:
      type: object
      properties:
        name: {type: string}
        size: {type: integer}
        on: {type: boolean}
        zone: {type: string, default: a}
      required: [size]
      additionalProperties: false
  details:
    globalArguments:
      type: object
      properties: {region: {type: string}, zone: {type: string}, size: {type: integer}}
    resources:
      state:
        schema: {type: object, properties: {size: {type: integer}}, required: [size]}
";

/// Everything around an engine.
pub(crate) struct Bench {
    tree: Tree,
    types: Catalogue,
    script: Script,
    environment: Vec<(String, String)>,
    limits: Limits,
    options: RunOptions,
    listener: Arc<Listener>,
    pub(crate) runs: Arc<dyn RunStore>,
    pub(crate) data: Arc<MemoryData>,
    pub(crate) definitions: Arc<dyn DefinitionFiles>,
    /// Ends its runs.
    pub(crate) cancellation: CancellationToken,
    calendar: CronCalendar,
}

/// The definition `thing` of `@acme/thing`.
pub(crate) const THING: &str = "
//- /models/thing.yaml
id: 00000000-0000-4000-8000-000000000001
name: thing
type: '@acme/thing'
";

impl Bench {
    /// A repository of these files and of the definition `thing`.
    pub(crate) fn new(files: &str) -> Self {
        Self::with_files(&format!("{THING}{files}"))
    }

    pub(crate) fn with_files(files: &str) -> Self {
        let bench = Self {
            tree: Tree::new(files).expect("a directory"),
            script: Script::default(),
            types: Catalogue::default(),
            environment: Vec::new(),
            limits: Limits::default(),
            options: RunOptions::default(),
            listener: Arc::default(),
            runs: Arc::new(MemoryRuns::new()),
            data: Arc::new(MemoryData::new()),
            definitions: Arc::new(MemoryDefinitionFiles::new()),
            cancellation: CancellationToken::new(),
            calendar: CronCalendar::new("UTC").expect("a zone"),
        };
        bench.types(TYPES)
    }

    /// Further types, as YAML: of each its methods with their schemas, and the details of its description.
    pub(crate) fn types(mut self, types: &str) -> Self {
        for (name, shape) in json(types).as_object().expect("types") {
            let methods = shape.get("methods").and_then(Json::as_object).expect("methods");
            let methods = methods.iter().map(|(name, arguments)| MethodDescription {
                name: name.clone(),
                description: String::new(),
                kind: None,
                arguments: arguments.clone(),
            });
            let description = Description {
                methods: methods.collect(),
                details: shape.get("details").expect("details").clone(),
                ..rows::description(name)
            };
            self.types.ready.insert(name.clone(), Arc::new(description));
        }
        self.script.types = self.types.ready.clone();
        self
    }

    /// What `definition.method` does.
    pub(crate) fn method(mut self, label: &str, actions: &[Action]) -> Self {
        Arc::make_mut(&mut self.script.actions).insert(label.to_owned(), actions.to_vec());
        self
    }

    /// A further file of the repository.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.tree.write(path, text).expect("written");
        self
    }

    /// A type that cannot be built.
    pub(crate) fn failed_type(mut self, name: &str, failure: Failure) -> Self {
        self.types.failed.insert(name.to_owned(), failure);
        self
    }

    /// A report of this scope and with this label, and what it does.
    pub(crate) fn report(mut self, name: &str, scope: &str, label: &str, telling: Telling) -> Self {
        let labels = Json::Array(vec![Json::from(label)]);
        let details = Json::object([("scope", Json::from(scope)), ("labels", labels)]);
        let description = Description { details, ..rows::description(name) };
        self.types.reports.insert(name.to_owned(), Arc::new(description));
        self.script.reports.insert(name.to_owned(), telling);
        self
    }

    /// The type `@acme/thing` with these members more.
    pub(crate) fn declaring(mut self, yaml: &str) -> Self {
        let known = self.types.ready.get("@acme/thing").expect("the type");
        let details = known.details.as_object().expect("an object").iter();
        let more = json(yaml);
        let details = Json::object(details.chain(more.as_object().expect("a mapping")).cloned());
        let description = Arc::new(Description { details, ..Description::clone(known) });
        self.types.ready.insert("@acme/thing".to_owned(), description);
        self.script.types = self.types.ready.clone();
        self
    }

    /// Which reports are made.
    pub(crate) fn reports(mut self, reports: ReportOptions) -> Self {
        self.options.reports = reports;
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn limits(mut self, jobs: usize, steps: usize) -> Self {
        self.limits = Limits { jobs, steps, ..Limits::default() };
        self
    }

    /// From which severity on an assertion fails its job.
    pub(crate) fn fail_on(mut self, severity: AssertSeverity) -> Self {
        self.options.fail_on = Some(severity);
        self
    }

    pub(crate) fn most_steps(mut self, most_steps: usize) -> Self {
        self.limits.most_steps = most_steps;
        self
    }

    pub(crate) async fn library(&self) -> Library {
        let files = DiskFiles::new(self.tree.root());
        let from = Files { files: &files, documents: &YamlDocuments };
        Library::load(from, &Layout::default(), WorkflowFiles::default()).await.expect("directories")
    }

    fn vaults(&self) -> Vaults {
        Vaults::new(vault::Parts {
            files: Arc::new(DiskFiles::new(self.tree.root())),
            documents: Arc::new(YamlDocuments),
            providers: Arc::new(BuiltInVaults::new(self.tree.root(), None)),
            types: Arc::new(self.types.clone()),
            runner: Arc::new(self.script.clone()),
            permissions: Arc::default(),
            variables: self.environment.clone(),
            configuration: None,
        })
    }

    fn engine(&self) -> Engine {
        let services = Services {
            types: Arc::new(self.types.clone()),
            runner: Arc::new(self.script.clone()),
            shell: Arc::new(SystemShell::new()),
            vaults: self.vaults(),
            runs: Arc::clone(&self.runs),
            data: Arc::clone(&self.data) as _,
            sources: Arc::new(MemoryTree::default()),
            definitions: Definitions {
                written: Arc::new(DiskFiles::new(self.tree.root())),
                files: Arc::clone(&self.definitions),
                documents: Arc::new(YamlDocuments),
                entropy: Arc::new(SeededEntropy::new(2)),
            },
            expressions: Arc::new(CelExpressions),
            schemas: Arc::new(JsonSchemas),
            clock: Arc::new(ManualClock::default()),
            entropy: Arc::new(SeededEntropy::new(1)),
            permissions: Arc::default(),
            drivers: Arc::default(),
            bundles: Arc::new(SelfContained::new(Arc::new(ScriptedBundler::new()))),
        };
        let engine = Engine::new(services, "/repository".to_owned(), self.limits);
        engine.with_cancellation(self.cancellation.clone())
    }

    /// Runs the workflow `w`. Whatever becomes of it, the record that comes back is the one in the history.
    pub(crate) async fn run(&self, inputs: &str) -> RunRecord {
        let record = self.try_run(inputs).await.expect("a run");
        self.check(&record).await;
        record
    }

    pub(crate) async fn try_run(&self, inputs: &str) -> Result<RunRecord, StartError> {
        let library = self.library().await;
        let problems = listed(&library.problems);
        let workflow = Arc::clone(library.workflow("w").unwrap_or_else(|wrong| panic!("{wrong:?}:\n{problems}")));
        let options = self.options.clone();
        let request = RunRequest { options, ..RunRequest::new(workflow, json(inputs), "test".to_owned()) };
        let environment = Environment::new(self.environment.clone());
        self.engine().run(&library, request, environment, Arc::clone(&self.listener) as _).await
    }

    /// The workflow `w` as it is shown before a run with these inputs.
    pub(crate) async fn evaluate(&self, inputs: &str) -> Arc<Workflow> {
        let library = self.library().await;
        let workflow = library.workflow("w").expect("the workflow");
        let environment = Arc::new(Environment::new(self.environment.clone()));
        self.engine().evaluate(&library, workflow, json(inputs), &environment).await.expect("values")
    }

    /// Lets a run go on.
    pub(crate) async fn resume(
        &self,
        record: RunRecord,
        from: Option<&str>,
        inputs: &str,
    ) -> Result<RunRecord, StartError> {
        let library = self.library().await;
        let workflow = Arc::clone(library.workflow("w").expect("the workflow"));
        let (from, inputs) = (from.map(str::to_owned), json(inputs));
        let resumption =
            Resumption { workflow, record, from, inputs, inputs_written: None, options: self.options.clone() };
        let environment = Arc::new(Environment::new(self.environment.clone()));
        let listener: Arc<dyn Observer> = Arc::clone(&self.listener) as _;
        let engine = self.engine();
        let run = engine.record_again(&library, resumption, &environment, listener.as_ref()).await?;
        let record = engine.carry_out(&library, run, &environment, &listener).await?;
        self.check(&record).await;
        Ok(record)
    }

    /// Runs one method of a definition with these inputs.
    pub(crate) async fn run_method(&self, definition: &str, method: &str, inputs: &str) -> RunRecord {
        let library = self.library().await;
        let request = Engine::method_request(&library, definition, method, json(inputs), "test".to_owned());
        let environment = Environment::new(self.environment.clone());
        let listener = Arc::clone(&self.listener) as _;
        let request = RunRequest { options: self.options.clone(), ..request.expect("the definition") };
        let record = self.engine().run(&library, request, environment, listener).await.expect("a run");
        self.check(&record).await;
        record
    }

    async fn check(&self, record: &RunRecord) {
        assert_eq!(self.runs.get(&record.id).await.expect("a history").found().as_ref(), Some(record));
        assert_eq!(record.finished_at.is_some(), record.status.is_final());
        let jobs = record.jobs.iter().map(|job| job.status);
        let steps = record.jobs.iter().flat_map(|job| &job.steps).map(|step| step.status);
        for status in jobs.chain(steps).chain([record.status]) {
            assert_ne!(status, RunStatus::Running, "{record:?}");
        }
        // What is pending stands behind a failure that counts, or behind somebody who has to approve.
        for job in record.jobs.iter().filter(|job| job.status == RunStatus::Succeeded) {
            assert!(job.steps.iter().all(|step| step.status.is_final()), "{job:?}");
        }
    }

    pub(crate) async fn history(&self) -> Vec<RunRecord> {
        let mut records = Vec::new();
        for header in self.runs.list(&RunFilter::default()).await.expect("a history") {
            records.extend(self.runs.get(&header.id).await.expect("a history").found());
        }
        records
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        lock(&self.script.calls).made.clone()
    }

    /// The latest versions of what methods of a definition have written.
    pub(crate) async fn written(&self, model_id: &str) -> Vec<DataHandle> {
        let mut handles = self.data.list(model_id).await.expect("data");
        handles.retain(|handle| !handle.is_report());
        handles
    }

    /// The reports of extensions that were asked, each with its context.
    pub(crate) fn reported(&self) -> Vec<(String, Json)> {
        lock(&self.script.calls).reports.clone()
    }

    /// The most calls that ran at the same time.
    pub(crate) fn busiest(&self) -> usize {
        lock(&self.script.calls).busiest
    }

    pub(crate) fn events(&self) -> Vec<String> {
        lock(&self.listener.0).clone()
    }

    /// The jobs and steps in the order in which they started.
    pub(crate) fn starts(&self) -> Vec<String> {
        let started = |line: String| Some(line.strip_suffix(" starts")?.strip_prefix("step ")?.to_owned());
        self.events().into_iter().filter_map(started).collect()
    }

    /// Everything that is wrong with the repository.
    pub(crate) async fn problems(&self) -> String {
        let tools = Tools {
            types: &self.types,
            expressions: &CelExpressions,
            schemas: &JsonSchemas,
            calendar: Some(&self.calendar),
            is_before_run: false,
        };
        listed(&validate::validate(&self.library().await, tools))
    }
}

/// One line for each problem.
fn listed(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let place = problem.position.as_ref().map_or_else(|| problem.subject.clone(), ToString::to_string);
        let severity = if problem.severity == Severity::Error { "" } else { " (warning)" };
        let _ = write!(text, "{place}{severity}: {}", problem.message);
        let _ = problem.advice.as_ref().map_or(Ok(()), |advice| write!(text, " — {advice}"));
        text.push('\n');
    }
    text
}

/// A record in short.
pub(crate) fn told(record: &RunRecord) -> String {
    let problem = |problem: &Option<RunProblem>| {
        problem.as_ref().map(|problem| format!(": {} {}", problem.code, problem.message)).unwrap_or_default()
    };
    let mut text = format!("{} {}{}\n", record.name, record.status.as_str(), problem(&record.error));
    for job in &record.jobs {
        let _ = writeln!(text, "  {} {}", job.name, job.status.as_str());
        for step in &job.steps {
            let (name, task, status) = (&step.name, &step.task, step.status.as_str());
            let _ = writeln!(text, "    {name} ({task}) {status}{}", problem(&step.error));
            for line in &step.logs {
                let _ = writeln!(text, "      {}", line.text);
            }
        }
    }
    text
}

/// A workflow `w` with these jobs, which stand four columns deep.
pub(crate) fn workflow(jobs: &str) -> String {
    format!("//- /workflows/w.yaml\nid: 00000000-0000-4000-8000-0000000000ff\nname: w\njobs:\n{jobs}")
}

/// A short step that runs a method of the definition `thing`.
pub(crate) fn step(name: &str, method: &str, more: &str) -> String {
    format!(
        "      - name: {name}\n        task: {{type: model_method, modelIdOrName: thing, methodName: {method}}}\n{more}"
    )
}

/// A bound for what must end: generous, and reached only by a failure.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), work).await.expect("an end")
}
