//! Which processes live: each says so again and again, and the server's clock says when that was.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use mangrove_domain::ports::RunStoreError;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{Inner, PostgresRuns, error};
use crate::postgres::{PostgresError, text};

/// How many signs of life a process may miss.
const SIGNS_IN_A_LEASE: u32 = 5;

/// For how many leases the row of a process that ended is kept.
const LEASES_KEPT: f64 = 1_000.0;

impl PostgresRuns {
    /// Lets everybody know that this process lives, from now on and until it ends. Where nothing was heard of it for a while, it says so
    /// before it does anything else: see [`write_sign`](Inner::write_sign).
    pub(super) async fn announce(&self) -> Result<(), RunStoreError> {
        let is_known = self.0.state().signed.is_some_and(|signed| signed.elapsed() < self.0.lease / 2);
        if !is_known {
            self.0.sign().await.map_err(|cause| error("write", cause))?;
        }
        if !self.0.is_announced.swap(true, Ordering::AcqRel) {
            tokio::spawn(go_on(Arc::downgrade(&self.0), self.0.lease / SIGNS_IN_A_LEASE));
        }
        Ok(())
    }

    /// Takes this process from those that live. Best effort: if it fails, its lease runs out.
    pub(super) async fn depart(&self) {
        if !self.0.is_announced.load(Ordering::Acquire) {
            return;
        }
        let mut leave = async |mut link: super::Link| {
            let left =
                sqlx::query("DELETE FROM processes WHERE id = $1").bind(&self.0.process).execute(&mut *link).await;
            (link, left.map(drop).map_err(self.failed("write")))
        };
        if let Err(error) = self.0.tables.server().once("write", &mut leave).await {
            tracing::debug!(?error, "the end of this process could not be told");
        }
    }
}

/// Ends with the process, or with the last hold on the history.
async fn go_on(inner: Weak<Inner>, pause: Duration) {
    let mut signs = 0;
    loop {
        sleep(pause).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.sign().await {
            tracing::debug!(?error, "other processes could not be told that this one lives");
            continue;
        }
        inner.give_back_unknown().await;
        signs += 1;
        if signs % SIGNS_IN_A_LEASE == 0 {
            inner.end_interrupted().await;
        }
    }
}

impl Inner {
    /// One sign of life; takes out who ended long ago, and puts in order what this process has in doubt.
    pub(super) async fn sign(&self) -> Result<(), PostgresError> {
        let began = Instant::now();
        let retracted: Vec<String> = self.state().retracted.iter().cloned().collect();
        let failed = |error| self.tables.server().error("write", &error);
        self.tables
            .change("write", async |mut link| {
                let signed = self.sign_once(&mut link, &retracted).await.map_err(failed);
                (link, signed)
            })
            .await?;
        self.doubt_after_silence();
        let mut state = self.state();
        state.signed = Some(began);
        for run in retracted {
            state.retracted.remove(&run);
        }
        Ok(())
    }

    async fn sign_once(&self, connection: &mut PgConnection, retracted: &[String]) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        self.write_sign(&mut transaction).await?;
        // Runs that did not begin are on no record.
        sqlx::query("DELETE FROM runs WHERE id = ANY($1) AND process = $2")
            .bind(retracted)
            .bind(&self.process)
            .execute(&mut *transaction)
            .await?;
        let open: Vec<String> = sqlx::query_scalar(
            "SELECT run FROM schedule_claims WHERE process = $1 AND run IS NOT NULL AND (NOT is_begun OR run = ANY($2))",
        )
        .bind(&self.process)
        .bind(retracted)
        .fetch_all(&mut *transaction)
        .await?;
        // What this process does not know of now was given when the answer was lost, or could not be given up: it knows what it asks
        // for before it asks.
        let unknown: Vec<String> = {
            let state = self.state();
            open.into_iter().filter(|run| !state.claimed.contains_key(&*text::stored(run))).collect()
        };
        sqlx::query(
            "UPDATE schedule_claims SET process = NULL, holder = '', is_begun = false \
             WHERE process = $1 AND run = ANY($2) AND (NOT is_begun OR run = ANY($3))",
        )
        .bind(&self.process)
        .bind(unknown)
        .bind(retracted)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Where nobody was heard for a while, it was the server that was away: whoever lived then gets time to say so again.
    async fn write_sign(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let lease = self.lease.as_secs_f64();
        sqlx::query(
            "UPDATE processes SET seen_at = clock_timestamp() FROM (SELECT max(seen_at) AS at FROM processes) AS latest \
             WHERE latest.at < clock_timestamp() - make_interval(secs => $1 / 2) \
             AND processes.seen_at > latest.at - make_interval(secs => $1)",
        )
        .bind(lease)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO processes (id, host) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()",
        )
        .bind(&self.process)
        .bind(text::storable(&host))
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM processes WHERE seen_at < clock_timestamp() - make_interval(secs => $1)")
            .bind(lease * LEASES_KEPT)
            .execute(connection)
            .await
            .map(drop)
    }
}
