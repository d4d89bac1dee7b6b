//! Vendor units: one resolved package with the entries that one module graph imports of it.
//!
//! A unit is told by its tree, its entries and the vendor bundler's identity, never by who asked first, so
//! every extension that needs the same gets the same. What was built is recorded in
//! `<state>/npm/units/<aa>/<key>.json`; a record counts only as long as the store has what it names.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use mangrove_domain::{
    bundle::{BundleRef, ObjectKey, Presence, StoredObject},
    digest::Digest,
    failure::{FailureClass, Fault},
    fingerprint::{Line, Part},
    ports::BundleStore,
    problem::Code,
};
use serde::{Deserialize, Serialize};

use super::{
    archive::{self, Bounds},
    cache::write_atomically,
    fetch::{Supply, blocking},
    tree::Tree,
};
use crate::bundler::vendor::{VendorBundler, VendorRequest};
use crate::faults::{Operation, io_fault};

/// The version of what goes into a unit's key and of how units are laid out for the bundler.
const FORMAT: u32 = 1;

/// Scratch directories older than this were left behind by a process that died.
const ABANDONED: Duration = Duration::from_hours(24);

/// What is to be built.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    tree: Arc<Tree>,
    /// From bare specifier (`zod`, `zod/v4`) to the file name of its chunk.
    entries: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    package: String,
    entries: BTreeMap<String, String>,
    vendor: String,
    size_bytes: u64,
}

impl Unit {
    /// The unit of these sub-paths; `None` is the main entry.
    pub(super) fn new<'a>(tree: Arc<Tree>, sub_paths: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let name = tree.root.name.clone();
        let mut entries = BTreeMap::new();
        let mut specifiers: Vec<String> = sub_paths.into_iter().map(|path| bare(&name, path)).collect();
        specifiers.sort();
        specifiers.dedup();
        for specifier in specifiers {
            let file =
                file_name(&specifier, |taken| entries.values().any(|known: &String| known.eq_ignore_ascii_case(taken)));
            entries.insert(specifier, file);
        }
        Self { tree, entries }
    }

    /// The chunk of a sub-path.
    pub(super) fn file(&self, sub_path: Option<&str>) -> Option<&str> {
        self.entries.get(&bare(&self.tree.root.name, sub_path)).map(String::as_str)
    }

    /// What tells this unit from every other one.
    pub(super) fn key(&self, vendor_identity: &str) -> Digest {
        let entries =
            self.entries.iter().map(|(specifier, file)| Line::new(format!("entry {specifier}"), file.clone()));
        let fixed = [
            Line::new("format", FORMAT.to_string()),
            Line::new("bundler", vendor_identity),
            Line::new("tree", self.tree.digest().to_string()),
        ];
        Part::of(entries.chain(fixed)).digest()
    }

    /// The unit in the store, built if it is not there.
    pub(super) async fn obtain(
        self,
        key: Digest,
        supply: Arc<Supply>,
        vendor: Arc<dyn VendorBundler>,
        store: Arc<dyn BundleStore>,
    ) -> Result<StoredObject, Fault> {
        let record_path = {
            let name = key.to_string();
            supply.cache.units().join(&name[..2]).join(format!("{name}.json"))
        };
        if let Some(object) = recorded(&record_path)
            && is_present(store.as_ref(), object).await?
        {
            return Ok(object);
        }
        supply.ensure_all(&self.tree.integrity).await?;
        let directory = {
            let (supply, tree) = (Arc::clone(&supply), Arc::clone(&self.tree));
            blocking(move || lay_out(&supply, &tree)).await?
        };
        let package = self.tree.root.to_string();
        let request = VendorRequest {
            package: package.clone(),
            directory: directory.path().to_owned(),
            entries: self.entries.clone(),
            externals: BTreeMap::new(),
        };
        let output = vendor.build_vendor(request).await;
        // Nothing of the outcome depends on the directory any more.
        drop(tokio::task::spawn_blocking(move || drop(directory)));
        let object = store.put_vendor(&output?.files).await.map_err(|error| error.fault().clone())?;
        let record = Record {
            package,
            entries: self.entries,
            vendor: object.key.digest().to_string(),
            size_bytes: object.size_bytes,
        };
        blocking(move || {
            let text = serde_json::to_vec_pretty(&record).map_err(|error| {
                Fault::new(FailureClass::Environment, Code::BUNDLE_FAILED, "packages:record", error.to_string())
            })?;
            Ok(write_atomically(&record_path, &text)?)
        })
        .await?;
        Ok(object)
    }
}

/// The bare specifier that an import of this sub-path would use.
fn bare(name: &str, sub_path: Option<&str>) -> String {
    sub_path.map_or_else(|| name.to_owned(), |path| format!("{name}/{path}"))
}

/// A file name that every file system and URL can hold and that is not taken.
fn file_name(specifier: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let stem: String = specifier
        .trim_start_matches('@')
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => character,
            '/' => '.',
            _ => '_',
        })
        .collect();
    let numbered = (2_u32..).map(|number| format!("{stem}.{number}.js"));
    let mut names = std::iter::once(format!("{stem}.js")).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or(stem)
}

/// What the record says; a missing or damaged one says nothing.
pub(super) fn recorded(path: &Path) -> Option<StoredObject> {
    let record: Record = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let digest = record.vendor.parse().ok()?;
    Some(StoredObject { key: ObjectKey::Vendor(digest), size_bytes: record.size_bytes })
}

async fn is_present(store: &dyn BundleStore, object: StoredObject) -> Result<bool, Fault> {
    let reference = BundleRef { entry: object, vendors: Vec::new() };
    let presence = store.presence(&[&reference]).await.map_err(|error| error.fault().clone())?;
    Ok(presence.iter().all(|found| *found == Presence::Present))
}

/// Unpacks the tree as `node_modules` directories into a directory that goes away when dropped.
fn lay_out(supply: &Supply, tree: &Tree) -> Result<tempfile::TempDir, Fault> {
    let scratch = supply.cache.scratch();
    fs::create_dir_all(&scratch).map_err(|error| io_fault(Operation::Create, &scratch, &error))?;
    sweep(&scratch);
    let directory = tempfile::Builder::new()
        .prefix("unit-")
        .tempdir_in(&scratch)
        .map_err(|error| io_fault(Operation::Create, &scratch, &error))?;
    for (place, package) in &tree.placed {
        let integrity = tree.integrity.get(package).map_or("", String::as_str);
        let bytes = supply.cached_archive(package, integrity)?;
        let target = directory.path().join(place.to_string());
        archive::unpack(&package.to_string(), &bytes, Some(&target), Bounds::default())?;
    }
    Ok(directory)
}

fn sweep(scratch: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        if modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > ABANDONED)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
