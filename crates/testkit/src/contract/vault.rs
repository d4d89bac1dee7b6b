//! What every [`Vault`] must do.

use std::sync::Arc;

use mangrove_domain::ports::Vault;

/// Runs every case on a fresh vault.
///
/// # Panics
/// If the vault breaks the contract.
pub async fn vault(factory: impl AsyncFn() -> Arc<dyn Vault>) {
    gives_back_what_was_put(factory().await.as_ref()).await;
    what_is_not_there_is_none(factory().await.as_ref()).await;
    keys_are_listed_sorted_and_removed(factory().await.as_ref()).await;
    concurrent_writers_leave_one_whole_secret(factory().await).await;
}

async fn get(vault: &dyn Vault, key: &str) -> Option<String> {
    vault.get(key).await.expect("a vault that can be read").map(|secret| secret.value)
}

async fn gives_back_what_was_put(vault: &dyn Vault) {
    let long = "x".repeat(100_000);
    for value in ["hunter2-ä", "", "line\nline\n", " \t", "${{ env.HOME }}", "\u{0}", long.as_str()] {
        vault.put("KEY one.two", value).await.expect("put");
        assert_eq!(get(vault, "KEY one.two").await.as_deref(), Some(value));
    }
}

async fn what_is_not_there_is_none(vault: &dyn Vault) {
    assert_eq!(get(vault, "NOTHING").await, None);
    assert!(!vault.delete("NOTHING").await.expect("looked"));
    vault.put("OTHER", "x").await.expect("put");
    assert_eq!(get(vault, "OTHE").await, None);
}

async fn keys_are_listed_sorted_and_removed(vault: &dyn Vault) {
    let before = vault.list().await.expect("a list");
    for key in ["b", "a", "C"] {
        vault.put(key, key).await.expect("put");
    }
    let mut expected = [before, ["C", "a", "b"].map(str::to_owned).to_vec()].concat();
    expected.sort();
    assert_eq!(vault.list().await.expect("a list"), expected);
    assert!(vault.delete("a").await.expect("removed"));
    assert_eq!(get(vault, "a").await, None);
    expected.retain(|key| key != "a");
    assert_eq!(vault.list().await.expect("a list"), expected);
}

async fn concurrent_writers_leave_one_whole_secret(vault: Arc<dyn Vault>) {
    let writers = ["one", "two", "three"].map(|value| {
        let vault = Arc::clone(&vault);
        tokio::spawn(async move { vault.put("SHARED", value).await })
    });
    for writer in writers {
        writer.await.expect("a task").expect("put");
    }
    let value = get(vault.as_ref(), "SHARED").await.expect("a secret");
    assert!(["one", "two", "three"].contains(&value.as_str()), "{value}");
}
