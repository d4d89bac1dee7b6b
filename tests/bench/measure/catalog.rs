//! A catalog of many rows, in this process: in a file, and on a server of this machine that waits for its disk.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_domain::{ports::Catalog, row::Row};
use mangrove_infra::{
    catalog::{OpenMode, SqliteCatalog},
    postgres::{Address, PostgresCatalog},
};
use mangrove_testkit::{
    postgres::{Listens, PostgresServer, Setup},
    rows,
};

use super::{median, milliseconds, report::Line};

const RUNS: usize = 5;

/// Rows that one commit of the measurement writes.
const COMMITTED: usize = 1_000;

/// What a server may cost over a file: the same bytes go through a connection and two processes.
const SERVER_OVER_FILE: f64 = 2.0;

/// Why nothing is known of a server.
pub(super) const NO_SERVER: &str = "no PostgreSQL server is installed: `initdb` was not found";

const ALL_ROWS: &str = "catalog on PostgreSQL, all rows";
const COMMIT: &str = "catalog on PostgreSQL, commit of 1000 rows";

/// Reading all rows, and writing a thousand of them: from and to a file, then a server.
pub(super) fn measure(count: usize) -> Result<[Line; 4]> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let file = runtime.block_on(in_file(count))?;
    let note = format!("{count} rows");
    let line = |what, time, most| Line::new(what, milliseconds(time), "ms").at_most(most).after(RUNS).noting(&note);
    let [all_rows, commit] = if PostgresServer::is_installed() {
        let server = runtime.block_on(on_server(count))?;
        let note = format!("{count} rows; over TCP on this machine, fsync on");
        let line = |what, server, file| {
            Line::new(what, milliseconds(server), "ms")
                .against("the same in a file", milliseconds(file))
                .at_most_times(SERVER_OVER_FILE)
                .after(RUNS)
                .noting(&note)
        };
        [line(ALL_ROWS, server.read, file.read), line(COMMIT, server.commit, file.commit)]
    } else {
        [ALL_ROWS, COMMIT].map(|what| Line::unmeasured(what, "ms", NO_SERVER))
    };
    Ok([
        line("catalog, all rows", file.read, 300.0),
        line("catalog, commit of 1000 rows", file.commit, 100.0),
        all_rows,
        commit,
    ])
}

/// Commits the same thousand rows so many times.
pub(super) fn repeat_commit(times: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let catalog = in_directory(directory.path()).await?;
        fill(&catalog, COMMITTED).await?;
        let mut written = catalog.snapshot().await.context("cannot read the catalog")?.rows;
        for _ in 0..times {
            let outcome = catalog.commit(rows::put_all(&written)).await.context("cannot write the catalog")?;
            ensure!(outcome.conflicts.is_empty(), "nobody else writes");
            // As it is now, without reading it, which would count.
            for row in &mut written {
                row.revision += 1;
            }
        }
        catalog.close().await;
        Ok(())
    })
}

async fn in_directory(directory: &Path) -> Result<SqliteCatalog> {
    let path = directory.join("catalog.db");
    Ok(SqliteCatalog::open(&path, OpenMode::ReadWrite).await.context("no catalog")?.catalog)
}

async fn fill(catalog: &impl Catalog, count: usize) -> Result<()> {
    let row = |number| rows::indexed(&format!("extensions/models/{number}.ts"), &format!("@corpus/thing{number}"));
    for first in (0..count).step_by(COMMITTED) {
        let new: Vec<Row> = (first..count.min(first + COMMITTED)).map(row).collect();
        catalog.commit(rows::put_all(&new)).await.context("cannot fill the catalog")?;
    }
    Ok(())
}

/// Medians.
struct Times {
    read: Duration,
    commit: Duration,
}

async fn in_file(count: usize) -> Result<Times> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let catalog = in_directory(directory.path()).await?;
    let times = times(&catalog, count).await?;
    catalog.close().await;
    Ok(times)
}

async fn on_server(count: usize) -> Result<Times> {
    let listens = Some(Listens::Here);
    let server = PostgresServer::start_with(Setup { is_durable: true, listens, ..Setup::default() });
    let address = Address::parse(&server.network_url(&server.create_database())).context("no address")?;
    let catalog = PostgresCatalog::new(address, OpenMode::ReadWrite);
    let times = times(&catalog, count).await?;
    catalog.close().await;
    Ok(times)
}

async fn times(catalog: &impl Catalog, count: usize) -> Result<Times> {
    fill(catalog, count).await?;
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = Instant::now();
        let view = catalog.snapshot().await.context("cannot read the catalog")?;
        reads.push(start.elapsed());
        ensure!(view.rows.len() == count, "{} of {count} rows", view.rows.len());
        let commit = rows::put_all(&view.rows[..COMMITTED.min(count)]);
        let start = Instant::now();
        let outcome = catalog.commit(commit).await.context("cannot write the catalog")?;
        writes.push(start.elapsed());
        ensure!(outcome.conflicts.is_empty(), "nobody else writes");
    }
    Ok(Times { read: median(&mut reads), commit: median(&mut writes) })
}
