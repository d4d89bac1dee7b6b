//! The reports of a run as a whole.

use std::collections::HashMap;

use mangrove_domain::run::{ReportRecord, RunRecord, RunStatus, StepRecord};

use super::context::Context;
use crate::method::{
    Called,
    reports::{StepExecution, WorkflowEnded, after_workflow, summed_up_arguments},
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
    let mut steps = Vec::new();
    for job in &record.jobs {
        for step in &job.steps {
            let status = match step.status {
                RunStatus::Succeeded | RunStatus::Failed | RunStatus::Skipped => step.status.as_str(),
                RunStatus::Pending
                | RunStatus::Running
                | RunStatus::Cancelled
                | RunStatus::Blocked
                | RunStatus::Interrupted
                | RunStatus::WaitingApproval
                | RunStatus::Suspended => continue,
            };
            let called = match calls.0.get(&(job.name.clone(), step.name.clone())) {
                Some(known) => Some(known.clone()),
                None => recorded(context, &record.id, step).await,
            };
            let Some(called) = called else { continue };
            let error = step.error.as_ref().map(|error| error.message.clone());
            steps.push(StepExecution { job: job.name.clone(), step: step.name.clone(), status, error, called });
        }
    }
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

/// What a step would have called that was skipped, or called in an earlier part of the run, as far as its record and its
/// summary say.
async fn recorded(context: &Context<'_>, run_id: &str, step: &StepRecord) -> Option<Called> {
    let (model, method) = step.task.rsplit_once('.')?;
    let definition = context.models.get(model)?;
    let arguments = summed_up_arguments(&context.services.data, &definition.id, run_id, &step.reports).await;
    Some(Called {
        model_name: definition.name.value.clone(),
        model_type: definition.type_name.value.to_string(),
        model_id: definition.id.clone(),
        method: method.to_owned(),
        arguments: arguments.unwrap_or_default(),
        data_handles: step.data_handles.clone(),
        ..Called::default()
    })
}
