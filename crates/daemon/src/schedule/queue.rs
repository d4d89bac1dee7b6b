//! Which runs are under way and which wait, by workflow.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use mangrove_domain::{ports::ScheduledInstant, time::Timestamp, workflow::Overlap};

use super::definition::{Fire, FireNumber, LeftOutReason};
use crate::queue_load::QueueLoad;

/// How much may run and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many scheduled runs go on at once, at least 1. One workflow has half of these places, and at least one.
    pub running: usize,
    /// How many runs of one workflow wait at once where its runs may overlap (`overlap: allow`).
    pub waiting_of_one: usize,
}

/// 16 at once; of one workflow, 16 wait.
impl Default for Limits {
    fn default() -> Self {
        Self { running: 16, waiting_of_one: 16 }
    }
}

impl Limits {
    const fn running_of_one(self) -> usize {
        if self.running < 4 { 1 } else { self.running / 2 }
    }
}

/// Runs that go on and runs that wait. Whoever came first starts first, unless it waits for its own workflow: a slow
/// workflow delays no other (fault 33).
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    next: u64,
    waiting: BTreeMap<FireNumber, Waiting>,
    running: BTreeMap<FireNumber, Running>,
    counts: HashMap<Arc<str>, Count>,
    /// True if something that waits may be able to start.
    may_start: bool,
    /// As many runs go on as may in all daemons together: nothing starts before this, and then one, to see whether it may.
    full_until: Option<Timestamp>,
}

/// One run that waits for its turn.
#[derive(Debug)]
struct Waiting {
    fire: Fire,
    overlap: Overlap,
    /// It waits for a run of another daemon, and is not tried before this.
    not_before: Option<Timestamp>,
}

/// One run that goes on.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) fire: Fire,
    overlap: Overlap,
    /// Its identifier, once it has one.
    pub(super) run: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    running: usize,
    waiting: usize,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        let (waiting, running, counts) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
        Self { limits, next: 0, waiting, running, counts, may_start: false, full_until: None }
    }

    /// Lets a run wait for its turn, unless what goes on and what waits of its workflow keeps it out.
    pub(super) fn add(
        &mut self,
        overlap: Overlap,
        fire: impl FnOnce(FireNumber) -> Fire,
        workflow: &Arc<str>,
    ) -> Result<(), LeftOutReason> {
        let count = self.counts.get(workflow).copied().unwrap_or_default();
        match overlap {
            Overlap::Skip if count.running > 0 => return Err(LeftOutReason::Runs),
            Overlap::Skip | Overlap::Queue if count.waiting > 0 => return Err(LeftOutReason::Waits),
            Overlap::Allow if count.waiting >= self.limits.waiting_of_one => return Err(LeftOutReason::QueueFull),
            Overlap::Skip | Overlap::Queue | Overlap::Allow => {}
        }
        let number = FireNumber(self.next);
        self.next += 1;
        self.waiting.insert(number, Waiting { fire: fire(number), overlap, not_before: None });
        self.counts.entry(Arc::clone(workflow)).or_default().waiting += 1;
        self.may_start = true;
        Ok(())
    }

    /// True if the run for this instant goes on or waits.
    pub(super) fn has(&self, workflow: &str, due: Timestamp) -> bool {
        let fires = self.waiting().chain(self.running().map(|running| &running.fire));
        fires.into_iter().any(|fire| &*fire.workflow == workflow && fire.due == due)
    }

    /// The runs that start now.
    pub(super) fn start(&mut self, now: Timestamp) -> Vec<Fire> {
        let most = match self.full_until {
            Some(at) if now < at => return Vec::new(),
            Some(_) => 1,
            None => usize::MAX,
        };
        self.may_start |= self.full_until.take().is_some();
        let is_time = |waiting: &Waiting| waiting.not_before.is_none_or(|at| at <= now);
        let is_awaited = self.waiting.values().any(|waiting| waiting.not_before.is_some() && is_time(waiting));
        if !std::mem::take(&mut self.may_start) && !is_awaited {
            return Vec::new();
        }
        let mut started = Vec::new();
        for waiting in self.waiting.values_mut() {
            if self.running.len() >= self.limits.running || started.len() >= most {
                break;
            }
            if !is_time(waiting) {
                continue;
            }
            waiting.not_before = None;
            let Waiting { fire, overlap, .. } = waiting;
            let count = self.counts.entry(Arc::clone(&fire.workflow)).or_default();
            let most = if *overlap == Overlap::Queue { 1 } else { self.limits.running_of_one() };
            if count.running >= most {
                continue;
            }
            count.running += 1;
            count.waiting -= 1;
            self.running.insert(fire.number, Running { fire: fire.clone(), overlap: *overlap, run: None });
            started.push(fire.clone());
        }
        for fire in &started {
            self.waiting.remove(&fire.number);
        }
        started
    }

    /// When something that waits may be able to start; a time that has passed means now.
    pub(super) fn startable(&self) -> Option<Timestamp> {
        if self.running.len() >= self.limits.running {
            return None;
        }
        if self.full_until.is_some() && !self.waiting.is_empty() {
            return self.full_until;
        }
        let waiting = self.waiting.values();
        let may_start = |waiting: &Waiting| waiting.not_before.or_else(|| self.may_start.then_some(waiting.fire.due));
        waiting.filter_map(may_start).min()
    }

    /// Lets a run that did not begin wait again, in its old place, but not before this if there is a time.
    pub(super) fn put_back(&mut self, running: Running, not_before: Option<Timestamp>) {
        let Running { fire, overlap, .. } = running;
        let fire = Fire { starts_again: true, ..fire };
        self.counts.entry(Arc::clone(&fire.workflow)).or_default().waiting += 1;
        self.waiting.insert(fire.number, Waiting { fire, overlap, not_before });
    }

    /// Starts nothing before this: as many runs go on as may in all daemons together. What came first starts first then.
    pub(super) fn set_full(&mut self, until: Timestamp) {
        self.full_until = Some(until);
    }

    /// Notes the identifier of a run. It may go on, so there may be room for more.
    pub(super) fn started(&mut self, number: FireNumber, run: &str) {
        self.may_start = true;
        if let Some(running) = self.running.get_mut(&number) {
            running.run = Some(run.to_owned());
        }
    }

    /// Ends a run; `None` if it did not go on.
    pub(super) fn ended(&mut self, number: FireNumber) -> Option<Running> {
        let running = self.running.remove(&number)?;
        if let Some(count) = self.counts.get_mut(&running.fire.workflow) {
            count.running = count.running.saturating_sub(1);
        }
        self.forget(&running.fire.workflow);
        self.may_start = true;
        Some(running)
    }

    /// Takes out what waits of a workflow.
    pub(super) fn remove_waiting(&mut self, workflow: &Arc<str>) {
        self.waiting.retain(|_, waiting| waiting.fire.workflow != *workflow);
        if let Some(count) = self.counts.get_mut(workflow) {
            count.waiting = 0;
        }
        self.forget(workflow);
    }

    /// Takes out what waits for these instants; gives it in its order.
    pub(super) fn remove_instants(&mut self, instants: &[ScheduledInstant]) -> Vec<Fire> {
        let instants: HashSet<(&str, Timestamp)> =
            instants.iter().map(|instant| (instant.workflow.as_str(), instant.instant)).collect();
        let is_among = |fire: &Fire| instants.contains(&(&*fire.workflow, fire.due));
        let removed: Vec<Fire> = self.waiting().filter(|fire| is_among(fire)).cloned().collect();
        for fire in &removed {
            self.waiting.remove(&fire.number);
            if let Some(count) = self.counts.get_mut(&fire.workflow) {
                count.waiting = count.waiting.saturating_sub(1);
            }
            self.forget(&fire.workflow);
        }
        removed
    }

    fn forget(&mut self, workflow: &Arc<str>) {
        if self.counts.get(workflow).is_some_and(|count| count.running + count.waiting == 0) {
            self.counts.remove(workflow);
        }
    }

    /// How many run and wait.
    pub(super) fn load(&self) -> QueueLoad {
        QueueLoad {
            running: self.running.len() as u64,
            limit: self.limits.running as u64,
            waiting: self.waiting.len() as u64,
        }
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Fire> {
        self.waiting.values().map(|waiting| &waiting.fire)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }
}
