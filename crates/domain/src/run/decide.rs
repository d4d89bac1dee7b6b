//! What becomes of a run when somebody approves or rejects a step of it.

use std::sync::Arc;

use super::{Decision, JobRecord, RunProblem, RunRecord, RunStatus, SkipReason, StepRecord};
use crate::{problem::Code, time::Timestamp};

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// The run does not wait.
    #[error("the run {id} does not wait for anybody: it is {}", status.as_str())]
    NotSuspended {
        /// The run.
        id: String,
        /// How far it is.
        status: RunStatus,
    },
    /// Nobody has to approve a step of this name.
    #[error("the run {id} has no step `{step}` that has to be approved{}", waiting_for(.waiting))]
    NoStep {
        /// The run.
        id: String,
        /// What was asked for.
        step: String,
        /// The steps that do wait.
        waiting: Vec<String>,
    },
    /// It was decided before.
    #[error("the step `{step}` of the run {id} does not wait: it is {}", status.as_str())]
    NotWaiting {
        /// The run.
        id: String,
        /// The step.
        step: String,
        /// How far it is.
        status: RunStatus,
    },
    /// More than one job has such a step that waits.
    #[error("more than one job of the run {id} has a step `{step}` that waits")]
    Several {
        /// The run.
        id: String,
        /// The step.
        step: String,
    },
    /// The time to decide is over.
    #[error("the step `{step}` of the run {id} could be decided within {seconds} s, which are over")]
    Late {
        /// The run.
        id: String,
        /// The step.
        step: String,
        /// How long it could be.
        seconds: u64,
    },
}

fn waiting_for(steps: &[String]) -> String {
    if steps.is_empty() { String::new() } else { format!("; `{}` waits", steps.join("`, `")) }
}

impl RunRecord {
    /// The steps that somebody has to approve, each with its job.
    pub fn waiting(&self) -> impl Iterator<Item = (&JobRecord, &StepRecord)> {
        let steps = self.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step.as_ref())));
        steps.filter(|(_, step)| step.status == RunStatus::WaitingApproval)
    }

    /// The record after this was decided about a step. One that is approved has succeeded, and the run waits until it is
    /// resumed; one that is rejected has failed, and its job and the run with it.
    ///
    /// # Errors
    /// [`NotDecided`].
    pub fn decided(mut self, step: &str, decision: Decision) -> Result<Self, NotDecided> {
        let (id, step_name) = (self.id.clone(), step.to_owned());
        if self.status != RunStatus::Suspended {
            return Err(NotDecided::NotSuspended { id, status: self.status });
        }
        let mut waiting = self.jobs.iter().enumerate().flat_map(|(job, record)| {
            let of_name = record.steps.iter().enumerate().filter(|(_, known)| known.name == step);
            of_name.filter(|(_, known)| known.status == RunStatus::WaitingApproval).map(move |(at, _)| (job, at))
        });
        let (job, place) = match (waiting.next(), waiting.next()) {
            (Some(found), None) => found,
            (Some(_), Some(_)) => return Err(NotDecided::Several { id, step: step_name }),
            (None, _) => return Err(self.not_waiting(step)),
        };
        let record = Arc::make_mut(&mut self.jobs[job].steps[place]);
        let limit = record.approval.as_ref().and_then(|approval| approval.timeout);
        if let (Some(seconds), Some(since)) = (limit, record.started_at)
            && decision.decided_at.since(since).as_secs() > seconds
        {
            return Err(NotDecided::Late { id, step: step_name, seconds });
        }
        let is_approved = decision.approved;
        let at = decision.decided_at;
        record.finished_at = Some(at);
        record.status = if is_approved { RunStatus::Succeeded } else { RunStatus::Failed };
        let reason = decision.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let message = format!("rejected by {}{reason}", decision.decided_by);
        if let Some(approval) = &mut record.approval {
            approval.decision = Some(decision);
        }
        if !is_approved {
            let error = RunProblem::new(Code::STEP_REJECTED, message);
            record.error = Some(error.clone());
            let place = format!("job `{}`, step `{step}`", self.jobs[job].name);
            self.error = Some(RunProblem { message: format!("{place}: {}", error.message), ..error });
            self.jobs[job].status = RunStatus::Failed;
            self.status = RunStatus::Failed;
            self.finished_at = Some(at);
        }
        if !is_approved {
            self.end_what_waits(at);
        }
        Ok(self)
    }

    /// Nobody is asked any more.
    fn end_what_waits(&mut self, at: Timestamp) {
        for job in &mut self.jobs {
            for step in job.steps.iter_mut().filter(|step| step.status == RunStatus::WaitingApproval) {
                let step = Arc::make_mut(step);
                step.status = RunStatus::Skipped;
                step.skipped = Some(SkipReason::NotBegun);
            }
            if job.status == RunStatus::Suspended {
                job.status = RunStatus::Cancelled;
            }
            if job.status.is_final() && job.started_at.is_some() {
                job.finished_at = job.finished_at.or(Some(at));
            }
        }
    }

    fn not_waiting(&self, name: &str) -> NotDecided {
        let id = self.id.clone();
        let steps = self.jobs.iter().flat_map(|job| &job.steps);
        match steps.clone().find(|step| step.name == name && step.approval.is_some()) {
            Some(step) => NotDecided::NotWaiting { id, step: name.to_owned(), status: step.status },
            None => {
                let waiting = self.waiting().map(|(_, step)| step.name.clone()).collect();
                NotDecided::NoStep { id, step: name.to_owned(), waiting }
            }
        }
    }
}
