//! What the daemon has watched, and whether that is still what lies there.

use std::{path::Path, time::Duration};

use mangrove_app::service::Service;
use mangrove_domain::{
    ports::Watcher,
    watch::{FileChanges, WatchList},
};
use tokio::sync::watch;

use crate::{log, status::Status};

/// The places that are watched.
#[derive(Default)]
pub(crate) struct Watched {
    list: WatchList,
    /// True if others may have the paths of watched directories by now: what is watched of these is not what lies there.
    is_outdated: bool,
}

impl Watched {
    /// These have changed.
    pub(crate) fn changed(&mut self, changes: &FileChanges) {
        let is_watched = |path| self.list.directories.contains(path) || self.list.trees.contains(path);
        self.is_outdated |= !changes.is_complete || changes.paths.iter().any(is_watched);
    }

    /// True if the path lies where definitions and workflows do.
    pub(crate) fn is_in_tree(&self, path: &Path) -> bool {
        self.list.is_in_tree(path)
    }

    /// Watches what the latest look rests on. True if another look is wanted: what changed before it was watched was not told.
    pub(crate) async fn renew(
        &mut self,
        service: &Service,
        watcher: &dyn Watcher,
        status: &watch::Sender<Status>,
        rescan: Duration,
    ) -> bool {
        let list = service.watch_list().await;
        if list == self.list && !self.is_outdated && status.borrow().coverage.is_some() {
            return false;
        }
        let coverage = watcher.watch(list.clone()).await;
        service.watch_library(coverage.unwatched.is_empty() && coverage.reason.is_none());
        log::coverage(&coverage, rescan);
        let missed = std::mem::take(&mut self.is_outdated) || list.directories != self.list.directories;
        self.list = list;
        status.send_modify(|status| status.coverage = Some(coverage));
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_outdated_once_a_directory_may_have_been_replaced() {
        let list = WatchList {
            directories: ["/r/models".into()].into(),
            trees: ["/r/workflows".into()].into(),
            ..WatchList::default()
        };
        let is_outdated = |path: &str, is_complete| {
            let mut watched = Watched { list: list.clone(), is_outdated: false };
            watched.changed(&FileChanges { paths: [path.into()].into(), is_complete });
            watched.is_outdated
        };
        for (path, is_complete) in [("/r/models", true), ("/r/workflows", true), ("/r/models/a.ts", false)] {
            assert!(is_outdated(path, is_complete), "{path}");
        }
        for path in ["/r/models/a.ts", "/r/workflows/w.yaml"] {
            assert!(!is_outdated(path, true), "{path}");
        }
    }
}
