//! Who starts which scheduled run, in the file of the history.

use async_trait::async_trait;
use mangrove_domain::{
    ports::{LeaseError, ScheduleClaim, ScheduleLeases},
    time::Timestamp,
};

use super::SqliteRuns;
use crate::sqlite::SqliteError;

impl SqliteRuns {
    async fn write_claim(&self, claim: &ScheduleClaim) -> Result<bool, SqliteError> {
        let failed = |error| self.database.error("write", &error);
        let mut transaction = self.database.begin_write().await?;
        sqlx::query(
            "INSERT INTO schedule_claims (workflow, instant_millis, holder, claimed_millis) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (workflow, instant_millis) DO NOTHING",
        )
        .bind(&claim.workflow)
        .bind(claim.instant.as_millis())
        .bind(&claim.holder)
        .bind(claim.at.as_millis())
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        let holder: String =
            sqlx::query_scalar("SELECT holder FROM schedule_claims WHERE workflow = ?1 AND instant_millis = ?2")
                .bind(&claim.workflow)
                .bind(claim.instant.as_millis())
                .fetch_one(&mut *transaction)
                .await
                .map_err(failed)?;
        self.database.commit(transaction).await?;
        Ok(holder == claim.holder)
    }

    async fn read_latest(&self) -> Result<Vec<(String, i64)>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        sqlx::query_as("SELECT workflow, max(instant_millis) FROM schedule_claims GROUP BY workflow ORDER BY workflow")
            .fetch_all(readers)
            .await
            .map_err(|error| self.database.error("read", &error))
    }

    async fn remove_old(&self, before: Timestamp) -> Result<u64, SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        let removed = sqlx::query(
            "DELETE FROM schedule_claims WHERE claimed_millis < ?1 AND instant_millis < \
             (SELECT max(latest.instant_millis) FROM schedule_claims AS latest WHERE latest.workflow = schedule_claims.workflow)",
        )
        .bind(before.as_millis())
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.database.error("write", &error))?;
        self.database.commit(transaction).await?;
        Ok(removed.rows_affected())
    }
}

#[async_trait]
impl ScheduleLeases for SqliteRuns {
    async fn claim(&self, claim: &ScheduleClaim) -> Result<bool, LeaseError> {
        let written = self.database.retry_while_busy(|| self.write_claim(claim)).await;
        written.map_err(|cause| LeaseError { operation: "write", fault: cause.into_fault() })
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        let found = self.database.retry_while_busy(|| self.read_latest()).await;
        let found = found.map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })?;
        Ok(found.into_iter().map(|(workflow, instant)| (workflow, Timestamp::from_millis(instant))).collect())
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        let removed = self.database.retry_while_busy(|| self.remove_old(before)).await;
        removed.map_err(|cause| LeaseError { operation: "sweep", fault: cause.into_fault() })
    }
}
