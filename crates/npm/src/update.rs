//! Moving locks on purpose: `mangrove cache update`.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use futures::{StreamExt as _, stream};
use mangrove_domain::{failure::Fault, problem::Code};

use super::{
    NpmPackages,
    fetch::{Source, blocking},
    lock::Trees,
    resolve::resolve,
    specifier::{PackageId, Requirement, Specifier},
    tree::Tree,
};

/// What became of one requirement.
#[derive(Debug)]
pub struct Updated {
    /// `npm:name@range`
    pub requirement: String,
    /// What it was locked to.
    pub before: PackageId,
    /// What it is locked to now; a failure leaves what was.
    pub after: Result<PackageId, Fault>,
    /// True if anything of its tree is another one.
    pub is_moved: bool,
}

/// What became of the locks.
#[derive(Debug)]
pub struct Update {
    /// One for each requirement that was looked at, sorted.
    pub requirements: Vec<Updated>,
    /// Names that no lock of ours has.
    pub unknown: Vec<String>,
    /// Where the lock of the state directory lies now, which was damaged.
    pub set_aside: Option<PathBuf>,
}

impl NpmPackages {
    /// Resolves what is locked again, in `mangrove.lock` and in the lock of the state directory, and keeps what
    /// comes of it where it stood. Only packages of these names, or all if there are none. With `pin`,
    /// `mangrove.lock` receives everything that is locked. A requirement that cannot be resolved, or whose
    /// packages cannot be had, stays as it was. A lock of the state directory that is damaged is set aside: what it locked is
    /// resolved when it is needed. So is a damaged `mangrove.lock` with `pin`.
    ///
    /// # Errors
    /// A lock that cannot be read or written; `LOCK_OUTDATED` if locks must not move and would.
    pub async fn update(&self, names: &[String], pin: bool) -> Result<Update, Fault> {
        let inner = &self.inner;
        let mut set_aside = None;
        if !inner.is_locked {
            set_aside = inner.own.set_aside()?;
            // The one that is committed is written only by who asks for that.
            if pin {
                set_aside = inner.committed.set_aside()?.or(set_aside);
            }
        }
        let (committed, own) = (inner.committed.trees()?, inner.own.trees()?);
        let mut locked: BTreeMap<Requirement, Arc<Tree>> = BTreeMap::new();
        for (key, tree) in own.iter().chain(committed.iter()) {
            if let Ok(Specifier::Npm { requirement, .. }) = key.parse::<Specifier>() {
                locked.insert(requirement, Arc::clone(tree));
            }
        }
        let is_known = |name: &&String| locked.keys().any(|requirement| requirement.name == **name);
        let unknown = names.iter().filter(|name| !is_known(name)).cloned().collect();
        locked.retain(|requirement, _| names.is_empty() || names.contains(&requirement.name));

        inner.fetcher.forget_memory();
        let resolved: Vec<(Requirement, Arc<Tree>, Result<Tree, Fault>)> = stream::iter(locked)
            .map(|(requirement, before)| async move {
                let after = self.resolve_again(&requirement).await;
                (requirement, before, after)
            })
            .buffered(8)
            .collect()
            .await;
        let mut moved = Trees::new();
        let mut requirements = Vec::new();
        for (requirement, before, after) in resolved {
            let key = requirement.to_string();
            let after = after.map(Arc::new);
            let is_moved = after.as_ref().is_ok_and(|after| after.digest() != before.digest());
            if let Ok(after) = &after
                && is_moved
            {
                moved.insert(key.clone(), Arc::clone(after));
            }
            let after = after.map(|after| after.root.clone());
            requirements.push(Updated { requirement: key, before: before.root.clone(), after, is_moved });
        }
        let mut into_committed = subset(&moved, &committed);
        let into_own = subset(&moved, &own);
        if pin {
            let missing = own.iter().filter(|(key, _)| !committed.contains_key(*key));
            for (key, tree) in missing {
                into_committed.insert(key.clone(), Arc::clone(moved.get(key).unwrap_or(tree)));
            }
        }
        if inner.is_locked && !(into_committed.is_empty() && into_own.is_empty()) {
            let names: Vec<&str> = into_committed.keys().chain(into_own.keys()).map(String::as_str).collect();
            let message = format!("{} would move, and the lock must not change", names.join(", "));
            return Err(Fault::environment(Code::LOCK_OUTDATED, "lock", message));
        }
        let inner = Arc::clone(inner);
        blocking(move || {
            inner.committed.replace(&into_committed)?;
            Ok(inner.own.replace(&into_own)?)
        })
        .await?;
        Ok(Update { requirements, unknown, set_aside })
    }

    async fn resolve_again(&self, requirement: &Requirement) -> Result<Tree, Fault> {
        let fetcher = &self.inner.fetcher;
        let outages = Arc::default();
        let source = Source { fetcher: Arc::clone(fetcher), outages: Arc::clone(&outages) };
        let tree = resolve(requirement, &source).await?;
        // What cannot be had must not be pinned.
        fetcher.ensure_all(&tree.integrity, &outages).await?;
        Ok(tree)
    }
}

fn subset(moved: &Trees, of: &Trees) -> Trees {
    moved.iter().filter(|(key, _)| of.contains_key(*key)).map(|(key, tree)| (key.clone(), Arc::clone(tree))).collect()
}
