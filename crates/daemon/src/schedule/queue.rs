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
    waiting: BTreeMap<FireNumber, (Fire, Overlap)>,
    running: BTreeMap<FireNumber, Running>,
    counts: HashMap<Arc<str>, Count>,
    /// True if something that waits may be able to start.
    may_start: bool,
}

/// One run that goes on.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) workflow: Arc<str>,
    pub(super) name: String,
    pub(super) due: Timestamp,
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
        Self { limits, next: 0, waiting, running, counts, may_start: false }
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
        self.waiting.insert(number, (fire(number), overlap));
        self.counts.entry(Arc::clone(workflow)).or_default().waiting += 1;
        self.may_start = true;
        Ok(())
    }

    /// True if the run for this instant goes on or waits.
    pub(super) fn has(&self, workflow: &str, due: Timestamp) -> bool {
        self.waiting.values().any(|(fire, _)| &*fire.workflow == workflow && fire.due == due)
            || self.running.values().any(|running| &*running.workflow == workflow && running.due == due)
    }

    /// The runs that start now.
    pub(super) fn start(&mut self) -> Vec<Fire> {
        if !std::mem::take(&mut self.may_start) {
            return Vec::new();
        }
        let mut started = Vec::new();
        for (number, (fire, overlap)) in &self.waiting {
            if self.running.len() >= self.limits.running {
                break;
            }
            let count = self.counts.entry(Arc::clone(&fire.workflow)).or_default();
            let most = if *overlap == Overlap::Queue { 1 } else { self.limits.running_of_one() };
            if count.running >= most {
                continue;
            }
            count.running += 1;
            count.waiting -= 1;
            let (workflow, name) = (Arc::clone(&fire.workflow), fire.name.clone());
            let running = Running { workflow, name, due: fire.due, run: None };
            self.running.insert(*number, running);
            started.push(fire.clone());
        }
        for fire in &started {
            self.waiting.remove(&fire.number);
        }
        started
    }

    /// The earliest of the runs that wait, if one of them may be able to start.
    pub(super) fn startable(&self) -> Option<Timestamp> {
        let is_free = self.may_start && self.running.len() < self.limits.running;
        self.waiting.values().map(|(fire, _)| fire.due).min().filter(|_| is_free)
    }

    /// Notes the identifier of a run.
    pub(super) fn started(&mut self, number: FireNumber, run: &str) {
        if let Some(running) = self.running.get_mut(&number) {
            running.run = Some(run.to_owned());
        }
    }

    /// Ends a run; `None` if it did not go on.
    pub(super) fn ended(&mut self, number: FireNumber) -> Option<Running> {
        let running = self.running.remove(&number)?;
        if let Some(count) = self.counts.get_mut(&running.workflow) {
            count.running = count.running.saturating_sub(1);
        }
        self.forget(&running.workflow);
        self.may_start = true;
        Some(running)
    }

    /// Takes out what waits of a workflow.
    pub(super) fn remove_waiting(&mut self, workflow: &Arc<str>) {
        self.waiting.retain(|_, (fire, _)| fire.workflow != *workflow);
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
        self.waiting.values().map(|(fire, _)| fire)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }
}
