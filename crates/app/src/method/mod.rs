//! Running one method of one definition.

pub mod arguments;
mod budget;
mod handle;
mod host;
mod lines;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwap;
use mangrove_domain::{
    definition::Definition,
    description::Violation,
    digest::Digest,
    document::Node,
    failure::Failure,
    json::Json,
    nearest,
    permission::{Grantee, Permission, Permissions},
    ports::{
        Call, Checked, Clock, DataStore, Entropy, Expressions, MethodRunner, OpenRequest, RunError, RunStore,
        SchemaValidator,
    },
    problem::Code,
    row::Row,
    run::{LogLine, Provenance, RunProblem, RunStatus},
    source::Kind,
    time::Timestamp,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    render::{NoLookups, Renderer, Scope, Stage},
    secrets::{Environment, NoSecrets},
    spans,
    types::{MethodCode, NotReady, ReadyType, Types},
};

pub(crate) use budget::{RunBudget, StepBudget};
pub(crate) use host::OnLine;

use host::{Host, State};
use lines::CallLog;

/// How many characters of a message are kept.
const MESSAGE_CHARACTERS: usize = 16_384;

/// The ports that runs use.
#[derive(Clone)]
pub struct Services {
    /// Gives out types that are ready.
    pub types: Arc<dyn Types>,
    /// Runs their methods.
    pub runner: Arc<dyn MethodRunner>,
    /// Keeps run records.
    pub runs: Arc<dyn RunStore>,
    /// Keeps what methods write.
    pub data: Arc<dyn DataStore>,
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
}

/// One call.
pub(crate) struct Invocation<'a> {
    pub(crate) definition: &'a Definition,
    /// The digest of the definition's file.
    pub(crate) digest: Option<Digest>,
    pub(crate) method: &'a str,
    /// The step's arguments, rendered.
    pub(crate) inputs: &'a Json,
    pub(crate) scope: &'a Scope,
    pub(crate) environment: &'a Arc<Environment>,
    /// Identifiers of all definitions by their names.
    pub(crate) models: &'a Arc<BTreeMap<String, String>>,
    pub(crate) run_id: &'a str,
    /// The directory of the repository, as methods see it.
    pub(crate) repository: &'a str,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) on_line: OnLine,
    /// What the step may still leave behind.
    pub(crate) budget: &'a Arc<StepBudget>,
}

/// What became of a call. Secrets are masked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invoked {
    pub(crate) status: RunStatus,
    pub(crate) error: Option<RunProblem>,
    pub(crate) data_handles: Vec<Json>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) provenance: Option<Provenance>,
}

impl Invoked {
    pub(crate) fn ended(status: RunStatus, error: Option<RunProblem>) -> Self {
        Self { status, error, data_handles: Vec::new(), logs: Vec::new(), provenance: None }
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
    let type_name = &call.definition.type_name.value;
    let kind = model_kind();
    let ready = tokio::select! {
        biased;
        () = call.cancellation.cancelled() => return Invoked::ended(RunStatus::Cancelled, Some(cancelled())),
        ready = services.types.ready(&kind, type_name) => ready,
    };
    let ready = match ready {
        Ok(ready) => ready,
        Err(not_ready) => {
            let problem = call.environment.mask_problem(blocked(&not_ready, services.clock.now()));
            return Invoked::ended(RunStatus::Blocked, Some(problem));
        }
    };
    let provenance = Some(provenance(&call, &ready));
    let prepared = match prepare(services, &call, &ready).await {
        Ok(prepared) => prepared,
        Err(error) => return Invoked { provenance, ..Invoked::failed(call.environment.mask_problem(error)) },
    };
    let host = Arc::new(Host {
        data: Arc::clone(&services.data),
        schemas: Arc::clone(&services.schemas),
        clock: Arc::clone(&services.clock),
        environment: Arc::clone(call.environment),
        description: Arc::clone(&ready.description),
        model_id: call.definition.id.clone(),
        models: Arc::clone(call.models),
        run_id: call.run_id.to_owned(),
        on_line: Arc::clone(&call.on_line),
        budget: Arc::clone(call.budget),
        state: Mutex::new(State { handles: Vec::new(), refused: None, log: CallLog::new(call.budget) }),
    });
    if let Some(behind) = &ready.behind {
        host.remark(behind);
    }
    // Dropping the call ends the worker that is in it.
    let outcome = tokio::select! {
        outcome = execute(services, &call, &ready, &prepared, &host) => outcome,
        () = call.cancellation.cancelled() => Err(cancelled()),
    };
    let (handles, logs) = {
        let mut state = host.state();
        (std::mem::take(&mut state.handles), state.log.take())
    };
    let error = outcome.err().map(|error| call.environment.mask_problem(error));
    Invoked {
        status: match &error {
            None => RunStatus::Succeeded,
            Some(error) if error.code == Code::RUN_CANCELLED => RunStatus::Cancelled,
            Some(_) => RunStatus::Failed,
        },
        error,
        data_handles: handles.iter().map(|handle| call.environment.mask_json(&handle::recorded(handle))).collect(),
        logs,
        provenance,
    }
}

/// What a method is called with.
struct Prepared {
    arguments: Json,
    context: Json,
}

async fn prepare(services: &Services, call: &Invocation<'_>, ready: &ReadyType) -> Result<Prepared, RunProblem> {
    let description = ready.description.as_ref();
    let definition = call.definition;
    let Some(method) = description.method(call.method) else {
        let known = description.methods.iter().map(|method| method.name.as_str());
        let hint = nearest::hint(call.method, known.clone())
            .unwrap_or_else(|| format!("known methods: {}", known.collect::<Vec<_>>().join(", ")));
        let mut message = format!("`{}` has no method `{}`; {hint}", description.type_name, call.method);
        for reason in &ready.left_out {
            message.push_str("; ");
            message.push_str(reason);
        }
        return Err(problem(Code::UNKNOWN_METHOD, message));
    };
    let about = definition_json(definition);
    let scope = call.scope.with_self(about.clone());
    let renderer = Renderer {
        expressions: services.expressions.as_ref(),
        environment: call.environment,
        scope: &scope,
        file: &definition.file,
        lookups: &NoLookups,
        secrets: &NoSecrets,
        placeholders: None,
    };
    let mut global = rendered(&renderer, definition.global_arguments.as_ref()).await?;
    if let Some(schema) = description.details.get("globalArguments").filter(|schema| schema.as_object().is_some()) {
        global = arguments::complete(schema, global);
        check(services, schema, &global, &subject_of(Checked::GlobalArguments, call))?;
    }
    let given = rendered(&renderer, definition.arguments_of(call.method)).await?;
    // What the step left for now means what it means there: `self` is its own.
    let of_step = Renderer { scope: call.scope, ..renderer };
    let inputs = of_step.hand_over(call.inputs, &definition.name.position(&definition.file)).await?;
    let schema = &method.arguments;
    let merged = arguments::merge(&[&arguments::known_to(schema, &global), &given, &inputs]);
    let merged = arguments::complete(schema, merged);
    let mut violations = arguments::slips(schema, &arguments::merge(&[&given, &inputs]));
    violations.extend(violations_of(services, schema, &merged, &subject_of(Checked::Arguments, call))?);
    if !violations.is_empty() {
        return Err(broken(&subject_of(Checked::Arguments, call), &violations));
    }
    let context = Json::object([
        ("repoDir", Json::from(call.repository)),
        ("modelType", Json::from(description.type_name.as_str())),
        ("modelId", Json::from(definition.id.as_str())),
        ("globalArgs", global),
        ("definition", about),
        ("methodName", Json::from(call.method)),
    ]);
    Ok(Prepared { arguments: merged, context })
}

/// What a definition says, as its methods are called with it.
async fn rendered(renderer: &Renderer<'_>, node: Option<&Node>) -> Result<Json, RunProblem> {
    match node {
        Some(node) => renderer.value(node, Stage::HAND_OVER).await,
        None => Ok(Json::Object(Vec::new())),
    }
}

async fn execute(
    services: &Services,
    call: &Invocation<'_>,
    ready: &ReadyType,
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<(), RunProblem> {
    let label = format!("{}.{}", call.definition.name.value, call.method);
    let code = ready.code(call.method);
    let request = OpenRequest {
        bundle: code.bundle.clone(),
        export_name: code.export_name.to_owned(),
        subject: code.row.source.to_string(),
        requirements: ready.description.requirements.clone(),
        grantee: grantee(services, call, ready, code.row),
    };
    let work = async {
        let mut session = services.runner.open(request).await?;
        let member = |name: &str| [code.path.clone(), vec![name.to_owned()]].concat();
        let request = Call {
            path: member("execute"),
            arguments: prepared.arguments.clone(),
            schema: member("arguments"),
            context: prepared.context.clone(),
            global_schema: vec!["globalArguments".to_owned()],
        };
        session.call(request, Arc::clone(host) as _).await
    };
    let outcome = match call.timeout {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message =
                    format!("`{label}` did not end within {} ms, the time limit of the step", limit.as_millis());
                return Err(problem(Code::METHOD_FAILED, message));
            }
        },
    };
    match outcome {
        Ok(_) => Ok(()),
        Err(RunError::Threw { message, stack }) => {
            if let Some(stack) = stack {
                tracing::debug!(method = %label, stack = %call.environment.mask(&stack), "a method threw");
            }
            // What was refused it last, unless something was written since.
            let code = host.state().refused.unwrap_or(Code::METHOD_FAILED);
            Err(problem(code, format!("`{label}` failed: {message}")))
        }
        Err(RunError::Rejected { checked, violations }) => Err(broken(&subject_of(checked, call), &violations)),
        Err(RunError::Fault(fault)) => Err(problem(fault.code, format!("`{label}` cannot run: {fault}"))),
    }
}

/// Whoever wrote the code, an add-on included, runs with what is granted to the type or to its own extension.
fn grantee(services: &Services, call: &Invocation<'_>, ready: &ReadyType, row: &Row) -> Grantee {
    let type_name = ready.description.type_name.as_str();
    let grants = services.permissions.load().of(type_name, &row.extension.name).cloned().unwrap_or_default();
    Grantee {
        name: type_name.to_owned(),
        root: row.source.root.clone(),
        variables: call.environment.granted(grants.get(&Permission::Env)),
        grants,
    }
}

fn violations_of(services: &Services, schema: &Json, value: &Json, what: &str) -> Result<Vec<Violation>, RunProblem> {
    let cannot = |error| problem(Code::INVALID_INPUT, format!("{what} cannot be checked: {error}"));
    services.schemas.validate(schema, value).map_err(cannot)
}

fn check(services: &Services, schema: &Json, value: &Json, what: &str) -> Result<(), RunProblem> {
    let violations = violations_of(services, schema, value, what)?;
    if violations.is_empty() { Ok(()) } else { Err(broken(what, &violations)) }
}

fn broken(what: &str, violations: &[Violation]) -> RunProblem {
    let list: Vec<String> = violations.iter().map(Violation::to_string).collect();
    problem(Code::INVALID_INPUT, format!("{what} break their schema: {}", list.join("; ")))
}

fn subject_of(checked: Checked, call: &Invocation<'_>) -> String {
    let name = &call.definition.name.value;
    match checked {
        Checked::Arguments => format!("{checked} of `{name}.{}`", call.method),
        Checked::GlobalArguments => format!("{checked} of `{name}`"),
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

fn provenance(call: &Invocation<'_>, ready: &ReadyType) -> Provenance {
    let MethodCode { row, bundle, .. } = ready.code(call.method);
    Provenance {
        definition_digest: call.digest.map(|digest| digest.to_string()),
        type_name: ready.description.type_name.to_string(),
        type_version: ready.description.version.as_deref().map(str::to_owned),
        bundle_digest: row.bundle().map_or_else(
            || Digest::of(bundle.code.as_bytes()).to_string(),
            |recorded| recorded.entry.key.digest().to_string(),
        ),
        fingerprint: row.built.as_ref().map(|built| built.digest().to_string()).unwrap_or_default(),
        extension: format!("{}@{}", row.extension.name, row.extension.version),
        source: row.source.to_string(),
        shadow_fallback: row.shadow_fallback,
    }
}

/// Why a run cannot go on: what claims the type, what failed and when it is tried again (faults 28, 48). If it was Mangrove
/// itself that failed, the code of the problem is that of its failure.
fn blocked(not_ready: &NotReady, now: Timestamp) -> RunProblem {
    let message = format!("{}; {}", not_ready.headline(), not_ready.reasons().join("; "));
    let of_ours = not_ready.fault.clone().map(|fault| Failure::record(None, fault, now, 0.0));
    RunProblem {
        code: not_ready.code(),
        message: lines::shortened(message, MESSAGE_CHARACTERS),
        blocked_by: Some(not_ready.type_name.to_string()),
        failure: of_ours.or_else(|| not_ready.failure.clone()),
    }
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
    RunProblem { code, message, blocked_by: None, failure: None }
}
