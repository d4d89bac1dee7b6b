//! What is on record of steps that go on, so that it is known if the process of their run dies.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mangrove_domain::run::{LogLine, RunRecord, RunStatus};
use tokio::time::Instant;

/// What steps that go on have logged is on record within this time …
const LINES_WITHIN: Duration = Duration::from_secs(1);
/// … and that the process lives, within this one.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// A record is written whole: of the time, writing takes at most one part in this many.
const PARTS: u32 = 20;

/// The lines of steps that go on.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By job and step.
    lines: HashMap<(String, String), Vec<LogLine>>,
    has_new: bool,
}

impl Lines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line of a step.
    pub(super) fn add(&self, job: &str, step: &str, line: &LogLine) {
        let mut state = self.state();
        state.has_new = true;
        state.lines.entry((job.to_owned(), step.to_owned())).or_default().push(line.clone());
    }

    /// Forgets the lines of a step that has ended: its record has them.
    pub(super) fn end(&self, job: &str, step: &str) {
        self.state().lines.remove(&(job.to_owned(), step.to_owned()));
    }

    /// The record with these lines at their steps. They count as written.
    pub(super) fn added_to<'a>(&self, record: &'a RunRecord) -> Cow<'a, RunRecord> {
        let mut state = self.state();
        state.has_new = false;
        if state.lines.is_empty() {
            return Cow::Borrowed(record);
        }
        let mut record = record.clone();
        for job in &mut record.jobs {
            for step in job.steps.iter_mut().filter(|step| step.status == RunStatus::Running) {
                if let Some(lines) = state.lines.get(&(job.name.clone(), step.name.clone())) {
                    Arc::make_mut(step).logs.clone_from(lines);
                }
            }
        }
        Cow::Owned(record)
    }

    fn has_new(&self) -> bool {
        self.state().has_new
    }
}

/// When the record of a run is written although no step ends.
#[derive(Debug)]
pub(super) struct Cadence {
    /// When it is worth a look whether there is something new.
    next: Instant,
    /// When it is written in any case.
    alive: Instant,
}

impl Cadence {
    /// After a record that was begun to be written at this time.
    pub(super) fn after(began: Instant) -> Self {
        let now = Instant::now();
        let rest = now.saturating_duration_since(began).saturating_mul(PARTS);
        Self { next: now + rest.max(LINES_WITHIN), alive: now + rest.max(ALIVE_WITHIN) }
    }

    /// Waits until it is to be written.
    pub(super) async fn due(&mut self, lines: &Lines) {
        loop {
            tokio::time::sleep_until(self.next).await;
            if lines.has_new() || Instant::now() >= self.alive {
                return;
            }
            self.next += LINES_WITHIN;
        }
    }
}
