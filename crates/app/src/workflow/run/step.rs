//! Running one step: its repetitions, its task.

use std::sync::Arc;

use futures::future::BoxFuture;
use mangrove_domain::{
    definition::Definition,
    document::Node,
    form::Located,
    inputs::schema as schema_of,
    json::Json,
    position::Position,
    problem::{Code, Problem},
    run::{ApprovalRecord, RunProblem, RunStatus, SkipReason},
    type_name::TypeName,
    workflow::{Job, Step, Target, Task, Workflow},
};
use tokio::time::Instant;

use super::{
    assertion,
    call::{Call, Place, call_method},
    context::Context,
    guard,
    methods::WithMethods,
    outcome::{StepOutcome, rendered_message},
    repeat::PlannedStep,
    request::{RunOptions, RunRequest},
};
use crate::{
    method::{Invoked, StepBudget, arguments, problem},
    render::{Renderer, Scope, Stage},
    workflow::inputs::{self, Mistakes},
};

/// Runs a step to its end; never fails itself.
pub(super) async fn run(
    context: &Context<'_>,
    job: &Job,
    step: &Step,
    planned: &PlannedStep,
    budget: &Arc<StepBudget>,
) -> StepOutcome {
    let scope = context.scope_of(job, &planned.name, planned.item.as_ref());
    let place = Place { job: &job.name.value, planned, step };
    let Some(guard) = &step.guard else { return carry_out(context, place, &scope, budget).await };
    guarded(context, place, &scope, (guard, budget)).await
}

/// Runs a step unless its guard says that there is nothing to do. In a box: few steps have one, and each level of nested
/// workflows would have room for it.
fn guarded<'a>(
    context: &'a Context<'_>,
    place: Place<'a>,
    scope: &'a Scope,
    (guard, budget): (&'a Located<String>, &'a Arc<StepBudget>),
) -> BoxFuture<'a, StepOutcome> {
    Box::pin(decided(context, place, scope, (guard, budget)))
}

async fn decided(
    context: &Context<'_>,
    place: Place<'_>,
    scope: &Scope,
    (guard, budget): (&Located<String>, &Arc<StepBudget>),
) -> StepOutcome {
    let step = place.step;
    let methods = WithMethods::new(context, (place, scope), budget, guard.position(&context.workflow.file)).of_guard();
    let decision = guard::decide(&methods, guard).await;
    let outcome = match decision {
        Ok(guard::Decision::Run) => {
            methods.begin();
            carry_out(context, place, scope, budget).await
        }
        Ok(guard::Decision::Skip(guard_reason)) => {
            let invoked = Invoked::ended(RunStatus::Skipped, None);
            let skipped = Some(SkipReason::Guarded);
            StepOutcome { skipped, guard_reason, ..StepOutcome::of(step, step.task.label(), invoked) }
        }
        // Whether it is to run is not known, and nobody allowed that.
        Err(error) => {
            let outcome = StepOutcome::of(step, step.task.label(), methods.without_value(error));
            StepOutcome { is_failure_allowed: false, ..outcome }
        }
    };
    let invoked = methods.into_left().under(outcome.invoked);
    StepOutcome { invoked, ..outcome }
}

async fn carry_out(context: &Context<'_>, place: Place<'_>, scope: &Scope, budget: &Arc<StepBudget>) -> StepOutcome {
    let step = place.step;
    let renderer = context.renderer(scope);
    let outcome = |invoked| StepOutcome::of(step, step.task.label(), invoked);
    match &step.task {
        Task::ModelMethod { target, method, inputs, global_arguments } => {
            match prepare(context, &renderer, target, method, (inputs.as_ref(), global_arguments.as_ref())).await {
                Ok(call) => {
                    let label = format!("{}.{}", call.definition.name.value, call.method);
                    let invoked = call_method(context, place, scope, &call, (budget, true)).await;
                    StepOutcome { task: label, ..outcome(invoked) }
                }
                Err(error) => outcome(Invoked::failed(error)),
            }
        }
        Task::Workflow { name, inputs } => match nested(context, &renderer, name, inputs.as_ref()).await {
            Ok(request) => outcome(run_nested(context, step, request).await),
            Err(error) => outcome(Invoked::failed(error)),
        },
        Task::Assert { expression, message, severity } => {
            let methods =
                WithMethods::new(context, (place, scope), budget, expression.position(&context.workflow.file));
            let outcome = assertion::check(&methods, step, (expression, message, *severity)).await;
            let invoked = methods.into_left().under(outcome.invoked);
            StepOutcome { invoked, ..outcome }
        }
        Task::ManualApproval { prompt, timeout } => match rendered_message(&renderer, prompt).await {
            Ok(prompt) => {
                let prompt = context.environment.mask(&prompt);
                let approval = ApprovalRecord { prompt, timeout: timeout.map(|limit| limit.as_secs()), decision: None };
                let invoked = Invoked::ended(RunStatus::WaitingApproval, None);
                StepOutcome { approval: Some(approval), ..outcome(invoked) }
            }
            Err(error) => outcome(Invoked::failed(error)),
        },
    }
}

async fn prepare(
    context: &Context<'_>,
    renderer: &Renderer<'_>,
    target: &Target,
    method: &Located<String>,
    (inputs, global_arguments): (Option<&Node>, Option<&Node>),
) -> Result<Call, RunProblem> {
    let file = &context.workflow.file;
    let name = rendered_text(renderer, target.name(), file).await?;
    let inputs_at = inputs.map_or_else(|| method.position(file), |node| node.position(file));
    let method = rendered_text(renderer, method, file).await?;
    // The step of a single call hands on what the call was given.
    let of_call = context.inputs_written.filter(|_| context.workflow.is_single_call());
    let written = [of_call.or(inputs).cloned(), global_arguments.cloned()];
    let inputs = rendered(renderer, inputs, Stage::INPUTS).await?;
    let global_arguments = match global_arguments {
        Some(node) => Some(rendered(renderer, Some(node), Stage::INPUTS).await?),
        None => None,
    };
    let (definition, instance) = match target {
        Target::Definition(at) => {
            let found = context.services.definitions.named(context.library, &name).await;
            (found.map_err(|wrong| wrong_name(context, wrong, at))?, None)
        }
        Target::Instance { type_name, name: at } => {
            let text = rendered_text(renderer, type_name, file).await?;
            let parsed = TypeName::model(&text)
                .map_err(|error| problem(Code::INVALID_DOCUMENT, format!("{}: {error}", type_name.position(file))))?;
            let name = Located { value: name, line: at.line, column: at.column };
            let type_name = Located { value: parsed, line: type_name.line, column: type_name.column };
            let unnamed = Definition::new(file, String::new(), name.clone(), type_name.clone());
            (Arc::new(unnamed), Some((type_name, name)))
        }
    };
    Ok(Call { definition, instance, global_arguments, method, inputs, inputs_at, written })
}

async fn nested(
    context: &Context<'_>,
    renderer: &Renderer<'_>,
    name: &Located<String>,
    inputs: Option<&Node>,
) -> Result<RunRequest, RunProblem> {
    let file = &context.workflow.file;
    let text = rendered_text(renderer, name, file).await?;
    let written = inputs;
    let inputs = rendered(renderer, inputs, Stage::NESTED_INPUTS).await?;
    let workflow = context.library.workflow(&text).map_err(|wrong| wrong_name(context, wrong, name))?;
    let inputs = arguments::as_written(&schema_of(workflow.inputs.as_ref()), inputs, written);
    if context.environment.waits(&inputs) {
        look_at(context, renderer, workflow, &inputs, &name.position(file)).await?;
    }
    Ok(RunRequest {
        options: RunOptions {
            fail_on: Some(context.fail_on),
            checks: context.checks.clone(),
            reports: context.reports.clone(),
            driver: context.driver.clone(),
            ..RunOptions::default()
        },
        ..RunRequest::new(Arc::clone(workflow), inputs, format!("run {}", context.run_id))
    })
}

/// Holds what a nested workflow is given against its schema, with the values of what is evaluated when it is handed over. That
/// something has none is for whoever uses it to say.
async fn look_at(
    context: &Context<'_>,
    renderer: &Renderer<'_>,
    workflow: &Workflow,
    inputs: &Json,
    position: &Position,
) -> Result<(), RunProblem> {
    let Ok(values) = renderer.hand_over(inputs, position).await else { return Ok(()) };
    inputs::check(workflow, values).map(drop).map_err(|Mistakes(mistakes)| {
        let list: Vec<String> = mistakes.iter().map(|wrong| format!("input {}", wrong.violation)).collect();
        let message = format!("workflow `{}`: {}", workflow.name.value, list.join("; "));
        context.environment.mask_problem(problem(Code::INVALID_INPUT, message))
    })
}

/// A name that nothing has, or more than one, where a step names it.
fn wrong_name(context: &Context<'_>, wrong: Problem, at: &Located<String>) -> RunProblem {
    let message = format!("{}: {}", at.position(&context.workflow.file), wrong.placed_message());
    context.environment.mask_problem(problem(wrong.code, message).advise_if(wrong.advice))
}

/// Runs another workflow as this step: a run of its own, whose outcome is the step's.
async fn run_nested(context: &Context<'_>, step: &Step, request: RunRequest) -> Invoked {
    let name = request.workflow.name.value.clone();
    let own = step.timeout.and_then(|limit| Instant::now().checked_add(limit));
    let deadline = own.into_iter().chain(context.deadline).min();
    match context.nested.run_nested(context, request, deadline).await {
        Ok(record) => {
            if record.status == RunStatus::Suspended {
                let message = format!(
                    "workflow `{name}` (run {}) waits for an approval, which a workflow that another one calls cannot",
                    record.id
                );
                return Invoked::failed(problem(Code::METHOD_FAILED, message));
            }
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
