//! Which processes live: each says so again and again, and the server's clock says when that was.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use mangrove_domain::ports::RunStoreError;
use sqlx::PgConnection;
use tokio::time::sleep;

use super::{Inner, PostgresRuns, error};
use crate::postgres::{PostgresError, text};

/// How many signs of life a process may miss.
const SIGNS_IN_A_LEASE: u32 = 5;

/// For how many leases the row of a process that ended is kept.
const LEASES_KEPT: f64 = 1_000.0;

impl PostgresRuns {
    /// Lets everybody know that this process lives, from now on and until it ends.
    pub(super) async fn announce(&self) -> Result<(), RunStoreError> {
        if self.0.is_announced.load(Ordering::Acquire) {
            return Ok(());
        }
        self.0.sign().await.map_err(|cause| error("write", cause))?;
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
    loop {
        sleep(pause).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.sign().await {
            tracing::debug!(?error, "other processes could not be told that this one lives");
        }
    }
}

impl Inner {
    /// One sign of life; takes out who ended long ago.
    async fn sign(&self) -> Result<(), PostgresError> {
        let failed = |error| self.tables.server().error("write", &error);
        self.tables
            .change("write", async |mut link| {
                let signed = self.write_sign(&mut link).await.map_err(failed);
                (link, signed)
            })
            .await
    }

    async fn write_sign(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        sqlx::query(
            "INSERT INTO processes (id, host) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()",
        )
        .bind(&self.process)
        .bind(text::storable(&host))
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM processes WHERE seen_at < clock_timestamp() - make_interval(secs => $1)")
            .bind(self.lease.as_secs_f64() * LEASES_KEPT)
            .execute(connection)
            .await
            .map(drop)
    }
}
