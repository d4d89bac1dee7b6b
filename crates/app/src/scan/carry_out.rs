//! Carrying out a plan: what needs no build is applied at once, the rest is built and settled as it ends.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use mangrove_domain::{
    failure::{CauseKey, FailureClass, Fault},
    observation::{DiskView, Observation},
    plan::{Plan, Step},
    ports::{Event, Phase},
    row::Row,
    settle::{self, Moment, Settled},
    source::SourceId,
    state::State,
    time::Timestamp,
};

use super::{
    attempt::{Attempt, Ended},
    builds::{Attempted, Builds, Planned},
    error::Error,
    needs::Needs,
    ports::Ports,
    report::Report,
    request::ScanRequest,
    rivals::Rivalry,
    writer::Writer,
};
use crate::loaders::Registry;

/// A plan with all that it takes to carry it out.
pub(super) struct CarryOut<'a> {
    pub(super) ports: &'a Ports,
    pub(super) loaders: &'a Registry,
    pub(super) parallel_builds: usize,
    pub(super) request: &'a ScanRequest,
    pub(super) plan: &'a Plan,
    pub(super) disk: &'a DiskView,
    pub(super) needs: &'a BTreeMap<SourceId, Needs>,
    pub(super) rivalry: Rivalry,
    /// Spreads the next tries, in 0..=1. One for the whole plan, so that what failed for one cause is due together.
    pub(super) jitter: f64,
    /// Since when rows fail, by cause.
    pub(super) outages: BTreeMap<CauseKey, Timestamp>,
    /// True if nothing that builds rest on has moved since the failures that are tried again, our own code included.
    pub(super) is_sealed: bool,
}

/// A step that is to be attempted, with what is known of its source.
struct ToAttempt<'a> {
    step: &'a Step,
    observation: &'a Observation,
    row: Option<Arc<Row>>,
}

impl CarryOut<'_> {
    pub(super) async fn run(&self, writer: &mut Writer<'_>, report: &mut Report) -> Result<(), Error> {
        let observations: HashMap<&SourceId, &Observation> =
            self.disk.observations.iter().map(|observation| (&observation.source, observation)).collect();
        let mut attempts = Vec::new();
        for step in &self.plan.steps {
            let observation = observations.get(&step.source).copied();
            if step.action.is_attempt() {
                let row = writer.row(&step.source).map(Arc::clone);
                attempts.extend(observation.map(|observation| ToAttempt { step, observation, row }));
            } else {
                let settled =
                    writer.settle(step, |row| settle::apply(row, observation, &step.action, self.moment(None)));
                writer.accept(step, settled, None, report).await?;
            }
        }
        if attempts.is_empty() { Ok(()) } else { self.build(attempts, writer, report).await }
    }

    fn attempt(&self, ToAttempt { step, observation, row }: ToAttempt<'_>) -> Option<Planned> {
        let attempt = Attempt {
            ports: self.ports.clone(),
            loaders: self.loaders.clone(),
            needs: self.needs.get(&step.source)?.clone(),
            observation: observation.clone(),
            times: Mutex::default(),
            is_sealed: self.is_sealed,
            row,
        };
        Some((attempt, step.action.clone(), step.verdict.to_string()))
    }

    /// Runs the attempts; each is settled and accepted as it ends.
    async fn build(
        &self,
        attempts: Vec<ToAttempt<'_>>,
        writer: &mut Writer<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let progress = self.request.progress.as_ref();
        progress.event(&Event::Started { phase: Phase::Build, total: u64::try_from(attempts.len()).ok() });
        let steps: HashMap<&SourceId, &Step> = self.plan.steps.iter().map(|step| (&step.source, step)).collect();
        let rows: Vec<Arc<Row>> = attempts.iter().filter_map(|attempt| attempt.row.clone()).collect();
        let failures = rows.iter().filter_map(|row| row.failure());
        let attempts = attempts.into_iter().filter_map(|attempt| self.attempt(attempt));
        let mut builds = Builds::new(attempts, failures, self.parallel_builds, self.rivalry);
        loop {
            let next = tokio::select! {
                biased;
                () = self.request.cancellation.cancelled() => {
                    // Dropping the builds stops them; what they would have been is found out by the next scan.
                    report.is_cancelled = true;
                    break;
                }
                () = writer.batch_is_due() => {
                    writer.commit(report).await?;
                    continue;
                }
                next = builds.next() => next,
            };
            let Some((observation, attempted, times)) = next else { break };
            let Some(step) = steps.get(&observation.source) else { continue };
            let Attempted::Here(ended, held) = attempted else {
                writer.look_again(step.source.clone());
                continue;
            };
            report.statistics.built += u64::from(ended.built);
            report.statistics.inspected += u64::from(ended.inspected);
            let Ended { outcome, description, .. } = *ended;
            let settled = {
                let rule_version = self.loaders.get(&observation.kind).map_or(0, |loader| loader.rule_version());
                let presence = self.disk.presence_of(&step.source);
                let moment = self.moment(outcome.fault());
                writer.settle(step, |row| settle::settle(row, &observation, presence, outcome, rule_version, moment))
            };
            let healthy = is_healthy(&settled);
            let failure = class_of(&settled);
            progress.event(&Event::Done { source: &step.source, healthy, failure, times });
            tracing::info!(source = %step.source, healthy, "done");
            writer.accept_held(step, settled, description, held, report).await?;
        }
        progress.event(&Event::Finished { phase: Phase::Build });
        Ok(())
    }

    fn moment(&self, fault: Option<&Fault>) -> Moment {
        let outage = fault.and_then(|fault| self.outages.get(&fault.cause).copied());
        Moment { now: self.ports.clock.now(), jitter: self.jitter, outage }
    }
}

fn is_healthy(settled: &Settled) -> bool {
    matches!(settled, Settled::Write(row) if row.failure().is_none() && matches!(row.state, State::Indexed(_)))
}

/// The class of the failure that an attempt ended with.
fn class_of(settled: &Settled) -> Option<FailureClass> {
    match settled {
        Settled::Write(row) => row.failure().map(|failure| failure.class),
        Settled::Delete(_) | Settled::Unchanged | Settled::ObserveAgain => None,
    }
}
