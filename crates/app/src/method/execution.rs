//! Calling the checks and the code of a method.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    json::Json,
    ports::{Call, Checked, MethodHost, RunError, Takes},
    problem::Code,
    run::RunProblem,
};

use super::{
    Invocation, Prepared, Services, arguments, broken,
    callee::Callee,
    cancelled, checks,
    host::{Host, Looking},
    opening::open_request,
    problem, subject_of,
    values::method_of,
};
use crate::{
    builtin::{self, shell::ShellError},
    types::ReadyType,
};

/// How long code may take to end after it was told to.
const TIME_TO_END: Duration = Duration::from_secs(2);

/// The same for a call that others led to: they wait for it, and have to end as well.
fn time_to_end(depth: usize) -> Duration {
    TIME_TO_END / u32::try_from(depth).unwrap_or(u32::MAX).saturating_add(1)
}

/// Runs the checks that the model has for the method.
pub(super) async fn check(
    services: &Services,
    call: &Invocation<'_>,
    ready: &ReadyType,
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<(), RunProblem> {
    let method = method_of(&ready.description, call.method, &ready.left_out)?;
    if let Some(checks::UnknownCheck { name, message, hint }) =
        checks::unknown(&ready.description, call.definition).into_iter().next()
    {
        let (label, at) = (label(call), name.position(&call.definition.file));
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        return Err(problem(Code::UNKNOWN_NAME, format!("`{label}` was not started: {at}: {message}{hint}")));
    }
    let selected = checks::selected(&ready.description, call.definition, method, call.checks);
    if !selected.is_empty() {
        let as_host = Arc::new(Looking(Arc::clone(host))) as Arc<dyn MethodHost>;
        let context = arguments::merge(&[
            &prepared.context,
            &Json::object([("unresolvedMethodArgs", prepared.as_written.clone())]),
        ]);
        let tools = checks::Tools {
            runner: services.runner.as_ref(),
            open: &|code| open_request(services, call, ready, code),
            host: &as_host,
            context: &context,
            global_schema: &prepared.global_schema,
        };
        let label = label(call);
        let objections = checks::run(&tools, ready, &selected).await.map_err(|(check, fault)| {
            problem(fault.code, format!("`{label}` was not started: the check `{check}` cannot run: {fault}"))
        })?;
        if !objections.is_empty() {
            for objection in &objections {
                host.object(objection);
            }
            let message = format!("`{label}` was not started: {}", objections.join("; "));
            return Err(problem(Code::CHECK_FAILED, message));
        }
    }
    Ok(())
}

/// Calls the method.
pub(super) async fn execute(
    services: &Services,
    call: &Invocation<'_>,
    callee: &Callee,
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<(), RunProblem> {
    match callee {
        Callee::BuiltIn(_) => run_command(services, call, prepared, host).await,
        Callee::Extension(ready) => run_code(services, call, ready, prepared, host).await,
    }
}

/// Does the work of a call, unless it is cancelled or the time of its step is up. Code is told then, and may put things in
/// order; a command of the shell is told nothing. Dropping the work ends the worker or the command that is in it.
pub(super) async fn in_time(
    call: &Invocation<'_>,
    host: &Host,
    work: impl Future<Output = Result<(), RunProblem>>,
) -> Result<(), RunProblem> {
    tokio::pin!(work);
    let time_is_up = async {
        match call.timeout {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    // Code that ends because it was told to has not succeeded.
    let error = tokio::select! {
        biased;
        () = call.cancellation.cancelled() => cancelled(),
        () = time_is_up => {
            let (label, limit) = (label(call), call.timeout.unwrap_or_default().as_millis());
            let message = format!("`{label}` did not end within {limit} ms, the time limit of the step");
            problem(Code::METHOD_FAILED, message)
        }
        outcome = &mut work => return outcome,
    };
    host.ending.cancel();
    // What has not begun does not begin now.
    if host.has_begun() {
        let _ = tokio::time::timeout(time_to_end(call.chain.depth()), work).await;
    }
    Err(error)
}

/// What people call a method of a definition.
pub(super) fn label(call: &Invocation<'_>) -> String {
    format!("{}.{}", call.definition.name.value, call.method)
}

/// Carries out a method of a type that comes with the program; there is one.
async fn run_command(
    services: &Services,
    call: &Invocation<'_>,
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<(), RunProblem> {
    let as_host = Arc::clone(host) as Arc<dyn MethodHost>;
    let tools = builtin::shell::Tools {
        shell: services.shell.as_ref(),
        clock: services.clock.as_ref(),
        environment: call.environment,
        placeholders: &prepared.placeholders,
        host: &as_host,
    };
    builtin::shell::execute(&tools, &prepared.arguments).await.map_err(|error| match error {
        ShellError::Arguments(violations) => broken(&subject_of(Checked::Arguments, call, host), &violations),
        ShellError::Failed(message) => {
            let code = host.state().refused.unwrap_or(Code::METHOD_FAILED);
            problem(code, format!("`{}` {message}", label(call)))
        }
    })
}

/// Carries out a method of an extension.
async fn run_code(
    services: &Services,
    call: &Invocation<'_>,
    ready: &ReadyType,
    prepared: &Prepared,
    host: &Arc<Host>,
) -> Result<(), RunProblem> {
    let label = label(call);
    let code = ready.code(call.method);
    if let Some(foreign) = code.foreign_state {
        host.remark(&foreign.remark());
    }
    let request = open_request(services, call, ready, &code);
    let outcome = async {
        let mut session = services.runner.open(request).await?;
        let member = |name: &str| [code.path.clone(), vec![name.to_owned()]].concat();
        let request = Call {
            path: member("execute"),
            arguments: prepared.arguments.clone(),
            schema: member("arguments"),
            context: prepared.context.clone(),
            global_schema: prepared.global_schema.clone(),
            takes: Takes::ArgumentsAndContext,
        };
        host.begin();
        session.call(request, Arc::clone(host) as _).await
    };
    match outcome.await {
        Ok(outcome) => {
            host.report(&outcome).await;
            Ok(())
        }
        Err(RunError::Threw { message, stack }) => {
            if let Some(stack) = stack {
                tracing::debug!(method = %label, stack = %call.environment.mask(&stack), "a method threw");
            }
            // What was refused it last, unless something was written since.
            let code = host.state().refused.unwrap_or(Code::METHOD_FAILED);
            Err(problem(code, format!("`{label}` failed: {message}")))
        }
        Err(RunError::Rejected { checked, violations }) => Err(broken(&subject_of(checked, call, host), &violations)),
        Err(RunError::Fault(fault)) => Err(problem(fault.code, format!("`{label}` cannot run: {fault}"))),
    }
}
