//! Runs that schedules start: the scheduler says which, this starts them and tells it how they ended.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use mangrove_app::{
    service::{LastGood, RunError, Service, StartTriggered},
    workflow::{LibraryWebhooks, StartError},
};
use mangrove_documents::{EventDocument, enabling_hint};
use mangrove_domain::{
    failure::Fault,
    ports::{ClaimAnswer, GivenUp, ScheduleClaim},
    problem::{Code, Problem},
    time::Timestamp,
    workflow::{Overlap, Workflow},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    claims::{self, Looks},
    event::{ClaimsFound, Event},
    http::EventLog,
    kept_texts::KeptTexts,
    log,
    options::Options,
    queue_load::QueueLoad,
    read_schedules::ReadSchedules,
    schedule::{Fire, FireNumber, FireOutcome, Limits, NotEnabled, Scheduler, SchedulerChange, SchedulerView},
    schedule_documents, triggered_runs,
};

/// The schedules of a daemon and the runs that they started.
pub(crate) struct ScheduledRuns {
    service: Service,
    sender: mpsc::Sender<Event>,
    scheduler: Scheduler,
    /// The workflows as they were read last while their files were in order, by identifier.
    last_good: HashMap<String, Arc<Workflow>>,
    /// The first error of each file of workflows that has one.
    broken: BTreeMap<String, Problem>,
    /// Schedules that came with pulled extensions and that nobody has allowed.
    not_enabled: Vec<NotEnabled>,
    /// The same as text, for the next process.
    kept_texts: KeptTexts,
    events: Arc<EventLog>,
    /// Names this process among those that share a state directory.
    holder: Arc<str>,
    /// How many scheduled runs may go on at once in all daemons that share their claims.
    most_at_once: Option<u32>,
    abandoned: Looks,
    taken: Looks,
}

impl ScheduledRuns {
    pub(crate) fn new(service: Service, options: &Options, sender: mpsc::Sender<Event>, events: Arc<EventLog>) -> Self {
        let entropy = Arc::clone(&service.scanner().ports().entropy);
        let holder = entropy.identifier().into();
        let limits = Limits { running: options.parallel_runs, ..Limits::default() };
        let scheduler = Scheduler::new(limits, entropy);
        let (last_good, broken, not_enabled) = (HashMap::new(), BTreeMap::new(), Vec::new());
        let kept_texts = KeptTexts::new(service.clone());
        let now = Instant::now();
        let (abandoned, taken) = (Looks::for_abandoned(now), Looks::for_taken(now));
        let most_at_once = options.shared_parallel_runs;
        Self {
            service,
            sender,
            scheduler,
            last_good,
            broken,
            not_enabled,
            kept_texts,
            events,
            holder,
            most_at_once,
            abandoned,
            taken,
        }
    }

    /// Goes by these schedules from now on.
    pub(crate) fn replace(&mut self, read: ReadSchedules) {
        let now = self.service.clock().now();
        for change in self.scheduler.read(&read.library, &read.last, now) {
            match change {
                SchedulerChange::Added(workflow) => tracing::info!(workflow, "scheduled"),
                SchedulerChange::Changed(workflow) => tracing::info!(workflow, "its schedule changed"),
                SchedulerChange::Removed(workflow) => tracing::info!(workflow, "not scheduled any more"),
                SchedulerChange::Kept { name, problem } => {
                    tracing::warn!(
                        workflow = name,
                        problem = problem.message,
                        "goes on with the schedule that it had, and as it was last in order"
                    );
                }
            }
        }
        let read_now = read.library.scheduled.iter().map(|scheduled| &scheduled.workflow);
        self.last_good.extend(read_now.map(|workflow| (workflow.id.clone(), Arc::clone(workflow))));
        let scheduler = &self.scheduler;
        self.last_good.retain(|workflow, _| scheduler.knows(workflow));
        log::broken_files(&self.broken, &read.library.broken);
        self.broken.clone_from(&read.library.broken);
        let not_enabled: Vec<NotEnabled> = read.library.not_enabled.iter().map(NotEnabled::from).collect();
        for schedule in not_enabled.iter().filter(|schedule| !self.not_enabled.contains(schedule)) {
            let hint = enabling_hint(&schedule.name);
            tracing::info!(workflow = schedule.name, file = schedule.file, hint, "its schedule is not enabled");
        }
        self.not_enabled = not_enabled;
        self.kept_texts.keep(read.texts, &read.library);
        self.tell();
    }

    /// Goes on with what an earlier process knew of workflows whose files cannot be used; the reading after this says why.
    /// Gives their routes.
    pub(crate) fn go_on_with(&mut self, earlier: LastGood, last: &HashMap<String, Timestamp>) -> LibraryWebhooks {
        let LastGood { schedules, webhooks, texts } = earlier;
        if !schedules.scheduled.is_empty() {
            // That they are there is no news.
            let _ = self.scheduler.read(&schedules, last, self.service.clock().now());
        }
        let workflows = schedules.scheduled.iter().map(|scheduled| &scheduled.workflow);
        self.last_good.extend(workflows.map(|workflow| (workflow.id.clone(), Arc::clone(workflow))));
        self.kept_texts.take_over(texts);
        webhooks
    }

    /// True if a workflow that has a schedule is none of these, and nothing says why.
    pub(crate) fn misses(&self, read: &ReadSchedules) -> bool {
        let there: HashSet<&str> = read.library.scheduled.iter().map(|known| known.workflow.id.as_str()).collect();
        let is_gone = |known: &Arc<Workflow>| read.library.fault_of(&known.file, known.origin).is_none();
        self.last_good.iter().any(|(id, known)| !there.contains(id.as_str()) && is_gone(known))
    }

    /// When something is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.scheduler.next_due()
    }

    /// Starts what is due.
    pub(crate) fn start_due(&mut self) {
        for fire in self.scheduler.advance(self.service.clock().now()) {
            let (service, sender, holder) = (self.service.clone(), self.sender.clone(), Arc::clone(&self.holder));
            let last_good = self.last_good.get(&*fire.workflow).cloned();
            let most_at_once = self.most_at_once;
            tokio::spawn(async move {
                let number = fire.number;
                let claim = claim_of(&service, &fire, &holder, most_at_once);
                let outcome = run(&service, fire, claim, last_good, &sender).await;
                // The owner may have ended.
                let _ = sender.send(Event::ScheduledRunEnded(number, outcome)).await;
            });
        }
        self.tell();
    }

    /// Looks at what other daemons have claimed, if it is time for that.
    pub(crate) fn look_at_claims(&mut self, now: Instant) {
        let Ok(leases) = self.service.leases() else { return };
        if !self.last_good.is_empty() && self.abandoned.begin(now) {
            claims::look_for_abandoned(Arc::clone(leases), self.service.clock().now(), self.sender.clone());
        }
        if self.scheduler.load().waiting > 0 && self.taken.begin(now) {
            let waiting = self.scheduler.waiting().take(claims::MOST_ASKED).collect();
            claims::look_for_taken(Arc::clone(leases), waiting, self.sender.clone());
        }
    }

    /// Starts what others did not begin, as soon as it may, and leaves to them what they have.
    pub(crate) fn looked_at_claims(&mut self, found: &ClaimsFound, now: Instant) {
        match found {
            ClaimsFound::Abandoned(instants) => {
                self.abandoned.ended(now);
                for instant in instants {
                    self.scheduler.take_over(&instant.workflow, instant.instant);
                }
            }
            ClaimsFound::Taken(instants) => {
                self.taken.ended(now);
                self.scheduler.leave_to_others(instants);
            }
        }
        self.tell();
    }

    /// Tells those who follow what happens.
    fn tell(&mut self) {
        let at = self.service.clock().now();
        for happening in self.scheduler.take_happenings() {
            self.events.add(&EventDocument::Schedule(schedule_documents::happening(&happening, at)));
        }
    }

    pub(crate) fn started(&mut self, number: FireNumber, run: &str) {
        self.scheduler.started(number, run);
    }

    pub(crate) fn ended(&mut self, number: FireNumber, outcome: FireOutcome) {
        self.scheduler.ended(number, outcome);
        self.tell();
    }

    pub(crate) fn load(&self) -> QueueLoad {
        self.scheduler.load()
    }

    pub(crate) fn view(&self) -> SchedulerView {
        let mut view = self.scheduler.view(self.service.clock().now());
        let is_kept = |problem: &Problem| view.schedules.iter().any(|known| known.problem.as_ref() == Some(problem));
        view.broken = self.broken.values().filter(|problem| !is_kept(problem)).cloned().collect();
        view.not_enabled.clone_from(&self.not_enabled);
        view
    }
}

fn claim_of(service: &Service, fire: &Fire, holder: &str, most_at_once: Option<u32>) -> ScheduleClaim {
    ScheduleClaim {
        workflow: fire.workflow.to_string(),
        instant: fire.due,
        holder: holder.to_owned(),
        run: service.scanner().ports().entropy.identifier(),
        may_overlap: fire.overlap == Overlap::Allow,
        most_at_once,
        at: service.clock().now(),
    }
}

/// Claims an instant, runs its workflow and waits for the end of it.
async fn run(
    service: &Service,
    fire: Fire,
    claim: ScheduleClaim,
    last_good: Option<Arc<Workflow>>,
    sender: &mpsc::Sender<Event>,
) -> FireOutcome {
    let Fire { number, workflow, name, .. } = fire;
    let (workflow, trigger) = (workflow.to_string(), "schedule".to_owned());
    let start = StartTriggered { workflow, trigger, webhook: None, last_good, run: Some(claim.run.clone()) };
    // The claim waits for the disk, and what is prepared meanwhile changes nothing. The workflow may be another one then: that is
    // seen at the start.
    let (claimed, prepared) = tokio::join!(claimed(service, &claim), service.prepare_triggered(start));
    match claimed {
        Ok(ClaimAnswer::Given) => {}
        Ok(ClaimAnswer::Elsewhere) => return FireOutcome::Elsewhere,
        Ok(ClaimAnswer::Overlaps) => return FireOutcome::Overlaps,
        Ok(ClaimAnswer::Full) => return FireOutcome::Full,
        Err(fault) => {
            tracing::error!(
                workflow = name,
                error = fault.message,
                "a scheduled run cannot be claimed and does not start"
            );
            return FireOutcome::Refused(Problem::error(fault.code, name, fault.message));
        }
    }
    let begun = async |run: &str| {
        // The owner may have ended; the run goes on as long as the process does.
        let _ = sender.send(Event::ScheduledRunStarted(number, run.to_owned())).await;
    };
    let ran =
        async { Ok::<_, RunError>(triggered_runs::follow(service.start_prepared(prepared?).await?, begun).await) };
    match ran.await {
        Ok(status) => FireOutcome::Ran(status),
        Err(error) => {
            let problem = refused(name, &error);
            if problem.code == Code::RUN_TAKEN_OVER {
                return FireOutcome::Elsewhere;
            }
            let place = problem.position.as_ref().map(ToString::to_string);
            tracing::error!(workflow = problem.subject, place, code = %problem.code, "a scheduled run did not start: {}", problem.message);
            give_up(service, &claim, &error).await;
            FireOutcome::Refused(problem)
        }
    }
}

/// Asks for an instant.
async fn claimed(service: &Service, claim: &ScheduleClaim) -> Result<ClaimAnswer, Fault> {
    // Nobody shares the state of a service without claims.
    let Ok(leases) = service.leases() else { return Ok(ClaimAnswer::Given) };
    leases.claim(claim).await.map_err(|error| error.fault)
}

/// Says that no run comes of a claim: where that is this process's own fault, another daemon may start it.
async fn give_up(service: &Service, claim: &ScheduleClaim, error: &RunError) {
    let Ok(leases) = service.leases() else { return };
    let given_up = match error {
        // What the workflow says, anybody would find.
        RunError::Unknown { .. } | RunError::State(_) => GivenUp::ForGood,
        RunError::Start(StartError::Problems(problems))
            if problems.iter().all(|problem| problem.code != Code::RUN_PANICKED) =>
        {
            GivenUp::ForGood
        }
        RunError::Start(_) | RunError::Service(_) => GivenUp::ForOthers,
    };
    if let Err(error) = leases.give_up(claim, given_up).await {
        tracing::warn!(workflow = claim.workflow, %error, "that a scheduled run did not start is known here only");
    }
}

fn refused(name: String, error: &RunError) -> Problem {
    match error {
        // The file of the workflow was changed into one that cannot be used: that is why it is unknown.
        RunError::Unknown { problem, hiding } => {
            let cause = hiding.first().filter(|_| problem.code == Code::UNKNOWN_NAME).unwrap_or(problem).clone();
            Problem { subject: name, ..cause }
        }
        RunError::State(problem) => Problem { subject: name, ..problem.clone() },
        RunError::Start(start) => Problem::error(start.code(), name, error.to_string()),
        RunError::Service(_) => Problem::error(Code::UNREADABLE, name, error.to_string()),
    }
}
