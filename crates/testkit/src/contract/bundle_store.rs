//! What every [`BundleStore`] must do.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mangrove_domain::{
    bundle::{BundleFile, BundleRef, ObjectKey, Presence, StoredObject, needed, vendor_digest},
    digest::Digest,
    ports::{BundleStore, StoreError, SweepRequest},
    problem::Code,
    time::Timestamp,
};

/// Runs every case on a fresh store. Damage is a matter of each adapter's own tests.
///
/// # Panics
/// If the store breaks the contract.
pub async fn run<S: BundleStore>(factory: impl AsyncFn() -> S) {
    names_objects_by_their_content(factory().await).await;
    stores_the_same_twice(factory().await).await;
    tells_what_is_present(factory().await).await;
    loads_a_bundle_with_its_closure(factory().await).await;
    says_what_cannot_be_loaded(factory().await).await;
    refuses_vendor_files_outside_their_directory(factory().await).await;
    lists_and_removes(factory().await).await;
    verifies(factory().await).await;
    sweeps_what_nothing_needs(factory().await).await;
    keeps_what_is_recent(factory().await).await;
    refuses_the_sweep_of_another_catalog(factory().await).await;
}

fn file(path: &str, code: &str) -> BundleFile {
    BundleFile { path: path.to_owned(), code: Arc::from(code) }
}

fn vendor_files() -> Vec<BundleFile> {
    vec![
        file("zod.js", "export * from \"./chunk-1.js\";"),
        file("chunk-1.js", "export const z = 1;"),
        file("locales/en.js", "export default {};"),
        file("unit.json", "{\"package\": \"zod@4.0.0\"}"),
    ]
}

async fn put_both(store: &impl BundleStore) -> BundleRef {
    let entry = store.put("import \"../vendor/x/zod.js\";").await.expect("an entry");
    let vendor = store.put_vendor(&vendor_files()).await.expect("a vendor");
    store.sync().await.expect("durable");
    BundleRef { entry, vendors: vec![vendor] }
}

async fn names_objects_by_their_content(store: impl BundleStore) {
    let code = "export const größe = 1;";
    let entry = store.put(code).await.expect("an entry");
    assert_eq!(entry.key, ObjectKey::Extension(Digest::of(code.as_bytes())));
    assert_eq!(entry.size_bytes, code.len() as u64);
    let files = vendor_files();
    let vendor = store.put_vendor(&files).await.expect("a vendor");
    let digest = vendor_digest(files.iter().map(|file| (file.path.as_str(), file.code.as_bytes())));
    assert_eq!(vendor.key, ObjectKey::Vendor(digest));
    assert_eq!(vendor.size_bytes, files.iter().map(|file| file.code.len() as u64).sum::<u64>());
    let mut turned = files.clone();
    turned.reverse();
    assert_eq!(store.put_vendor(&turned).await.expect("the same"), vendor, "the order does not matter");
}

async fn stores_the_same_twice(store: impl BundleStore) {
    let first = put_both(&store).await;
    assert_eq!(put_both(&store).await, first);
    assert_eq!(store.list().await.expect("objects").len(), 2);
}

async fn tells_what_is_present(store: impl BundleStore) {
    let bundle = put_both(&store).await;
    let missing_key = ObjectKey::Extension(Digest::of(b"never put"));
    let missing = BundleRef { entry: StoredObject { key: missing_key, size_bytes: 9 }, ..bundle.clone() };
    let missing_vendor_key = ObjectKey::Vendor(Digest::of(b"never put"));
    let missing_vendor = BundleRef {
        vendors: vec![bundle.vendors[0], StoredObject { key: missing_vendor_key, size_bytes: 9 }],
        ..bundle.clone()
    };
    let mut resized = bundle.clone();
    resized.vendors[0].size_bytes += 1;
    let presence = store.presence(&[&bundle, &missing, &missing_vendor, &resized, &bundle]).await.expect("presence");
    let wrong_size = Presence::WrongSize {
        key: bundle.vendors[0].key,
        recorded_bytes: resized.vendors[0].size_bytes,
        found_bytes: bundle.vendors[0].size_bytes,
    };
    assert_eq!(
        presence,
        [
            Presence::Present,
            Presence::Missing(missing_key),
            Presence::Missing(missing_vendor_key),
            wrong_size,
            Presence::Present
        ]
    );
    assert_eq!(store.presence(&[]).await.expect("nothing"), []);
    for (objects, holds) in [(&bundle, true), (&missing, false), (&missing_vendor, false), (&resized, false)] {
        let objects: Vec<StoredObject> = objects.closure().copied().collect();
        assert_eq!(store.holds(&objects).await.expect("looked"), holds, "{objects:?}");
    }
    assert!(store.holds(&[]).await.expect("looked"));
}

async fn loads_a_bundle_with_its_closure(store: impl BundleStore) {
    let bundle = put_both(&store).await;
    let loaded = store.load(&bundle).await.expect("a bundle");
    assert_eq!(&*loaded.code, "import \"../vendor/x/zod.js\";");
    let prefix = format!("../vendor/{}/", bundle.vendors[0].key.digest());
    let mut expected: Vec<BundleFile> =
        vendor_files().into_iter().map(|file| BundleFile { path: format!("{prefix}{}", file.path), ..file }).collect();
    expected.sort();
    assert_eq!(loaded.vendor_files, expected);
    assert_eq!(store.vendor_files(&bundle.vendors).await.expect("the vendors alone"), expected);
    let alone = BundleRef { vendors: Vec::new(), ..bundle };
    assert_eq!(store.load(&alone).await.expect("a bundle").vendor_files, []);
}

async fn says_what_cannot_be_loaded(store: impl BundleStore) {
    let mut bundle = put_both(&store).await;
    let gone = ObjectKey::Vendor(Digest::of(b"never put"));
    bundle.vendors.push(StoredObject { key: gone, size_bytes: 9 });
    match store.load(&bundle).await {
        Err(StoreError::Unusable { key, fault }) => {
            assert_eq!((key, fault.code), (gone, Code::BUNDLE_MISSING));
        }
        other => panic!("expected an unusable object, found {other:?}"),
    }
}

async fn refuses_vendor_files_outside_their_directory(store: impl BundleStore) {
    for path in ["../zod.js", "/zod.js", "a/../../zod.js", "", ".", "a//b.js"] {
        let outcome = store.put_vendor(&[file(path, "x")]).await;
        assert!(outcome.is_err(), "{path:?} was taken");
    }
    assert!(store.put_vendor(&[file("a.js", "x"), file("a.js", "y")]).await.is_err(), "one name twice was taken");
    assert_eq!(store.list().await.expect("objects"), []);
}

async fn lists_and_removes(store: impl BundleStore) {
    assert_eq!(store.list().await.expect("nothing"), []);
    let bundle = put_both(&store).await;
    let mut expected = vec![bundle.entry, bundle.vendors[0]];
    expected.sort();
    assert_eq!(store.list().await.expect("objects"), expected);
    store.remove(bundle.vendors[0].key).await.expect("removed");
    store.remove(bundle.vendors[0].key).await.expect("removing what is not there is no error");
    store.remove(bundle.entry.key).await.expect("removed");
    assert_eq!(store.list().await.expect("nothing"), []);
    let presence = store.presence(&[&bundle]).await.expect("presence");
    assert_eq!(presence, [Presence::Missing(bundle.entry.key)]);
}

async fn verifies(store: impl BundleStore) {
    let bundle = put_both(&store).await;
    for object in bundle.closure() {
        assert_eq!(store.verify(object).await.expect("verified"), Presence::Present);
    }
    let gone = StoredObject { key: ObjectKey::Extension(Digest::of(b"never put")), size_bytes: 9 };
    assert_eq!(store.verify(&gone).await.expect("looked"), Presence::Missing(gone.key));
}

/// A sweep `hours` from now.
fn sweep(catalog: &str, needed: BTreeSet<ObjectKey>, hours: u64) -> SweepRequest {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let now = Timestamp::from_millis(i64::try_from(now.as_millis()).expect("a time of today"));
    let now = now.plus(Duration::from_hours(hours));
    SweepRequest { catalog: catalog.to_owned(), needed, now, grace: Duration::ZERO, is_dry_run: false }
}

async fn sweeps_what_nothing_needs(store: impl BundleStore) {
    let bundle = put_both(&store).await;
    let other = store.put("export const nobody = 'needs this';").await.expect("stored");
    let other_vendor = store.put_vendor(&[file("a.js", "export {};")]).await.expect("stored");
    let mut expected = vec![other, other_vendor];
    expected.sort();
    let request = sweep("a", needed([&bundle]), 25);
    let dry = SweepRequest { is_dry_run: true, ..request.clone() };
    assert_eq!(store.sweep(&dry).await.expect("looked").objects, expected);
    assert_eq!(store.list().await.expect("objects").len(), 4, "a dry run changes nothing");
    assert_eq!(store.sweep(&request).await.expect("swept").objects, expected);
    assert_eq!(store.list().await.expect("objects").len(), 2);
    assert!(store.load(&bundle).await.is_ok(), "what is needed stays whole");
    assert_eq!(store.sweep(&request).await.expect("swept").objects, [], "and is stable");
    store.sync().await.expect("what was swept is not missed");
}

async fn keeps_what_is_recent(store: impl BundleStore) {
    let bundle = put_both(&store).await;
    for hours in [0, 23] {
        let request = sweep("a", BTreeSet::new(), hours);
        assert_eq!(store.sweep(&request).await.expect("swept").objects, [], "within {hours} hours of a day");
    }
    let patient = SweepRequest { grace: Duration::from_hours(48), ..sweep("a", BTreeSet::new(), 47) };
    assert_eq!(store.sweep(&patient).await.expect("swept").objects, []);
    assert!(store.load(&bundle).await.is_ok());
    assert_eq!(store.sweep(&sweep("a", BTreeSet::new(), 25)).await.expect("swept").objects.len(), 2);
}

async fn refuses_the_sweep_of_another_catalog(store: impl BundleStore) {
    let bundle = put_both(&store).await;
    let dry = SweepRequest { is_dry_run: true, ..sweep("b", BTreeSet::new(), 0) };
    store.sweep(&dry).await.expect("a dry run claims nothing");
    store.sweep(&sweep("a", BTreeSet::new(), 0)).await.expect("the first one makes it its own");
    for request in [dry, sweep("b", BTreeSet::new(), 25)] {
        match store.sweep(&request).await {
            Err(StoreError::Foreign { owner, fault }) => {
                assert_eq!((owner.as_str(), fault.code), ("a", Code::STORE_FOREIGN));
            }
            other => panic!("expected a refusal, found {other:?}"),
        }
    }
    assert!(store.load(&bundle).await.is_ok());
}
