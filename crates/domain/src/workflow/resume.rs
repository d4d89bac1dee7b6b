//! What of a run is done again when it goes on.

use std::{collections::HashSet, sync::Arc};

use super::{Dependency, Job, Step, Workflow};
use crate::run::{JobRecord, RunRecord, RunStatus, SkipReason, StepRecord};

/// Why a run does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotResumed {
    /// It did not end as one must that goes on.
    #[error("the run {id} cannot go on: it is {}", status.as_str())]
    Status {
        /// The run.
        id: String,
        /// How far it is.
        status: RunStatus,
    },
    /// It did not end well, and nobody says from where on it is to be done again.
    #[error("the run {id} is {}: say from which step on it is to be done again, as `--from {step}`", status.as_str())]
    NoStart {
        /// The run.
        id: String,
        /// How it ended.
        status: RunStatus,
        /// The first step that did not end well.
        step: String,
    },
    /// Somebody has to decide first.
    #[error("the run {id} waits until the step `{step}` is approved or rejected")]
    Waits {
        /// The run.
        id: String,
        /// The first step that waits.
        step: String,
    },
    /// The workflow has no such step.
    #[error("the workflow `{workflow}` has no step `{step}`")]
    NoStep {
        /// The workflow.
        workflow: String,
        /// What was asked for.
        step: String,
    },
}

/// The record with which a suspended run goes on: nothing that has ended is done again.
///
/// # Errors
/// [`NotResumed`].
pub fn suspended(record: RunRecord, workflow: &Workflow) -> Result<RunRecord, NotResumed> {
    if record.status != RunStatus::Suspended {
        if ended_badly(record.status)
            && let Some(step) = record.jobs.iter().flat_map(|job| &job.steps).find(|step| ended_badly(step.status))
        {
            let (id, step) = (record.id.clone(), step.name.clone());
            return Err(NotResumed::NoStart { id, status: record.status, step });
        }
        return Err(NotResumed::Status { id: record.id, status: record.status });
    }
    if let Some((_, step)) = record.waiting().next() {
        return Err(NotResumed::Waits { id: record.id.clone(), step: step.name.clone() });
    }
    Ok(open_again(record, workflow, |_, _| false))
}

/// True for runs and steps that may be done again from a step on.
const fn ended_badly(status: RunStatus) -> bool {
    matches!(status, RunStatus::Failed | RunStatus::Cancelled | RunStatus::Blocked | RunStatus::Interrupted)
}

/// The record with which a run goes on that did not end well: this step, what depends on it in its job and in others, and what
/// was broken off or did not begin, is done again.
///
/// # Errors
/// [`NotResumed`].
pub fn from_step(record: RunRecord, workflow: &Workflow, step: &str) -> Result<RunRecord, NotResumed> {
    use RunStatus::{Blocked, Cancelled, Interrupted};
    if !ended_badly(record.status) {
        return Err(NotResumed::Status { id: record.id, status: record.status });
    }
    let again = dependents(workflow, step);
    if again.is_empty() {
        return Err(NotResumed::NoStep { workflow: workflow.name.value.clone(), step: step.to_owned() });
    }
    Ok(open_again(record, workflow, |job, step| {
        let is_broken_off =
            matches!(step.status, Cancelled | Blocked | Interrupted) || step.skipped == Some(SkipReason::NotBegun);
        is_broken_off || again.contains(&(job.to_owned(), step.name_in_workflow().to_owned()))
    }))
}

/// A job that has not begun, its steps as the workflow has them.
#[must_use]
pub fn pending(job: &Job) -> JobRecord {
    let step = |step: &Step| Arc::new(StepRecord::pending(step.name.value.clone(), None, step.task.label()));
    JobRecord {
        name: job.name.value.clone(),
        status: RunStatus::Pending,
        started_at: None,
        finished_at: None,
        steps: job.steps.iter().map(step).collect(),
    }
}

/// The same run under way, with the jobs that the workflow has now.
fn open_again(mut record: RunRecord, workflow: &Workflow, is_again: impl Fn(&str, &StepRecord) -> bool) -> RunRecord {
    let mut before = std::mem::take(&mut record.jobs);
    for job in &workflow.jobs {
        let known = before.iter().position(|known| known.name == job.name.value);
        let mut known = known.map_or_else(|| pending(job), |index| before.swap_remove(index));
        let mut is_open = known.steps.iter().any(|step| !step.status.is_final()) || !known.status.is_final();
        for step in &mut known.steps {
            if is_again(&known.name, step) {
                *step = Arc::new(StepRecord::pending(step.name.clone(), step.template.clone(), step.task.clone()));
                is_open = true;
            }
        }
        if is_open {
            known.status = RunStatus::Pending;
            known.finished_at = None;
        }
        record.jobs.push(known);
    }
    record.status = RunStatus::Running;
    record.finished_at = None;
    record.error = None;
    record
}

/// The steps of this name and all that depend on them, as job and step.
fn dependents(workflow: &Workflow, name: &str) -> HashSet<(String, String)> {
    let mut found = HashSet::new();
    let mut jobs: HashSet<&str> = HashSet::new();
    for job in &workflow.jobs {
        let mut steps: HashSet<&str> =
            job.steps.iter().map(|step| step.name.value.as_str()).filter(|step| *step == name).collect();
        if steps.is_empty() {
            continue;
        }
        jobs.insert(&job.name.value);
        spread(&mut steps, &job.steps, |step| (&step.name.value, &step.depends_on));
        found.extend(steps.into_iter().map(|step| (job.name.value.clone(), step.to_owned())));
    }
    let with_step = jobs.clone();
    spread(&mut jobs, &workflow.jobs, |job| (&job.name.value, &job.depends_on));
    for job in workflow.jobs.iter().filter(|job| jobs.contains(job.name.value.as_str())) {
        // A job with the step that waits for another such job runs whole.
        let waits = job.depends_on.iter().any(|dependency| jobs.contains(dependency.on.value.as_str()));
        if waits || !with_step.contains(job.name.value.as_str()) {
            found.extend(job.steps.iter().map(|step| (job.name.value.clone(), step.name.value.clone())));
        }
    }
    found
}

/// Adds the names of all that wait for one of these, directly or through others.
fn spread<'w, T>(names: &mut HashSet<&'w str>, all: &'w [T], of: impl Fn(&'w T) -> (&'w String, &'w Vec<Dependency>)) {
    loop {
        let before = names.len();
        for one in all {
            let (name, depends_on) = of(one);
            if depends_on.iter().any(|dependency| names.contains(dependency.on.value.as_str())) {
                names.insert(name);
            }
        }
        if names.len() == before {
            return;
        }
    }
}
