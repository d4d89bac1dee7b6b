//! One call by a driver: what it is told, and what becomes of what it says.

use std::sync::Arc;

use mangrove_domain::{
    advice::Advice,
    json::Json,
    ports::{Call, Checked, DriverRequest, OpenRequest, RunError, Takes},
    problem::Code,
    run::RunProblem,
};

use super::{
    Driver,
    host::DriverHost,
    outputs::{self, Outcome},
    secrets,
};
use crate::{
    builtin,
    method::{
        Invocation, Prepared, Services, broken,
        callee::Callee,
        definition_json,
        execution::label,
        host::{Host, Looking},
        opening::{grantee, open_request},
        problem, subject_of,
    },
    types::ReadyType,
};

/// The version of what requests look like.
const PROTOCOL: i64 = 1;

/// Lets the driver run the method, and stores what it gives.
pub(in crate::method) async fn execute(
    services: &Services,
    call: &Invocation<'_>,
    (callee, driver): (&Callee, &Driver),
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<(), RunProblem> {
    let label = label(call);
    let name = &driver.choice.name;
    let made = match callee {
        Callee::Extension(ready) => by_schemas(services, call, ready, prepared, host).await?,
        Callee::BuiltIn(_) => {
            builtin::shell::check(&prepared.arguments)
                .map_err(|violations| broken(&subject_of(Checked::Arguments, call, host), &violations))?;
            Json::object([("arguments", prepared.arguments.clone()), ("globalArgs", global_arguments(prepared))])
        }
    };
    let type_name = callee.description().type_name.as_str();
    let is_shell = matches!(callee, Callee::BuiltIn(_));
    secrets::check(driver, call, (&label, type_name), is_shell, (&prepared.secrets, &made))?;
    let bundle = match callee {
        Callee::Extension(ready) => Some(services.bundles.of(ready).await.map_err(|fault| {
            let message =
                format!("`{label}` was not started: its code cannot be put together for the driver `{name}`: {fault}");
            problem(fault.code, message)
        })?),
        Callee::BuiltIn(_) => None,
    };
    for (argument, reason) in prepared.context.get("unresolvedGlobalArgs").and_then(Json::as_object).unwrap_or_default()
    {
        let reason = reason.as_str().unwrap_or_default();
        host.remark(&format!(
            "the global argument `{argument}` has no value, and the driver is told nothing of it: {reason}"
        ));
    }
    let request = DriverRequest { request: request(call, callee, &made), bundle };
    let given = ask(services, call, driver, request, host).await?;
    let Outcome { error, outputs } = outputs::read(&given).map_err(|wrong| {
        problem(Code::DRIVER_FAILED, format!("`{label}` failed: the driver `{name}` cannot be understood: {wrong}"))
    })?;
    // As with a method that throws: what it has written is kept.
    for output in outputs {
        outputs::store(host, output).await.map_err(|reason| {
            let code = host.state().refused.unwrap_or(Code::METHOD_FAILED);
            problem(code, format!("`{label}` failed: what the driver `{name}` gives cannot be stored: {reason}"))
        })?;
    }
    match error {
        None => Ok(()),
        Some(error) => {
            Err(problem(Code::METHOD_FAILED, format!("`{label}` failed where the driver `{name}` ran it: {error}")))
        }
    }
}

/// What the schemas of an extension make of the arguments, without a call: `{arguments, globalArgs}`.
async fn by_schemas(
    services: &Services,
    call: &Invocation<'_>,
    ready: &ReadyType,
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<Json, RunProblem> {
    let code = ready.code(call.method);
    let member = |name: &str| [code.path.clone(), vec![name.to_owned()]].concat();
    let question = Call {
        path: member("execute"),
        arguments: prepared.arguments.clone(),
        schema: member("arguments"),
        context: Json::object([("globalArgs", global_arguments(prepared))]),
        global_schema: prepared.global_schema.clone(),
        takes: Takes::Schemas,
    };
    let answer = async {
        let mut session = services.runner.open(open_request(services, call, ready, &code)).await?;
        session.call(question, Arc::new(Looking(Arc::clone(host)))).await
    };
    let label = label(call);
    answer.await.map_err(|error| match error {
        RunError::Rejected { checked, violations } => broken(&subject_of(checked, call, host), &violations),
        RunError::Threw { message, .. } => {
            problem(Code::METHOD_FAILED, format!("`{label}` was not started: its schema fails: {message}"))
        }
        RunError::Fault(fault) => problem(fault.code, format!("`{label}` was not started: {fault}")),
    })
}

/// The global arguments, but for those that have no value.
fn global_arguments(prepared: &Prepared) -> Json {
    let unresolved = prepared.context.get("unresolvedGlobalArgs");
    let members = prepared.context.get("globalArgs").and_then(Json::as_object).unwrap_or_default();
    let has_value = |(name, _): &&(String, Json)| unresolved.and_then(|unresolved| unresolved.get(name)).is_none();
    Json::Object(members.iter().filter(has_value).cloned().collect())
}

/// What a driver is told, but for the code.
fn request(call: &Invocation<'_>, callee: &Callee, made: &Json) -> Json {
    let description = callee.description();
    let empty = || Json::Object(Vec::new());
    let specs = |group: &str| description.details.get(group).cloned().unwrap_or_else(empty);
    let member = |name: &str| made.get(name).cloned().unwrap_or_else(empty);
    Json::object([
        ("protocolVersion", Json::from(PROTOCOL)),
        ("modelType", Json::from(description.type_name.as_str())),
        ("modelId", Json::from(call.definition.id.as_str())),
        ("methodName", Json::from(call.method)),
        ("globalArgs", member("globalArgs")),
        ("methodArgs", member("arguments")),
        ("definitionMeta", definition_json(call.definition)),
        ("resourceSpecs", specs("resources")),
        ("fileSpecs", specs("files")),
        ("traceHeaders", empty()),
    ])
}

/// What the driver says.
async fn ask(
    services: &Services,
    call: &Invocation<'_>,
    driver: &Driver,
    request: DriverRequest,
    host: &Arc<Host>,
) -> Result<Json, RunProblem> {
    let (label, name) = (label(call), &driver.choice.name);
    let description = &driver.ready.description;
    let open = OpenRequest {
        bundle: driver.ready.bundle.clone(),
        export_name: "driver".to_owned(),
        subject: driver.ready.row.source.to_string(),
        requirements: description.requirements.clone(),
        grantee: grantee(services, call.environment, description.type_name.as_str(), &driver.ready.row),
        root_directory: None,
        run: call.run_id.to_owned(),
    };
    let question = Call {
        path: vec!["createDriver".to_owned()],
        arguments: Json::Array(vec![driver.choice.config.clone()]),
        schema: vec!["configSchema".to_owned()],
        context: Json::Null,
        global_schema: Vec::new(),
        takes: Takes::Driver(Box::new(request)),
    };
    let answer = async {
        let mut session = services.runner.open(open).await?;
        host.begin();
        session.call(question, Arc::new(DriverHost(Arc::clone(host)))).await
    };
    answer.await.map_err(|error| match error {
        RunError::Threw { message, stack } => {
            if let Some(stack) = stack {
                tracing::debug!(driver = %name, stack = %call.environment.mask(&stack), "a driver threw");
            }
            problem(Code::DRIVER_FAILED, format!("`{label}` failed: the driver `{name}` threw: {message}"))
        }
        RunError::Rejected { violations, .. } => {
            let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
            let message = format!(
                "`{label}` was not started: the `config` of the driver `{name}` breaks its schema: {}",
                list.join("; ")
            );
            let hint = format!(
                "its settings are `config` under `drivers:` of mangrove.yaml, as in `drivers: {{ {}: {{ config: {{ NAME: \
                 VALUE }} }} }}`",
                Json::from(name.as_str())
            );
            problem(Code::DRIVER_FAILED, message).advise_if(Some(Advice::new(hint)))
        }
        RunError::Fault(fault) => {
            problem(fault.code, format!("`{label}` cannot be run by the driver `{name}`: {fault}"))
        }
    })
}
