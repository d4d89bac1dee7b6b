//! Runs that schedules start: the scheduler says which, this starts them and tells it how they ended.

use std::sync::Arc;

use mangrove_app::service::{RunError, Service, StartTriggered};
use mangrove_domain::{
    ports::ScheduleClaim,
    problem::{Code, Problem},
    run::RunStatus,
    time::Timestamp,
};
use tokio::sync::mpsc;

use crate::{
    event::Event,
    queue_load::QueueLoad,
    read_schedules::ReadSchedules,
    schedule::{Fire, FireNumber, FireOutcome, Limits, Scheduler, SchedulerChange, SchedulerView},
};

/// The schedules of a daemon and the runs that they started.
pub(crate) struct ScheduledRuns {
    service: Service,
    sender: mpsc::Sender<Event>,
    scheduler: Scheduler,
    /// Names this process among those that share a state directory.
    holder: Arc<str>,
}

impl ScheduledRuns {
    pub(crate) fn new(service: Service, parallel: usize, sender: mpsc::Sender<Event>) -> Self {
        let entropy = Arc::clone(&service.scanner().ports().entropy);
        let holder = entropy.identifier().into();
        let limits = Limits { running: parallel, ..Limits::default() };
        Self { scheduler: Scheduler::new(limits, entropy), service, sender, holder }
    }

    /// Goes by these schedules from now on.
    pub(crate) fn replace(&mut self, read: &ReadSchedules) {
        let now = self.service.clock().now();
        for change in self.scheduler.read(&read.library, &read.last, now) {
            match change {
                SchedulerChange::Added(workflow) => tracing::info!(workflow, "scheduled"),
                SchedulerChange::Changed(workflow) => tracing::info!(workflow, "its schedule changed"),
                SchedulerChange::Removed(workflow) => tracing::info!(workflow, "not scheduled any more"),
                SchedulerChange::Kept { name, problem } => {
                    tracing::warn!(workflow = name, problem = problem.message, "goes on with the schedule that it had");
                }
            }
        }
    }

    /// When something is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.scheduler.next_due()
    }

    /// Starts what is due.
    pub(crate) fn start_due(&mut self) {
        for fire in self.scheduler.advance(self.service.clock().now()) {
            let (service, sender, holder) = (self.service.clone(), self.sender.clone(), Arc::clone(&self.holder));
            tokio::spawn(async move {
                let number = fire.number;
                let outcome = run(&service, fire, &holder, &sender).await;
                // The owner may have ended.
                let _ = sender.send(Event::ScheduledRunEnded(number, outcome)).await;
            });
        }
    }

    pub(crate) fn started(&mut self, number: FireNumber, run: &str) {
        self.scheduler.started(number, run);
    }

    pub(crate) fn ended(&mut self, number: FireNumber, outcome: FireOutcome) {
        self.scheduler.ended(number, outcome);
    }

    pub(crate) fn load(&self) -> QueueLoad {
        self.scheduler.load()
    }

    pub(crate) fn view(&self) -> SchedulerView {
        self.scheduler.view(self.service.clock().now())
    }
}

/// Claims an instant, runs its workflow and waits for the end of it.
async fn run(service: &Service, fire: Fire, holder: &str, sender: &mpsc::Sender<Event>) -> FireOutcome {
    let Fire { number, workflow, name, due, .. } = fire;
    let claim = ScheduleClaim {
        workflow: workflow.to_string(),
        instant: due,
        holder: holder.to_owned(),
        at: service.clock().now(),
    };
    let claimed = match service.leases() {
        Ok(leases) => leases.claim(&claim).await.map_err(|error| error.fault),
        // Nobody shares the state of a service without claims.
        Err(_) => Ok(true),
    };
    match claimed {
        Ok(true) => {}
        Ok(false) => return FireOutcome::Elsewhere,
        Err(fault) => {
            tracing::error!(
                workflow = name,
                error = fault.message,
                "a scheduled run cannot be claimed and does not start"
            );
            return FireOutcome::Refused(Problem::error(fault.code, name, fault.message));
        }
    }
    let start = StartTriggered { workflow: workflow.to_string(), trigger: "schedule".to_owned(), webhook: None };
    let started = match service.start_triggered(start).await {
        Ok(started) => started,
        Err(error) => {
            let problem = refused(name, &error);
            let place = problem.position.as_ref().map(ToString::to_string);
            tracing::error!(workflow = problem.subject, place, code = %problem.code, "a scheduled run did not start: {}", problem.message);
            return FireOutcome::Refused(problem);
        }
    };
    // The owner may have ended; the run goes on as long as the process does.
    let _ = sender.send(Event::ScheduledRunStarted(number, started.run.id().to_owned())).await;
    // Nobody reads them here, and they must not be kept.
    drop(started.events);
    match started.run.wait().await {
        Ok(record) if record.status == RunStatus::Succeeded => {
            tracing::info!(workflow = name, run = record.id, "a scheduled run succeeded");
            FireOutcome::Ran(record.status)
        }
        Ok(record) => {
            let error = record.error.as_ref().map(|problem| problem.message.as_str()).unwrap_or_default();
            tracing::error!(
                workflow = name,
                run = record.id,
                status = record.status.as_str(),
                error,
                "a scheduled run did not succeed"
            );
            FireOutcome::Ran(record.status)
        }
        Err(not_recorded) => {
            tracing::error!(workflow = name, error = %not_recorded, "the end of a scheduled run cannot be recorded");
            FireOutcome::Ran(not_recorded.record.status)
        }
    }
}

fn refused(name: String, error: &RunError) -> Problem {
    match error {
        // The file of the workflow was changed into one that cannot be used: that is why it is unknown.
        RunError::Unknown { problem, hiding } => {
            let cause = hiding.first().unwrap_or(problem).clone();
            Problem { subject: name, ..cause }
        }
        RunError::Start(start) => Problem::error(start.code(), name, error.to_string()),
        RunError::Service(_) => Problem::error(Code::UNREADABLE, name, error.to_string()),
    }
}
