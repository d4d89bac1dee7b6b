//! Changes of files, as the operating system tells them (port `Watcher`).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    ports::Watcher,
    watch::{Coverage, FileChanges, WatchList},
};
use notify::{
    Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind, RemoveKind},
};
use tokio::sync::Notify;

/// So many paths wait at most. Whoever is that far behind is told to look at everything.
const WAITING_PATHS: usize = 10_000;

/// Changes from the operating system. Nothing is watched before the first [`watch`](Watcher::watch).
#[derive(Default)]
pub struct SystemWatcher {
    shared: Arc<Shared>,
    watching: Arc<Mutex<Watching>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

/// What happened and was not asked for yet.
#[derive(Default)]
struct Waiting {
    changes: FileChanges,
    list: Arc<WatchList>,
    /// Watched directories that went away or moved: what is watched of them now is not what has their path.
    gone: BTreeSet<PathBuf>,
    /// True if any of them may have: that was not told.
    has_lost: bool,
}

#[derive(Default)]
struct Watching {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    trees: BTreeSet<PathBuf>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SystemWatcher {
    /// Watches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Watcher for SystemWatcher {
    async fn watch(&self, list: WatchList) -> Coverage {
        let (shared, state) = (Arc::clone(&self.shared), Arc::clone(&self.watching));
        let directories = list.flat_directories();
        let work = move || lock(&state).replace(list, directories, &shared);
        mangrove_fs::blocking(work).await.unwrap_or_else(|error| Coverage {
            watched: 0,
            unwatched: BTreeSet::new(),
            reason: Some(format!("changes cannot be watched: {error}")),
        })
    }

    async fn changed(&self) -> FileChanges {
        loop {
            let notice = self.shared.changed.notified();
            let changes = std::mem::take(&mut lock(&self.shared.waiting).changes);
            if !changes.is_empty() {
                return changes;
            }
            notice.await;
        }
    }
}

impl Watching {
    fn replace(&mut self, list: WatchList, directories: BTreeSet<PathBuf>, shared: &Arc<Shared>) -> Coverage {
        let trees = list.trees.clone();
        let (gone, has_lost) = {
            let mut waiting = lock(&shared.waiting);
            waiting.list = Arc::new(list);
            (std::mem::take(&mut waiting.gone), std::mem::take(&mut waiting.has_lost))
        };
        // What lies in a directory that moved is told nothing of that.
        let is_gone = |path: &Path| has_lost || path.ancestors().any(|ancestor| gone.contains(ancestor));
        let mut failures = Failures::default();
        if self.watcher.is_none() {
            let receiver = Arc::clone(shared);
            let made = RecommendedWatcher::new(move |event| receiver.receive(event), Config::default());
            match made {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => failures.first = Some(words(&error)),
            }
        }
        let Some(watcher) = &mut self.watcher else {
            return Coverage { watched: 0, unwatched: directories, reason: failures.first };
        };
        for (watched, wanted, mode) in [
            (&mut self.trees, trees, RecursiveMode::Recursive),
            (&mut self.directories, directories, RecursiveMode::NonRecursive),
        ] {
            for path in watched.iter().filter(|path| is_gone(path) || !wanted.contains(*path)) {
                // It may be gone already, and its watch with it.
                let _ = watcher.unwatch(path);
            }
            watched.retain(|path| wanted.contains(path) && !is_gone(path));
            for path in wanted {
                if !watched.contains(&path) && failures.watch(watcher, &path, mode) {
                    watched.insert(path);
                }
            }
        }
        Coverage {
            watched: self.trees.len() + self.directories.len(),
            unwatched: failures.unwatched,
            reason: failures.first,
        }
    }
}

/// What could not be watched.
#[derive(Default)]
struct Failures {
    unwatched: BTreeSet<PathBuf>,
    first: Option<String>,
}

impl Failures {
    /// True if the path is watched from now on. One that is not there need not be: its directory is, or the next look
    /// finds it.
    fn watch(&mut self, watcher: &mut RecommendedWatcher, path: &Path, mode: RecursiveMode) -> bool {
        match watcher.watch(path, mode) {
            Ok(()) => true,
            Err(_) if !path.is_dir() => false,
            Err(error) => {
                self.first.get_or_insert_with(|| format!("{}: {}", path.display(), words(&error)));
                self.unwatched.insert(path.to_owned());
                false
            }
        }
    }
}

fn words(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the system's limit of watched files is reached (fs.inotify.max_user_watches)".to_owned()
        }
        ErrorKind::Io(error) if error.raw_os_error() == Some(24) => {
            "the system's limit of watchers is reached (fs.inotify.max_user_instances)".to_owned()
        }
        ErrorKind::Io(error) => error.to_string(),
        ErrorKind::Generic(_) | ErrorKind::PathNotFound | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => {
            error.to_string()
        }
    }
}

impl Shared {
    /// Called on the thread of the operating system's events.
    fn receive(&self, event: notify::Result<Event>) {
        let mut waiting = lock(&self.waiting);
        match event {
            Ok(event) if event.need_rescan() => waiting.lose(),
            Ok(event) if is_change(event.kind) => {
                let list = Arc::clone(&waiting.list);
                if is_departure(event.kind) {
                    let watched = event
                        .paths
                        .iter()
                        .filter(|path| list.directories.contains(*path) || list.trees.contains(*path));
                    waiting.gone.extend(watched.cloned());
                }
                waiting.changes.paths.extend(event.paths.into_iter().filter(|path| list.concerns(path)));
                if waiting.changes.paths.len() > WAITING_PATHS {
                    waiting.lose();
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "changes of files were lost");
                waiting.lose();
            }
        }
        if !waiting.changes.is_empty() {
            drop(waiting);
            self.changed.notify_one();
        }
    }
}

impl Waiting {
    fn lose(&mut self) {
        self.changes = FileChanges { paths: BTreeSet::new(), is_complete: false };
        self.has_lost = true;
    }
}

/// Reading is no change; closing what was open for writing is.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

fn is_departure(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Remove(RemoveKind::Any | RemoveKind::Folder | RemoveKind::Other)
            | EventKind::Modify(ModifyKind::Name(_))
    )
}

#[cfg(test)]
mod tests {
    use mangrove_testkit::contract;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract() {
        contract::watcher(&|| Arc::new(SystemWatcher::new())).await;
    }

    #[test]
    fn whoever_is_far_behind_is_told_to_look_at_everything() {
        let shared = Shared::default();
        let list = WatchList { trees: [PathBuf::from("/r")].into(), ..WatchList::default() };
        lock(&shared.waiting).list = Arc::new(list);
        for number in 0..=WAITING_PATHS {
            let path = PathBuf::from(format!("/r/{number}"));
            shared.receive(Ok(Event::new(EventKind::Any).add_path(path)));
        }
        let waiting = std::mem::take(&mut *lock(&shared.waiting));
        assert_eq!(waiting.changes, FileChanges { paths: BTreeSet::new(), is_complete: false });
        assert!(waiting.has_lost, "everything is watched again");
    }
}
