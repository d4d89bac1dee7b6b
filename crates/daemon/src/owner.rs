//! The one owner of a daemon's state: it takes one [`Event`] after the other and begins what follows from it. Whatever
//! takes time is a task of its own, which ends with an event.

use std::{path::Path, sync::Arc, time::Duration};

use mangrove_app::{
    scan::{Error, Observed, Publication},
    service::{Service, ServiceError, Upkeep},
};
use mangrove_domain::{
    ports::{ServiceManager, Watcher},
    problem::{Code, Problem},
    watch::FileChanges,
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, oneshot, watch,
    },
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    ending::Ending,
    event::{self, Event, Request, ScanAnswer, ScanFailed},
    http::EventLog,
    log::{self, Said},
    looking::{self, AfterEdits},
    metrics::Metrics,
    options::Options,
    read_schedules::ReadSchedules,
    readings::Readings,
    scans::{Look, Scans},
    scheduled_runs::ScheduledRuns,
    status::{self, LastLook, Phase, Status},
    upkeep::{self, Activity, UpkeepTimer},
    watched::Watched,
    webhook::Webhooks,
};

/// The daemon counts as ready when its first look was carried out, or after this time: it does not wait for extensions
/// whose packages cannot be had.
const READY_AFTER: Duration = Duration::from_secs(10);
/// The shortest time between two looks that timers of failed builds ask for.
const BETWEEN_RETRIES: Duration = Duration::from_millis(250);
/// The same while work is going on, which may be about the very builds that are due.
const BETWEEN_BUSY_RETRIES: Duration = Duration::from_secs(1);
/// The longest sleep. A clock that was set is noticed after that.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How soon it looks again after it failed itself.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

/// What the owner is made of.
pub(crate) struct Parts {
    pub(crate) service: Service,
    pub(crate) watcher: Arc<dyn Watcher>,
    pub(crate) manager: Arc<dyn ServiceManager>,
    pub(crate) options: Options,
    pub(crate) sender: mpsc::Sender<Event>,
    pub(crate) receiver: mpsc::Receiver<Event>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) webhooks: Arc<Webhooks>,
    /// Receives what happens to schedules.
    pub(crate) events: Arc<EventLog>,
    /// False if it only keeps the catalog up to date.
    pub(crate) starts_runs: bool,
    pub(crate) metrics: Arc<Metrics>,
    /// Cancelled when the daemon takes nothing new any more.
    pub(crate) stopping: CancellationToken,
}

pub(crate) struct Owner {
    parts: Parts,
    scans: Scans,
    /// Who waits for the look that is under way.
    waiting: Vec<oneshot::Sender<ScanAnswer>>,
    watched: Watched,
    scheduled: ScheduledRuns,
    readings: Readings,
    publications: broadcast::Receiver<Arc<Publication>>,
    upkeep: UpkeepTimer,
    last_tick: Instant,
    next_retry: Instant,
    last_retry: Instant,
    next_rescan: Instant,
    /// When another look may believe what the latest one saw removed.
    second_look: Option<Instant>,
    after_edits: AfterEdits,
    /// What was said last of looks and work that failed.
    said_of_looks: Said,
    /// What stands in the status is that the latest look failed, and no later one's work.
    is_look_failing: bool,
    said_of_work: Said,
    is_repository_gone: bool,
    ready_at: Instant,
    ending: Ending,
}

impl Owner {
    pub(crate) fn new(parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            scans: Scans::default(),
            waiting: Vec::new(),
            watched: Watched::default(),
            scheduled: ScheduledRuns::new(
                parts.service.clone(),
                &parts.options,
                parts.sender.clone(),
                Arc::clone(&parts.events),
            ),
            readings: Readings::default(),
            publications: parts.service.publications(),
            upkeep: UpkeepTimer::new(now, parts.options.first_upkeep, upkeep::chance(&parts.service)),
            last_tick: now,
            next_retry: now + LONGEST_SLEEP,
            last_retry: now,
            next_rescan: now + parts.options.rescan,
            second_look: None,
            after_edits: AfterEdits::default(),
            said_of_looks: Said::default(),
            is_look_failing: false,
            said_of_work: Said::default(),
            is_repository_gone: false,
            ready_at: now + READY_AFTER,
            ending: Ending::default(),
            parts,
        }
    }

    /// Goes on until the daemon has ended.
    pub(crate) async fn run(mut self) {
        self.scans.want_all_tried();
        loop {
            self.begin_look();
            if !self.is_stopping() && !self.is_repository_gone {
                self.scheduled.look_at_claims(Instant::now());
                self.scheduled.start_due();
            }
            status::note_scheduled(&self.parts.status, self.scheduled.load(), self.scheduled.next_due());
            let wake = self.next_wake();
            tokio::select! {
                event = self.parts.receiver.recv() => match event {
                    Some(event) => self.take(event).await,
                    None => break,
                },
                published = self.publications.recv() => self.published(published),
                () = sleep_until(wake) => self.tick(),
            }
            if self.has_ended() {
                break;
            }
        }
        self.parts.stopping.cancel();
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Files(changes) => self.files_changed(&changes).await,
            Event::Looked(outcome, duration) => self.looked(*outcome, duration).await,
            Event::LookGivenUp => {
                self.scans.look_failed();
                self.look_again_soon();
            }
            Event::CarriedOut(number, outcome) => {
                self.scans.ended(number);
                self.set_in_progress();
                self.carried_out(outcome);
            }
            Event::SchedulesRead(read) => self.schedules_read(*read),
            Event::ScheduledRunStarted(number, run) => self.scheduled.started(number, &run),
            Event::ScheduledRunEnded(number, outcome) => self.scheduled.ended(number, outcome),
            Event::LookedAtClaims(found) => self.scheduled.looked_at_claims(&found, Instant::now()),
            Event::KeptUp(upkeep, duration) => self.kept_up(&upkeep, duration),
            Event::Request(request) => self.requested(request).await,
        }
    }

    async fn requested(&mut self, request: Request) {
        match request {
            Request::Scan(_, answer) if self.is_stopping() => {
                // Whoever asked may be gone.
                let _ = answer.send(Err(ScanFailed::Stopping));
            }
            Request::Scan(options, answer) => self.scans.ask(options, answer),
            Request::Schedules(answer) => {
                let _ = answer.send(self.scheduled.view());
            }
            Request::Reload(answer) => {
                self.parts.manager.reloading();
                let problems = self.reload().await;
                self.scans.want_all_tried();
                self.read_schedules();
                self.parts.manager.ready();
                let _ = answer.send(problems);
            }
            Request::Stop if self.is_stopping() => self.ending.hurry(Instant::now()),
            Request::Stop => self.stop(self.parts.options.grace),
            Request::StopNow => self.stop(Duration::ZERO),
        }
    }

    /// Reads the configuration again; what cannot be used leaves the old one in force.
    async fn reload(&self) -> Vec<Problem> {
        let problems = self.parts.service.reload().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "there is no configuration to read again");
            Vec::new()
        });
        log::configuration(&problems);
        problems
    }

    async fn files_changed(&mut self, changes: &FileChanges) {
        tracing::debug!(paths = changes.paths.len(), complete = changes.is_complete, "files changed");
        self.watched.changed(changes);
        let directory = self.parts.service.directory();
        let is_at_top = changes.paths.iter().any(|path| path.parent() == Some(directory));
        if is_at_top || !changes.is_complete {
            self.reload().await;
        }
        if !changes.is_complete || changes.paths.iter().any(|path| self.is_document(path)) {
            self.parts.service.library_changed();
            self.read_schedules();
        }
        if is_at_top || !changes.is_complete {
            self.scans.want();
        } else {
            self.scans.want_edits(&changes.paths);
        }
    }

    /// True if the path may be, or hold, a definition or a workflow.
    fn is_document(&self, path: &Path) -> bool {
        // What has no ending is a directory, or was one.
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, None | Some("yaml" | "yml" | "json")) || self.watched.is_in_tree(path)
    }

    /// Reads definitions and workflows for what starts them by itself.
    fn read_schedules(&mut self) {
        if self.parts.starts_runs {
            self.readings.begin(&self.parts.service, &self.parts.sender);
        }
    }

    fn schedules_read(&mut self, read: Result<ReadSchedules, ServiceError>) {
        let is_wanted_again = self.readings.ended(read.is_ok());
        match read {
            Ok(mut read) => {
                if let Some(earlier) = read.last_good.take() {
                    self.parts.webhooks.replace(self.scheduled.go_on_with(earlier, &read.last));
                }
                let known = self.parts.webhooks.routes();
                let misses_some = self.scheduled.misses(&read) || read.webhooks.misses(&known, &read.library);
                if self.readings.counts(misses_some) {
                    let webhooks = std::mem::take(&mut read.webhooks);
                    self.parts.webhooks.replace(webhooks.keeping(&known, &read.library));
                    self.scheduled.replace(read);
                }
            }
            Err(error) => self.readings.failed(&error),
        }
        if is_wanted_again {
            self.read_schedules();
        }
    }

    fn begin_look(&mut self) {
        if self.is_stopping() {
            return;
        }
        let usual = self.parts.service.scan_request(self.parts.stopping.clone());
        let Some(Look { request, edits, waiting }) = self.scans.begin(usual) else { return };
        self.waiting = waiting;
        let (scanner, sender) = (Arc::clone(self.parts.service.scanner()), self.parts.sender.clone());
        looking::look(scanner, request, edits, sender);
    }

    async fn looked(&mut self, outcome: Result<Observed, Error>, duration: Duration) {
        let waiting = std::mem::take(&mut self.waiting);
        let observed = match outcome {
            Ok(observed) => observed,
            Err(error) => {
                self.scans.look_failed();
                let fault = error.fault();
                if self.said_of_looks.is_new(&error) {
                    tracing::error!(%error, reason = %fault, "the sources cannot be looked at");
                }
                // Runs of a repository that is not there would only fail.
                self.is_repository_gone = fault.code == Code::ROOT_UNREACHABLE;
                let problem = Problem::error(fault.code, "scan", fault.message.clone());
                self.set_last_look(vec![problem], duration, true);
                self.is_look_failing = true;
                let failing = format!("{error}: {}", fault.message);
                self.parts.status.send_modify(|status| status.failing = Some(failing));
                self.look_again_soon();
                event::answer(waiting, &Err(ScanFailed::Scan(Arc::new(error))));
                return;
            }
        };
        self.said_of_looks.forget();
        // Where there is nothing to do, no work follows that says so.
        if std::mem::take(&mut self.is_look_failing) {
            self.parts.status.send_modify(|status| status.failing = None);
        }
        self.is_repository_gone = false;
        let scanner = Arc::clone(self.parts.service.scanner());
        let plan = scanner.plan(&observed);
        let (now, is_partial) = (Instant::now(), observed.is_partial());
        if is_partial {
            self.after_edits.looked_at_edits(now);
        } else {
            self.after_edits.looked_at_everything();
            self.next_rescan = now + self.parts.options.rescan;
            let wait = plan.second_look().map(|at| at.since(self.parts.service.clock().now()));
            self.second_look = wait.map(|wait| now + wait.max(BETWEEN_RETRIES));
            let problems = plan.problems.iter().chain(&observed.disk.problems).cloned().collect();
            self.set_last_look(problems, duration, false);
        }
        let (number, choice) = self.scans.looked(&plan);
        self.set_in_progress();
        let has_begun = self.parts.status.borrow().phase != Phase::Starting;
        if has_begun && choice.sources.is_empty() && waiting.is_empty() {
            self.scans.ended(number);
            if !is_partial {
                self.watch().await;
            }
            return;
        }
        let sender = self.parts.sender.clone();
        looking::carry_out(scanner, observed, (number, choice), waiting, sender);
        // What is saved now does not wait for it. What an edit imports anew is watched after the look at everything.
        if !is_partial {
            self.watch().await;
        }
    }

    /// Tells of what became of sources, and frees those that are done.
    fn published(&mut self, published: Result<Arc<Publication>, RecvError>) {
        // Of what was missed, the end of the work frees the sources.
        let Ok(publication) = published else { return };
        self.scans.published(&publication.changed);
        self.set_in_progress();
        self.plan_retry();
        let index = self.parts.service.published();
        // Another process took it away, or the catalog is a new one: whether its source is gone, a look says.
        if publication.changed.iter().any(|source| index.row(source).is_none()) {
            self.scans.want();
        }
        log::publication(&publication, &index);
    }

    fn carried_out(&mut self, outcome: ScanAnswer) {
        let failing = outcome.as_ref().err().map(ToString::to_string);
        self.is_look_failing = false;
        self.parts.status.send_modify(|status| status.failing = failing);
        match outcome {
            Ok(report) if !report.changed.is_empty() => {
                tracing::info!(changed = report.changed.len(), built = report.statistics.built, "sources were settled");
            }
            Ok(_) => {}
            Err(error) => {
                if self.said_of_work.is_new(&error) {
                    tracing::error!(%error, "what follows from a look could not be done");
                }
                self.look_again_soon();
            }
        }
        if self.scans.in_progress() == 0 {
            self.become_ready();
        }
        self.plan_retry();
    }

    fn become_ready(&mut self) {
        let is_first = self.parts.status.borrow().phase == Phase::Starting;
        if is_first {
            self.parts.status.send_modify(|status| status.phase = Phase::Ready);
            self.parts.manager.ready();
            self.read_schedules();
        }
    }

    /// After a failure of ours, such as a full disk or a catalog that others hold.
    fn look_again_soon(&mut self) {
        self.next_rescan = self.next_rescan.min(Instant::now() + AFTER_A_FAILURE);
    }

    /// Watches what the latest look rests on.
    async fn watch(&mut self) {
        let Parts { service, watcher, status, options, .. } = &self.parts;
        if self.watched.renew(service, watcher.as_ref(), status, options.rescan).await {
            self.scans.want();
        }
    }

    /// Finds out when the next failed build is to be tried.
    fn plan_retry(&mut self) {
        let now = Instant::now();
        let wait = self.parts.service.next_due().map(|due| due.since(self.parts.service.clock().now()));
        let shortest = if self.scans.in_progress() > 0 { BETWEEN_BUSY_RETRIES } else { BETWEEN_RETRIES };
        let earliest = self.last_retry + shortest;
        self.next_retry = wait.map_or(now + Duration::from_hours(1), |wait| (now + wait).max(earliest));
    }

    fn next_wake(&self) -> Instant {
        // Events that come one after the other must not keep it from the time.
        let mut wake = self.last_tick + LONGEST_SLEEP;
        wake = wake.min(self.next_retry).min(self.next_rescan);
        let further = [self.second_look, self.readings.next(), self.after_edits.at()];
        wake = further.into_iter().flatten().fold(wake, Instant::min);
        if let Some(due) = self.scheduled.next_due().filter(|_| !self.is_stopping() && !self.is_repository_gone) {
            wake = wake.min(Instant::now() + due.since(self.parts.service.clock().now()));
        }
        if self.parts.status.borrow().phase == Phase::Starting {
            wake = wake.min(self.ready_at);
        }
        self.ending.wake(Instant::now()).map_or(wake, |end| wake.min(end))
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.last_tick = now;
        self.parts.manager.alive();
        if now >= self.ready_at {
            self.become_ready();
        }
        if now >= self.next_retry {
            self.last_retry = now;
            self.scans.want();
        }
        // The clock may have been set.
        self.plan_retry();
        if self.second_look.take_if(|at| now >= *at).is_some() || self.after_edits.take_due(now) {
            self.scans.want();
        }
        if self.readings.next().is_some_and(|at| now >= at) {
            self.read_schedules();
        }
        if now >= self.next_rescan {
            self.next_rescan = now + self.parts.options.rescan;
            self.scans.want();
            self.read_schedules();
        }
        self.keep_up(now);
        if self.ending.cancels(now) {
            for run in self.parts.service.active_runs() {
                tracing::warn!(run = run.id, "cancelled: it runs longer than a stopping daemon waits");
                // It may have ended by itself.
                let _ = self.parts.service.cancel_run(&run.id);
            }
        }
    }

    /// Looks after the stores if it is time for that.
    fn keep_up(&mut self, now: Instant) {
        let Parts { service, options, sender, stopping, .. } = &self.parts;
        let activity = Activity { looks: !self.scans.is_idle(), runs: !service.active_runs().is_empty() };
        if !self.is_stopping() && self.upkeep.begin(now, activity) {
            upkeep::start(service.clone(), options.retention, sender.clone(), stopping.clone());
        }
    }

    fn kept_up(&mut self, upkeep: &Upkeep, duration: Duration) {
        let Parts { service, metrics, .. } = &self.parts;
        log::upkeep(upkeep, duration);
        metrics.upkeep.add(upkeep, duration, service.clock().now());
        self.upkeep.ended(Instant::now(), upkeep::chance(service));
    }

    fn stop(&mut self, grace: Duration) {
        self.parts.manager.stopping();
        self.parts.status.send_modify(|status| status.phase = Phase::Stopping);
        self.parts.stopping.cancel();
        self.scans.abandon();
        self.ending.begin(Instant::now(), grace);
    }

    const fn is_stopping(&self) -> bool {
        self.ending.has_begun()
    }

    fn has_ended(&self) -> bool {
        self.ending.is_over(Instant::now(), || self.parts.service.active_runs().is_empty() && self.scans.is_idle())
    }

    fn set_in_progress(&self) {
        let in_progress = self.scans.in_progress();
        self.parts.status.send_modify(|status| status.in_progress = in_progress);
    }

    fn set_last_look(&self, problems: Vec<Problem>, duration: Duration, has_failed: bool) {
        log::look(&problems);
        let at = self.parts.service.clock().now();
        self.parts.metrics.looks.add(duration, has_failed, at);
        let last = LastLook { at, duration, problems: problems.into(), has_failed };
        self.parts.status.send_modify(|status| status.last_look = Some(last));
    }
}
