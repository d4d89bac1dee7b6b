//! A history of runs that several machines share, kept by each of them for its own runs first (`design/decisions/0014`).
//!
//! What a run does is on the disk of its machine before it goes on, as without a server, and is sent to the server soon after.
//! So a machine that has lost its database goes on running, and what it did is known to all once the database is back. Only the
//! first record of a run that was claimed waits for the server: nobody else may start it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    checkout::{Checkout, NodeCheckout},
    failure::{FailureClass, Fault},
    ports::{
        CancellationRequest, Checkouts, CheckoutsError, ClaimAnswer, GivenUp, LeaseError, RunFilter, RunStore,
        RunStoreError, ScheduleClaim, ScheduleLeases, ScheduledInstant,
    },
    problem::Code,
    run::{RunHeader, RunLookup, RunRecord},
    time::Timestamp,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    postgres::{PostgresRuns, RunEnd},
    runs::DeferredRuns,
};

/// How long the end of a run waits until the server knows it. The process may end after that.
const WAIT_FOR_THE_END: Duration = Duration::from_secs(2);
/// How long a question may take the server before the answer is what this machine knows.
const WAIT_FOR_AN_ANSWER: Duration = Duration::from_secs(2);
/// How long what goes on is gathered before it is sent.
const GATHERED: Duration = Duration::from_millis(200);
/// Between attempts to send while the server is not there, or while another process has what is to be sent.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(2);
/// How often something is sent that another process has: as long as it takes to notice that this one is gone.
const MOST_REFUSALS: u32 = 15;
/// How many of the latest runs are compared with what the server has when the first one is sent.
const COMPARED: u32 = 1_000;

/// The history of the runs of this machine, and of all that share a server.
#[derive(Clone, Debug)]
pub struct SharedRuns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    local: Arc<DeferredRuns>,
    shared: PostgresRuns,
    state: Mutex<State>,
    is_sending: AtomicBool,
    /// Wakes whoever sends.
    wanted: Arc<Notify>,
    /// The same for what somebody waits for.
    urgent: Arc<Notify>,
    /// Counts what was sent.
    sent: watch::Sender<u64>,
    /// True while the server did not answer when it was asked last.
    is_alone: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// What is to be sent.
    unsent: BTreeMap<String, Unsent>,
    /// The runs that go on in this process.
    ours: BTreeSet<String>,
    /// The runs that have ended here and to which something is still to be added.
    held: BTreeSet<String>,
}

/// A record that is to be sent.
#[derive(Clone, Copy, Debug, Default)]
struct Unsent {
    /// Counts how often it was written since it was sent last.
    writes: u64,
    /// How often it was refused.
    refusals: u32,
    /// When it is tried again after it was refused.
    not_before: Option<Instant>,
}

impl SharedRuns {
    /// The runs of this machine in `local`, and those of all in `shared`.
    #[must_use]
    pub fn new(local: Arc<DeferredRuns>, shared: PostgresRuns) -> Self {
        Self(Arc::new(Inner {
            local,
            shared,
            state: Mutex::default(),
            is_sending: AtomicBool::new(false),
            wanted: Arc::default(),
            urgent: Arc::default(),
            sent: watch::Sender::new(0),
            is_alone: AtomicBool::new(false),
        }))
    }

    /// Has a run sent as it is on record here.
    fn send(&self, run: &str) {
        self.0.state().unsent.entry(run.to_owned()).or_default().writes += 1;
        self.begin_sending();
        self.0.wanted.notify_one();
    }

    fn begin_sending(&self) {
        if !self.0.is_sending.swap(true, Ordering::AcqRel) {
            let (wanted, urgent) = (Arc::clone(&self.0.wanted), Arc::clone(&self.0.urgent));
            tokio::spawn(go_on(Arc::downgrade(&self.0), wanted, urgent));
        }
    }

    /// Waits a little until the run is sent.
    async fn sent(&self, run: &str) {
        self.0.urgent.notify_one();
        let mut sent = self.0.sent.subscribe();
        let is_sent = sent.wait_for(|_| !self.0.state().unsent.contains_key(run));
        if timeout(WAIT_FOR_THE_END, is_sent).await.is_err() {
            tracing::debug!(run, "the end of a run could not be told to the server yet");
        }
    }

    /// True if this machine's record of a run is newer than the server's: it was not sent yet, the run goes on here, or both know
    /// no more of it than that it ended, and this one later.
    fn knows_more(&self, here: &RunRecord, there: &RunRecord) -> bool {
        let state = self.0.state();
        state.unsent.contains_key(&here.id)
            || state.ours.contains(&here.id)
            || here.is_open()
            || RunEnd::of(here).is_known_better_than(RunEnd::of(there))
    }

    /// The runs of this machine that the server does not know at all: their process was killed before it told them, or has no
    /// server at the moment.
    async fn untold(&self, here: &[RunHeader], there: &BTreeMap<String, RunHeader>) -> BTreeSet<String> {
        let unlisted: Vec<&str> =
            here.iter().map(|header| header.id.as_str()).filter(|id| !there.contains_key(*id)).collect();
        if unlisted.is_empty() {
            return BTreeSet::new();
        }
        // What the server may know otherwise is left to it; without an answer, what is known here counts.
        let known = self.ask(self.0.shared.ends_by_id(&unlisted)).await.unwrap_or_default();
        unlisted.into_iter().filter(|id| !known.contains_key(*id)).map(str::to_owned).collect()
    }

    /// What the server says. While it is known not to answer nobody waits for it: whoever sends looks for it again and again.
    async fn ask<T>(&self, question: impl Future<Output = Result<T, RunStoreError>>) -> Result<T, RunStoreError> {
        let silent = |message: String| {
            let fault = Fault::transient(Code::DATABASE_UNREACHABLE, "runs:silent", message);
            RunStoreError { operation: "read", fault }
        };
        let is_looked_for = self.0.is_sending.load(Ordering::Relaxed);
        if is_looked_for && self.0.is_alone.load(Ordering::Relaxed) {
            return Err(silent("the server did not answer a moment ago".to_owned()));
        }
        let answer = timeout(WAIT_FOR_AN_ANSWER, question).await.unwrap_or_else(|_| {
            Err(silent(format!("the server did not answer within {} s", WAIT_FOR_AN_ANSWER.as_secs())))
        });
        self.0.noted(&answer);
        if answer.is_err() && !self.0.shared.is_read_only() {
            self.begin_sending();
        }
        answer
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether the server answered, and says so when that changes. Other failures say nothing of that.
    fn noted<T>(&self, answer: &Result<T, RunStoreError>) {
        match answer {
            Ok(_) => {
                if self.is_alone.swap(false, Ordering::Relaxed) {
                    tracing::info!("the runs of other machines are seen again");
                }
            }
            Err(error) if error.fault.class == FailureClass::Transient => {
                if !self.is_alone.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "only the runs of this machine are seen, and only it knows them, until the database answers");
                }
            }
            Err(error) => tracing::warn!(%error, "the database has no answer about runs"),
        }
    }

    /// Finds what the server does not know: runs of a process that was killed, and runs from before a server was there or lost
    /// what it had.
    async fn compare(&self) -> Result<(), RunStoreError> {
        let newest = RunFilter { limit: Some(COMPARED), ..RunFilter::default() };
        let local: Vec<RunHeader> =
            self.local.list(&newest).await?.into_iter().filter(|header| !header.is_open()).collect();
        let ids: Vec<&str> = local.iter().map(|header| header.id.as_str()).collect();
        let known = self.shared.ends_by_id(&ids).await?;
        let mut state = self.state();
        for header in &local {
            let here = RunEnd { status: header.status, finished_at: header.finished_at };
            if known.get(&header.id).is_none_or(|there| there.status.is_open() || here.is_known_better_than(*there)) {
                state.unsent.entry(header.id.clone()).or_default();
            }
        }
        Ok(())
    }

    /// Sends everything that is to be sent, but for what was refused a moment ago; false if the server is away.
    async fn send_all(&self) -> bool {
        let runs: Vec<(String, Unsent)> =
            self.state().unsent.iter().map(|(run, unsent)| (run.clone(), *unsent)).collect();
        for (run, before) in runs {
            if before.not_before.is_some_and(|at| Instant::now() < at) {
                continue;
            }
            let sent = self.send_one(&run).await;
            let is_refused = sent.as_ref().is_err_and(|error| error.fault.code == Code::RUN_TAKEN_OVER);
            let is_away = sent.as_ref().is_err_and(|error| error.fault.class == FailureClass::Transient);
            let refusals = before.refusals + u32::from(is_refused);
            let goes_on = is_away || is_refused && refusals < MOST_REFUSALS;
            if let Err(error) = &sent
                && !goes_on
            {
                // Another attempt would end like this one.
                tracing::warn!(run, %error, "what became of a run here is not told to other machines");
            }
            if goes_on {
                if let Some(unsent) = self.state().unsent.get_mut(&run) {
                    unsent.refusals = refusals;
                    unsent.not_before = is_refused.then(|| Instant::now() + BETWEEN_ATTEMPTS);
                }
            } else {
                let mut state = self.state();
                // What was written meanwhile is sent once more.
                if state.unsent.get(&run).is_some_and(|unsent| unsent.writes == before.writes) {
                    state.unsent.remove(&run);
                }
                // What another process has is its own.
                if sent.is_err() {
                    state.ours.remove(&run);
                }
                drop(state);
                self.sent.send_modify(|sent| *sent += 1);
            }
            if is_away {
                self.noted(&sent);
                return false;
            }
            if sent.is_ok() {
                self.noted(&sent);
            }
        }
        true
    }

    async fn send_one(&self, run: &str) -> Result<(), RunStoreError> {
        let Some(record) = self.local.get(run).await?.found().filter(|record| record.id == run) else { return Ok(()) };
        let is_held = self.state().held.contains(run);
        if is_held { self.shared.save_ended(&record).await } else { self.shared.save(&record).await }?;
        let mut state = self.state();
        if !record.is_open() && !is_held {
            state.ours.remove(run);
        }
        Ok(())
    }
}

/// Sends what is wanted, until nobody holds the history any more.
async fn go_on(inner: Weak<Inner>, wanted: Arc<Notify>, urgent: Arc<Notify>) {
    let mut is_compared = false;
    loop {
        let Some(inner) = inner.upgrade() else { return };
        if !is_compared {
            let compared = inner.compare().await;
            inner.noted(&compared);
            is_compared = !compared.is_err_and(|error| error.fault.class == FailureClass::Transient);
        }
        if inner.is_alone.load(Ordering::Relaxed) {
            inner.noted(&inner.shared.ends_by_id(&[]).await);
        }
        let has_to_wait = !inner.send_all().await || !is_compared;
        // A history that nobody holds any more is not kept for it: it looks now and then whether somebody does.
        drop(inner);
        if has_to_wait {
            sleep(BETWEEN_ATTEMPTS).await;
        } else if timeout(BETWEEN_ATTEMPTS, wanted.notified()).await.is_ok() {
            let _ = timeout(GATHERED, urgent.notified()).await;
        }
    }
}

#[async_trait]
impl RunStore for SharedRuns {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        let Inner { local, shared, .. } = &*self.0;
        let is_claimed = shared.is_claimed(&record.id);
        if is_claimed {
            shared.save(record).await?;
        }
        if let Err(error) = local.save(record).await {
            if is_claimed && let Err(error) = shared.retract(&record.id).await {
                tracing::warn!(run = %record.id, %error, "that a run did not begin is told with the next sign of life");
            }
            return Err(error);
        }
        {
            let mut state = self.0.state();
            state.held.remove(&record.id);
            if record.is_open() {
                state.ours.insert(record.id.clone());
            }
        }
        self.send(&record.id);
        if !record.is_open() {
            self.sent(&record.id).await;
        }
        Ok(())
    }

    async fn save_under_way(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        if !record.is_open() {
            return self.save(record).await;
        }
        self.0.local.save_under_way(record).await?;
        self.0.state().ours.insert(record.id.clone());
        self.send(&record.id);
        Ok(())
    }

    async fn settle(&self) -> Result<(), RunStoreError> {
        self.0.local.settle().await
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.0.local.save_ended(record).await?;
        let mut state = self.0.state();
        state.held.insert(record.id.clone());
        state.ours.insert(record.id.clone());
        drop(state);
        self.send(&record.id);
        Ok(())
    }

    /// Of several machines that do so at once, one writes: the server decides. One that it does not know yet is of this machine.
    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        let Inner { local, shared, .. } = &*self.0;
        let is_it = |lookup: &RunLookup| matches!(lookup, RunLookup::Found(known) if **known == *before);
        let mut there = shared.get(&before.id).await?;
        let is_unsent = self.0.state().unsent.contains_key(&before.id);
        if is_unsent && !is_it(&there) && is_it(&local.get(&before.id).await?) {
            // This machine knows more than it has told.
            self.begin_sending();
            self.sent(&before.id).await;
            there = shared.get(&before.id).await?;
        }
        if there.found().is_none_or(|known| known.id != before.id) {
            let replaced = local.replace(before, record).await?;
            if replaced {
                self.send(&record.id);
            }
            return Ok(replaced);
        }
        if !shared.replace(before, record).await? {
            return Ok(false);
        }
        local.save(record).await?;
        if record.is_open() {
            self.0.state().ours.insert(record.id.clone());
        }
        Ok(true)
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        let here = self.0.local.get(id).await?;
        let there = match self.ask(self.0.shared.get(id)).await {
            Ok(there) => there,
            // Another machine may have it.
            Err(error) if here == RunLookup::Unknown => return Err(error),
            Err(_) => return Ok(here),
        };
        Ok(match (here, there) {
            (RunLookup::Found(here), RunLookup::Found(there)) if here.id == there.id => {
                RunLookup::Found(if self.knows_more(&here, &there) { here } else { there })
            }
            // The whole identifier beats a start.
            (RunLookup::Found(one), _) | (_, RunLookup::Found(one)) if one.id == id => RunLookup::Found(one),
            (RunLookup::Unknown, found) | (found, RunLookup::Unknown) => found,
            (RunLookup::Ambiguous | RunLookup::Found(_), RunLookup::Ambiguous | RunLookup::Found(_)) => {
                RunLookup::Ambiguous
            }
        })
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        let here = self.0.local.list(filter).await?;
        let Ok(there) = self.ask(self.0.shared.list(filter)).await else { return Ok(here) };
        let mut all: BTreeMap<String, RunHeader> =
            there.into_iter().map(|header| (header.id.clone(), header)).collect();
        let untold = self.untold(&here, &all).await;
        {
            let state = self.0.state();
            let is_newer = |header: &RunHeader| {
                state.unsent.contains_key(&header.id) || state.ours.contains(&header.id) || untold.contains(&header.id)
            };
            all.extend(here.into_iter().filter(is_newer).map(|header| (header.id.clone(), header)));
        }
        let mut headers: Vec<RunHeader> = all.into_values().collect();
        headers.sort_by(|one, other| (other.started_at, &other.id).cmp(&(one.started_at, &one.id)));
        headers.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(headers)
    }

    fn sees_all(&self) -> bool {
        !self.0.is_alone.load(Ordering::Relaxed)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        let here = self.0.local.forget(before).await?;
        Ok(here.max(self.0.shared.forget(before).await?))
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        let here = self.0.local.forget_lines(before).await?;
        Ok(here.max(self.0.shared.forget_lines(before).await?))
    }

    async fn request_cancellation(&self, request: &CancellationRequest) -> Result<bool, RunStoreError> {
        if self.0.local.request_cancellation(request).await? {
            return Ok(true);
        }
        self.0.shared.request_cancellation(request).await
    }

    async fn requested_cancellations(&self) -> Result<Vec<CancellationRequest>, RunStoreError> {
        let mut requests = self.0.local.requested_cancellations().await?;
        requests.extend(self.ask(self.0.shared.requested_cancellations()).await.unwrap_or_default());
        Ok(requests)
    }
}

#[async_trait]
impl ScheduleLeases for SharedRuns {
    async fn claim(&self, claim: &ScheduleClaim) -> Result<ClaimAnswer, LeaseError> {
        self.0.shared.claim(claim).await
    }

    async fn abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, LeaseError> {
        self.0.shared.abandoned(since).await
    }

    async fn taken(&self, instants: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, LeaseError> {
        self.0.shared.taken(instants).await
    }

    async fn give_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), LeaseError> {
        self.0.shared.give_up(claim, given_up).await
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        // Whoever asks is about to start runs: what an earlier process left behind is sent now.
        self.begin_sending();
        self.0.shared.latest().await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        self.0.shared.sweep(before).await
    }
}

#[async_trait]
impl Checkouts for SharedRuns {
    async fn tell(&self, checkout: &Checkout) -> Result<(), CheckoutsError> {
        self.0.shared.tell(checkout).await
    }

    async fn differing(&self, own: &Checkout) -> Result<Vec<NodeCheckout>, CheckoutsError> {
        self.0.shared.differing(own).await
    }
}
