//! One run under way.
//!
//! One task owns the record of a run. It asks the pure graph what may start, starts it, waits for whatever ends
//! next, writes it down, and asks again. Steps are futures of that task: dropping the run drops them.

use std::{collections::VecDeque, sync::Arc};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use mangrove_domain::{
    run::{RunProblem, RunRecord, RunStatus, SkipReason, StepRecord},
    workflow::graph::{self, Member, Order},
};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::{
    cancel_reason,
    context::Context,
    outcome::StepOutcome,
    repeat::{self, NotRepeated, PlannedStep},
    reports::{self, Calls},
    request::NotRecorded,
    settling::Settling,
    step,
    under_way::Cadence,
};
use crate::{method::StepBudget, spans, workflow::events::RunChange};

/// Something that ended: of this job, …
enum Ended {
    /// … finding out what its steps become.
    Planned(usize, Result<Vec<Vec<PlannedStep>>, NotRepeated>),
    /// … the step in this place.
    Step(usize, usize, Box<StepOutcome>),
}

/// The steps of a job that has started, in the order of its record.
#[derive(Default)]
struct Plan {
    steps: Vec<PlannedStep>,
    members: Vec<Member>,
    /// What each step of the workflow may still leave behind, all its repetitions together.
    budgets: Vec<Arc<StepBudget>>,
}

/// One run under way.
pub(super) struct Execution<'a> {
    context: &'a Context<'a>,
    record: RunRecord,
    jobs: Vec<Member>,
    /// Of jobs that have started, once it is known what their steps become.
    plans: Vec<Option<Plan>>,
    /// Of the jobs that go on.
    job_spans: Vec<Span>,
    under_way: FuturesUnordered<BoxFuture<'a, Ended>>,
    /// What ended while the record was written, and is not on record yet.
    ended: VecDeque<Ended>,
    /// What is on record and not on the disk yet.
    settling: Settling<'a>,
    /// True if something did not begin because the run was cancelled.
    is_cut_short: bool,
    /// What the steps called.
    calls: Calls,
}

impl<'a> Execution<'a> {
    /// The run of this record, which is written down already.
    pub(super) fn new(context: &'a Context<'a>, record: RunRecord) -> Self {
        let jobs = &context.workflow.jobs;
        Self {
            context,
            record,
            jobs: graph::jobs(jobs),
            plans: jobs.iter().map(|_| None).collect(),
            job_spans: vec![Span::none(); jobs.len()],
            under_way: FuturesUnordered::new(),
            ended: VecDeque::new(),
            settling: Settling::new(context),
            is_cut_short: false,
            calls: Calls::default(),
        }
    }

    /// Carries the run out and gives its last record.
    pub(super) async fn finish(mut self) -> Result<RunRecord, NotRecorded> {
        let context = self.context;
        let inputs = context.environment.shown_inputs(&self.record.inputs);
        context.observe(RunChange::Started(Arc::new(RunRecord { inputs, ..self.record.clone() })));
        self.advance();
        let mut cadence = self.write_down().await;
        loop {
            let ended = match self.ended.pop_front() {
                Some(ended) => Some(ended),
                None => tokio::select! {
                    biased;
                    ended = self.under_way.next() => match ended {
                        Some(ended) => Some(ended),
                        None => break,
                    },
                    () = self.settling.next() => continue,
                    () = cadence.due(&context.lines) => None,
                },
            };
            if let Some(ended) = ended {
                match ended {
                    Ended::Planned(job, planned) => self.begin_steps(job, planned),
                    Ended::Step(job, step, outcome) => self.end_step(job, step, *outcome),
                }
                self.advance();
            }
            cadence = self.write_down().await;
        }
        let statuses: Vec<RunStatus> = self.record.jobs.iter().map(|job| job.status).collect();
        self.record.status = match graph::summary(&self.jobs, &statuses) {
            RunStatus::Blocked => RunStatus::Blocked,
            _ if self.is_cut_short => RunStatus::Cancelled,
            status => status,
        };
        let is_cancelled = self.record.status == RunStatus::Cancelled;
        let cancelled = || context.cancel_reason.named(crate::method::cancelled());
        self.record.error = self.error().or_else(|| is_cancelled.then(cancelled));
        if is_cancelled {
            self.record.tags.retain(|(name, _)| name != cancel_reason::TAG);
            self.record.tags.push((cancel_reason::TAG.to_owned(), cancelled().message));
        }
        self.record.finished_at = self.record.status.is_final().then(|| context.services.clock.now());
        if reports::are_wanted(context, &self.record) {
            // If the process is killed while reports are made, the run has ended all the same.
            if let Err(error) = context.save_ended(&self.record).await {
                tracing::warn!(run = %self.record.id, %error, "the run history could not be written");
            }
            self.record.reports = Box::pin(reports::of_run(context, &self.record, &self.calls)).await;
        }
        match context.save(&self.record).await {
            Ok(record) => {
                context.observe(RunChange::Finished(Arc::clone(&record)));
                Ok(Arc::unwrap_or_clone(record))
            }
            Err(source) => Err(NotRecorded { source, record: Box::new(self.record) }),
        }
    }

    /// Writes down how far it is. A history that cannot be written for a moment must not lose the run: the last save decides.
    ///
    /// The steps go on meanwhile. One of them may be writing the record of a run of its own, and whoever writes waits for the
    /// others: a step that stood still with its turn would be waited for by itself.
    async fn write_down(&mut self) -> Cadence {
        let began = Instant::now();
        let (context, record, waits_for_disk) = (self.context, &self.record, self.settling.has_failed());
        let mut saving = Box::pin(async move {
            if waits_for_disk {
                return context.save(record).await.map(drop);
            }
            context.save_under_way(record).await
        });
        let saved = loop {
            tokio::select! {
                biased;
                saved = &mut saving => break saved,
                Some(ended) = self.under_way.next() => self.ended.push_back(ended),
            }
        };
        match saved {
            Ok(()) if waits_for_disk => self.settling.wrote_through(),
            Ok(()) => self.settling.wrote(),
            Err(error) => tracing::warn!(run = %self.record.id, %error, "the run history could not be written"),
        }
        while self.settling.is_behind() {
            tokio::select! {
                biased;
                () = self.settling.next() => {}
                Some(ended) = self.under_way.next() => self.ended.push_back(ended),
            }
        }
        Cadence::after(began)
    }

    /// Starts and skips everything that can be decided now.
    fn advance(&mut self) {
        let limit = self.context.job_limit();
        loop {
            let mut changed = false;
            if self.is_blocked() {
                changed |= self.skip_the_rest();
            } else if self.context.cancellation.is_cancelled() && self.skip_the_rest() {
                changed = true;
                self.is_cut_short = true;
            }
            let statuses: Vec<RunStatus> = self.record.jobs.iter().map(|job| job.status).collect();
            let next = graph::next(&self.jobs, &statuses, limit, Order::Dependencies);
            for index in next.skip {
                self.skip_job(index, SkipReason::Condition);
                changed = true;
            }
            for index in next.start {
                self.start_job(index);
                changed = true;
            }
            for index in 0..self.record.jobs.len() {
                if self.record.jobs[index].status == RunStatus::Running && self.plans[index].is_some() {
                    changed |= self.advance_job(index);
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn start_job(&mut self, index: usize) {
        let now = self.context.services.clock.now();
        let record = &mut self.record.jobs[index];
        record.status = RunStatus::Running;
        record.started_at = record.started_at.or(Some(now));
        self.job_spans[index] = spans::job(&record.name);
        self.context.observe(RunChange::JobStarted { job: record.name.clone() });
        let (context, job) = (self.context, &self.context.workflow.jobs[index]);
        if repeat::repeats(job) {
            let planned = async move { Ended::Planned(index, repeat::of_job(context, job).await) };
            self.under_way.push(Box::pin(planned.instrument(self.job_spans[index].clone())));
        } else {
            self.begin_steps(index, Ok(repeat::as_they_are(job)));
        }
    }

    /// What the steps of a job have become is known: those of an earlier part of the run keep what became of them.
    fn begin_steps(&mut self, index: usize, planned: Result<Vec<Vec<PlannedStep>>, NotRepeated>) {
        let job = &self.context.workflow.jobs[index];
        let planned = match planned {
            Ok(planned) => planned,
            Err((step, error)) => return self.end_unplanned(index, step, error),
        };
        let names: Vec<Vec<String>> =
            planned.iter().map(|steps| steps.iter().map(|step| step.name.clone()).collect()).collect();
        let mut members = graph::repeated(&graph::steps(&job.steps), &names);
        let steps: Vec<PlannedStep> = planned.into_iter().flatten().collect();
        let before = std::mem::take(&mut self.record.jobs[index].steps);
        let record = |planned: &PlannedStep| {
            let kept = before.iter().find(|step| step.name == planned.name && step.status.is_final());
            kept.cloned().unwrap_or_else(|| {
                let step = &job.steps[planned.index];
                let template = planned.item.is_some().then(|| step.name.value.clone());
                let task = self.context.environment.mask(&step.task.label());
                Arc::new(StepRecord::pending(planned.name.clone(), template, task))
            })
        };
        let records: Vec<Arc<StepRecord>> = steps.iter().map(record).collect();
        for (member, record) in members.iter_mut().zip(&records) {
            if record.status == RunStatus::Failed {
                member.allow_failure = record.is_failure_allowed;
            }
        }
        self.record.jobs[index].steps = records;
        let budgets = job.steps.iter().map(|_| StepBudget::new(&self.context.budget)).collect();
        self.plans[index] = Some(Plan { steps, members, budgets });
    }

    /// A job whose steps cannot be repeated fails with the step.
    fn end_unplanned(&mut self, index: usize, step: usize, error: RunProblem) {
        let now = self.context.services.clock.now();
        let name = &self.context.workflow.jobs[index].steps[step].name.value;
        let job = &mut self.record.jobs[index];
        if let Some(step) = job.steps.iter_mut().find(|record| record.name == *name) {
            let record = Arc::make_mut(step);
            record.status = RunStatus::Failed;
            record.started_at = Some(now);
            record.finished_at = Some(now);
            record.error = Some(self.context.environment.mask_problem(error));
            let (job, step) = (job.name.clone(), Arc::clone(step));
            self.context.observe(RunChange::StepFinished { job, step });
        }
        self.end_job(index, RunStatus::Failed);
    }

    fn advance_job(&mut self, index: usize) -> bool {
        let (context, job) = (self.context, &self.context.workflow.jobs[index]);
        let Some(plan) = &self.plans[index] else { return false };
        let statuses: Vec<RunStatus> = self.record.jobs[index].steps.iter().map(|step| step.status).collect();
        let next = graph::next(&plan.members, &statuses, context.step_limit(job), Order::Levels);
        let mut changed = !next.skip.is_empty() || !next.start.is_empty();
        for step_index in &next.start {
            let planned = &plan.steps[*step_index];
            let record = Arc::make_mut(&mut self.record.jobs[index].steps[*step_index]);
            record.status = RunStatus::Running;
            record.started_at = Some(context.services.clock.now());
            let (name, task) = (record.name.clone(), record.task.clone());
            let span = spans::step(&self.job_spans[index], &name, &task);
            let step = &job.steps[planned.index];
            // A guarded step begins with the first method that its guard calls, or when that has decided.
            if step.guard.is_none() {
                context.observe(RunChange::StepStarted { job: job.name.value.clone(), step: name, task });
            }
            let budget = Arc::clone(&plan.budgets[planned.index]);
            let (planned, place) = (planned.clone(), *step_index);
            let running = async move {
                let outcome = step::run(context, job, step, &planned, &budget).await;
                spans::end(&Span::current(), outcome.invoked.status);
                Ended::Step(index, place, Box::new(outcome))
            };
            self.under_way.push(Box::pin(running.instrument(span)));
        }
        for step in next.skip {
            self.skip_step(index, step, SkipReason::Condition);
        }
        let statuses: Vec<RunStatus> = self.record.jobs[index].steps.iter().map(|step| step.status).collect();
        // What is pending now stays so: a failure that counts, or somebody who has to approve, comes before it.
        if !changed && !statuses.contains(&RunStatus::Running) {
            let status = self.plans[index].as_ref().map(|plan| graph::summary(&plan.members, &statuses));
            self.end_job(index, status.unwrap_or(RunStatus::Succeeded));
            changed = true;
        }
        changed
    }

    fn end_step(&mut self, index: usize, step: usize, outcome: StepOutcome) {
        let context = self.context;
        let job = &mut self.record.jobs[index];
        let record = Arc::make_mut(&mut job.steps[step]);
        let StepOutcome { task, invoked, is_failure_allowed, skipped, guard_reason, assertion, approval } = outcome;
        record.task = context.environment.mask(&task);
        record.status = invoked.status;
        record.finished_at = invoked.status.is_final().then(|| context.services.clock.now());
        if skipped.is_some() {
            (record.started_at, record.finished_at) = (None, None);
        }
        record.data_handles = invoked.data_handles;
        record.logs = invoked.logs;
        let error = invoked.error.map(|error| context.cancel_reason.named(error));
        record.error = error.map(|error| context.environment.mask_problem(error));
        record.is_failure_allowed = invoked.status == RunStatus::Failed && is_failure_allowed;
        record.skipped = skipped;
        record.guard_reason = guard_reason;
        record.assertion = assertion;
        record.approval = approval;
        record.provenance = invoked.provenance;
        record.reports = invoked.reports;
        self.calls.add(&job.name, &record.name, invoked.called);
        if let Some(member) = self.plans[index].as_mut().and_then(|plan| plan.members.get_mut(step)) {
            member.allow_failure = record.is_failure_allowed;
        }
        context.lines.end(&job.name, &record.name);
        context.observe(RunChange::StepFinished { job: job.name.clone(), step: Arc::clone(&job.steps[step]) });
    }

    fn end_job(&mut self, index: usize, status: RunStatus) {
        let job = &mut self.record.jobs[index];
        job.status = status;
        job.finished_at = status.is_final().then(|| self.context.services.clock.now());
        spans::end(&std::mem::replace(&mut self.job_spans[index], Span::none()), status);
        self.context.observe(RunChange::JobFinished { job: job.name.clone(), status });
    }

    fn skip_step(&mut self, job: usize, step: usize, reason: SkipReason) {
        let job = &mut self.record.jobs[job];
        let record = Arc::make_mut(&mut job.steps[step]);
        record.status = RunStatus::Skipped;
        record.skipped = Some(reason);
        let step = Arc::clone(&job.steps[step]);
        self.context.observe(RunChange::StepFinished { job: job.name.clone(), step });
    }

    fn skip_job(&mut self, index: usize, reason: SkipReason) {
        for step in 0..self.record.jobs[index].steps.len() {
            self.skip_step(index, step, reason);
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
            match self.record.jobs[job].status {
                RunStatus::Pending => {
                    self.skip_job(job, SkipReason::NotBegun);
                    changed = true;
                }
                RunStatus::Running => {
                    for step in 0..self.record.jobs[job].steps.len() {
                        if self.record.jobs[job].steps[step].status == RunStatus::Pending {
                            self.skip_step(job, step, SkipReason::NotBegun);
                            changed = true;
                        }
                    }
                }
                RunStatus::Succeeded
                | RunStatus::Failed
                | RunStatus::Skipped
                | RunStatus::Cancelled
                | RunStatus::Blocked
                | RunStatus::Interrupted
                | RunStatus::WaitingApproval
                | RunStatus::Suspended => {}
            }
        }
        changed
    }

    /// The error of the step that decided: one that is blocked, else the first that failed and counts.
    fn error(&self) -> Option<RunProblem> {
        let mut steps = self.record.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
        let (job, step) = match self.record.status {
            RunStatus::Blocked => steps.find(|(_, step)| step.status == RunStatus::Blocked),
            RunStatus::Failed | RunStatus::Cancelled => {
                steps.find(|(_, step)| step.error.is_some() && !step.is_failure_allowed)
            }
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Succeeded
            | RunStatus::Skipped
            | RunStatus::Interrupted
            | RunStatus::WaitingApproval
            | RunStatus::Suspended => None,
        }?;
        let error = step.error.clone()?;
        let place = format!("job `{}`, step `{}`", job.name, step.name);
        Some(RunProblem { message: format!("{place}: {}", error.message), ..error })
    }
}
