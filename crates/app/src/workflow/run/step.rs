//! Running one step: its repetitions, its task.

use std::sync::Arc;

use futures::{StreamExt as _, future::BoxFuture, stream};
use mangrove_domain::{
    definition::Definition,
    document::Node,
    form::Located,
    json::Json,
    problem::{Code, Problem},
    run::{RunProblem, RunStatus},
    type_name::TypeName,
    workflow::{Job, Step, Target, Task},
};
use tokio::time::Instant;

use super::{context::Context, request::RunRequest};
use crate::{
    method::{self, Invocation, Invoked, OnLine, StepBudget, problem},
    render::{Renderer, Scope, Stage},
    workflow::events::{RunChange, RunEvent},
};

/// What became of a step.
pub(super) struct StepOutcome {
    /// The task with its expressions resolved, masked.
    pub(super) task: String,
    pub(super) invoked: Invoked,
}

/// Runs a step to its end; never fails itself.
pub(super) async fn run(context: &Context<'_>, job: &Job, step: &Step) -> StepOutcome {
    let about = [("name", Json::from(step.name.value.as_str())), ("job", Json::from(job.name.value.as_str()))];
    let scope = context.scope.with_self(Json::object(about.clone()));
    let budget = StepBudget::new(&context.budget);
    let Some(for_each) = &step.for_each else {
        return once(context, job, step, &scope, &budget).await;
    };
    let unrepeated = |invoked| StepOutcome { task: step.task.label(), invoked };
    let items = match context.renderer(&scope).value(&for_each.over, Stage::EVERYTHING).await {
        Ok(Json::Array(items)) => items,
        Ok(other) => {
            let position = for_each.over.position(&context.workflow.file);
            let message = format!("{position}: `in` must yield a list, found {}", other.type_name());
            return unrepeated(Invoked::failed(problem(Code::INVALID_EXPRESSION, message)));
        }
        Err(error) => return unrepeated(Invoked::failed(error)),
    };
    let limit = context.step_limit(job).max(1);
    let scopes: Vec<Scope> = items
        .into_iter()
        .map(|item| {
            let members = about.clone().into_iter().chain([(for_each.item.value.as_str(), item)]);
            context.scope.with_self(Json::object(members))
        })
        .collect();
    let mut calls: Vec<BoxFuture<'_, StepOutcome>> = Vec::with_capacity(scopes.len());
    for scope in &scopes {
        calls.push(Box::pin(once(context, job, step, scope, &budget)));
    }
    let outcomes: Vec<StepOutcome> = stream::iter(calls).buffered(limit).collect().await;
    unrepeated(combined(outcomes))
}

/// One outcome for all repetitions: the worst status, the first error, everything that was written and logged.
fn combined(outcomes: Vec<StepOutcome>) -> Invoked {
    let mut whole = Invoked::ended(RunStatus::Succeeded, None);
    for StepOutcome { invoked, .. } in outcomes {
        let rank = |status: RunStatus| match status {
            RunStatus::Blocked => 3,
            RunStatus::Cancelled => 2,
            RunStatus::Failed => 1,
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Succeeded
            | RunStatus::Skipped
            | RunStatus::Interrupted => 0,
        };
        if rank(invoked.status) > rank(whole.status) {
            whole.status = invoked.status;
            whole.error = invoked.error;
        }
        whole.data_handles.extend(invoked.data_handles);
        whole.logs.extend(invoked.logs);
        whole.provenance = whole.provenance.or(invoked.provenance);
    }
    whole
}

async fn once(context: &Context<'_>, job: &Job, step: &Step, scope: &Scope, budget: &Arc<StepBudget>) -> StepOutcome {
    let renderer = context.renderer(scope);
    let mut task = step.task.label();
    let invoked = match &step.task {
        Task::ModelMethod { target, method, inputs } => {
            match prepare(context, &renderer, target, method, inputs.as_ref()).await {
                Ok(call) => {
                    let label = format!("{}.{}", call.definition.name.value, call.method);
                    task = context.environment.mask(&label);
                    call_method(context, job, step, scope, &call, budget).await
                }
                Err(error) => Invoked::failed(error),
            }
        }
        Task::Workflow { name, inputs } => match nested(context, &renderer, name, inputs.as_ref()).await {
            Ok(request) => run_nested(context, step, request).await,
            Err(error) => Invoked::failed(error),
        },
    };
    StepOutcome { task, invoked }
}

/// A method call with everything resolved.
struct Call {
    definition: Arc<Definition>,
    method: String,
    inputs: Json,
}

async fn prepare(
    context: &Context<'_>,
    renderer: &Renderer<'_>,
    target: &Target,
    method: &Located<String>,
    inputs: Option<&Node>,
) -> Result<Call, RunProblem> {
    let file = &context.workflow.file;
    let name = rendered_text(renderer, target.name(), file).await?;
    let method = rendered_text(renderer, method, file).await?;
    let inputs = rendered(renderer, inputs, Stage::INPUTS).await?;
    let definition = match (context.library.definition(&name), target) {
        (Ok(definition), _) => Arc::clone(definition),
        (Err(wrong), Target::Instance { type_name, name: at }) if wrong.code == Code::UNKNOWN_NAME => {
            let text = rendered_text(renderer, type_name, file).await?;
            let parsed = TypeName::model(&text)
                .map_err(|error| problem(Code::INVALID_DOCUMENT, format!("{}: {error}", type_name.position(file))))?;
            let name = Located { value: name, line: at.line, column: at.column };
            let type_name = Located { value: parsed, line: type_name.line, column: type_name.column };
            Arc::new(Definition::without_file(file, name, type_name))
        }
        (Err(wrong), Target::Definition(at) | Target::Instance { name: at, .. }) => {
            return Err(wrong_name(context, wrong, at));
        }
    };
    Ok(Call { definition, method, inputs })
}

async fn call_method(
    context: &Context<'_>,
    job: &Job,
    step: &Step,
    scope: &Scope,
    call: &Call,
    budget: &Arc<StepBudget>,
) -> Invoked {
    let left = context.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        let message = "not begun: the time limit of the step that called this workflow has passed";
        return Invoked::failed(problem(Code::METHOD_FAILED, message.to_owned()));
    }
    let (observer, run_id) = (Arc::clone(context.observer), Arc::clone(&context.run_id));
    let (job, step_name) = (job.name.value.clone(), step.name.value.clone());
    let lines = Arc::clone(&context.lines);
    let on_line: OnLine = Arc::new(move |line| {
        lines.add(&job, &step_name, line);
        let change = RunChange::Log { job: job.clone(), step: step_name.clone(), line: line.clone() };
        observer.observe(RunEvent { run_id: Arc::clone(&run_id), change });
    });
    let invocation = Invocation {
        definition: &call.definition,
        digest: context.library.digest(&call.definition.file),
        method: &call.method,
        inputs: &call.inputs,
        scope,
        environment: context.environment,
        models: &context.models,
        run_id: &context.run_id,
        repository: context.repository,
        timeout: step.timeout.into_iter().chain(left).min(),
        cancellation: context.cancellation,
        on_line,
        budget,
    };
    method::invoke(context.services, invocation).await
}

async fn nested(
    context: &Context<'_>,
    renderer: &Renderer<'_>,
    name: &Located<String>,
    inputs: Option<&Node>,
) -> Result<RunRequest, RunProblem> {
    let file = &context.workflow.file;
    let text = rendered_text(renderer, name, file).await?;
    let inputs = rendered(renderer, inputs, Stage::NESTED_INPUTS).await?;
    let workflow = context.library.workflow(&text).map_err(|wrong| wrong_name(context, wrong, name))?;
    Ok(RunRequest {
        workflow: Arc::clone(workflow),
        inputs,
        trigger: format!("run {}", context.run_id),
        file_problem: None,
    })
}

/// A name that nothing has, or more than one, where a step names it.
fn wrong_name(context: &Context<'_>, wrong: Problem, at: &Located<String>) -> RunProblem {
    let advice = wrong.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
    let message = format!("{}: {}{advice}", at.position(&context.workflow.file), wrong.message);
    context.environment.mask_problem(problem(wrong.code, message))
}

/// Runs another workflow as this step: a run of its own, whose outcome is the step's.
async fn run_nested(context: &Context<'_>, step: &Step, request: RunRequest) -> Invoked {
    let name = request.workflow.name.value.clone();
    let own = step.timeout.and_then(|limit| Instant::now().checked_add(limit));
    let deadline = own.into_iter().chain(context.deadline).min();
    match context.nested.run_nested(context, request, deadline).await {
        Ok(record) => {
            let handles = record.jobs.iter().flat_map(|job| &job.steps).flat_map(|step| step.data_handles.clone());
            let error = record.error.map(|error| RunProblem {
                message: format!("workflow `{name}` (run {}): {}", record.id, error.message),
                ..error
            });
            Invoked { data_handles: handles.collect(), ..Invoked::ended(record.status, error) }
        }
        Err(error) => {
            let code = error.code();
            let message = context.environment.mask(&format!("workflow `{name}`: {}", error.sentence()));
            Invoked::failed(problem(code, message))
        }
    }
}

/// The mapping that a step gives, nothing if it gives none.
async fn rendered(renderer: &Renderer<'_>, inputs: Option<&Node>, stage: Stage) -> Result<Json, RunProblem> {
    match inputs {
        Some(node) => renderer.value(node, stage).await,
        None => Ok(Json::Object(Vec::new())),
    }
}

/// The text of a name that may contain expressions.
async fn rendered_text(renderer: &Renderer<'_>, text: &Located<String>, file: &str) -> Result<String, RunProblem> {
    match renderer.text(&text.value, &text.position(file), Stage::EVERYTHING).await? {
        Json::String(text) => Ok(text),
        Json::Number(number) => Ok(Json::Number(number).to_string()),
        other => {
            let message = format!("{}: expected a string, found {}", text.position(file), other.type_name());
            Err(problem(Code::INVALID_EXPRESSION, message))
        }
    }
}
