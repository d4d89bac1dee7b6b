//! The scheduler: all schedules, in the order in which they are due.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use mangrove_app::workflow::LibrarySchedules;
use mangrove_domain::{
    ports::{Entropy, ScheduledInstant},
    problem::Problem,
    time::Timestamp,
    workflow::Overlap,
};

use super::{
    definition::{Fire, FireNumber, FireOutcome, Happening, Last, LeftOutReason, Schedule, What},
    entry::Entry,
    queue::{Limits, Queue, Running},
    timing::{Taken, Timing},
    view::{self, SchedulerView},
};
use crate::queue_load::QueueLoad;

/// A clock that goes back by less is not looked at: time servers do that.
const JITTER_OF_CLOCK: Duration = Duration::from_secs(1);

/// How often is asked for an instant while a run of its workflow goes on in another daemon that has to end first.
const BETWEEN_CLAIMS: Duration = Duration::from_secs(1);

/// How often is looked for room while as many runs go on as may in all daemons together.
const BETWEEN_PLACES: Duration = Duration::from_millis(250);

/// What a change of files did to one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchedulerChange {
    /// The workflow of this name runs by itself from now on.
    Added(String),
    /// Its times, or what happens when they cannot be kept, are others.
    Changed(String),
    /// It does not run by itself any more.
    Removed(String),
    /// Nothing is known of its schedule: it goes on with the one that it had.
    Kept {
        /// The name of the workflow.
        name: String,
        /// Why nothing is known.
        problem: Problem,
    },
}

/// All schedules of a repository, and what comes of them.
pub struct Scheduler {
    entropy: Arc<dyn Entropy>,
    entries: HashMap<Arc<str>, Entry>,
    /// When each schedule is due that will be.
    due: BTreeSet<(Timestamp, Arc<str>)>,
    queue: Queue,
    limits: Limits,
    /// The instant of each workflow that was fired last, of those too that are gone.
    fired: HashMap<Arc<str>, Timestamp>,
    /// The latest time that was told.
    now: Option<Timestamp>,
    /// What happened and was not taken yet.
    happened: Vec<Happening>,
}

impl Scheduler {
    /// A scheduler without schedules. Jitter is drawn from `entropy`.
    #[must_use]
    pub fn new(limits: Limits, entropy: Arc<dyn Entropy>) -> Self {
        let limits = Limits { running: limits.running.max(1), waiting_of_one: limits.waiting_of_one.max(1) };
        Self {
            entropy,
            entries: HashMap::new(),
            due: BTreeSet::new(),
            queue: Queue::new(limits),
            limits,
            fired: HashMap::new(),
            now: None,
            happened: Vec::new(),
        }
    }

    /// Goes by the schedules of a library from now on: see [`replace`](Self::replace).
    pub fn read(
        &mut self,
        library: &LibrarySchedules,
        last: &HashMap<String, Timestamp>,
        now: Timestamp,
    ) -> Vec<SchedulerChange> {
        let schedules = library.scheduled.iter().map(Schedule::from).collect();
        let fault_of = |schedule: &Schedule| library.fault_of(&schedule.file, schedule.origin);
        let changes = self.replace(schedules, fault_of, last, now);
        let entries = self.entries.values().map(|entry| &entry.schedule);
        let known: HashMap<&str, &Arc<str>> = entries.map(|known| (known.name.as_str(), &known.workflow)).collect();
        for change in &changes {
            let (name, what) = match change {
                SchedulerChange::Added(name) => (name, What::Added),
                SchedulerChange::Changed(name) => (name, What::Changed),
                SchedulerChange::Removed(name) => (name, What::Removed),
                SchedulerChange::Kept { name, problem } => (name, What::Broken(problem.clone())),
            };
            let workflow =
                known.get(name.as_str()).map_or_else(|| name.as_str().into(), |workflow| Arc::clone(workflow));
            self.happened.push(Happening { workflow, name: name.clone(), due: None, what });
        }
        changes
    }

    /// True if it has a schedule of the workflow of this identifier.
    #[must_use]
    pub fn knows(&self, workflow: &str) -> bool {
        self.entries.contains_key(workflow)
    }

    /// Goes by these schedules from now on. Those that are as before go on as they are; others have new times. One that is
    /// not among them goes on with the schedule that it had if `fault_of` says why nothing is known of it, and ends
    /// otherwise. `last` has the instants that were fired last, by the identifiers of workflows, as the
    /// leases know them.
    pub fn replace(
        &mut self,
        schedules: Vec<Schedule>,
        fault_of: impl Fn(&Schedule) -> Option<Problem>,
        last: &HashMap<String, Timestamp>,
        now: Timestamp,
    ) -> Vec<SchedulerChange> {
        let mut changes = Vec::new();
        let mut met = BTreeSet::new();
        for schedule in schedules {
            let id = Arc::clone(&schedule.workflow);
            met.insert(Arc::clone(&id));
            let name = schedule.name.clone();
            let fired = self.fired.get(&id).copied().max(last.get(&*id).copied());
            match self.entries.get_mut(&id) {
                Some(entry) => {
                    entry.problem = None;
                    let is_same = entry.schedule.has_times_of(&schedule);
                    let is_changed = !is_same
                        || (entry.schedule.overlap, entry.schedule.misfire) != (schedule.overlap, schedule.misfire);
                    // Its recurrence may know another edition of the time zones.
                    entry.schedule = schedule;
                    if !is_same {
                        let seen = fired.max(Some(now));
                        let timing = Timing::new(&entry.schedule, seen, now, self.entropy.as_ref());
                        self.set_timing(&id, timing);
                    }
                    changes.extend(is_changed.then_some(SchedulerChange::Changed(name)));
                }
                None => {
                    let timing = Timing::new(&schedule, fired, now, self.entropy.as_ref());
                    self.due.extend(timing.begins().map(|begins| (begins, Arc::clone(&id))));
                    let entry = Entry { schedule, timing, last: None, left_out: None, problem: None };
                    self.entries.insert(id, entry);
                    changes.push(SchedulerChange::Added(name));
                }
            }
        }
        changes.extend(self.end_others(&met, fault_of));
        changes
    }

    fn end_others(
        &mut self,
        met: &BTreeSet<Arc<str>>,
        fault_of: impl Fn(&Schedule) -> Option<Problem>,
    ) -> Vec<SchedulerChange> {
        let mut changes = Vec::new();
        let mut gone: Vec<Arc<str>> = self.entries.keys().filter(|id| !met.contains(*id)).cloned().collect();
        gone.sort_unstable();
        for id in gone {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let name = entry.schedule.name.clone();
            if let Some(problem) = fault_of(&entry.schedule) {
                if entry.problem.as_ref() != Some(&problem) {
                    entry.problem = Some(problem.clone());
                    changes.push(SchedulerChange::Kept { name, problem });
                }
                continue;
            }
            if let Some(begins) = entry.timing.begins() {
                self.due.remove(&(begins, Arc::clone(&id)));
            }
            self.entries.remove(&id);
            self.queue.remove_waiting(&id);
            changes.push(SchedulerChange::Removed(name));
        }
        changes
    }

    /// When [`advance`](Self::advance) has something to do; `None` if nothing is due any more. A time that has passed means
    /// now.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|(begins, _)| *begins);
        [due, self.queue.startable()].into_iter().flatten().min()
    }

    /// The runs that start now. The clock may have been set since the last call, either way: nothing is fired twice,
    /// and what was missed is treated as its schedule says.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Fire> {
        if self.now.is_some_and(|before| before.since(now) > JITTER_OF_CLOCK) {
            self.set_back(now);
        }
        self.now = Some(now);
        let mut added = Vec::new();
        while let Some((_, id)) = self.due.first().filter(|(begins, _)| *begins <= now).cloned() {
            added.extend(self.take(&id, now));
        }
        let started = self.queue.start(now);
        let is_started = |number: &FireNumber| started.iter().any(|fire| fire.number == *number);
        let queued = self.queue.waiting().filter(|fire| added.contains(&fire.number) && !is_started(&fire.number));
        let of = |fire: &Fire, what| Happening {
            workflow: Arc::clone(&fire.workflow),
            name: fire.name.clone(),
            due: Some(fire.due),
            what,
        };
        let queued: Vec<Happening> = queued.map(|fire| of(fire, What::Queued)).collect();
        self.happened.extend(queued);
        let first = started.iter().filter(|fire| !fire.starts_again);
        self.happened.extend(first.map(|fire| of(fire, What::Fired)));
        started
    }

    /// What has happened to schedules since this was asked last, in its order.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }

    /// Takes what is due of one schedule; gives the run that now waits for its turn.
    fn take(&mut self, id: &Arc<str>, now: Timestamp) -> Option<FireNumber> {
        let Some(entry) = self.entries.get_mut(id) else {
            self.due.retain(|(_, other)| other != id);
            return None;
        };
        let mut added = None;
        let mut left_out = Vec::new();
        let mut timing = entry.timing.clone();
        let Taken { fire, makes_up, missed } = timing.take(&entry.schedule, now, self.entropy.as_ref());
        if let Some(missed) = missed {
            entry.leave_out(missed, LeftOutReason::Missed);
            left_out.push((missed, LeftOutReason::Missed));
        }
        if let Some(due) = fire {
            let schedule = &entry.schedule;
            let added = |number| {
                added = Some(number);
                fire_of(schedule, number, due, makes_up)
            };
            match self.queue.add(schedule.overlap, added, id) {
                Ok(()) => {
                    self.fired.insert(Arc::clone(id), due);
                }
                Err(reason) => {
                    entry.leave_out(due, reason);
                    left_out.push((due, reason));
                }
            }
        }
        let name = entry.schedule.name.clone();
        self.happened.extend(left_out.into_iter().map(|(due, reason)| Happening {
            workflow: Arc::clone(id),
            name: name.clone(),
            due: Some(due),
            what: What::LeftOut(reason),
        }));
        self.set_timing(id, timing);
        added
    }

    /// Lets a run wait for its turn that another daemon claimed and did not begin. What is on its way here already, or has to wait
    /// for a run that waits, is left to be told of again.
    pub fn take_over(&mut self, workflow: &str, due: Timestamp) {
        let Some(Entry { schedule, .. }) = self.entries.get(workflow) else { return };
        if self.queue.has(workflow, due) {
            return;
        }
        let id = Arc::clone(&schedule.workflow);
        // One that would be left out now is told of again: it waits.
        let overlap = if schedule.overlap == Overlap::Allow { Overlap::Allow } else { Overlap::Queue };
        if self.queue.add(overlap, |number| fire_of(schedule, number, due, true), &id).is_ok() {
            let happening = Happening { workflow: id, name: schedule.name.clone(), due: Some(due), what: What::Queued };
            self.happened.push(happening);
        }
    }

    /// What waits for its turn, the next one first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = ScheduledInstant> {
        self.queue.waiting().map(|fire| ScheduledInstant { instant: fire.due, workflow: fire.workflow.to_string() })
    }

    /// Lets nothing wait any more for these instants, which other daemons have.
    pub fn leave_to_others(&mut self, taken: &[ScheduledInstant]) {
        for fire in self.queue.remove_instants(taken) {
            self.end(fire.workflow, fire.name, Last { due: fire.due, run: None, outcome: FireOutcome::Elsewhere });
        }
    }

    fn set_back(&mut self, now: Timestamp) {
        let ids: Vec<Arc<str>> = self.entries.keys().cloned().collect();
        for id in ids {
            let Some(entry) = self.entries.get(&id) else { continue };
            let mut timing = entry.timing.clone();
            timing.set_back(&entry.schedule, now, self.entropy.as_ref());
            self.set_timing(&id, timing);
        }
    }

    /// Gives a schedule its times, and its place among those that are due.
    fn set_timing(&mut self, id: &Arc<str>, timing: Timing) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let Some(begins) = entry.timing.begins() {
            self.due.remove(&(begins, Arc::clone(id)));
        }
        self.due.extend(timing.begins().map(|begins| (begins, Arc::clone(id))));
        entry.timing = timing;
    }

    /// Notes that a fire has become a run.
    pub fn started(&mut self, number: FireNumber, run: &str) {
        self.queue.started(number, run);
    }

    /// Notes what came of a fire. Its place is free, and what waits for it may start with the next
    /// [`advance`](Self::advance). A fire that has ended before changes nothing.
    pub fn ended(&mut self, number: FireNumber, outcome: FireOutcome) {
        let Some(running) = self.queue.ended(number) else { return };
        match (&outcome, running.fire.overlap) {
            (FireOutcome::Full, _) => {
                let until = self.now.map(|now| now.plus(BETWEEN_PLACES));
                self.wait_again(running, None);
                if let Some(until) = until {
                    self.queue.set_full(until);
                }
                return;
            }
            (FireOutcome::Overlaps, Overlap::Queue) => {
                self.wait_again(running, self.now.map(|now| now.plus(BETWEEN_CLAIMS)));
                return;
            }
            (FireOutcome::Overlaps, Overlap::Skip | Overlap::Allow) => {
                self.leave_out(running);
                return;
            }
            (FireOutcome::Ran(_) | FireOutcome::Refused(_) | FireOutcome::Elsewhere, _) => {}
        }
        let Running { fire: Fire { workflow, name, due, .. }, run, .. } = running;
        self.end(workflow, name, Last { due, run, outcome });
    }

    /// Lets a run wait that may not begin as long as runs of other daemons go on.
    fn wait_again(&mut self, running: Running, not_before: Option<Timestamp>) {
        if self.entries.contains_key(&running.fire.workflow) {
            self.queue.put_back(running, not_before);
        }
    }

    fn leave_out(&mut self, running: Running) {
        let Fire { workflow, name, due, .. } = running.fire;
        if let Some(entry) = self.entries.get_mut(&workflow) {
            entry.leave_out(due, LeftOutReason::Runs);
        }
        let what = What::LeftOut(LeftOutReason::Runs);
        self.happened.push(Happening { workflow, name, due: Some(due), what });
    }

    fn end(&mut self, workflow: Arc<str>, name: String, last: Last) {
        let what = What::Ended(last.run.clone(), last.outcome.clone());
        let due = Some(last.due);
        if let Some(entry) = self.entries.get_mut(&workflow) {
            entry.last = Some(last);
        }
        self.happened.push(Happening { workflow, name, due, what });
    }

    /// How many runs go on and wait.
    pub(crate) fn load(&self) -> QueueLoad {
        self.queue.load()
    }

    /// Everything as it is now, by the names of workflows.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> SchedulerView {
        view::of(self.entries.values(), &self.queue, self.limits, now)
    }
}

fn fire_of(schedule: &Schedule, number: FireNumber, due: Timestamp, makes_up: bool) -> Fire {
    let (workflow, name) = (Arc::clone(&schedule.workflow), schedule.name.clone());
    Fire { number, workflow, name, due, makes_up, starts_again: false, overlap: schedule.overlap }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scheduler").field("schedules", &self.entries.len()).finish_non_exhaustive()
    }
}
