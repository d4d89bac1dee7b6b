//! One run under way.
//!
//! One task owns the record of a run. It asks the pure graph what may start, starts it, waits for whatever ends
//! next, writes it down, and asks again. Steps are futures of that task: dropping the run drops them.

use std::sync::Arc;

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use mangrove_domain::{
    run::{RunProblem, RunRecord, RunStatus},
    workflow::graph::{self, AfterFailure, Member},
};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::{context::Context, request::NotRecorded, step, under_way::Cadence};
use crate::{spans, workflow::events::RunChange};

/// A step that ended: its job, its index there, what became of it.
type Ended = (usize, usize, step::StepOutcome);

/// One run under way.
pub(super) struct Execution<'a> {
    context: &'a Context<'a>,
    record: RunRecord,
    jobs: Vec<Member>,
    steps: Vec<Vec<Member>>,
    /// Of the jobs that go on.
    job_spans: Vec<Span>,
    under_way: FuturesUnordered<BoxFuture<'a, Ended>>,
    /// True if something did not begin because the run was cancelled.
    is_cut_short: bool,
}

impl<'a> Execution<'a> {
    /// The run of this record, which is written down already.
    pub(super) fn new(context: &'a Context<'a>, record: RunRecord) -> Self {
        Self {
            context,
            record,
            jobs: graph::jobs(&context.workflow.jobs),
            job_spans: vec![Span::none(); context.workflow.jobs.len()],
            steps: context.workflow.jobs.iter().map(|job| graph::steps(&job.steps)).collect(),
            under_way: FuturesUnordered::new(),
            is_cut_short: false,
        }
    }

    /// Carries the run out and gives its last record.
    pub(super) async fn finish(mut self) -> Result<RunRecord, NotRecorded> {
        let context = self.context;
        context.observe(RunChange::Started(Arc::new(self.record.clone())));
        self.advance();
        let mut cadence = Self::write_down(context, &self.record).await;
        loop {
            tokio::select! {
                biased;
                ended = self.under_way.next() => match ended {
                    Some((job, step, outcome)) => {
                        self.end_step(job, step, outcome);
                        self.advance();
                    }
                    None => break,
                },
                () = cadence.due(&context.lines) => {}
            }
            cadence = Self::write_down(context, &self.record).await;
        }
        let statuses: Vec<RunStatus> = self.record.jobs.iter().map(|job| job.status).collect();
        self.record.status = match graph::summary(&self.jobs, &statuses) {
            RunStatus::Blocked => RunStatus::Blocked,
            _ if self.is_cut_short => RunStatus::Cancelled,
            RunStatus::Skipped => RunStatus::Succeeded,
            status => status,
        };
        self.record.error =
            self.error().or_else(|| (self.record.status == RunStatus::Cancelled).then(crate::method::cancelled));
        self.record.finished_at = Some(context.services.clock.now());
        match context.save(&self.record).await {
            Ok(record) => {
                context.observe(RunChange::Finished(Arc::clone(&record)));
                Ok(Arc::unwrap_or_clone(record))
            }
            Err(source) => Err(NotRecorded { source, record: Box::new(self.record) }),
        }
    }

    /// Writes down how far it is. A history that cannot be written for a moment must not lose the run: the last save decides.
    async fn write_down(context: &Context<'_>, record: &RunRecord) -> Cadence {
        let began = Instant::now();
        if let Err(error) = context.save(record).await {
            tracing::warn!(run = %record.id, %error, "the run history could not be written");
        }
        Cadence::after(began)
    }

    /// Starts and skips everything that can be decided now.
    fn advance(&mut self) {
        let limits = self.context.limits;
        let limit = self.context.workflow.concurrency.map_or(limits.jobs, |limit| limit as usize);
        loop {
            let mut changed = false;
            if self.is_blocked() {
                changed |= self.skip_the_rest();
            } else if self.context.cancellation.is_cancelled() && self.skip_the_rest() {
                changed = true;
                self.is_cut_short = true;
            }
            let statuses: Vec<RunStatus> = self.record.jobs.iter().map(|job| job.status).collect();
            let next = graph::next(&self.jobs, &statuses, limit, AfterFailure::GoOn);
            for index in next.skip {
                self.skip_job(index);
                changed = true;
            }
            for index in next.start {
                let job = &mut self.record.jobs[index];
                job.status = RunStatus::Running;
                job.started_at = Some(self.context.services.clock.now());
                self.job_spans[index] = spans::job(&job.name);
                self.context.observe(RunChange::JobStarted { job: job.name.clone() });
                changed = true;
            }
            for index in 0..self.record.jobs.len() {
                if self.record.jobs[index].status == RunStatus::Running {
                    changed |= self.advance_job(index);
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn advance_job(&mut self, index: usize) -> bool {
        let job = &self.context.workflow.jobs[index];
        let limit = self.context.step_limit(job);
        let statuses: Vec<RunStatus> = self.record.jobs[index].steps.iter().map(|step| step.status).collect();
        let next = graph::next(&self.steps[index], &statuses, limit, AfterFailure::OnlyDependents);
        let mut changed = !next.skip.is_empty() || !next.start.is_empty();
        for step in next.skip {
            self.skip_step(index, step);
        }
        for step_index in next.start {
            let now = self.context.services.clock.now();
            let record = &mut self.record.jobs[index].steps[step_index];
            record.status = RunStatus::Running;
            record.started_at = Some(now);
            let (step, task) = (record.name.clone(), record.task.clone());
            let span = spans::step(&self.job_spans[index], &step, &task);
            self.context.observe(RunChange::StepStarted { job: job.name.value.clone(), step, task });
            let (context, step) = (self.context, &job.steps[step_index]);
            let running = async move {
                let outcome = step::run(context, job, step).await;
                spans::end(&Span::current(), outcome.invoked.status);
                (index, step_index, outcome)
            };
            self.under_way.push(Box::pin(running.instrument(span)));
        }
        let statuses: Vec<RunStatus> = self.record.jobs[index].steps.iter().map(|step| step.status).collect();
        if !statuses.iter().any(|status| matches!(status, RunStatus::Pending | RunStatus::Running)) {
            self.end_job(index, graph::summary(&self.steps[index], &statuses));
            changed = true;
        }
        changed
    }

    fn end_step(&mut self, job: usize, step: usize, outcome: step::StepOutcome) {
        let now = self.context.services.clock.now();
        let job = &mut self.record.jobs[job];
        let record = &mut job.steps[step];
        let invoked = outcome.invoked;
        record.task = outcome.task;
        record.status = invoked.status;
        record.finished_at = Some(now);
        record.data_handles = invoked.data_handles;
        record.logs = invoked.logs;
        record.error = invoked.error.map(|error| self.context.environment.mask_problem(error));
        record.provenance = invoked.provenance;
        self.context.lines.end(&job.name, &record.name);
        self.context.observe(RunChange::StepFinished { job: job.name.clone(), step: Box::new(record.clone()) });
    }

    fn end_job(&mut self, index: usize, status: RunStatus) {
        let job = &mut self.record.jobs[index];
        job.status = status;
        job.finished_at = Some(self.context.services.clock.now());
        spans::end(&std::mem::replace(&mut self.job_spans[index], Span::none()), status);
        self.context.observe(RunChange::JobFinished { job: job.name.clone(), status });
    }

    fn skip_step(&mut self, job: usize, step: usize) {
        let job = &mut self.record.jobs[job];
        job.steps[step].status = RunStatus::Skipped;
        let step = Box::new(job.steps[step].clone());
        self.context.observe(RunChange::StepFinished { job: job.name.clone(), step });
    }

    fn skip_job(&mut self, index: usize) {
        for step in 0..self.record.jobs[index].steps.len() {
            self.skip_step(index, step);
        }
        self.end_job(index, RunStatus::Skipped);
    }

    fn is_blocked(&self) -> bool {
        self.record.jobs.iter().flat_map(|job| &job.steps).any(|step| step.status == RunStatus::Blocked)
    }

    /// After a type turned out not to be ready, nothing new begins (fault 48); what runs may end.
    fn skip_the_rest(&mut self) -> bool {
        let mut changed = false;
        for job in 0..self.record.jobs.len() {
            if self.record.jobs[job].status == RunStatus::Pending {
                self.skip_job(job);
                changed = true;
                continue;
            }
            for step in 0..self.record.jobs[job].steps.len() {
                if self.record.jobs[job].steps[step].status == RunStatus::Pending {
                    self.skip_step(job, step);
                    changed = true;
                }
            }
        }
        changed
    }

    /// The error of the step that decided: one that is blocked, else the first that failed and counts.
    fn error(&self) -> Option<RunProblem> {
        let steps = || {
            self.record.jobs.iter().enumerate().flat_map(|(job, record)| {
                record.steps.iter().enumerate().map(move |(step, record)| (job, step, record))
            })
        };
        let wanted = self.record.status;
        let counts = |job: usize, step: usize| !self.steps[job][step].allow_failure;
        let (job, _, step) = match wanted {
            RunStatus::Blocked => steps().find(|(_, _, step)| step.status == RunStatus::Blocked),
            RunStatus::Failed | RunStatus::Cancelled => {
                steps().find(|(job, index, step)| step.error.is_some() && counts(*job, *index))
            }
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Succeeded
            | RunStatus::Skipped
            | RunStatus::Interrupted => None,
        }?;
        let error = step.error.clone()?;
        let place = format!("job `{}`, step `{}`", self.record.jobs[job].name, step.name);
        Some(RunProblem { message: format!("{place}: {}", error.message), ..error })
    }
}
