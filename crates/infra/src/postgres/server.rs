//! Connections to a server: what every one of them is set to, how many there are, and what is done while it is not there.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep, timeout};

use super::{Address, PostgresError};
use crate::persistence::{BusyPolicy, OpenMode, Patience};

/// How many connections a process has at most: a server has some hundred for all of its clients.
const CONNECTIONS: u32 = 8;
/// How long a statement may take before the server ends it.
const STATEMENT_LIMIT: Duration = Duration::from_secs(30);
/// How long a transaction may do nothing before the server ends it, so that a node that hangs keeps nobody waiting.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// How long all statements of one attempt may take before the way to the server counts as cut: nothing tells a client that
/// waits for an answer that its packets are lost.
const ATTEMPT_LIMIT: Duration = Duration::from_mins(1);
/// How long a connection is waited for by those who need not: patience is spent. Long enough to make one over a slow way.
const IMPATIENT_LIMIT: Duration = Duration::from_secs(2);
/// How long a connection that is not used is kept, and any at all: after a fail-over all lead to the new server in time.
const KEPT_IDLE: Duration = Duration::from_mins(5);
const KEPT: Duration = Duration::from_mins(30);
/// How long making or changing tables may take.
const SETUP_LIMIT: Duration = Duration::from_mins(10);
/// Between attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One schema of one database.
pub(crate) struct Server {
    address: Address,
    schema: &'static str,
    mode: OpenMode,
    patience: Patience,
    pool: OnceLock<PgPool>,
    /// True once anything came back.
    was_reached: AtomicBool,
    /// True once it was waited for in vain, and nothing ever came back.
    was_given_up: AtomicBool,
}

/// A connection in use. It is given back to the pool by [`run`](Server::run) only; one that is dropped in the middle of an
/// answer is closed.
pub(crate) struct Link(Option<PoolConnection<Postgres>>);

/// A link always holds its connection until it is taken apart.
const HELD: &str = "a link in use holds its connection";

impl Deref for Link {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "taken out only by `keep`, which takes the link")]
    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect(HELD)
    }
}

impl DerefMut for Link {
    #[expect(clippy::expect_used, reason = "taken out only by `keep`, which takes the link")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect(HELD)
    }
}

impl Link {
    fn keep(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

impl Server {
    pub(super) fn new(address: Address, schema: &'static str, mode: OpenMode, busy: BusyPolicy) -> Self {
        let (patience, pool) = (Patience::new(busy), OnceLock::new());
        let (was_reached, was_given_up) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { address, schema, mode, patience, pool, was_reached, was_given_up }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) const fn schema(&self) -> &'static str {
        self.schema
    }

    pub(super) const fn mode(&self) -> OpenMode {
        self.mode
    }

    /// Says what an error means here.
    pub(super) fn error(&self, operation: &str, error: &sqlx::Error) -> PostgresError {
        PostgresError::of(operation, &self.address, error)
    }

    /// Does something over one connection, and again while the server is not there or others are in the way, for as long as
    /// patience lasts. A server that was never reached is waited for as long as one attempt takes.
    pub(super) async fn run<T, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        operation: &str,
        mut attempt: impl FnMut(Link) -> F,
    ) -> Result<T, PostgresError> {
        let mut pause = SHORTEST_PAUSE;
        let start = Instant::now();
        loop {
            let began = Instant::now();
            match self.once(operation, &mut attempt).await {
                Err(error) if error.is_passing() => {
                    let may_go_on = self.patience.was_busy(began, Instant::now());
                    let is_known = self.was_reached.load(Ordering::Relaxed);
                    let is_given_up = self.was_given_up.load(Ordering::Relaxed);
                    if !may_go_on || !is_known && (is_given_up || start.elapsed() >= self.patience.attempt()) {
                        self.was_given_up.store(!is_known, Ordering::Relaxed);
                        return Err(error);
                    }
                    tracing::debug!(?error, "another attempt follows");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                done => {
                    self.was_reached.store(true, Ordering::Relaxed);
                    self.was_given_up.store(false, Ordering::Relaxed);
                    self.patience.got_through();
                    return done;
                }
            }
        }
    }

    /// The same, but only once.
    pub(super) async fn once<T, F: Future<Output = (Link, Result<T, PostgresError>)>>(
        &self,
        operation: &str,
        attempt: &mut impl FnMut(Link) -> F,
    ) -> Result<T, PostgresError> {
        let is_spent = self.patience.is_spent(Instant::now()) || self.was_given_up.load(Ordering::Relaxed);
        let acquired = if is_spent {
            timeout(IMPATIENT_LIMIT, self.pool().acquire()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
        } else {
            self.pool().acquire().await
        };
        let connection = acquired.map_err(|error| self.error(operation, &error))?;
        match timeout(ATTEMPT_LIMIT, attempt(Link(Some(connection)))).await {
            Ok((link, done)) => {
                if !matches!(done, Err(PostgresError::Unreachable(_))) {
                    link.keep();
                }
                done
            }
            Err(_) => Err(PostgresError::silent(operation, &self.address)),
        }
    }

    /// A connection of its own, for making and changing tables.
    pub(super) async fn connect_to_set_up(&self) -> Result<PgConnection, PostgresError> {
        let options = self.options(SETUP_LIMIT, SETUP_LIMIT);
        match timeout(self.patience.attempt(), options.connect()).await {
            Ok(connected) => connected.map_err(|error| self.error("prepare", &error)),
            Err(_) => Err(PostgresError::silent("prepare", &self.address)),
        }
    }

    /// The same for one that runs steps, which takes connections from a pool only.
    pub(super) fn pool_to_set_up(&self) -> PgPool {
        let options = self.options(SETUP_LIMIT, SETUP_LIMIT);
        PgPoolOptions::new().max_connections(1).acquire_timeout(self.patience.attempt()).connect_lazy_with(options)
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        if let Some(pool) = self.pool.get() {
            pool.close().await;
        }
    }

    /// Made at the first use: a pool needs a runtime.
    pub(super) fn pool(&self) -> &PgPool {
        self.pool.get_or_init(|| {
            PgPoolOptions::new()
                .max_connections(CONNECTIONS)
                .idle_timeout(KEPT_IDLE)
                .max_lifetime(KEPT)
                .acquire_timeout(self.patience.attempt())
                .connect_lazy_with(self.options(STATEMENT_LIMIT, self.patience.attempt()))
        })
    }

    /// How every connection is opened.
    fn options(&self, statement: Duration, lock: Duration) -> PgConnectOptions {
        let millis = |limit: Duration| limit.as_millis().to_string();
        let read_only = if self.mode == OpenMode::ReadOnly { "on" } else { "off" };
        self.address.options().application_name("mangrove").options([
            ("search_path", self.schema.to_owned()),
            ("statement_timeout", millis(statement)),
            ("lock_timeout", millis(lock)),
            ("idle_in_transaction_session_timeout", millis(IDLE_LIMIT)),
            ("default_transaction_read_only", read_only.to_owned()),
        ])
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Server({}, {})", self.address, self.schema)
    }
}
