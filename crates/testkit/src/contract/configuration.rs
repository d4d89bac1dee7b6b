//! What every [`Configuration`] must do.

use mangrove_domain::{
    permission::{Grant, Permission},
    ports::Configuration,
};

/// Runs every case on a fresh configuration; `write` replaces the text of the marker `mangrove.yaml` behind it.
///
/// # Panics
/// If it breaks the contract.
pub async fn configuration<C: Configuration>(factory: impl AsyncFn(&str) -> C, write: impl Fn(&C, &str)) {
    let one = "permissions:\n  '@acme/dns':\n    net: [one.example]\n";
    let configuration = factory(one).await;
    let granted = || {
        let in_force = configuration.in_force();
        let grants = in_force.permissions.of("@acme/dns", "@local/any").cloned()?;
        grants.get(&Permission::Net).cloned()
    };
    let only = |host: &str| Some(Grant::Only(vec![host.to_owned()]));
    assert_eq!(granted(), only("one.example"), "it is read before anybody asks for it");
    write(&configuration, "permissions:\n  '@acme/dns':\n    net: [two.example]\n");
    assert_eq!(granted(), only("one.example"), "it is answered from memory");
    let reloaded = configuration.reload().await.expect("it can be read");
    assert_eq!(reloaded, configuration.in_force());
    assert_eq!(granted(), only("two.example"));
    for broken in ["permissions: [", "bundler: webpack\n"] {
        write(&configuration, broken);
        configuration.reload().await.expect_err("it cannot be used");
        assert_eq!(granted(), only("two.example"), "the old one stays in force");
    }
    write(&configuration, "bundler: embedded\n");
    assert_eq!(configuration.reload().await.expect("it can be read").bundler, "embedded");
    assert_eq!(granted(), None);
}
