//! One run under way, as others see it.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use mangrove_domain::{
    ports::{Clock, RunStore},
    problem::Code,
    run::{RunProblem, RunRecord, RunStatus},
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::workflow::{
    events::{Observer, RunChange, RunEvent},
    run::{CancelReason, NotRecorded},
};

/// How a run ended: its last record, or why that could not be saved.
pub type RunOutcome = Result<Arc<RunRecord>, Arc<NotRecorded>>;

/// A run from the moment in which it is on record to its end.
#[derive(Debug)]
pub(super) struct LiveRun {
    /// Ends it when it is cancelled.
    pub(super) cancellation: CancellationToken,
    /// Why it is.
    pub(super) cancel_reason: CancelReason,
    state: Mutex<State>,
    outcome: watch::Sender<Option<RunOutcome>>,
    /// Receives what happens in all runs of the process, but for what they log.
    feed: broadcast::Sender<RunEvent>,
}

#[derive(Debug, Default)]
struct State {
    /// The run itself, as it was recorded last.
    record: Option<Arc<RunRecord>>,
    /// It and the runs that its steps started, as far as they have not ended or reports are still added to them, as they were
    /// recorded last.
    open: BTreeMap<String, Arc<RunRecord>>,
    subscribers: Vec<Subscriber>,
    /// What has happened since the record was written, and the latest lines of steps that go on, which no record has yet.
    recent: VecDeque<RunEvent>,
    /// Lines among that which are gone, because there were too many.
    gone_lines: u64,
    has_ended: bool,
}

/// How many lines of steps that go on are kept for those who come late. All else is bounded by jobs and steps.
const KEPT_LINES: usize = 1_000;

/// How many log lines wait for one subscriber at most. All other events are bounded by the jobs and steps of the run.
const WAITING_LINES: usize = 10_000;

/// The events of a run, in their order.
#[derive(Debug)]
pub struct RunEvents {
    receiver: mpsc::UnboundedReceiver<RunEvent>,
    waiting_lines: Arc<AtomicUsize>,
}

impl RunEvents {
    /// The next event; `None` once the run has ended. While 10,000 log lines wait to be read, further ones are dropped:
    /// [`RunChange::LinesDropped`] says how many. The record of the run has them.
    pub async fn next(&mut self) -> Option<RunEvent> {
        let event = self.receiver.recv().await?;
        if matches!(event.change, RunChange::Log { .. }) {
            self.waiting_lines.fetch_sub(1, Ordering::Relaxed);
        }
        Some(event)
    }
}

/// The sending side of [`RunEvents`].
#[derive(Debug)]
struct Subscriber {
    sender: mpsc::UnboundedSender<RunEvent>,
    waiting_lines: Arc<AtomicUsize>,
    /// Lines that were dropped since the last event that was sent.
    dropped_lines: u64,
}

impl Subscriber {
    fn new() -> (Self, RunEvents) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting_lines = Arc::<AtomicUsize>::default();
        let events = RunEvents { receiver, waiting_lines: Arc::clone(&waiting_lines) };
        (Self { sender, waiting_lines, dropped_lines: 0 }, events)
    }

    /// False if nobody receives any more.
    fn send(&mut self, event: RunEvent) -> bool {
        if matches!(event.change, RunChange::Log { .. }) {
            if self.waiting_lines.load(Ordering::Relaxed) >= WAITING_LINES {
                self.dropped_lines += 1;
                return !self.sender.is_closed();
            }
            self.waiting_lines.fetch_add(1, Ordering::Relaxed);
        }
        let lines = std::mem::take(&mut self.dropped_lines);
        if lines > 0 {
            let change = RunChange::LinesDropped { lines };
            // If nobody receives it, the next call says so.
            let _ = self.sender.send(RunEvent { run_id: Arc::clone(&event.run_id), change });
        }
        self.sender.send(event).is_ok()
    }
}

impl LiveRun {
    pub(super) fn new(feed: broadcast::Sender<RunEvent>) -> Self {
        Self {
            cancellation: CancellationToken::new(),
            cancel_reason: CancelReason::default(),
            state: Mutex::default(),
            outcome: watch::Sender::new(None),
            feed,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run as it was recorded last.
    pub(super) fn record(&self) -> Option<Arc<RunRecord>> {
        self.state().record.clone()
    }

    /// Events from now on. If the run is on record already, its record comes first, and then what has happened
    /// since it was written, with the latest lines of the steps that go on.
    pub(super) fn subscribe(&self) -> RunEvents {
        let (mut subscriber, events) = Subscriber::new();
        let mut state = self.state();
        if let Some(record) = &state.record {
            let run_id = Arc::from(record.id.as_str());
            let record = Arc::clone(record);
            let change = if state.has_ended { RunChange::Finished(record) } else { RunChange::Started(record) };
            subscriber.send(RunEvent { run_id: Arc::clone(&run_id), change });
            if state.gone_lines > 0 {
                subscriber.send(RunEvent { run_id, change: RunChange::LinesDropped { lines: state.gone_lines } });
            }
            for event in &state.recent {
                subscriber.send(event.clone());
            }
        }
        if !state.has_ended {
            state.subscribers.push(subscriber);
        }
        events
    }

    /// Waits for the end.
    pub(super) async fn outcome(&self) -> RunOutcome {
        let mut outcome = self.outcome.subscribe();
        // The sender exists as long as `self`.
        match outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Lets everybody know the end.
    pub(super) fn end(&self, outcome: RunOutcome) {
        let mut state = self.state();
        if let Ok(record) = &outcome {
            state.record = Some(Arc::clone(record));
        }
        state.has_ended = true;
        state.subscribers.clear();
        state.recent.clear();
        drop(state);
        self.outcome.send_replace(Some(outcome));
    }

    /// Ends the run, and those that its steps started, because its task panicked: each is recorded as failed, but for those that
    /// had ended before their reports were made.
    pub(super) async fn end_after_panic(&self, runs: &dyn RunStore, clock: &dyn Clock, message: &str) {
        let open: Vec<Arc<RunRecord>> = std::mem::take(&mut self.state().open).into_values().collect();
        let own = self.record().map(|record| record.id.clone()).unwrap_or_default();
        let problem =
            RunProblem::new(Code::RUN_PANICKED, format!("a fault in Mangrove itself ended the run: {message}"));
        let mut outcome = None;
        for record in open {
            let record = Arc::unwrap_or_clone(record);
            let record = Arc::new(if record.is_open() {
                record.broken_off(clock.now(), RunStatus::Failed, &problem)
            } else {
                without_reports(record, message)
            });
            let saved = runs.save(&record).await;
            if let Err(error) = &saved {
                tracing::warn!(run = %record.id, %error, "the end of a run could not be recorded");
            }
            let run_id = Arc::from(record.id.as_str());
            self.observe(RunEvent { run_id, change: RunChange::Finished(Arc::clone(&record)) });
            if record.id == own {
                outcome = Some(match saved {
                    Ok(()) => Ok(record),
                    Err(source) => Err(Arc::new(NotRecorded { source, record: Box::new((*record).clone()) })),
                });
            }
        }
        // It panicked after its end was on record.
        let outcome = outcome.or_else(|| self.record().map(Ok));
        if let Some(outcome) = outcome {
            self.end(outcome);
        }
    }
}

impl Observer for LiveRun {
    fn observe(&self, event: RunEvent) {
        let mut state = self.state();
        state.subscribers.retain_mut(|subscriber| subscriber.send(event.clone()));
        if matches!(event.change, RunChange::LinesDropped { .. }) {
            return;
        }
        let is_own = state.record.as_ref().is_none_or(|own| *own.id == *event.run_id);
        // The record tells of the beginning and the end of the run itself.
        if !(is_own && matches!(event.change, RunChange::Started(_) | RunChange::Finished(_))) {
            state.recent.push_back(event.clone());
        }
        if is_line(&event) {
            state.bound_lines();
            return;
        }
        drop(state);
        // An error says only that nobody has subscribed.
        let _nobody = self.feed.send(event);
    }

    fn ended(&self, record: &Arc<RunRecord>) {
        self.state().open.insert(record.id.clone(), Arc::clone(record));
    }

    fn recorded(&self, record: &Arc<RunRecord>) {
        let mut state = self.state();
        // The run itself is the first to be recorded.
        let is_own = state.record.as_ref().is_none_or(|own| own.id == record.id);
        if is_own {
            state.record = Some(Arc::clone(record));
        }
        if record.is_open() {
            state.open.insert(record.id.clone(), Arc::clone(record));
        } else {
            state.open.remove(&record.id);
        }
        if is_own {
            state.forget_recorded(record);
        }
    }
}

fn is_line(event: &RunEvent) -> bool {
    matches!(event.change, RunChange::Log { .. })
}

impl State {
    /// Lets the oldest line go if there are too many.
    fn bound_lines(&mut self) {
        if self.recent.iter().filter(|event| is_line(event)).count() > KEPT_LINES
            && let Some(oldest) = self.recent.iter().position(is_line)
        {
            self.recent.remove(oldest);
            self.gone_lines += 1;
        }
    }

    /// Forgets what this record of the run itself has: all but the lines of steps that go on.
    fn forget_recorded(&mut self, record: &RunRecord) {
        let goes_on = |of_job: &str, of_step: &str| {
            let jobs = record.jobs.iter().filter(|job| job.name == of_job);
            jobs.flat_map(|job| &job.steps).any(|step| step.name == of_step && step.status.is_open())
        };
        let open = &self.open;
        self.recent.retain(|event| match &event.change {
            RunChange::Log { job, step, .. } if *event.run_id == *record.id => goes_on(job, step),
            RunChange::Log { .. } => open.contains_key(&*event.run_id),
            _ => false,
        });
        if self.recent.is_empty() {
            self.gone_lines = 0;
        }
    }
}

/// A run that had ended, and whose reports are missing for this reason.
fn without_reports(record: RunRecord, message: &str) -> RunRecord {
    let missing = format!("a fault in Mangrove itself kept reports from being made: {message}");
    let error = match record.error {
        Some(error) => RunProblem { message: format!("{}; {missing}", error.message), ..error },
        None => RunProblem::new(Code::RUN_PANICKED, missing),
    };
    RunRecord { error: Some(error), ..record }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        json::Json,
        run::{JobRecord, LogLine, StepRecord},
        time::Timestamp,
    };
    use mangrove_testkit::fakes::{ManualClock, MemoryRuns};

    use super::*;

    fn event(change: RunChange) -> RunEvent {
        RunEvent { run_id: "r".into(), change }
    }

    fn line(number: usize) -> RunEvent {
        let line = LogLine { at: Timestamp::from_millis(0), level: "info".to_owned(), text: number.to_string() };
        event(RunChange::Log { job: "j".to_owned(), step: "s".to_owned(), line })
    }

    fn job() -> RunEvent {
        event(RunChange::JobStarted { job: "j".to_owned() })
    }

    fn run() -> LiveRun {
        LiveRun::new(broadcast::Sender::new(16))
    }

    /// A record with steps in one job, each with its status.
    fn record(steps: &[(&str, RunStatus)]) -> Arc<RunRecord> {
        let steps = steps.iter().map(|(name, status)| {
            let pending = StepRecord::pending((*name).to_owned(), None, "thing.work".to_owned());
            Arc::new(StepRecord { status: *status, ..pending })
        });
        let job = JobRecord {
            name: "j".to_owned(),
            status: RunStatus::Running,
            started_at: None,
            finished_at: None,
            steps: steps.collect(),
        };
        Arc::new(RunRecord {
            id: "r".to_owned(),
            name: "deploy".to_owned(),
            workflow_id: None,
            tags: Vec::new(),
            trigger: "test".to_owned(),
            status: RunStatus::Running,
            started_at: Timestamp::from_millis(0),
            finished_at: None,
            written_at: None,
            inputs: Json::Null,
            jobs: vec![job],
            error: None,
            file_problem: None,
            reports: Vec::new(),
        })
    }

    fn step(name: &str) -> RunEvent {
        let record = record(&[(name, RunStatus::Succeeded)]);
        event(RunChange::StepFinished { job: "j".to_owned(), step: Arc::clone(&record.jobs[0].steps[0]) })
    }

    /// What somebody is told who comes now.
    async fn told(run: &LiveRun) -> Vec<RunEvent> {
        let mut events = run.subscribe();
        let mut told = Vec::new();
        while !events.receiver.is_empty() {
            told.extend(events.next().await);
        }
        told
    }

    #[tokio::test]
    async fn who_comes_late_is_told_what_no_record_has_yet_and_how_much_of_it_is_gone() {
        let run = run();
        let begun = record(&[("s", RunStatus::Pending), ("other", RunStatus::Pending)]);
        run.recorded(&begun);
        run.observe(event(RunChange::Started(Arc::clone(&begun))));
        run.observe(job());
        let lines: Vec<RunEvent> = (0..2 * KEPT_LINES).map(line).collect();
        for line in &lines {
            run.observe(line.clone());
        }
        let dropped = event(RunChange::LinesDropped { lines: KEPT_LINES as u64 });
        let beginning = [event(RunChange::Started(Arc::clone(&begun))), dropped.clone(), job()];
        let expected = [&beginning, &lines[KEPT_LINES..]].concat();
        assert_eq!(told(&run).await, expected, "the latest lines, in their order");

        // The next record has all of it but what the step that goes on has logged.
        let going_on = record(&[("s", RunStatus::Running), ("other", RunStatus::Succeeded)]);
        run.observe(step("other"));
        run.recorded(&going_on);
        let beginning = [event(RunChange::Started(Arc::clone(&going_on))), dropped];
        assert_eq!(told(&run).await, [&beginning, &lines[KEPT_LINES..]].concat());
        let ended = record(&[("s", RunStatus::Succeeded), ("other", RunStatus::Succeeded)]);
        run.recorded(&ended);
        assert_eq!(told(&run).await, [event(RunChange::Started(ended))]);
    }

    #[tokio::test]
    async fn the_feed_of_all_runs_has_everything_but_what_they_log() {
        let run = run();
        let mut feed = run.feed.subscribe();
        run.observe(job());
        run.observe(line(1));
        run.observe(step("s"));
        assert_eq!(feed.recv().await, Ok(job()));
        assert_eq!(feed.recv().await, Ok(step("s")));
        assert!(feed.is_empty());
    }

    #[tokio::test]
    async fn a_panic_while_reports_are_made_leaves_the_run_as_it_had_ended() {
        let (runs, clock) = (MemoryRuns::new(), ManualClock::new(Timestamp::from_millis(9)));
        let run = run();
        run.recorded(&record(&[("s", RunStatus::Running)]));
        let ended = Arc::unwrap_or_clone(record(&[("s", RunStatus::Succeeded)]));
        let ended = RunRecord { status: RunStatus::Succeeded, finished_at: Some(clock.now()), ..ended };
        runs.save_ended(&ended).await.expect("saved");
        run.ended(&Arc::new(ended.clone()));
        run.end_after_panic(&runs, &clock, "oh").await;
        let kept = runs.get("r").await.expect("readable").found().expect("there");
        assert_eq!((kept.status, &kept.jobs), (RunStatus::Succeeded, &ended.jobs));
        let error = kept.error.as_ref().expect("what is missing").message.as_str();
        assert_eq!(error, "a fault in Mangrove itself kept reports from being made: oh");
        assert_eq!(*run.outcome().await.expect("on record"), kept);
        let again = RunRecord { status: RunStatus::Running, ..kept.clone() };
        assert!(runs.replace(&kept, &again).await.expect("looked"), "nobody adds anything any more");
    }

    #[tokio::test]
    async fn events_for_a_subscriber_that_never_reads_are_bounded_and_say_what_was_dropped() {
        let run = run();
        let mut events = run.subscribe();
        for number in 0..3 * WAITING_LINES {
            run.observe(line(number));
        }
        run.observe(job());
        assert_eq!(events.receiver.len(), WAITING_LINES + 2);
        for number in 0..WAITING_LINES {
            assert_eq!(events.next().await, Some(line(number)), "the first lines are kept, in their order");
        }
        let dropped = RunChange::LinesDropped { lines: 2 * WAITING_LINES as u64 };
        assert_eq!(events.next().await, Some(event(dropped)));
        assert_eq!(events.next().await, Some(job()), "everything else is kept");
        run.observe(line(7));
        assert_eq!(events.next().await, Some(line(7)), "whoever reads again gets lines again");
    }

    #[tokio::test]
    async fn a_subscriber_that_reads_misses_nothing() {
        let run = run();
        let mut events = run.subscribe();
        for number in 0..3 * WAITING_LINES {
            run.observe(line(number));
            assert_eq!(events.next().await, Some(line(number)));
        }
    }
}
