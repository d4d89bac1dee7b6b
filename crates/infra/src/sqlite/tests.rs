//! A disk that is full, as `SQLite` tells it, and a file that another process makes.

use std::time::Duration;

use mangrove_domain::problem::Code;
use tempfile::TempDir;

use super::*;

const LAYOUT: Layout = Layout {
    version: 5,
    readable_from: 1,
    steps: migrations::RUNS,
    synchronous: SqliteSynchronous::Normal,
    objects: &["runs"],
    later_objects: &[],
    probe: "SELECT count(*) FROM runs",
};

struct Place {
    directory: TempDir,
    database: Database,
}

impl Place {
    async fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("some.db");
        let opened = open(&path, OpenMode::ReadWrite, &LAYOUT, BusyPolicy::default()).await;
        let (database, _) = opened.unwrap_or_else(|error| panic!("{error:?}"));
        Self { directory, database }
    }

    /// Writes so many bytes in a transaction, as adapters do.
    async fn write(&self, bytes: usize) -> Result<(), SqliteError> {
        let mut transaction = self.database.begin_write().await?;
        sqlx::query("INSERT OR REPLACE INTO meta (name, value) VALUES ('big', ?1)")
            .bind("x".repeat(bytes))
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.database.error("write", &error))?;
        self.database.commit(transaction).await
    }

    /// To `SQLite`, a file that must not grow is a disk that is full.
    async fn limit_pages(&self, pages: u32) {
        let writer = self.database.pools.as_ref().and_then(|pools| pools.writer.as_ref()).expect("a writer");
        let statement = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(statement).fetch_all(writer).await.expect("a limit");
    }
}

#[tokio::test]
async fn f06_a_full_disk_is_called_so_each_time_and_what_fits_is_written() {
    let place = Place::new().await;
    for attempt in 0..3 {
        // Each time another connection.
        place.limit_pages(30).await;
        match place.write(1 << 20).await {
            Err(SqliteError::Other(fault)) => {
                assert_eq!(fault.code, Code::DISK_FULL, "attempt {attempt}: {fault}");
                assert!(fault.message.ends_with("the disk is full"), "{fault}");
            }
            other => panic!("attempt {attempt}: {other:?}"),
        }
    }
    place.write(10).await.unwrap_or_else(|error| panic!("a small write fits: {error:?}"));
    place.limit_pages(100_000).await;
    place.write(1 << 20).await.unwrap_or_else(|error| panic!("there is room again: {error:?}"));
}

#[tokio::test]
async fn f06_a_transaction_that_sqlite_itself_rolled_back_costs_its_connection_only() {
    let place = Place::new().await;
    for _ in 0..3 {
        let mut transaction = place.database.begin_write().await.unwrap_or_else(|error| panic!("{error:?}"));
        // What is left is a transaction that cannot be rolled back, as after some failures to write.
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.expect("rolled back behind its back");
        drop(transaction);
    }
    place.write(10).await.unwrap_or_else(|error| panic!("another connection writes: {error:?}"));
    assert!(place.directory.path().join("some.db").is_file());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_being_made_is_never_called_damaged() {
    let layout = Layout { later_objects: &[(3, "schedule_claims")], ..LAYOUT };
    for round in 0..100 {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("some.db");
        let made = path.clone();
        let writer =
            tokio::spawn(async move { open(&made, OpenMode::ReadWrite, &LAYOUT, BusyPolicy::default()).await.is_ok() });
        loop {
            match open(&path, OpenMode::ReadOnly, &layout, BusyPolicy::default()).await {
                Ok((Database { pools: Some(_), .. }, _)) => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => panic!("round {round}: {error:?}"),
            }
        }
        assert!(writer.await.expect("no panic"), "round {round}: it is made");
    }
}

#[tokio::test]
async fn whoever_gives_up_before_it_has_the_connection_leaves_the_next_one_waiting_for_the_disk() {
    let place = Place::new().await;
    let held = place.database.begin_volatile().await.unwrap_or_else(|error| panic!("{error:?}"));
    let given_up = tokio::time::timeout(Duration::ZERO, place.database.begin_write()).await;
    assert!(given_up.is_err(), "the connection is taken");
    drop(held);
    let mut transaction = place.database.begin_write().await.unwrap_or_else(|error| panic!("{error:?}"));
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *transaction).await.expect("a setting");
    assert_eq!(synchronous, 2, "every commit waits for the disk");
}
