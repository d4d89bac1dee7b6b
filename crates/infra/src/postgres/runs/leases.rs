//! Who starts which scheduled run, of all processes that share a database.

use async_trait::async_trait;
use mangrove_domain::{
    ports::{ClaimAnswer, GivenUp, LeaseError, RunStoreError, ScheduleClaim, ScheduleLeases, ScheduledInstant},
    time::Timestamp,
};
use sqlx::{Connection as _, PgConnection};

use super::PostgresRuns;
use crate::postgres::{PostgresError, text};

/// How many claims are given at once.
const GIVEN_AT_ONCE: i64 = 1_000;

/// True of a row of `schedule_claims` that is for a run which is not on record, and whose process is gone or gave it up; the
/// lease in seconds is `$1`.
const IS_ABANDONED: &str = "schedule_claims.run IS NOT NULL AND NOT schedule_claims.is_begun \
    AND NOT EXISTS (SELECT 1 FROM processes WHERE processes.id = schedule_claims.process \
    AND processes.seen_at > clock_timestamp() - make_interval(secs => $1))";

impl PostgresRuns {
    async fn claim_once(
        &self,
        connection: &mut PgConnection,
        claim: &ScheduleClaim,
    ) -> Result<Option<ClaimAnswer>, PostgresError> {
        let failed = self.failed("write");
        let mut transaction = connection.begin().await.map_err(&failed)?;
        if claim.most_at_once.is_some() {
            // Of two that ask for the last place, the second sees that it is taken.
            let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('mangrove scheduled runs', 0))");
            lock.execute(&mut *transaction).await.map_err(&failed)?;
        }
        if !claim.may_overlap {
            // Of two that ask for instants of one workflow, the second sees what the first one got.
            let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('mangrove schedule ' || $1, 0))");
            lock.bind(text::storable(&claim.workflow)).execute(&mut *transaction).await.map_err(&failed)?;
        }
        let answer = self.claim_in(&mut transaction, claim).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        Ok(Some(answer))
    }

    async fn claim_in(&self, connection: &mut PgConnection, claim: &ScheduleClaim) -> Result<ClaimAnswer, sqlx::Error> {
        let held: Option<(String, Option<String>, bool, bool)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT holder, run, is_begun, {IS_ABANDONED} FROM schedule_claims WHERE workflow = $2 AND instant_millis = $3"
        )))
        .bind(self.0.lease.as_secs_f64())
        .bind(text::storable(&claim.workflow))
        .bind(claim.instant.as_millis())
        .fetch_optional(&mut *connection)
        .await?;
        if let Some((holder, run, is_begun, is_abandoned)) = &held {
            let is_ours = *text::stored(holder) == claim.holder;
            match run {
                // It may not have heard the answer.
                Some(run) if is_ours && *text::stored(run) == claim.run => return Ok(ClaimAnswer::Given),
                Some(_) if *is_abandoned || is_ours && !is_begun => {}
                Some(_) | None => return Ok(ClaimAnswer::Elsewhere),
            }
        }
        if !claim.may_overlap && self.others(&mut *connection, claim, Some(&claim.workflow)).await? > 0 {
            return Ok(ClaimAnswer::Overlaps);
        }
        if let Some(most) = claim.most_at_once
            && self.others(&mut *connection, claim, None).await? >= i64::from(most)
        {
            return Ok(ClaimAnswer::Full);
        }
        // Whoever loses against somebody at the same moment writes nothing.
        let written = sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO schedule_claims (workflow, instant_millis, holder, claimed_millis, run, process) \
             VALUES ($2, $3, $4, $5, $6, $7) ON CONFLICT (workflow, instant_millis) DO UPDATE \
             SET holder = excluded.holder, claimed_millis = excluded.claimed_millis, run = excluded.run, process = excluded.process \
             WHERE {IS_ABANDONED} OR schedule_claims.run IS NOT NULL AND NOT schedule_claims.is_begun \
             AND schedule_claims.holder = excluded.holder"
        )))
        .bind(self.0.lease.as_secs_f64())
        .bind(text::storable(&claim.workflow))
        .bind(claim.instant.as_millis())
        .bind(text::storable(&claim.holder))
        .bind(claim.at.as_millis())
        .bind(text::storable(&claim.run))
        .bind(&self.0.process)
        .execute(connection)
        .await?;
        Ok(if written.rows_affected() > 0 { ClaimAnswer::Given } else { ClaimAnswer::Elsewhere })
    }

    /// How many other scheduled runs go on, or are about to begin: of one workflow, or of all.
    async fn others(
        &self,
        connection: &mut PgConnection,
        claim: &ScheduleClaim,
        workflow: Option<&str>,
    ) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT count(*) FROM schedule_claims AS claims LEFT JOIN runs ON runs.id = claims.run \
             JOIN processes ON processes.id = CASE WHEN runs.id IS NULL THEN claims.process ELSE runs.process END \
             WHERE claims.run IS NOT NULL AND ($1::text IS NULL OR claims.workflow = $1) \
             AND (claims.workflow, claims.instant_millis) <> ($2, $3) \
             AND processes.seen_at > clock_timestamp() - make_interval(secs => $4)",
        )
        .bind(workflow.map(text::storable))
        .bind(text::storable(&claim.workflow))
        .bind(claim.instant.as_millis())
        .bind(self.0.lease.as_secs_f64())
        .fetch_one(connection)
        .await
    }

    async fn read_abandoned(
        &self,
        connection: &mut PgConnection,
        since: Timestamp,
    ) -> Result<Vec<(i64, String)>, sqlx::Error> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT instant_millis, workflow FROM schedule_claims WHERE instant_millis >= $2 AND {IS_ABANDONED} \
             ORDER BY instant_millis, workflow LIMIT $3"
        )))
        .bind(self.0.lease.as_secs_f64())
        .bind(since.as_millis())
        .bind(GIVEN_AT_ONCE)
        .fetch_all(connection)
        .await
    }

    async fn read_taken(
        &self,
        connection: &mut PgConnection,
        instants: &[ScheduledInstant],
    ) -> Result<Vec<(i64, String)>, sqlx::Error> {
        let workflows: Vec<_> = instants.iter().map(|instant| text::storable(&instant.workflow)).collect();
        let times: Vec<i64> = instants.iter().map(|instant| instant.instant.as_millis()).collect();
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT instant_millis, workflow FROM schedule_claims \
             JOIN unnest($2::text[], $3::bigint[]) AS asked (asked_workflow, asked_millis) \
             ON workflow = asked_workflow AND instant_millis = asked_millis WHERE NOT ({IS_ABANDONED})"
        )))
        .bind(self.0.lease.as_secs_f64())
        .bind(workflows)
        .bind(times)
        .fetch_all(connection)
        .await
    }
}

fn instants(found: Vec<(i64, String)>) -> Vec<ScheduledInstant> {
    let given = |(instant, workflow): (i64, String)| ScheduledInstant {
        instant: Timestamp::from_millis(instant),
        workflow: text::stored(&workflow).into_owned(),
    };
    found.into_iter().map(given).collect()
}

async fn give_up(connection: &mut PgConnection, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), sqlx::Error> {
    let statement = match given_up {
        GivenUp::ForOthers => "UPDATE schedule_claims SET process = NULL, holder = ''",
        GivenUp::ForGood => "UPDATE schedule_claims SET run = NULL",
    };
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{statement} WHERE workflow = $1 AND instant_millis = $2 AND holder = $3 AND run = $4"
    )))
    .bind(text::storable(&claim.workflow))
    .bind(claim.instant.as_millis())
    .bind(text::storable(&claim.holder))
    .bind(text::storable(&claim.run))
    .execute(connection)
    .await
    .map(drop)
}

async fn latest(connection: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT workflow, max(instant_millis) FROM schedule_claims GROUP BY workflow ORDER BY workflow")
        .fetch_all(connection)
        .await
}

async fn sweep(connection: &mut PgConnection, before: Timestamp) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query(
        "DELETE FROM schedule_claims AS old WHERE old.claimed_millis < $1 AND old.instant_millis < \
         (SELECT max(latest.instant_millis) FROM schedule_claims AS latest WHERE latest.workflow = old.workflow)",
    );
    Ok(removed.bind(before.as_millis()).execute(connection).await?.rows_affected())
}

#[async_trait]
impl ScheduleLeases for PostgresRuns {
    async fn claim(&self, asked: &ScheduleClaim) -> Result<ClaimAnswer, LeaseError> {
        // Whoever has a claim must be known to live.
        self.announce().await.map_err(|RunStoreError { operation, fault }| LeaseError { operation, fault })?;
        // Before it is asked: a claim that this process does not know of is anybody's.
        self.state().claimed.insert(asked.run.clone(), asked.clone());
        let answered = self.0.tables.change("write", async |mut link| {
            let answered = self.claim_once(&mut link, asked).await;
            (link, answered)
        });
        let answered = answered.await.map(|answer| answer.unwrap_or(ClaimAnswer::Elsewhere));
        if !matches!(answered, Ok(ClaimAnswer::Given)) {
            self.state().claimed.remove(&asked.run);
        }
        answered.map_err(|cause| LeaseError { operation: "write", fault: cause.into_fault() })
    }

    async fn abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, LeaseError> {
        let found = self.0.tables.run("read", async |mut link| {
            let found = self.read_abandoned(&mut link, since).await.map_err(self.failed("read"));
            (link, found)
        });
        found.await.map(instants).map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })
    }

    async fn taken(&self, asked: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, LeaseError> {
        let found = self.0.tables.run("read", async |mut link| {
            let found = self.read_taken(&mut link, asked).await.map_err(self.failed("read"));
            (link, found)
        });
        found.await.map(instants).map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })
    }

    async fn give_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), LeaseError> {
        self.state().claimed.remove(&claim.run);
        let written = self.0.tables.change("write", async |mut link| {
            let written = give_up(&mut link, claim, given_up).await.map_err(self.failed("write"));
            (link, written)
        });
        written.await.map_err(|cause| LeaseError { operation: "write", fault: cause.into_fault() })
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        let found: Result<Vec<(String, i64)>, PostgresError> = self
            .0
            .tables
            .run("read", async |mut link| {
                let found = latest(&mut link).await.map_err(self.failed("read"));
                (link, found)
            })
            .await;
        let found = found.map_err(|cause| LeaseError { operation: "read", fault: cause.into_fault() })?;
        let told = |(workflow, instant): (String, i64)| {
            (text::stored(&workflow).into_owned(), Timestamp::from_millis(instant))
        };
        Ok(found.into_iter().map(told).collect())
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        let removed = self.0.tables.change("sweep", async |mut link| {
            let removed = sweep(&mut link, before).await.map_err(self.failed("sweep"));
            (link, removed)
        });
        removed.await.map_err(|cause| LeaseError { operation: "sweep", fault: cause.into_fault() })
    }
}
