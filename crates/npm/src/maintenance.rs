//! What the package cache holds, and giving back what nobody needs: `mangrove cache info` and `prune`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use mangrove_domain::{
    cache::{Amount, PackageUsage, PrunedPackages},
    failure::Fault,
    ports::PruneRequest,
};
use mangrove_fs::{
    directory::{self, Directory},
    faults::{Operation, io_fault},
};

use super::{NpmPackages, fetch::blocking, lock::Need, specifier::PackageId, tree::Tree, unit};

/// One file of the cache.
struct Cached {
    path: PathBuf,
    sort: Sort,
    bytes: u64,
    modified: SystemTime,
}

enum Sort {
    /// Of this package.
    Metadata(String),
    /// Of this version, as `name@version`.
    Archive(String),
    Unit,
    Scratch,
    Other,
}

impl NpmPackages {
    /// What the cache holds.
    ///
    /// # Errors
    /// A directory that cannot be listed.
    pub async fn usage(&self) -> Result<PackageUsage, Fault> {
        let root = self.inner.fetcher.cache.root().to_owned();
        blocking(move || {
            let mut usage = PackageUsage { directory: root.clone(), ..PackageUsage::default() };
            for file in cached(&root)? {
                let amount = match file.sort {
                    Sort::Metadata(_) => &mut usage.metadata,
                    Sort::Archive(_) => &mut usage.archives,
                    Sort::Unit => &mut usage.units,
                    Sort::Scratch => &mut usage.scratch,
                    Sort::Other => continue,
                };
                amount.add(file.bytes);
            }
            Ok(usage)
        })
        .await
    }

    /// Takes out of the lock of the state directory what no source requires. Then removes what no lock names: archives and
    /// metadata that neither `mangrove.lock`, nor the lock of the state directory, nor one of the `deno.lock` files names, and
    /// records of units whose vendor bundle is not stored. What was written within the period of grace stays. A dry run
    /// tells the same and removes nothing.
    ///
    /// # Errors
    /// A lock that cannot be read, since it might name anything; a file that cannot be removed.
    pub async fn prune(&self, request: &PruneRequest) -> Result<PrunedPackages, Fault> {
        let PruneRequest { locks, required, stored, grace, is_dry_run } = request.clone();
        let mut named = Named::default();
        self.inner.committed.trees()?.values().for_each(|tree| named.add(tree));
        for path in &locks {
            self.inner.deno_locks.load(path)?.trees().for_each(|tree| named.add(tree));
        }
        let own = self.inner.own.trees()?;
        let need = required.map(|required| Need::of(&required));
        let (inner, need) = (Arc::clone(&self.inner), need.map(Arc::new));
        let pruned = need.clone().map(|need| move || Ok(inner.own.prune(&need, grace, is_dry_run)?));
        let requirements = match pruned {
            Some(prune) => blocking(prune).await?,
            None => 0,
        };
        // What was taken out is out; what another process has locked since is needed.
        let leaves = |key: &str, tree: &Tree| {
            is_dry_run && requirements > 0 && need.as_ref().is_some_and(|need| !need.has(key, tree))
        };
        let own = if is_dry_run { own } else { self.inner.own.trees()? };
        own.iter().filter(|(key, tree)| !leaves(key, tree)).for_each(|(_, tree)| named.add(tree));
        let root = self.inner.fetcher.cache.root().to_owned();
        blocking(move || {
            let mut removed = Amount::default();
            for file in cached(&root)? {
                let is_needed = match &file.sort {
                    Sort::Metadata(name) => named.names.contains(name),
                    Sort::Archive(package) => named.packages.contains(package),
                    Sort::Unit => unit::recorded(&file.path).is_none_or(|unit| stored.contains(&unit.key.digest())),
                    // Swept when the next unit is built, after a day.
                    Sort::Scratch | Sort::Other => true,
                };
                let is_recent = file.modified.elapsed().map_or(true, |age| age < grace);
                if is_needed || is_recent {
                    continue;
                }
                match if is_dry_run { Ok(()) } else { directory::remove_file(&root, &file.path) } {
                    Ok(()) => {
                        removed.add(file.bytes);
                        if !is_dry_run {
                            remove_empty(file.path.parent(), &root);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(io_fault(Operation::Remove, &file.path, &error)),
                }
            }
            Ok(removed)
        })
        .await
        .map(|files| PrunedPackages { files, requirements })
    }
}

#[derive(Default)]
struct Named {
    names: BTreeSet<String>,
    packages: BTreeSet<String>,
}

impl Named {
    fn add(&mut self, tree: &Tree) {
        let packages: BTreeMap<&PackageId, &String> = tree.integrity.iter().collect();
        self.names.extend(packages.keys().map(|package| package.name.clone()));
        self.packages.extend(packages.keys().map(ToString::to_string));
    }
}

/// Removes directories that became empty, from the inside out; one that somebody fills meanwhile stays.
fn remove_empty(directory: Option<&Path>, root: &Path) {
    let mut directory = directory;
    while let Some(path) = directory.filter(|path| *path != root && path.starts_with(root)) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if Directory::open(root, parent).and_then(|parent| parent.remove_empty(name)).is_err() {
            return;
        }
        directory = Some(parent);
    }
}

/// Every file below the cache.
fn cached(root: &Path) -> Result<Vec<Cached>, Fault> {
    let mut files = Vec::new();
    match Directory::open(root, root) {
        Ok(directory) => add_cached(root, &directory, &mut files)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_fault(Operation::List, root, &error)),
    }
    Ok(files)
}

fn add_cached(root: &Path, directory: &Directory, files: &mut Vec<Cached>) -> Result<(), Fault> {
    let failed = |path: &Path, error: &io::Error| io_fault(Operation::List, path, error);
    for name in directory.names().map_err(|error| failed(directory.path(), &error))? {
        // Gone between the listing and the look: somebody else's scratch.
        let Ok(entry) = directory.look(&name) else { continue };
        let path = directory.path().join(&name);
        if entry.is_directory {
            match directory.directory(&name) {
                Ok(below) => add_cached(root, &below, files)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&path, &error)),
            }
        } else {
            files.push(Cached { sort: sort(root, &path), path, bytes: entry.size_bytes, modified: entry.modified });
        }
    }
    Ok(())
}

/// What a file is, by its place: `registries/<place>/<name>/packument`, `…/<name>/<version>/package.tgz`.
fn sort(root: &Path, path: &Path) -> Sort {
    let below = path.strip_prefix(root).unwrap_or(path);
    let segments: Vec<&str> = below.iter().filter_map(|segment| segment.to_str()).collect();
    match segments.as_slice() {
        ["registries", _, name @ .., "packument"] => Sort::Metadata(name.join("/")),
        ["registries", _, name @ .., version, "package.tgz"] => Sort::Archive(format!("{}@{version}", name.join("/"))),
        ["units", ..] => Sort::Unit,
        ["scratch", ..] => Sort::Scratch,
        _ => Sort::Other,
    }
}
