//! Changes of files as they happen.

use std::{collections::BTreeSet, path::PathBuf};

use async_trait::async_trait;

use crate::watch::{Coverage, FileChanges, WatchList};

/// Tells of changes of files. What it tells is a hint and never the truth: events get lost, network file systems have none,
/// and systems have limits. Whoever needs the truth looks.
///
/// Implementations MUST tell of every change of a watched place that the system tells them, once at least, in the order
/// in which they happened; MUST say with [`FileChanges::is_complete`] where the system lost some; MUST keep the number of
/// paths that wait bounded; MUST go on with the other places where one cannot be watched, and say so in the [`Coverage`].
/// Contract: `testkit::contract::watcher`.
#[async_trait]
pub trait Watcher: Send + Sync {
    /// Watches these places from now on, and no others. Places that are watched already stay watched without a gap.
    async fn watch(&self, list: WatchList) -> Coverage;

    /// Waits for changes since the last call, and gives all that have happened until now.
    async fn changed(&self) -> FileChanges;
}

/// Watches nothing: changes are found by looking from time to time.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWatcher;

#[async_trait]
impl Watcher for NoWatcher {
    async fn watch(&self, list: WatchList) -> Coverage {
        let places: BTreeSet<PathBuf> = list.directories.into_iter().chain(list.trees).collect();
        let reason = (!places.is_empty()).then(|| "changes are not watched here".to_owned());
        Coverage { watched: 0, unwatched: places, reason }
    }

    async fn changed(&self) -> FileChanges {
        std::future::pending().await
    }
}
