//! Running one method of one definition.

pub mod arguments;
mod budget;
mod callee;
mod calling;
pub mod checks;
pub mod definitions;
mod driver;
mod execution;
mod expressions;
mod files;
mod handle;
mod host;
mod instance;
pub(crate) mod lines;
mod opening;
mod origin;
mod preconditions;
mod prepared;
mod reading;
pub mod reports;
mod run_model;
mod saving;
mod shown;
pub(crate) mod upgrades;
mod values;
mod vaults;
mod writing;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use mangrove_domain::{
    data::DataHandle,
    definition::Definition,
    description::{Description, Violation},
    digest::Digest,
    document::Node,
    driver::Drivers,
    json::Json,
    permission::Permissions,
    ports::{
        Checked, Clock, DataStore, Entropy, Expressions, MethodRunner, RunStore, SchemaValidator, Shell, SourceTree,
    },
    position::Position,
    problem::Code,
    run::{LogLine, Provenance, ReportRecord, RunProblem, RunStatus},
    source::Kind,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    data::{Models, Records},
    render::{Lookups, Renderer, Scope, Stage},
    secrets::Environment,
    self_contained::SelfContained,
    spans,
    types::Types,
    vault::Vaults,
};

pub(crate) use budget::{RunBudget, StepBudget};
pub(crate) use calling::CallChain;
pub(crate) use host::OnLine;
pub(crate) use instance::InstanceCall;
pub(crate) use origin::{Origin, OutputSettings, StepOrigin};
pub(crate) use reports::{Called, ReportsWanted, ShownArguments};

use callee::{Callee, callee, provenance};
use checks::CheckOptions;
use definitions::{Change, Definitions};
use driver::Driver;
use execution::{check, execute, in_time, label};
use host::Host;
use instance::Settled;
use prepared::{Prepared, prepare};
use reports::MethodEnded;
use values::method_of;

/// How many characters of a message are kept.
const MESSAGE_CHARACTERS: usize = 16_384;

/// The ports that runs use.
#[derive(Clone)]
pub struct Services {
    /// Gives out types that are ready.
    pub types: Arc<dyn Types>,
    /// Runs their methods.
    pub runner: Arc<dyn MethodRunner>,
    /// Runs the commands of `command/shell`.
    pub shell: Arc<dyn Shell>,
    /// Keep secrets.
    pub vaults: Vaults,
    /// Keeps run records.
    pub runs: Arc<dyn RunStore>,
    /// Keeps what methods write.
    pub data: Arc<dyn DataStore>,
    /// Finds the files of extensions.
    pub sources: Arc<dyn SourceTree>,
    /// Finds and keeps definitions.
    pub definitions: Definitions,
    /// Evaluates `${{ … }}`.
    pub expressions: Arc<dyn Expressions>,
    /// Checks arguments and resources.
    pub schemas: Arc<dyn SchemaValidator>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers of runs.
    pub entropy: Arc<dyn Entropy>,
    /// What code may reach now: each call goes by what is here when it begins.
    pub permissions: Arc<ArcSwap<Permissions>>,
    /// Which driver runs what, likewise.
    pub drivers: Arc<ArcSwap<Drivers>>,
    /// Makes the code that drivers take elsewhere.
    pub bundles: Arc<SelfContained>,
}

/// One call.
pub(crate) struct Invocation<'a> {
    pub(crate) definition: &'a Arc<Definition>,
    /// The digest of the definition's file.
    pub(crate) digest: Option<Digest>,
    pub(crate) method: &'a str,
    /// The step's arguments, rendered.
    pub(crate) inputs: &'a Json,
    /// Where somebody wrote them.
    pub(crate) inputs_at: &'a Position,
    /// What they were made of, if that is a document.
    pub(crate) inputs_written: Option<&'a Node>,
    /// True for the one call that a person asked for, where a name that nobody knows is a slip.
    pub(crate) is_single: bool,
    /// The instance that is called, if that is named instead of a definition: `definition` is one without arguments.
    pub(crate) instance: Option<InstanceCall<'a>>,
    /// Which checks are left out.
    pub(crate) checks: &'a CheckOptions,
    /// The driver that whoever started the run wants; `None` for what the configuration says.
    pub(crate) driver: Option<&'a str>,
    pub(crate) scope: &'a Scope,
    pub(crate) environment: &'a Arc<Environment>,
    /// All definitions.
    pub(crate) models: &'a Arc<Models>,
    /// What methods have written.
    pub(crate) records: &'a Records,
    /// What expressions find of it.
    pub(crate) lookups: &'a dyn Lookups,
    pub(crate) run_id: &'a str,
    /// The directory of the repository, as methods see it.
    pub(crate) repository: &'a str,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) on_line: OnLine,
    /// Where the call stands.
    pub(crate) origin: Origin,
    /// What the step may still leave behind.
    pub(crate) budget: &'a Arc<StepBudget>,
    /// The calls that led to this one.
    pub(crate) chain: CallChain,
    /// Which reports are made after it; `None` for none.
    pub(crate) reports: Option<ReportsWanted<'a>>,
}

/// What became of a call. Secrets are masked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invoked {
    pub(crate) status: RunStatus,
    pub(crate) error: Option<RunProblem>,
    pub(crate) data_handles: Vec<Json>,
    /// The same of this call alone, as they are.
    pub(crate) handles: Vec<DataHandle>,
    /// Those of the calls that it led to.
    pub(crate) of_others: Vec<DataHandle>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) provenance: Option<Provenance>,
    /// The reports that were made of it.
    pub(crate) reports: Vec<ReportRecord>,
    /// What was called, as far as that is known.
    pub(crate) called: Option<Box<Called>>,
}

impl Invoked {
    pub(crate) fn ended(status: RunStatus, error: Option<RunProblem>) -> Self {
        Self {
            status,
            error,
            data_handles: Vec::new(),
            handles: Vec::new(),
            of_others: Vec::new(),
            logs: Vec::new(),
            provenance: None,
            reports: Vec::new(),
            called: None,
        }
    }

    pub(crate) fn failed(error: RunProblem) -> Self {
        Self::ended(RunStatus::Failed, Some(error))
    }
}

/// Runs a method: asks for its type, checks the arguments, calls it, keeps what it wrote even if it throws.
pub(crate) async fn invoke(services: &Services, call: Invocation<'_>) -> Invoked {
    let span = spans::method(call.definition, call.method);
    let invoked = invoke_in_span(services, call).instrument(span.clone()).await;
    spans::end(&span, invoked.status);
    invoked
}

async fn invoke_in_span(services: &Services, call: Invocation<'_>) -> Invoked {
    let deadline = call.timeout.and_then(|limit| Instant::now().checked_add(limit));
    let callee = match callee(services, &call).await {
        Ok(callee) => callee,
        Err((status, error)) => return Invoked::ended(status, Some(call.environment.mask_problem(error))),
    };
    let settled = match call.instance {
        None => None,
        Some(instance) => {
            match instance::settle(services, &call, instance, callee.description(), callee.left_out()).await {
                Ok(settled) => Some(settled),
                Err(error) => return Invoked::failed(call.environment.mask_problem(error)),
            }
        }
    };
    let call = match &settled {
        None => call,
        Some(Settled { found, inputs }) => {
            let digest = found.digest.or(call.digest);
            Invocation { definition: &found.definition, digest, inputs, ..call }
        }
    };
    // Methods and expressions of this run find it from now on, also if the run has just made it.
    if settled.as_ref().is_none_or(|settled| settled.found.change != Some(Change::ForThisCall)) {
        call.models.learn(call.definition);
    }
    let driver = match driver::find(services, &call, &callee).await {
        Ok(driver) => driver,
        Err((status, error)) => return Invoked::ended(status, Some(call.environment.mask_problem(error))),
    };
    let driver = driver.as_deref();
    let provenance = Some(provenance(&call, &callee, driver.map(|driver| driver.choice.name.as_str())));
    let host = Arc::new(Host::of(services, &call, &callee, driver.is_some()));
    say_first(&host, &callee, driver, settled.as_ref());
    let shown = OnceLock::new();
    let outcome = in_time(&call, &host, carry_out(services, &call, (&callee, driver), &host, &shown)).await;
    let left = host.take_state();
    let outcome = match outcome {
        Ok(()) if deletes(callee.description(), call.method) => {
            let label = label(&call);
            let failed = |error| problem(Code::METHOD_FAILED, format!("`{label}` has run, and {error}"));
            host.bury(call.method).await.map_err(failed)
        }
        outcome => outcome,
    };
    // Before a record says that it is there; also what a call wrote that failed.
    let settled = host.settle().await.map_err(|error| {
        problem(Code::METHOD_FAILED, format!("`{}` has run, and {}", label(&call), host::store_failed(&error)))
    });
    let outcome = outcome.and(settled);
    let outcome = outcome.and_then(|()| left.twice.as_deref().map_or(Ok(()), |name| Err(written_twice(&call, name))));
    let error = outcome.err().map(|error| call.environment.mask_problem(error));
    let ended = MethodEnded {
        call: &call,
        callee: &callee,
        host: &host,
        has_begun: shown.get().is_some(),
        arguments: shown.into_inner().unwrap_or_default(),
        handles: &left.handles,
        error: error.as_ref(),
        deadline,
    };
    let (told, reports, missing) = Box::pin(reports::after_method(services, &ended)).await;
    // Whoever asks for one method sees at once that something is missing; a workflow only shows it.
    let error = error.or_else(|| missing.filter(|_| call.is_single));
    let of_reports = host.state().log.take();
    let recorded = |handle: &DataHandle| call.environment.mask_json(&handle::recorded(handle));
    Invoked {
        status: status_of(error.as_ref()),
        error: error.map(|error| call.environment.mask_problem(error)),
        data_handles: left.all().map(recorded).collect(),
        handles: left.handles,
        of_others: left.of_others,
        logs: [left.logs, of_reports].concat(),
        provenance,
        reports,
        called: Some(Box::new(told)),
    }
}

/// Says what is worth knowing before anything is done.
fn say_first(host: &Host, callee: &Callee, driver: Option<&Driver>, settled: Option<&Settled>) {
    let code = if let Callee::Extension(ready) = callee { ready.behind.as_ref() } else { None };
    for behind in code.into_iter().chain(driver.and_then(|driver| driver.ready.behind.as_ref())) {
        host.remark(behind);
    }
    if let Some(Settled { found, .. }) = settled
        && let Some(change) = found.change
    {
        host.inform(&instance::remark(change, &found.definition));
    }
}

/// How a call ended.
fn status_of(error: Option<&RunProblem>) -> RunStatus {
    match error {
        None => RunStatus::Succeeded,
        Some(error) if error.code == Code::RUN_CANCELLED => RunStatus::Cancelled,
        Some(_) => RunStatus::Failed,
    }
}

/// True for a method that removes what its resources stand for.
fn deletes(description: &Description, method: &str) -> bool {
    description.method(method).is_some_and(|method| checks::kind(method) == Some("delete"))
}

/// Which of two contents was meant is not for the order of writing to decide.
fn written_twice(call: &Invocation<'_>, name: &str) -> RunProblem {
    let label = label(call);
    let message = format!("`{label}` wrote `{name}` more than once; give each item of one call a name of its own");
    problem(Code::METHOD_FAILED, message)
}

/// Calls the method if no check objects.
async fn carry_out(
    services: &Services,
    call: &Invocation<'_>,
    (callee, driver): (&Callee, Option<&Driver>),
    host: &Arc<Host>,
    shown: &OnceLock<ShownArguments>,
) -> Result<(), RunProblem> {
    let prepared = &prepare(services, call, (callee, driver), host).await?;
    if let Callee::Extension(ready) = callee {
        check(services, call, ready, prepared, host).await?;
    }
    let description = callee.description();
    preconditions::check(services, call, description, method_of(description, call.method, callee.left_out())?).await?;
    // From here on the method has begun.
    let _ = shown.set(prepared.shown.clone());
    match driver {
        None => execute(services, call, callee, prepared, host).await,
        Some(driver) => driver::execute(services, call, (callee, driver), prepared, host).await,
    }
}

/// What a definition says, at this stage.
async fn rendered(renderer: &Renderer<'_>, node: Option<&Node>, stage: Stage) -> Result<Json, RunProblem> {
    match node {
        Some(node) => renderer.value(node, stage).await,
        None => Ok(Json::Object(Vec::new())),
    }
}

fn broken(what: &str, violations: &[Violation]) -> RunProblem {
    let list: Vec<String> = violations.iter().map(Violation::to_string).collect();
    problem(Code::INVALID_INPUT, format!("{what} break their schema: {}", list.join("; ")))
}

fn subject_of(checked: Checked, call: &Invocation<'_>, host: &Host) -> String {
    let name = &call.definition.name.value;
    match (checked, host.upgraded_to.get()) {
        (Checked::Arguments, _) => format!("{checked} of `{name}.{}`", call.method),
        (Checked::GlobalArguments, None) => format!("{checked} of `{name}`"),
        // They are not what the definition says.
        (Checked::GlobalArguments, Some(version)) => {
            format!(
                "{checked} of `{name}`, which the type itself made of those in its file by its upgrades to {version},"
            )
        }
    }
}

/// The definition as its own methods and expressions see it.
fn definition_json(definition: &Definition) -> Json {
    let tags = definition.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str())));
    Json::object([
        ("id", Json::from(definition.id.as_str())),
        ("name", Json::from(definition.name.value.as_str())),
        ("version", Json::from(i64::from(definition.version))),
        ("tags", Json::object(tags)),
    ])
}

/// The kind of types whose methods run.
pub(crate) fn model_kind() -> Kind {
    Kind::new("model")
}

/// Why something that was stopped from outside did not succeed.
pub(crate) fn cancelled() -> RunProblem {
    problem(Code::RUN_CANCELLED, "cancelled from outside".to_owned())
}

/// Why something did not succeed. Whatever a method throws is part of the record, but not without bound.
pub(crate) fn problem(code: Code, message: String) -> RunProblem {
    let message = lines::shortened(message, MESSAGE_CHARACTERS);
    RunProblem::new(code, message)
}
