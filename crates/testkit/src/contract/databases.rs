//! What every [`Databases`] must do.

use std::{fs, path::PathBuf, sync::Arc};

use mangrove_domain::ports::{Catalog, Change, Commit, Databases, Write};

use crate::rows;

/// Databases that nothing was written to, and the catalog that they look after.
pub struct DatabasesSetup {
    /// What is tested.
    pub databases: Arc<dyn Databases>,
    /// The port `Catalog` over the same file.
    pub catalog: Arc<dyn Catalog>,
    /// A directory that does not exist yet.
    pub scratch: PathBuf,
}

/// Runs every case on fresh databases.
///
/// # Panics
/// If they break the contract.
pub async fn databases(factory: impl AsyncFn() -> DatabasesSetup) {
    what_is_not_there_is_in_order(factory().await).await;
    a_backup_is_a_new_file(factory().await).await;
    a_staged_catalog_is_unseen_until_it_is_in_place(factory().await).await;
}

async fn commit_a_row(catalog: &dyn Catalog) {
    let row = rows::indexed("models/a.ts", "@acme/a");
    let description = rows::description("@acme/a");
    let change =
        Change { source: row.source.clone(), expected_revision: 0, write: Write::Put(Box::new(row)), transition: None };
    let commit = Commit { changes: vec![change], descriptions: vec![description] };
    let outcome = catalog.commit(commit).await.expect("committed");
    assert!(outcome.conflicts.is_empty(), "{outcome:?}");
}

async fn what_is_not_there_is_in_order(setup: DatabasesSetup) {
    assert_eq!(setup.databases.check().await, []);
    assert_eq!(setup.databases.take_notices(), []);
    assert!(!setup.databases.has_catalog().await, "a look makes none");
    let target = setup.scratch.join("copy.db");
    fs::create_dir_all(&setup.scratch).expect("a directory");
    setup.databases.back_up_catalog(&target).await.expect_err("there is no catalog");
    assert!(!target.exists());
}

async fn a_backup_is_a_new_file(setup: DatabasesSetup) {
    commit_a_row(setup.catalog.as_ref()).await;
    fs::create_dir_all(&setup.scratch).expect("a directory");
    let target = setup.scratch.join("copy.db");
    setup.databases.back_up_catalog(&target).await.expect("copied");
    let copy = fs::read(&target).expect("the copy");
    assert!(!copy.is_empty());
    setup.databases.back_up_catalog(&target).await.expect_err("something is there");
    assert_eq!(fs::read(&target).expect("the copy"), copy, "it is left alone");
    assert_eq!(setup.catalog.snapshot().await.expect("readable").rows.len(), 1);
    assert_eq!(setup.databases.check().await, []);
    assert!(setup.databases.has_catalog().await);
}

async fn a_staged_catalog_is_unseen_until_it_is_in_place(setup: DatabasesSetup) {
    let DatabasesSetup { databases, catalog, .. } = setup;
    let staged = databases.stage_catalog().await.expect("made");
    assert_eq!(staged.put_in_place().await.expect("nothing to move"), None);
    commit_a_row(catalog.as_ref()).await;
    let earlier = catalog.identity().await.expect("readable");
    let rows = catalog.snapshot().await.expect("readable").rows;

    let dropped = databases.stage_catalog().await.expect("made");
    assert_eq!(dropped.catalog().snapshot().await.expect("readable").rows, [], "it begins empty");
    drop(dropped);
    assert_eq!(catalog.snapshot().await.expect("readable").rows, rows, "one that is dropped changes nothing");

    let staged = databases.stage_catalog().await.expect("made");
    let other = rows::indexed("models/b.ts", "@acme/b");
    let outcome = staged.catalog().commit(rows::put_all([&other])).await.expect("committed");
    assert!(outcome.conflicts.is_empty(), "{outcome:?}");
    assert_eq!(catalog.snapshot().await.expect("readable").rows, rows, "nobody sees it yet");
    let set_aside = staged.put_in_place().await.expect("moved").expect("it was there");
    assert!(set_aside.is_file(), "{}", set_aside.display());
    let found: Vec<_> = catalog.snapshot().await.expect("readable").rows.into_iter().map(|row| row.source).collect();
    assert_eq!(found, [other.source]);
    let now = catalog.identity().await.expect("readable");
    assert!(now.is_some() && now == earlier, "the bundle store stays that of the catalog: {earlier:?}, then {now:?}");
    commit_a_row(catalog.as_ref()).await;
    assert_eq!(catalog.snapshot().await.expect("readable").rows.len(), 2);
    assert_eq!(databases.check().await, []);
}
