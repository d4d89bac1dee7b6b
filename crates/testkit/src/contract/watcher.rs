//! What every [`Watcher`] must do.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    ports::Watcher,
    watch::{FileChanges, WatchList},
};

/// Longer than any event takes.
const LONG: Duration = Duration::from_secs(20);

/// Waits until the watcher has told of this path.
async fn told_of(watcher: &dyn Watcher, path: &Path) -> FileChanges {
    let mut all = FileChanges::default();
    while !all.paths.contains(path) {
        let changes = tokio::time::timeout(LONG, watcher.changed()).await;
        let changes = changes.unwrap_or_else(|_| panic!("nobody told of {}; only of {all:?}", path.display()));
        all.extend(changes);
    }
    all
}

/// The contract of [`Watcher`].
///
/// # Panics
/// If it does not hold.
pub async fn watcher(make: &(dyn Fn() -> Arc<dyn Watcher> + Sync)) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let root = directory.path().canonicalize().expect("a real path");
    let (flat, tree, other) = (root.join("flat"), root.join("tree"), root.join("other"));
    for path in [&flat, &tree.join("deep"), &other] {
        fs::create_dir_all(path).expect("a directory");
    }
    let single = other.join("deno.json");
    let watcher = make();
    let list =
        WatchList { directories: [flat.clone()].into(), trees: [tree.clone()].into(), files: [single.clone()].into() };
    let coverage = watcher.watch(list.clone()).await;
    assert_eq!((coverage.unwatched, coverage.reason), (BTreeSet::new(), None));
    assert!(coverage.watched >= 3, "{}", coverage.watched);

    // New, changed, replaced and removed; in a tree at any depth; a single path that was not there.
    let (kept, below) = (flat.join("a.ts"), tree.join("deep/w.yaml"));
    for path in [&kept, &below, &single] {
        fs::write(path, "1").expect("a file");
        told_of(watcher.as_ref(), path).await;
        fs::write(path, "22").expect("a file");
        told_of(watcher.as_ref(), path).await;
    }
    let aside = root.join("aside");
    fs::write(&aside, "333").expect("a file");
    fs::rename(&aside, &kept).expect("a rename");
    told_of(watcher.as_ref(), &kept).await;
    fs::remove_file(&kept).expect("a removal");
    told_of(watcher.as_ref(), &kept).await;

    // What does not matter is not told of.
    let unwanted: [PathBuf; 2] = [other.join("notes.txt"), flat.join("deeper/b.ts")];
    fs::create_dir(flat.join("deeper")).expect("a directory");
    for path in &unwanted {
        fs::write(path, "1").expect("a file");
    }
    fs::write(&kept, "4").expect("a file");
    let changes = told_of(watcher.as_ref(), &kept).await;
    assert!(unwanted.iter().all(|path| !changes.paths.contains(path)), "{changes:?}");

    // Another list, without what it leaves out.
    let coverage = watcher.watch(WatchList { files: BTreeSet::new(), trees: BTreeSet::new(), ..list.clone() }).await;
    assert_eq!(coverage.reason, None);
    fs::write(&below, "55555").expect("a file");
    fs::write(&kept, "55555").expect("a file");
    let changes = told_of(watcher.as_ref(), &kept).await;
    assert!(!changes.paths.contains(&below), "{changes:?}");

    // A directory that went away and came back is watched again once the list was given again.
    fs::remove_dir_all(&flat).expect("a removal");
    told_of(watcher.as_ref(), &kept).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    fs::create_dir_all(&flat).expect("a directory");
    watcher.watch(list.clone()).await;
    fs::write(&kept, "666666").expect("a file");
    told_of(watcher.as_ref(), &kept).await;

    // So is one that made way for another.
    fs::rename(&flat, root.join("before")).expect("a rename");
    fs::create_dir(&flat).expect("a directory");
    told_of(watcher.as_ref(), &flat).await;
    watcher.watch(list).await;
    fs::write(&kept, "7777777").expect("a file");
    told_of(watcher.as_ref(), &kept).await;
}
