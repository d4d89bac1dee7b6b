//! Who starts which scheduled run, of all daemons that share a database.

use async_trait::async_trait;
use mangrove_domain::{
    ports::{LeaseError, ScheduleClaim, ScheduleLeases},
    time::Timestamp,
};
use sqlx::PgConnection;

use super::{Address, PostgresError, migrations, setup::Layout, tables::Tables, text};
use crate::persistence::{BusyPolicy, OpenMode};

const LAYOUT: Layout = Layout { schema: migrations::RUNS_SCHEMA, version: 4, steps: migrations::RUNS };

/// The claims of schedules beside the history of runs. A claim is on the server's disk before it is given.
#[derive(Debug)]
pub struct PostgresLeases {
    tables: Tables,
}

impl PostgresLeases {
    /// Those at this address.
    #[must_use]
    pub fn new(address: Address, mode: OpenMode) -> Self {
        Self::with_patience(address, mode, BusyPolicy::default())
    }

    /// The same, waiting for a server that is not there as long as `busy` says.
    #[must_use]
    pub fn with_patience(address: Address, mode: OpenMode, busy: BusyPolicy) -> Self {
        Self { tables: Tables::new(address, LAYOUT, mode, busy) }
    }

    /// Makes the tables or brings them up to date, and lets a role use them.
    ///
    /// # Errors
    /// [`LeaseError`] if this role may not, a newer version made them, or the server is not there.
    pub async fn migrate(&self, reader_and_writer: Option<&str>) -> Result<(), LeaseError> {
        let migrated = self.tables.migrate(reader_and_writer).await;
        migrated.map_err(|cause| LeaseError { operation: "prepare", fault: cause.into_fault() })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.tables.server().close().await;
    }

    fn failed(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> PostgresError {
        move |error| self.tables.server().error(operation, &error)
    }
}

async fn claim(connection: &mut PgConnection, claim: &ScheduleClaim) -> Result<bool, sqlx::Error> {
    // Nothing is changed where somebody has it; the row is locked all the same, and its holder given back.
    let holder: String = sqlx::query_scalar(
        "INSERT INTO schedule_claims (workflow, instant_millis, holder, claimed_millis) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (workflow, instant_millis) DO UPDATE SET holder = schedule_claims.holder RETURNING holder",
    )
    .bind(text::storable(&claim.workflow))
    .bind(claim.instant.as_millis())
    .bind(text::storable(&claim.holder))
    .bind(claim.at.as_millis())
    .fetch_one(connection)
    .await?;
    Ok(text::stored(&holder) == claim.holder)
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
impl ScheduleLeases for PostgresLeases {
    async fn claim(&self, asked: &ScheduleClaim) -> Result<bool, LeaseError> {
        let given = self.tables.change("write", async |mut link| {
            let given = claim(&mut link, asked).await.map_err(self.failed("write"));
            (link, given)
        });
        given.await.map_err(|cause| LeaseError { operation: "write", fault: cause.into_fault() })
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        let found: Result<Vec<(String, i64)>, PostgresError> = self
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
        let removed = self.tables.change("sweep", async |mut link| {
            let removed = sweep(&mut link, before).await.map_err(self.failed("sweep"));
            (link, removed)
        });
        removed.await.map_err(|cause| LeaseError { operation: "sweep", fault: cause.into_fault() })
    }
}
