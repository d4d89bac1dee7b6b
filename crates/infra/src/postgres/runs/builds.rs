//! Who builds what, of all nodes that share a database.
//!
//! In short: a row for each build that goes on, which names the process that has it. It holds as long as that process lives, by
//! the clock of the server. Whoever waits looks again and again, with one question for all that its process waits for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    ports::{BuildLease, BuildLeases, Leased},
};
use sqlx::PgConnection;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout},
};

use super::{Inner, PostgresRuns};
use crate::postgres::server::Link;

/// How long a question may take before the build goes on without an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// The same for the first one, which may have to make the tables.
const PREPARED_WITHIN: Duration = Duration::from_secs(5);
/// How long nobody is asked after a question that was not answered.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// How long whoever waits lets pass before it looks again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How many ask at once: each takes a connection.
const ASK_AT_ONCE: usize = 2;

/// True of a row of `build_leases` whose process lives; the lease in seconds is `$1`.
const IS_HELD: &str = "EXISTS (SELECT 1 FROM processes WHERE processes.id = build_leases.process \
    AND processes.seen_at > clock_timestamp() - make_interval(secs => $1))";

/// What this process knows of builds.
pub(super) struct Builds {
    given: Mutex<Given>,
    /// Those that are waited for. Whoever waits is woken by the end of the sender.
    awaited: Mutex<HashMap<Digest, watch::Sender<()>>>,
    is_watching: AtomicBool,
    turns: Semaphore,
    not_before: Mutex<Option<Instant>>,
}

/// What this process has and asks for, by number.
#[derive(Default)]
struct Given {
    latest: i64,
    open: BTreeMap<i64, Digest>,
}

impl Default for Builds {
    fn default() -> Self {
        Self {
            given: Mutex::default(),
            awaited: Mutex::default(),
            is_watching: AtomicBool::new(false),
            turns: Semaphore::new(ASK_AT_ONCE),
            not_before: Mutex::default(),
        }
    }
}

impl Builds {
    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<Digest, watch::Sender<()>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_before(&self) -> MutexGuard<'_, Option<Instant>> {
        self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_left_alone(&self) -> bool {
        self.not_before().is_some_and(|moment| Instant::now() < moment)
    }
}

/// Gives a lease back when it is dropped, unless that was done before.
struct Held {
    inner: Weak<Inner>,
    fingerprint: Digest,
    number: i64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else { return };
        let is_open = inner.builds.given().open.remove(&self.number).is_some();
        // Where it cannot be told now, the next sign of life does.
        if is_open && let Ok(runtime) = Handle::try_current() {
            let lease = (self.fingerprint, self.number);
            runtime.spawn(async move { inner.remove(&[lease]).await });
        }
    }
}

impl PostgresRuns {
    /// Asks once; `None` if another one has it.
    async fn ask(&self, fingerprint: Digest) -> Result<Option<BuildLease>, Unanswered> {
        let builds = &self.0.builds;
        if builds.is_left_alone() {
            return Err(Unanswered);
        }
        let _turn = builds.turns.acquire().await.map_err(|_| Unanswered)?;
        // Others may have asked in vain while this one waited for its turn.
        if builds.is_left_alone() {
            return Err(Unanswered);
        }
        let number = {
            let mut given = builds.given();
            given.latest += 1;
            let number = given.latest;
            // Before it is asked: what this process does not know of is anybody's.
            given.open.insert(number, fingerprint);
            number
        };
        let held = Held { inner: Arc::downgrade(&self.0), fingerprint, number };
        match self.ask_in_time(fingerprint, number).await {
            Some(true) => Ok(Some(BuildLease::new(fingerprint, number, held))),
            Some(false) => {
                builds.given().open.remove(&number);
                Ok(None)
            }
            None => {
                // It may have been given all the same: the next sign of life gives it back.
                builds.given().open.remove(&number);
                *builds.not_before() = Some(Instant::now() + LEFT_ALONE);
                Err(Unanswered)
            }
        }
    }

    async fn ask_in_time(&self, fingerprint: Digest, number: i64) -> Option<bool> {
        // Whoever has a lease must be known to live.
        match timeout(PREPARED_WITHIN, self.announce()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(fault = %error.fault, "nobody can say who builds");
                return None;
            }
            Err(_) => return None,
        }
        let asked = self.0.tables.change("write", async |mut link: Link| {
            let given = self.0.take(&mut link, fingerprint, number).await.map_err(self.failed("write"));
            (link, given)
        });
        match timeout(ANSWERED_WITHIN, asked).await {
            Ok(Ok(given)) => Some(given),
            Ok(Err(error)) => {
                tracing::debug!(?error, "nobody can say who builds");
                None
            }
            Err(_) => None,
        }
    }

    /// Until nobody has it, or nobody can say who.
    async fn until_free(&self, fingerprint: Digest) {
        let mut free = self.0.builds.awaited().entry(fingerprint).or_insert_with(|| watch::Sender::new(())).subscribe();
        if !self.0.builds.is_watching.swap(true, Ordering::AcqRel) {
            tokio::spawn(look(Arc::downgrade(&self.0)));
        }
        // An error says that the sender is gone: it is free.
        while free.changed().await.is_ok() {}
    }
}

/// Nobody could say.
struct Unanswered;

/// Looks again and again for all that this process waits for, as long as it waits for something.
async fn look(inner: Weak<Inner>) {
    loop {
        sleep(BETWEEN_LOOKS).await;
        let Some(inner) = inner.upgrade() else { return };
        let awaited: Vec<Vec<u8>> = {
            let mut awaited = inner.builds.awaited();
            awaited.retain(|_, waiting| waiting.receiver_count() > 0);
            if awaited.is_empty() {
                // Within the lock: who comes now begins another.
                inner.builds.is_watching.store(false, Ordering::Release);
                return;
            }
            awaited.keys().map(|fingerprint| fingerprint.as_bytes().to_vec()).collect()
        };
        let failed = |error| inner.tables.server().error("read", &error);
        let looked = inner.tables.run("read", async |mut link: Link| {
            let held = inner.held(&mut link, &awaited).await.map_err(failed);
            (link, held)
        });
        let held = match timeout(ANSWERED_WITHIN, looked).await {
            Ok(Ok(held)) => held,
            // They ask themselves, and find that nobody can say.
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let asked = |fingerprint: &Digest| awaited.iter().any(|one| one == fingerprint.as_bytes());
        let is_held = |fingerprint: &Digest| held.iter().any(|one| one == fingerprint.as_bytes());
        inner.builds.awaited().retain(|fingerprint, _| !asked(fingerprint) || is_held(fingerprint));
    }
}

impl Inner {
    async fn take(&self, connection: &mut PgConnection, fingerprint: Digest, number: i64) -> Result<bool, sqlx::Error> {
        // The answer to an earlier attempt may be lost.
        let taken = sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO build_leases (fingerprint, process, number) VALUES ($2, $3, $4) ON CONFLICT (fingerprint) DO UPDATE \
             SET process = excluded.process, number = excluded.number WHERE NOT {IS_HELD} \
             OR build_leases.process = excluded.process AND build_leases.number = excluded.number"
        )));
        let taken = taken.bind(self.lease.as_secs_f64()).bind(fingerprint.as_bytes().as_slice());
        let taken = taken.bind(&self.process).bind(number).execute(connection).await?;
        Ok(taken.rows_affected() > 0)
    }

    /// Which of these are held.
    async fn held(&self, connection: &mut PgConnection, among: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, sqlx::Error> {
        let held = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT fingerprint FROM build_leases WHERE fingerprint = ANY($2) AND {IS_HELD}"
        )));
        held.bind(self.lease.as_secs_f64()).bind(among).fetch_all(connection).await
    }

    /// Gives leases back. Best effort: what this process has and does not know of goes with the next sign of life.
    async fn remove(&self, leases: &[(Digest, i64)]) {
        let (fingerprints, numbers): (Vec<Vec<u8>>, Vec<i64>) =
            leases.iter().map(|(fingerprint, number)| (fingerprint.as_bytes().to_vec(), *number)).unzip();
        let failed = |error| self.tables.server().error("write", &error);
        let removed = self.tables.change("write", async |mut link: Link| {
            let removed = sqlx::query(
                "DELETE FROM build_leases USING unnest($1::bytea[], $2::bigint[]) AS given (fingerprint, number) \
                 WHERE build_leases.fingerprint = given.fingerprint AND build_leases.number = given.number AND process = $3",
            );
            let removed = removed.bind(&fingerprints).bind(&numbers).bind(&self.process).execute(&mut *link).await;
            (link, removed.map(drop).map_err(failed))
        });
        match timeout(ANSWERED_WITHIN, removed).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(?error, "leases of builds could not be given back"),
            Err(_) => tracing::debug!("leases of builds could not be given back in time"),
        }
    }

    /// Gives back what this process has without knowing it, and what nobody has any more who lives. Best effort, and no part of a
    /// sign of life: nobody is dead for it.
    pub(super) async fn give_back_unknown(&self) {
        let (latest, open): (i64, Vec<i64>) = {
            let given = self.builds.given();
            (given.latest, given.open.keys().copied().collect())
        };
        if latest == 0 {
            return;
        }
        let failed = |error| self.tables.server().error("write", &error);
        let removed = self.tables.change("write", async |mut link: Link| {
            let removed = sqlx::query(sqlx::AssertSqlSafe(format!(
                "DELETE FROM build_leases WHERE process = $2 AND number <= $3 AND number <> ALL($4) OR NOT {IS_HELD}"
            )));
            let removed = removed.bind(self.lease.as_secs_f64()).bind(&self.process).bind(latest).bind(&open);
            let removed = removed.execute(&mut *link).await.map(drop).map_err(failed);
            (link, removed)
        });
        if !matches!(timeout(ANSWERED_WITHIN, removed).await, Ok(Ok(()))) {
            tracing::debug!("leases of builds that nobody has could not be given back");
        }
    }
}

#[async_trait]
impl BuildLeases for PostgresRuns {
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Leased {
        let end = Instant::now() + patience;
        loop {
            match self.ask(fingerprint).await {
                Ok(Some(lease)) => return Leased::Given(lease),
                Ok(None) => {}
                Err(Unanswered) => return Leased::Unavailable,
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || timeout(left, self.until_free(fingerprint)).await.is_err() {
                return Leased::Held;
            }
        }
    }

    async fn give_back(&self, leases: Vec<BuildLease>) {
        let given: Vec<(Digest, i64)> = {
            let mut known = self.0.builds.given();
            let mut given = leases.iter().map(|lease| (lease.fingerprint(), lease.number())).collect::<Vec<_>>();
            given.retain(|(_, number)| known.open.remove(number).is_some());
            given
        };
        if !given.is_empty() {
            self.0.remove(&given).await;
        }
    }
}
