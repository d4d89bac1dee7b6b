//! What every `LastGoodWorkflows` must do.

use mangrove_domain::{
    ports::{LastGoodWorkflow, LastGoodWorkflows},
    source::Origin,
};

/// Holds a fresh store to the contract of [`LastGoodWorkflows`].
///
/// # Panics
/// If it breaks the contract.
pub async fn last_good_workflows(store: &dyn LastGoodWorkflows) {
    assert_eq!(store.load().await, [], "nothing was saved");
    let workflow =
        |file: &str, origin, text: &str| LastGoodWorkflow { file: file.to_owned(), origin, text: text.into() };
    let all = [
        workflow("workflows/b.yaml", Origin::Local, "name: é\n"),
        workflow("@acme/a/workflows/a.yaml", Origin::Pulled, ""),
        workflow("mount/c.yaml", Origin::Mounted, "name: c\n"),
    ];
    store.save(&all).await.expect("saved");
    assert_eq!(store.load().await, all);
    store.save(&all[1..2]).await.expect("saved");
    assert_eq!(store.load().await, all[1..2]);
    store.save(&[]).await.expect("saved");
    assert_eq!(store.load().await, []);
}
