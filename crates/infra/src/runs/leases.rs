//! Who starts which scheduled run, in the file of the history.

use async_trait::async_trait;
use mangrove_domain::{
    ports::{ClaimAnswer, GivenUp, LeaseError, ScheduleClaim, ScheduleLeases, ScheduledInstant},
    time::Timestamp,
};
use sqlx::SqliteConnection;

use super::SqliteRuns;
use crate::sqlite::SqliteError;

/// The holder of a claim that was given up.
const NOBODY: &str = "";

/// How many claims are given at once.
const GIVEN_AT_ONCE: usize = 1_000;

/// Who has an instant, for which run if that has not ended, and whether it is on record.
type Held = (String, Option<String>, bool);

impl SqliteRuns {
    async fn write_claim(&self, claim: &ScheduleClaim) -> Result<ClaimAnswer, SqliteError> {
        let failed = |error| self.database.error("write", &error);
        let mut transaction = self.database.begin_write().await?;
        if let Some((holder, run, is_recorded)) =
            held(&mut transaction, &claim.workflow, claim.instant).await.map_err(failed)?
        {
            let is_ours = holder == claim.holder;
            if is_ours && run.as_ref() == Some(&claim.run) {
                return Ok(ClaimAnswer::Given);
            }
            if run.is_none() || is_recorded || !is_ours && self.running.is_alive(&holder) {
                return Ok(ClaimAnswer::Elsewhere);
            }
        }
        if !claim.may_overlap || claim.most_at_once.is_some() {
            let others = self.others(&mut transaction, claim).await.map_err(failed)?;
            if !claim.may_overlap && others.contains(&claim.workflow) {
                return Ok(ClaimAnswer::Overlaps);
            }
            if claim.most_at_once.is_some_and(|most| others.len() >= most as usize) {
                return Ok(ClaimAnswer::Full);
            }
        }
        sqlx::query(
            "INSERT INTO schedule_claims (workflow, instant_millis, holder, claimed_millis, run) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (workflow, instant_millis) DO UPDATE SET holder = excluded.holder, \
             claimed_millis = excluded.claimed_millis, run = excluded.run",
        )
        .bind(&claim.workflow)
        .bind(claim.instant.as_millis())
        .bind(&claim.holder)
        .bind(claim.at.as_millis())
        .bind(&claim.run)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        self.database.commit(transaction).await?;
        Ok(ClaimAnswer::Given)
    }

    /// The workflows of the other scheduled runs that go on, or are about to begin: one for each run.
    async fn others(
        &self,
        connection: &mut SqliteConnection,
        claim: &ScheduleClaim,
    ) -> Result<Vec<String>, sqlx::Error> {
        let others: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT claims.workflow, claims.holder, claims.run, runs.status FROM schedule_claims AS claims \
             LEFT JOIN runs ON runs.id = claims.run WHERE claims.run IS NOT NULL AND (?3 OR claims.workflow = ?1) \
             AND (claims.workflow, claims.instant_millis) <> (?1, ?2)",
        )
        .bind(&claim.workflow)
        .bind(claim.instant.as_millis())
        .bind(claim.most_at_once.is_some())
        .fetch_all(connection)
        .await?;
        // A record that ends takes its run out of the claim: what is on record here goes on if somebody has it.
        let goes_on = |(_, holder, run, status): &(String, String, String, Option<String>)| {
            self.running.is_alive(if status.is_some() { run } else { holder })
        };
        Ok(others.into_iter().filter(goes_on).map(|(workflow, ..)| workflow).collect())
    }

    async fn read_abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        let open: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT instant_millis, workflow, holder FROM schedule_claims \
             WHERE run IS NOT NULL AND instant_millis >= ?1 AND run NOT IN (SELECT id FROM runs) \
             ORDER BY instant_millis, workflow",
        )
        .bind(since.as_millis())
        .fetch_all(readers)
        .await
        .map_err(|error| self.database.error("read", &error))?;
        let is_abandoned = |(_, _, holder): &(i64, String, String)| !self.running.is_alive(holder);
        let given = |(instant, workflow, _)| ScheduledInstant { instant: Timestamp::from_millis(instant), workflow };
        Ok(open.into_iter().filter(is_abandoned).take(GIVEN_AT_ONCE).map(given).collect())
    }

    async fn read_taken(&self, instants: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        let failed = |error| self.database.error("read", &error);
        // What all of them look like at one moment.
        let mut transaction = readers.begin().await.map_err(failed)?;
        let mut taken = Vec::new();
        for instant in instants {
            let held = held(&mut transaction, &instant.workflow, instant.instant).await.map_err(failed)?;
            let is_taken =
                |(holder, run, is_recorded): Held| run.is_none() || is_recorded || self.running.is_alive(&holder);
            if held.is_some_and(is_taken) {
                taken.push(instant.clone());
            }
        }
        Ok(taken)
    }

    async fn write_given_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        let (holder, run) = match given_up {
            GivenUp::ForOthers => (NOBODY, Some(claim.run.as_str())),
            GivenUp::ForGood => (claim.holder.as_str(), None),
        };
        sqlx::query(
            "UPDATE schedule_claims SET holder = ?1, run = ?2 \
             WHERE workflow = ?3 AND instant_millis = ?4 AND holder = ?5 AND run = ?6",
        )
        .bind(holder)
        .bind(run)
        .bind(&claim.workflow)
        .bind(claim.instant.as_millis())
        .bind(&claim.holder)
        .bind(&claim.run)
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.database.error("write", &error))?;
        self.database.commit(transaction).await
    }

    async fn read_latest(&self) -> Result<Vec<(String, i64)>, SqliteError> {
        let Some(readers) = self.database.readers() else { return Ok(Vec::new()) };
        sqlx::query_as("SELECT workflow, max(instant_millis) FROM schedule_claims GROUP BY workflow ORDER BY workflow")
            .fetch_all(readers)
            .await
            .map_err(|error| self.database.error("read", &error))
    }

    /// Gives who had what was removed.
    async fn remove_old(&self, before: Timestamp) -> Result<Vec<String>, SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        let holders: Vec<String> = sqlx::query_scalar(
            "DELETE FROM schedule_claims WHERE claimed_millis < ?1 AND instant_millis < \
             (SELECT max(latest.instant_millis) FROM schedule_claims AS latest WHERE latest.workflow = schedule_claims.workflow) \
             RETURNING holder",
        )
        .bind(before.as_millis())
        .fetch_all(&mut *transaction)
        .await
        .map_err(|error| self.database.error("write", &error))?;
        self.database.commit(transaction).await?;
        Ok(holders)
    }
}

async fn held(
    connection: &mut SqliteConnection,
    workflow: &str,
    instant: Timestamp,
) -> Result<Option<Held>, sqlx::Error> {
    sqlx::query_as(
        "SELECT holder, run, EXISTS (SELECT 1 FROM runs WHERE runs.id = schedule_claims.run) FROM schedule_claims \
         WHERE workflow = ?1 AND instant_millis = ?2",
    )
    .bind(workflow)
    .bind(instant.as_millis())
    .fetch_optional(connection)
    .await
}

/// Notes that a run has ended: its claim is for no run any more.
pub(super) async fn run_ended(connection: &mut SqliteConnection, run: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE schedule_claims SET run = NULL WHERE run = ?1").bind(run).execute(connection).await.map(|_| ())
}

#[async_trait]
impl ScheduleLeases for SqliteRuns {
    async fn claim(&self, claim: &ScheduleClaim) -> Result<ClaimAnswer, LeaseError> {
        // As long as this process has the lock, the holder lives.
        self.running.hold(&claim.holder).map_err(|fault| LeaseError { operation: "write", fault })?;
        let written = self.database.retry_while_busy(|| self.write_claim(claim)).await;
        written.map_err(|cause| LeaseError { operation: "write", fault: cause.into_fault() })
    }

    async fn abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, LeaseError> {
        let found = self.database.retry_while_busy(|| self.read_abandoned(since)).await;
        found.map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })
    }

    async fn taken(&self, instants: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, LeaseError> {
        let found = self.database.retry_while_busy(|| self.read_taken(instants)).await;
        found.map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })
    }

    async fn give_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), LeaseError> {
        let written = self.database.retry_while_busy(|| self.write_given_up(claim, given_up)).await;
        written.map_err(|cause| LeaseError { operation: "write", fault: cause.into_fault() })
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        let found = self.database.retry_while_busy(|| self.read_latest()).await;
        let found = found.map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })?;
        Ok(found.into_iter().map(|(workflow, instant)| (workflow, Timestamp::from_millis(instant))).collect())
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        let removed = self.database.retry_while_busy(|| self.remove_old(before)).await;
        let mut holders = removed.map_err(|cause| LeaseError { operation: "sweep", fault: cause.into_fault() })?;
        let count = holders.len() as u64;
        holders.sort_unstable();
        holders.dedup();
        for holder in holders.iter().filter(|holder| !self.running.is_alive(holder)) {
            self.running.forget(holder);
        }
        Ok(count)
    }
}
