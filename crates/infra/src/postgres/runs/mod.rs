//! The history of runs on a server, with the claims of schedules, for processes of several machines.
//!
//! In short: the row of a run names the process that has it, and a process lives as long as it says so. What ends otherwise is
//! given as interrupted once nothing was heard of its process for the time of a lease, by the clock of the server.

mod builds;
mod cancellations;
mod checkouts;
mod interruptions;
mod leases;
mod lookup;
mod processes;
mod retention;
mod write;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{CancellationRequest, Entropy as _, RunFilter, RunStore, RunStoreError, ScheduleClaim},
    problem::Code,
    run::{RunHeader, RunLookup, RunRecord},
    time::Timestamp,
};
use tokio::time::Instant;

#[cfg(feature = "sqlite")]
pub(crate) use lookup::RunEnd;

use self::builds::Builds;
use super::{Address, PostgresError, migrations, server::Link, setup::Layout, tables::Tables};
use crate::{
    persistence::{BusyPolicy, OpenMode},
    run_records::Written,
    system::SystemEntropy,
};

const LAYOUT: Layout = Layout { schema: migrations::RUNS_SCHEMA, version: 5, steps: migrations::RUNS };

/// How long nothing may be heard of a process before its runs count as interrupted and its claims as abandoned.
const LEASE: Duration = Duration::from_secs(15);

/// The history of runs and the claims of schedules on a server. A clone is another hold on the same.
#[derive(Clone, Debug)]
pub struct PostgresRuns(Arc<Inner>);

struct Inner {
    tables: Tables,
    lease: Duration,
    /// Names this process among all that share the database.
    process: String,
    /// True once this process says that it lives.
    is_announced: AtomicBool,
    written: Written,
    builds: Builds,
    state: Mutex<State>,
}

/// What this process knows of what is its own.
#[derive(Default)]
struct State {
    /// When it was last heard that it lives.
    signed: Option<Instant>,
    /// What it asks for and has claimed, by the runs that will be started for it, until these are on record.
    claimed: HashMap<String, ScheduleClaim>,
    /// Claimed runs that do not begin, and of which nobody knows whether they are on record.
    retracted: HashSet<String>,
    /// How often its runs had been taken over when it got them.
    takeovers: HashMap<String, i64>,
}

impl PostgresRuns {
    /// Those at this address.
    #[must_use]
    pub fn new(address: Address, mode: OpenMode) -> Self {
        Self::with_limits(address, mode, BusyPolicy::default(), LEASE)
    }

    /// The same, waiting for a server that is not there as long as `busy` says, and for a process of which nothing is heard as
    /// long as `lease`: a fifth of it passes between two signs of life.
    #[must_use]
    pub fn with_limits(address: Address, mode: OpenMode, busy: BusyPolicy, lease: Duration) -> Self {
        Self(Arc::new(Inner {
            tables: Tables::new(address, LAYOUT, mode, busy),
            lease,
            process: SystemEntropy.identifier(),
            is_announced: AtomicBool::new(false),
            written: Written::default(),
            builds: Builds::default(),
            state: Mutex::default(),
        }))
    }

    /// Makes the tables or brings them up to date, and lets a role use them.
    ///
    /// # Errors
    /// [`RunStoreError`] if this role may not, a newer version made them, or the server is not there.
    pub async fn migrate(&self, reader_and_writer: Option<&str>) -> Result<(), RunStoreError> {
        self.0.tables.migrate(reader_and_writer).await.map_err(|cause| error("prepare", cause))
    }

    /// Says that this process lives no more, and closes every connection.
    pub async fn close(&self) {
        self.depart().await;
        self.0.tables.server().close().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    fn failed(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> PostgresError {
        move |error| self.0.tables.server().error(operation, &error)
    }

    /// Runs a transaction over tables that are there; `T::default()` if there are none.
    async fn read<T: Default, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        attempt: impl FnMut(Link) -> F,
    ) -> Result<T, RunStoreError> {
        self.0.tables.run("read", attempt).await.map_err(|cause| error("read", cause))
    }

    /// The same, for what changes something.
    async fn change<T: Default, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        attempt: impl FnMut(Link) -> F,
    ) -> Result<T, RunStoreError> {
        self.0.tables.change("write", attempt).await.map_err(|cause| error("write", cause))
    }

    /// Somebody else has what this process wanted to go on with.
    fn taken_over(&self, run: &str) -> PostgresError {
        let message = format!(
            "run {run} is not this process's any more: nothing was heard of it for {} s, and another one has taken its place",
            self.0.lease.as_secs(),
        );
        PostgresError::Other(Fault::environment(Code::RUN_TAKEN_OVER, "runs:taken-over", message))
    }
}

/// What a history needs that keeps the runs of its machine elsewhere first.
#[cfg(feature = "sqlite")]
impl PostgresRuns {
    /// True if the run of this identifier was claimed by this process and is not on record yet.
    pub(crate) fn is_claimed(&self, run: &str) -> bool {
        self.state().claimed.contains_key(run)
    }

    /// Takes a claimed run back that did not begin: its claim is anybody's.
    pub(crate) async fn retract(&self, run: &str) -> Result<(), RunStoreError> {
        self.state().retracted.insert(run.to_owned());
        self.0.sign().await.map_err(|cause| error("write", cause))
    }

    /// True if nothing is ever written.
    pub(crate) fn is_read_only(&self) -> bool {
        self.0.tables.mode() == OpenMode::ReadOnly
    }
}

#[async_trait]
impl RunStore for PostgresRuns {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.write(record, record.is_open()).await
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.write(record, true).await
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        self.write_in_place_of(before, record).await
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        self.look_up(id).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        self.headers(filter).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.remove_ended(before).await
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        self.remove_lines(before).await
    }

    async fn request_cancellation(&self, request: &CancellationRequest) -> Result<bool, RunStoreError> {
        self.write_cancellation(request).await
    }

    async fn requested_cancellations(&self) -> Result<Vec<CancellationRequest>, RunStoreError> {
        self.read_cancellations().await
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} of process {}", self.tables, self.process)
    }
}

fn error(operation: &'static str, cause: PostgresError) -> RunStoreError {
    RunStoreError { operation, fault: cause.into_fault() }
}
