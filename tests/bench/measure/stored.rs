//! What a repository remembers, and forgetting some of it, so that a scan begins where it shall.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use mangrove_domain::{
    ports::{Catalog as _, Change, Commit, Write},
    row::Row,
};
use mangrove_infra::catalog::{OpenMode, SqliteCatalog};
use mangrove_testkit::roots;

const STATE: &str = ".mangrove";

/// Packages that were fetched, and what requirements of them resolved to.
const PACKAGES: [&str; 2] = ["npm", "npm.lock"];

/// Where bundles lie, and the catalog, which has the remembered inspections.
const BUNDLES_AND_CATALOG: [&str; 2] = ["bundles", "catalog.db"];

/// All rows, sorted by nothing.
pub(super) fn rows(repository: &Path) -> Result<Vec<Row>> {
    with_catalog(repository, OpenMode::ReadOnly, async |catalog| {
        Ok(catalog.snapshot().await.context("the rows cannot be read")?.rows)
    })
}

/// Forgets everything but packages: whatever is scanned then is built.
pub(super) fn keep_packages(repository: &Path) -> Result<()> {
    keep(repository, &PACKAGES)
}

/// Forgets the rows, and whatever else is remembered of sources. Bundles, packages and inspections stay: those are in the
/// catalog too, by what was inspected.
pub(super) fn forget_rows(repository: &Path) -> Result<()> {
    with_catalog(repository, OpenMode::ReadWrite, async |catalog| {
        let rows = catalog.snapshot().await.context("the rows cannot be read")?.rows;
        let delete = |row: Row| Change {
            source: row.source,
            expected_revision: row.revision,
            write: Write::Delete,
            transition: None,
        };
        let commit = Commit { changes: rows.into_iter().map(delete).collect(), descriptions: Vec::new() };
        let outcome = catalog.commit(commit).await.context("the rows cannot be deleted")?;
        ensure!(outcome.conflicts.is_empty(), "nobody else writes");
        catalog.sweep().await.context("the catalog cannot be swept")
    })?;
    keep(repository, &[&PACKAGES[..], &BUNDLES_AND_CATALOG].concat())
}

/// Copies the packages of a repository to another one that remembers nothing.
pub(super) fn copy_packages(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.join(STATE), to.join(STATE));
    fs::create_dir_all(&to).context("cannot make a state directory")?;
    roots::copy(&from.join(PACKAGES[0]), &to.join(PACKAGES[0])).context("cannot copy packages")?;
    fs::copy(from.join(PACKAGES[1]), to.join(PACKAGES[1])).context("cannot copy a lock")?;
    Ok(())
}

fn keep(repository: &Path, kept: &[&str]) -> Result<()> {
    for entry in fs::read_dir(repository.join(STATE)).context("cannot list the state directory")? {
        let entry = entry?;
        if kept.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        let removed = if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

fn with_catalog<T>(repository: &Path, mode: OpenMode, ask: impl AsyncFnOnce(&SqliteCatalog) -> Result<T>) -> Result<T> {
    let path = repository.join(STATE).join(BUNDLES_AND_CATALOG[1]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let catalog = SqliteCatalog::open(&path, mode).await.context("no catalog")?.catalog;
        let answer = ask(&catalog).await;
        catalog.close().await;
        answer
    })
}
