//! What a scan made of a root: its rows as the catalog has them, and what they run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_domain::{
    bundle::{BundleRef, LoadedBundle, ObjectKey},
    description::Description,
    failure::FailureClass,
    inspection::beyond_embedded,
    permission::{Grant, Grantee, Grants, Permission},
    ports::{BundleStore as _, Catalog as _, OpenRequest, RunError},
    problem::Code,
    row::Row,
    state::{Indexed, State},
};
use mangrove_engine::{EngineSession, Limits};
use mangrove_infra::{
    catalog::{OpenMode, SqliteCatalog},
    store::LocalStore,
};
use serde_json::Value;

use super::process;

/// How often a scan is made again while a registry fails.
const SCANS: usize = 3;

/// What the engine needs of stack besides the limit of its own.
const STACK: usize = 8 << 20;

/// A row with everything that is compared of it.
pub(crate) struct Found {
    pub(crate) row: Row,
    /// Of an indexed row: its description, and its bundle as the store gives it after checking every digest, or why not.
    pub(crate) indexed: Option<(Description, Result<LoadedBundle, String>)>,
}

impl Found {
    pub(crate) fn indexed(&self) -> Option<&Indexed> {
        self.row.state.indexed()
    }

    /// As people name it.
    pub(crate) fn name(&self) -> String {
        self.row.source.to_string()
    }
}

/// Scans a root, and gives its rows.
pub(crate) fn scan(program: &Path, deno: &Path, root: &Path) -> Result<Vec<Found>> {
    let mut rows = Vec::new();
    for _ in 0..SCANS {
        let ended = process::run(process::fetching(program, root).env("MANGROVE_DENO", deno).args(["scan", "--json"]))?;
        ensure!(matches!(ended.code, 0 | 1), "the scan ended with {}: {}", ended.code, ended.complaint());
        rows = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(read(root))?;
        let is_transient =
            |found: &Found| found.row.failure().is_some_and(|failure| failure.class == FailureClass::Transient);
        if !rows.iter().any(is_transient) {
            break;
        }
    }
    Ok(rows)
}

async fn read(root: &Path) -> Result<Vec<Found>> {
    let path = root.join(".mangrove/catalog.db");
    let catalog = SqliteCatalog::open(&path, OpenMode::ReadOnly).await.context("no catalog")?.catalog;
    let store = LocalStore::new(root.join(".mangrove/bundles"));
    let mut found = Vec::new();
    for row in catalog.snapshot().await.context("the rows cannot be read")?.rows {
        let indexed = match row.state.indexed() {
            Some(indexed) => {
                let description = catalog.description(indexed.description).await?;
                let description = description.with_context(|| format!("{} has no description", row.source))?;
                let bundle = store.load(&indexed.bundle).await.map_err(|error| error.to_string());
                Some((description, bundle))
            }
            None => None,
        };
        found.push(Found { row, indexed });
    }
    catalog.close().await;
    Ok(found)
}

/// The file of a bundle in the store of a root.
pub(crate) fn file_of(root: &Path, bundle: &BundleRef) -> Result<PathBuf> {
    let ObjectKey::Extension(digest) = bundle.entry.key else { anyhow::bail!("the entry of a bundle is a vendor") };
    let digest = digest.to_string();
    Ok(root.join(".mangrove/bundles").join(&digest[..2]).join(format!("{digest}.js")))
}

/// Loads a bundle with its real packages into the embedded engine, if that is where it runs. What goes wrong is a
/// sentence.
pub(crate) fn link_embedded(found: &Found, export_name: &str, directory: &Path) -> Result<(), String> {
    let Some((description, Ok(bundle))) = &found.indexed else { return Ok(()) };
    if beyond_embedded(&description.requirements).next().is_some() {
        return Ok(());
    }
    let grants: Grants = [(Permission::Env, Grant::All)].into();
    let name = description.type_name.to_string();
    let root = found.row.source.root.clone();
    let request = OpenRequest {
        bundle: bundle.clone(),
        export_name: export_name.to_owned(),
        subject: found.name(),
        requirements: description.requirements.clone(),
        grantee: Grantee { name, root, grants, variables: BTreeMap::new() },
        root_directory: Some(directory.to_owned()),
        run: String::new(),
    };
    let opened = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || EngineSession::open(&request, &Limits::default()).map(drop))
        .map_err(|error| error.to_string())?
        .join();
    match opened {
        Ok(Ok(())) => Ok(()),
        // It turns out to need Deno when it is first called, and is run there.
        Ok(Err(RunError::Fault(fault))) if fault.code == Code::REQUIREMENT_MISSING => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the embedded engine crashed".to_owned()),
    }
}

/// What is shown of a type to people who ask for it.
pub(crate) fn describe(program: &Path, root: &Path, indexed: &Indexed, kind: &str) -> Result<Value> {
    let arguments = ["describe", indexed.type_name.as_str(), "--kind", kind, "--json"];
    let ended = process::run(process::command(program, root).args(arguments))?;
    ensure!(ended.code == 0, "{} is not described: {}", indexed.type_name, ended.complaint());
    serde_json::from_str(&ended.stdout).context("`describe` gives no JSON document")
}

/// Why a row is not indexed.
pub(crate) fn reason(row: &Row) -> String {
    match &row.state {
        State::ValidationFailed { violations, .. } => {
            let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
            format!("is rejected: {}", violations.join("; "))
        }
        state => {
            let failure = row.failure().map(|failure| format!("{} {}", failure.code, failure.latest_message));
            let failure = failure.unwrap_or_default();
            format!("is {}: {failure}", state.name().as_str())
        }
    }
}
