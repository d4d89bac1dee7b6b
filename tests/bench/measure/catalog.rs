//! A catalog of many rows, in this process.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result, ensure};
use mangrove_domain::{ports::Catalog as _, row::Row};
use mangrove_infra::catalog::{OpenMode, SqliteCatalog};
use mangrove_testkit::rows;

use super::{median, milliseconds, report::Line};

const RUNS: usize = 5;

/// Rows that one commit of the measurement writes.
const COMMITTED: usize = 1_000;

/// Reading all rows, and writing a thousand of them.
pub(super) fn measure(count: usize) -> Result<[Line; 2]> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?.block_on(run(count))
}

/// Commits the same thousand rows so many times.
pub(super) fn repeat_commit(times: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let catalog = filled(directory.path(), COMMITTED).await?;
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

async fn filled(directory: &Path, count: usize) -> Result<SqliteCatalog> {
    let path = directory.join("catalog.db");
    let catalog = SqliteCatalog::open(&path, OpenMode::ReadWrite).await.context("no catalog")?.catalog;
    let row = |number| rows::indexed(&format!("extensions/models/{number}.ts"), &format!("@corpus/thing{number}"));
    for first in (0..count).step_by(COMMITTED) {
        let new: Vec<Row> = (first..count.min(first + COMMITTED)).map(row).collect();
        catalog.commit(rows::put_all(&new)).await.context("cannot fill the catalog")?;
    }
    Ok(catalog)
}

async fn run(count: usize) -> Result<[Line; 2]> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let catalog = filled(directory.path(), count).await?;
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
    catalog.close().await;
    let note = format!("{count} rows");
    Ok([
        Line::new("catalog, all rows", milliseconds(median(&mut reads)), "ms").at_most(300.0).after(RUNS).noting(&note),
        Line::new("catalog, commit of 1000 rows", milliseconds(median(&mut writes)), "ms")
            .at_most(100.0)
            .after(RUNS)
            .noting(&note),
    ])
}
