//! Calling a method as a step does.

use std::sync::Arc;

use futures::future::BoxFuture;
use mangrove_domain::{
    definition::Definition, document::Node, form::Located, json::Json, position::Position, problem::Code, report,
    run::RunProblem, type_name::TypeName, workflow::Step,
};
use tokio::time::Instant;

use super::{context::Context, outputs, repeat::PlannedStep};
use crate::{
    method::{
        self, CallChain, InstanceCall, Invocation, Invoked, OnLine, Origin, ReportsWanted, StepBudget, StepOrigin,
        problem,
    },
    render::Scope,
    workflow::events::{RunChange, RunEvent},
};

/// Which step calls a method.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) job: &'a str,
    pub(super) planned: &'a PlannedStep,
    pub(super) step: &'a Step,
}

/// A method call with everything resolved.
pub(super) struct Call {
    pub(super) definition: Arc<Definition>,
    /// The instance that is named instead of a definition, which is then one without arguments.
    pub(super) instance: Option<(Located<TypeName>, Located<String>)>,
    /// What the step gives the instance.
    pub(super) global_arguments: Option<Json>,
    pub(super) method: String,
    pub(super) inputs: Json,
    /// Where the workflow has them; where it has none, the name of the method.
    pub(super) inputs_at: Position,
    /// As the workflow has them, and what it gives the instance.
    pub(super) written: [Option<Node>; 2],
}

/// Calls it as a part of the step, with reports about it if these are wanted. In a box: each level of nested workflows would
/// have room for it.
pub(super) fn call_method<'a>(
    context: &'a Context<'_>,
    place: Place<'a>,
    scope: &'a Scope,
    call: &'a Call,
    (budget, has_reports): (&'a Arc<StepBudget>, bool),
) -> BoxFuture<'a, Invoked> {
    Box::pin(call_here(context, place, scope, call, (budget, has_reports)))
}

async fn call_here(
    context: &Context<'_>,
    place: Place<'_>,
    scope: &Scope,
    call: &Call,
    (budget, has_reports): (&Arc<StepBudget>, bool),
) -> Invoked {
    let left = context.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        let message = "not begun: the time limit of the step that called this workflow has passed";
        return Invoked::failed(problem(Code::METHOD_FAILED, message.to_owned()));
    }
    let (observer, run_id) = (Arc::clone(context.observer), Arc::clone(&context.run_id));
    let (job, step_name) = (place.job.to_owned(), place.planned.name.clone());
    let lines = Arc::clone(&context.lines);
    let on_line: OnLine = Arc::new(move |line| {
        lines.add(&job, &step_name, line);
        let change = RunChange::Log { job: job.clone(), step: step_name.clone(), line: line.clone() };
        observer.observe(RunEvent { run_id: Arc::clone(&run_id), change });
    });
    let element = place.planned.item.as_ref().map(|(_, element)| report::suffix(element));
    let suffix = element.map(|text| context.environment.mask(&text)).filter(|text| !text.is_empty());
    let origin = match origin_of(context, place, scope, call).await {
        Ok(origin) => origin,
        Err(error) => return Invoked::failed(context.environment.mask_problem(error)),
    };
    let invocation = Invocation {
        definition: &call.definition,
        digest: context.library.digest(&call.definition.file),
        method: &call.method,
        inputs: &call.inputs,
        inputs_at: &call.inputs_at,
        inputs_written: call.written[0].as_ref(),
        is_single: context.workflow.is_single_call(),
        instance: call.instance.as_ref().map(|(type_name, name)| InstanceCall {
            library: context.library,
            file: &context.workflow.file,
            type_name,
            name,
            global_arguments: call.global_arguments.as_ref(),
            written: call.written[1].as_ref(),
        }),
        checks: &context.checks,
        driver: context.driver.as_deref(),
        scope,
        environment: context.environment,
        models: &context.models,
        records: &context.records,
        lookups: &context.lookups,
        run_id: &context.run_id,
        repository: context.repository,
        timeout: place.step.timeout.into_iter().chain(left).min(),
        cancellation: context.cancellation,
        on_line,
        origin,
        budget,
        chain: CallChain::default(),
        reports: has_reports.then_some(ReportsWanted { options: &context.reports, suffix: suffix.as_deref() }),
    };
    method::invoke(context.services, invocation).await
}

/// Where a step stands; a method that is run alone stands in no workflow.
async fn origin_of(context: &Context<'_>, place: Place<'_>, scope: &Scope, call: &Call) -> Result<Origin, RunProblem> {
    let workflow = context.workflow;
    let step = (!workflow.id.is_empty()).then(|| StepOrigin {
        workflow_id: workflow.id.clone(),
        workflow_name: workflow.name.value.clone(),
        workflow_tags: workflow.tags.clone(),
        job: place.job.to_owned(),
        step: place.planned.name.clone(),
    });
    let of_workflow = scope.get("inputs").unwrap_or(&Json::Null);
    let renderer = context.renderer(scope);
    let overrides = outputs::settings(place.step, [&call.inputs, of_workflow], &renderer).await?;
    Ok(Origin { step, run_tags: context.tags.clone(), overrides })
}
