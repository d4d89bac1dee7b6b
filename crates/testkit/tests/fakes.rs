//! The fakes keep the contracts, and are stricter than reality.

use std::sync::Arc;

use mangrove_domain::{
    bundle::ObjectKey,
    ports::{BundleStore as _, Catalog as _, Clock as _, Entropy as _},
    row::Row,
    state::State,
};
use mangrove_testkit::{
    contract,
    fakes::{
        ManualClock, MemoryBuildLeases, MemoryBuildLocks, MemoryCatalog, MemoryData, MemoryLeases, MemoryRuns,
        MemorySeals, MemoryStore, SeededEntropy,
    },
    rows,
};

#[tokio::test]
async fn catalog_keeps_the_contract() {
    contract::catalog::run(async || MemoryCatalog::new().for_many_writers()).await;
}

#[tokio::test]
async fn attempt_cache_keeps_the_contract() {
    contract::attempt_cache(async || MemoryCatalog::new()).await;
}

#[tokio::test]
async fn bundle_store_keeps_the_contract() {
    contract::bundle_store::run(async || MemoryStore::new()).await;
}

#[tokio::test]
async fn build_leases_keep_the_contract() {
    let leases = MemoryBuildLeases::new();
    contract::build_leases(&|| Arc::new(leases.clone())).await;
}

#[tokio::test]
async fn build_locks_keep_the_contract() {
    let locks = MemoryBuildLocks::new();
    contract::build_locks(&|| Arc::new(locks.clone())).await;
}

#[tokio::test]
async fn seals_keep_the_contract() {
    contract::seals(async || MemorySeals::new()).await;
}

#[tokio::test]
async fn schedule_leases_keep_the_contract() {
    contract::schedule_leases(async || MemoryLeases::default()).await;
}

#[tokio::test]
async fn run_store_keeps_the_contract() {
    contract::run_store::run(async || MemoryRuns::new()).await;
}

#[tokio::test]
async fn data_store_keeps_the_contract() {
    contract::data_store::run(async || MemoryData::new()).await;
}

#[tokio::test]
#[should_panic(expected = "another resolvable row holds (I2)")]
async fn catalog_panics_on_two_resolvable_rows_of_one_type() {
    let rows = [rows::indexed("models/a.ts", "@acme/a"), rows::indexed("models/b.ts", "@acme/a")];
    let _ = MemoryCatalog::new().commit(rows::put_all(&rows)).await;
}

#[tokio::test]
#[should_panic(expected = "must not be stored")]
async fn catalog_panics_on_a_bundled_row() {
    let row = rows::row("models/a.ts", "@acme/a", State::Bundled { bundle: rows::bundle("a") });
    let _ = MemoryCatalog::new().commit(rows::put_all([&row])).await;
}

#[tokio::test]
#[should_panic(expected = "its description is nowhere")]
async fn catalog_panics_on_a_missing_description() {
    let mut commit = rows::put_all([&rows::indexed("models/a.ts", "@acme/a")]);
    commit.descriptions.clear();
    let _ = MemoryCatalog::new().commit(commit).await;
}

#[tokio::test]
#[should_panic(expected = "was not put and synced before")]
async fn catalog_panics_on_a_bundle_that_a_crash_would_lose() {
    let store = Arc::new(MemoryStore::new());
    store.put(&rows::bundle_code("models/a.ts")).await.expect("stored");
    let catalog = MemoryCatalog::with_store(store);
    let _ = catalog.commit(rows::put_all([&rows::indexed("models/a.ts", "@acme/a")])).await;
}

#[tokio::test]
async fn catalog_takes_a_row_whose_bundle_was_synced() {
    let store = Arc::new(MemoryStore::new());
    store.put(&rows::bundle_code("models/a.ts")).await.expect("stored");
    store.sync().await.expect("durable");
    let catalog = MemoryCatalog::with_store(Arc::clone(&store));
    let row = rows::indexed("models/a.ts", "@acme/a");
    let outcome = catalog.commit(rows::put_all([&row])).await.expect("committed");
    assert_eq!(outcome.revisions, [(row.source.clone(), 1)]);
    assert_eq!(catalog.rows(), [Row { revision: 1, ..row }]);
    assert_eq!((catalog.commits(), store.puts()), (1, 1));
}

#[tokio::test]
async fn store_loses_what_was_not_synced_and_knows_damage() {
    let store = MemoryStore::new();
    let kept = store.put("kept").await.expect("stored");
    store.sync().await.expect("durable");
    let lost = store.put("lost").await.expect("stored");
    store.crash();
    assert_eq!(store.list().await.expect("objects"), [kept]);
    assert!(!store.is_durable(&lost));
    store.damage(kept.key, b"kepT");
    assert!(store.verify(&kept).await.is_err());
    assert!(matches!(kept.key, ObjectKey::Extension(_)));
}

#[test]
fn clock_moves_only_by_hand_and_chance_repeats() {
    let clock = ManualClock::default();
    let before = clock.now();
    clock.advance(std::time::Duration::from_secs(2));
    assert_eq!(clock.now().since(before), std::time::Duration::from_secs(2));
    let numbers = |seed| {
        let entropy = SeededEntropy::new(seed);
        [entropy.fraction(), entropy.fraction(), entropy.fraction()]
    };
    assert_eq!(numbers(1).map(f64::to_bits), numbers(1).map(f64::to_bits));
    assert_ne!(numbers(1).map(f64::to_bits), numbers(2).map(f64::to_bits));
    assert!(numbers(3).iter().all(|number| (0.0..=1.0).contains(number)));
    let entropy = SeededEntropy::new(1);
    let (first, second) = (entropy.identifier(), entropy.identifier());
    assert!(first < second && first.len() == 36, "{first} {second}");
}

#[test]
fn vendor_digests_tell_paths_from_contents() {
    let digest = |files: &[(&'static str, &'static str)]| {
        mangrove_domain::bundle::vendor_digest(files.iter().map(|(path, code)| (*path, code.as_bytes())))
    };
    assert_eq!(digest(&[("a", "1"), ("b", "2")]), digest(&[("b", "2"), ("a", "1")]));
    assert_ne!(digest(&[("a", "bc")]), digest(&[("ab", "c")]));
    assert_ne!(digest(&[("a", "b"), ("c", "d")]), digest(&[("a", "b1:c1:d")]));
    assert_ne!(digest(&[("a", "")]), digest(&[]));
}
