//! The reports of a run as a whole.

use std::collections::HashMap;

use mangrove_domain::run::{ReportRecord, RunRecord, RunStatus, StepRecord};

use super::context::Context;
use crate::method::{
    Called,
    reports::{StepExecution, WorkflowEnded, after_workflow},
};

/// What the steps of a run called, by job and step.
#[derive(Debug, Default)]
pub(super) struct Calls(HashMap<(String, String), Called>);

impl Calls {
    /// Adds what a step called, if it called anything.
    pub(super) fn add(&mut self, job: &str, step: &str, called: Option<Box<Called>>) {
        if let Some(called) = called {
            self.0.insert((job.to_owned(), step.to_owned()), *called);
        }
    }
}

/// True for a run of a workflow that has succeeded or failed. One that was stopped, or can go on, has no reports.
pub(super) fn are_wanted(context: &Context<'_>, record: &RunRecord) -> bool {
    !context.workflow.is_single_call() && matches!(record.status, RunStatus::Succeeded | RunStatus::Failed)
}

/// Makes the reports of a run that has some.
pub(super) async fn of_run(context: &Context<'_>, record: &RunRecord, calls: &Calls) -> Vec<ReportRecord> {
    let steps = record.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
    let steps: Vec<StepExecution> = steps
        .filter_map(|(job, step)| {
            let status = match step.status {
                RunStatus::Succeeded | RunStatus::Failed | RunStatus::Skipped => step.status.as_str(),
                RunStatus::Pending
                | RunStatus::Running
                | RunStatus::Cancelled
                | RunStatus::Blocked
                | RunStatus::Interrupted
                | RunStatus::WaitingApproval
                | RunStatus::Suspended => return None,
            };
            let known = calls.0.get(&(job.name.clone(), step.name.clone())).cloned();
            let called = known.or_else(|| recorded(context, step))?;
            Some(StepExecution { job: job.name.clone(), step: step.name.clone(), status, called })
        })
        .collect();
    let ended = WorkflowEnded {
        workflow: context.workflow,
        record,
        steps: &steps,
        environment: context.environment,
        models: &context.models,
        records: &context.records,
        repository: context.repository,
        cancellation: context.cancellation,
        options: &context.reports,
        deadline: context.deadline,
        budget: &context.budget,
    };
    after_workflow(context.services, &ended).await
}

/// What a step would have called that was skipped, or called in an earlier part of the run, as far as its record says.
fn recorded(context: &Context<'_>, step: &StepRecord) -> Option<Called> {
    let (model, method) = step.task.rsplit_once('.')?;
    let definition = context.models.get(model)?;
    Some(Called {
        model_name: definition.name.value.clone(),
        model_type: definition.type_name.value.to_string(),
        model_id: definition.id.clone(),
        method: method.to_owned(),
        data_handles: step.data_handles.clone(),
        ..Called::default()
    })
}
