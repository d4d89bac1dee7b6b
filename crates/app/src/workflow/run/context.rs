//! What the steps of one run share.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    document::Node,
    json::Json,
    ports::RunStoreError,
    report::ReportOptions,
    run::{AssertSeverity, RunRecord},
    workflow::{Job, Workflow, graph::Limit},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    cancel_reason::CancelReason,
    request::{Limits, RunRequest, StartError},
    under_way::Lines,
};
use crate::{
    data::{DataLookups, Models, Records},
    method::{RunBudget, Services, checks::CheckOptions},
    render::{Renderer, Scope},
    secrets::Environment,
    workflow::{
        events::{Observer, RunChange, RunEvent},
        library::Library,
    },
};

/// What the steps of one run share.
pub(super) struct Context<'a> {
    pub(super) services: &'a Services,
    /// The directory of the repository, as methods see it.
    pub(super) repository: &'a str,
    pub(super) limits: Limits,
    pub(super) cancellation: &'a CancellationToken,
    pub(super) cancel_reason: &'a CancelReason,
    pub(super) library: &'a Library,
    pub(super) workflow: &'a Workflow,
    /// What the inputs of the run were made of.
    pub(super) inputs_written: Option<&'a Node>,
    pub(super) scope: Scope,
    pub(super) environment: &'a Arc<Environment>,
    pub(super) observer: &'a Arc<dyn Observer>,
    /// All definitions.
    pub(super) models: Arc<Models>,
    /// What methods have written.
    pub(super) records: Records,
    /// What expressions find of it.
    pub(super) lookups: DataLookups,
    pub(super) run_id: Arc<str>,
    /// The labels of the run.
    pub(super) tags: Vec<(String, String)>,
    /// What steps that go on have logged.
    pub(super) lines: Arc<Lines>,
    /// Which checks are left out.
    pub(super) checks: CheckOptions,
    /// Which reports are made.
    pub(super) reports: ReportOptions,
    /// The driver that whoever started the run wants.
    pub(super) driver: Option<String>,
    /// From which severity on an assertion that does not hold fails its job.
    pub(super) fail_on: AssertSeverity,
    /// What the run may still leave behind.
    pub(super) budget: Arc<RunBudget>,
    /// The names of the workflows that led here, this one last.
    pub(super) chain: Vec<String>,
    /// When the step that called this workflow runs out of time.
    pub(super) deadline: Option<Instant>,
    /// Runs the workflows that steps call.
    pub(super) nested: &'a dyn NestedRuns,
}

/// Runs a workflow that a step calls: a run of its own.
#[async_trait]
pub(super) trait NestedRuns: Send + Sync {
    /// Runs it to its end; `deadline` is when the step that calls it runs out of time.
    async fn run_nested(
        &self,
        caller: &Context<'_>,
        request: RunRequest,
        deadline: Option<Instant>,
    ) -> Result<RunRecord, StartError>;
}

impl Context<'_> {
    pub(super) fn renderer<'a>(&'a self, scope: &'a Scope) -> Renderer<'a> {
        Renderer {
            expressions: self.services.expressions.as_ref(),
            environment: self.environment,
            scope,
            file: &self.workflow.file,
            lookups: &self.lookups,
            secrets: &self.services.vaults,
            placeholders: None,
        }
    }

    /// How many jobs run at once.
    pub(super) fn job_limit(&self) -> Limit {
        let own = self.workflow.concurrency.map(|limit| limit as usize);
        Limit { usual: own.unwrap_or(self.limits.jobs), most: usize::MAX }
    }

    /// How many steps of a job run at once where no step says otherwise.
    pub(super) fn step_limit(&self, job: &Job) -> Limit {
        let own = job.concurrency.or(self.workflow.concurrency).map(|limit| limit as usize);
        Limit { usual: own.unwrap_or(self.limits.steps), most: self.limits.most_steps }
    }

    /// What the expressions of a step may use; `item` is the element of a repetition, by its name.
    pub(super) fn scope_of(&self, job: &Job, step: &str, item: Option<&(String, Json)>) -> Scope {
        let about = [("name", Json::from(step)), ("job", Json::from(job.name.value.as_str()))];
        let item = item.map(|(name, value)| (name.as_str(), value.clone()));
        self.scope.with_self(Json::object(about.into_iter().chain(item)))
    }

    /// Passes on what happened.
    pub(super) fn observe(&self, change: RunChange) {
        self.observer.observe(RunEvent { run_id: Arc::clone(&self.run_id), change });
    }

    /// Writes the record down, secrets masked.
    pub(super) async fn save(&self, record: &RunRecord) -> Result<Arc<RunRecord>, RunStoreError> {
        save(self.services, self.environment, self.observer.as_ref(), record, &self.lines).await
    }

    /// The same of a run that goes on; it reaches the disk when it is [settled](super::settling).
    pub(super) async fn save_under_way(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        let record = Arc::new(as_kept(self.services, self.environment, record));
        self.services.runs.save_under_way(&self.lines.added_to(&record)).await?;
        self.observer.recorded(&record);
        Ok(())
    }

    /// Writes down how a run has ended, to which reports are still added.
    pub(super) async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        let record = Arc::new(as_kept(self.services, self.environment, record));
        self.services.runs.save_ended(&record).await?;
        self.observer.ended(&record);
        Ok(())
    }
}

/// Writes a record down as it may be kept, with what steps that go on have logged. Secrets may have been given out since it
/// was made, so inputs are masked here. The observer knows the lines already.
pub(super) async fn save(
    services: &Services,
    environment: &Environment,
    observer: &dyn Observer,
    record: &RunRecord,
    lines: &Lines,
) -> Result<Arc<RunRecord>, RunStoreError> {
    let record = Arc::new(as_kept(services, environment, record));
    services.runs.save(&lines.added_to(&record)).await?;
    observer.recorded(&record);
    Ok(record)
}

/// As [`save()`], where this record is still the one that is kept and nobody has the run; false if not.
pub(super) async fn replace(
    services: &Services,
    environment: &Environment,
    observer: &dyn Observer,
    before: &RunRecord,
    record: &RunRecord,
) -> Result<bool, RunStoreError> {
    let record = Arc::new(as_kept(services, environment, record));
    let is_replaced = services.runs.replace(before, &record).await?;
    if is_replaced {
        observer.recorded(&record);
    }
    Ok(is_replaced)
}

fn as_kept(services: &Services, environment: &Environment, record: &RunRecord) -> RunRecord {
    let written_at = record.is_open().then(|| services.clock.now());
    let inputs = environment.shown_inputs(&record.inputs);
    RunRecord { inputs, written_at, ..record.clone() }
}
