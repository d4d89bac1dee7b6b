//! What the steps of one run share.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    ports::RunStoreError,
    run::RunRecord,
    workflow::{Job, Workflow},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    request::{Limits, RunRequest, StartError},
    under_way::Lines,
};
use crate::{
    method::{RunBudget, Services},
    render::{NoLookups, Renderer, Scope},
    secrets::{Environment, NoSecrets},
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
    pub(super) library: &'a Library,
    pub(super) workflow: &'a Workflow,
    pub(super) scope: Scope,
    pub(super) environment: &'a Arc<Environment>,
    pub(super) observer: &'a Arc<dyn Observer>,
    /// Identifiers of all definitions by their names.
    pub(super) models: Arc<BTreeMap<String, String>>,
    pub(super) run_id: Arc<str>,
    /// What steps that go on have logged.
    pub(super) lines: Arc<Lines>,
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
            lookups: &NoLookups,
            secrets: &NoSecrets,
            placeholders: None,
        }
    }

    /// How many steps of a job, or repetitions of a step, run at once.
    pub(super) fn step_limit(&self, job: &Job) -> usize {
        job.concurrency.map_or(self.limits.steps, |limit| limit as usize)
    }

    /// Passes on what happened.
    pub(super) fn observe(&self, change: RunChange) {
        self.observer.observe(RunEvent { run_id: Arc::clone(&self.run_id), change });
    }

    /// Writes the record down, secrets masked.
    pub(super) async fn save(&self, record: &RunRecord) -> Result<Arc<RunRecord>, RunStoreError> {
        save(self.services, self.environment, self.observer.as_ref(), record, &self.lines).await
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
    let written_at = record.is_open().then(|| services.clock.now());
    let inputs = environment.mask_json(&record.inputs);
    let record = Arc::new(RunRecord { inputs, written_at, ..record.clone() });
    services.runs.save(&lines.added_to(RunRecord::clone(&record))).await?;
    observer.recorded(&record);
    Ok(record)
}
