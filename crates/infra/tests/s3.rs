//! The bundle store in S3, against a real server of the protocol: its contract, damage, outages, owners, the cache, and how
//! many requests it takes.

#![cfg(feature = "s3")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use mangrove_domain::{
    bundle::{BundleFile, BundleRef, ObjectKey, Presence, StoredObject},
    digest::Digest,
    failure::{FailureClass, Fault},
    ports::{BundleStore as _, Catalog, Clock as _, SHORTEST_GRACE, StoreError, SweepRequest},
    problem::Code,
};
use mangrove_infra::{
    store::{
        LocalStore, OwnedStore as _, Ownership,
        s3::{Endpoint, Place, S3Options, S3Store},
    },
    system::SystemClock,
};
use mangrove_testkit::{
    contract,
    fakes::MemoryCatalog,
    s3_server::{BUCKET, KEY_ID, S3Server, SECRET},
};
use tempfile::TempDir;

/// How a store at this prefix is reached, with its cache in this directory.
fn options(server: &S3Server, prefix: &str, cache: &Path) -> S3Options {
    let place = Place { bucket: BUCKET.to_owned(), prefix: prefix.to_owned() };
    let mut options = S3Options::new(place, cache.to_owned());
    options.endpoint = Some(Endpoint::parse(&server.endpoint()).expect("an address"));
    options.allows_http = true;
    options.environment = S3Server::credentials();
    options
}

/// One machine: its store has a cache of its own.
struct Node {
    cache: TempDir,
    store: S3Store,
}

impl Node {
    fn new(server: &S3Server) -> Self {
        let cache = TempDir::new().expect("a directory");
        Self { store: S3Store::new(options(server, "team/a", cache.path())), cache }
    }
}

fn vendor_files() -> Vec<BundleFile> {
    let file = |path: &str, code: &str| BundleFile { path: path.to_owned(), code: Arc::from(code) };
    vec![file("zod.js", "export const z = 1;"), file("chunks/a.js", "export {};"), file("unit.json", "{}")]
}

const CODE: &str = "export const model = {};";

async fn filled(store: &S3Store) -> BundleRef {
    let entry = store.put(CODE).await.expect("stored");
    let vendors = vec![store.put_vendor(&vendor_files()).await.expect("stored")];
    store.sync().await.expect("durable");
    BundleRef { entry, vendors }
}

fn sweep(needed: BTreeSet<ObjectKey>) -> SweepRequest {
    let now = SystemClock.now();
    SweepRequest { catalog: "a".to_owned(), needed, now, grace: Duration::ZERO, is_dry_run: false }
}

/// The key and code of the object that keeps a bundle from being loaded.
async fn refused(store: &S3Store, bundle: &BundleRef) -> (ObjectKey, Code) {
    match store.load(bundle).await {
        Err(StoreError::Unusable { key, fault }) => (key, fault.code),
        other => panic!("expected an unusable object, found {other:?}"),
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let server = S3Server::start().await;
    let caches = TempDir::new().expect("a directory");
    let count = AtomicUsize::new(0);
    contract::bundle_store::run(async || {
        let number = count.fetch_add(1, Ordering::Relaxed).to_string();
        S3Store::new(options(&server, &format!("stores/{number}"), &caches.path().join(number)))
    })
    .await;
}

#[tokio::test]
async fn it_keeps_the_contract_without_a_prefix_and_without_a_cache() {
    contract::bundle_store::run(async || {
        // Kept until the process ends: the store has no hold on it.
        let server = Box::leak(Box::new(S3Server::start().await));
        let mut options = options(server, "", Path::new("/proc/no-such-directory"));
        options.is_cache_read_only = true;
        S3Store::new(options)
    })
    .await;
}

#[tokio::test]
async fn the_layout_is_the_documented_one() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    let bundle = filled(&node.store).await;
    node.store.claim("the-catalog").await.expect("claimed");
    let (entry, vendor) = (bundle.entry.key.digest().to_string(), bundle.vendors[0].key.digest());
    let files = bundle.vendors[0].size_bytes;
    let vendor_path = server.object("vendor/");
    let object = fs::read(&vendor_path).expect("an object");
    let expected = [
        format!("team/a/{}/{entry}.js", &entry[..2]),
        "team/a/catalog-id".to_owned(),
        format!("team/a/vendor/{vendor}/{files}.{}", object.len()),
    ];
    assert_eq!(server.objects().into_keys().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    assert_eq!(fs::read_to_string(server.object(&entry)).expect("an object"), CODE);
    assert_eq!(Digest::of(&object), vendor, "the bytes of every object have the digest that its key says");
}

#[tokio::test]
async fn fault_10_what_is_damaged_in_the_bucket_is_never_served_and_heals() {
    let server = S3Server::start().await;
    let bundle = filled(&Node::new(&server).store).await;
    for (part, key) in [(".js", bundle.entry.key), ("vendor/", bundle.vendors[0].key)] {
        for (name, is_seen) in [("truncated", true), ("flipped", false)] {
            let path = server.object(part);
            let mut bytes = fs::read(&path).expect("an object");
            if is_seen {
                bytes.truncate(bytes.len() - 1);
            } else if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            fs::write(&path, bytes).expect("damaged");
            // Nothing of it is in the cache of this one.
            let node = Node::new(&server);
            let presence = node.store.presence(&[&bundle]).await.expect("looked").remove(0);
            assert_eq!(presence != Presence::Present, is_seen, "{part} {name}: {presence:?}");
            assert_eq!(refused(&node.store, &bundle).await, (key, Code::BUNDLE_CORRUPT), "{part} {name}");
            let object = *bundle.closure().find(|object| object.key == key).expect("an object");
            assert!(matches!(node.store.verify(&object).await, Ok(Presence::WrongSize { .. })), "{part} {name}");
            filled(&node.store).await;
            assert!(Node::new(&server).store.load(&bundle).await.is_ok(), "{part} {name}: what is put again heals");
        }
    }
}

#[tokio::test]
async fn fault_42_what_is_gone_from_the_bucket_is_missing_and_comes_back() {
    let server = S3Server::start().await;
    let bundle = filled(&Node::new(&server).store).await;
    for (part, key) in [(".js", bundle.entry.key), ("vendor/", bundle.vendors[0].key)] {
        fs::remove_file(server.object(part)).expect("removed");
        let node = Node::new(&server);
        assert_eq!(node.store.presence(&[&bundle]).await.expect("looked"), [Presence::Missing(key)]);
        assert_eq!(refused(&node.store, &bundle).await, (key, Code::BUNDLE_MISSING));
        filled(&node.store).await;
        assert!(Node::new(&server).store.load(&bundle).await.is_ok());
    }
}

#[tokio::test]
async fn what_is_damaged_in_the_cache_is_fetched_again() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    let bundle = filled(&node.store).await;
    let name = bundle.entry.key.digest().to_string();
    let cached = node.cache.path().join(&name[..2]).join(format!("{name}.js"));
    fs::write(&cached, "export const model = 1;;").expect("damaged");
    let before = server.requests();
    assert_eq!(&*node.store.load(&bundle).await.expect("a bundle").code, CODE);
    assert_eq!(server.requests() - before, 1, "the vendor bundle is in the cache");
    assert_eq!(fs::read_to_string(&cached).expect("a file"), CODE, "and so is what was fetched");

    let vendor = node.cache.path().join("vendor").join(bundle.vendors[0].key.digest().to_string());
    fs::write(vendor.join("zod.js"), "export const z = 2;;").expect("damaged");
    let loaded = node.store.load(&bundle).await.expect("a bundle");
    assert!(loaded.vendor_files.iter().any(|file| &*file.code == "export const z = 1;"), "{loaded:?}");
}

#[tokio::test]
async fn what_was_loaded_once_takes_no_further_request() {
    let server = S3Server::start().await;
    let bundle = filled(&Node::new(&server).store).await;
    let node = Node::new(&server);
    let loaded = node.store.load(&bundle).await.expect("a bundle");
    let before = server.requests();
    // Also not in the next process of this machine.
    for store in [node.store.clone(), S3Store::new(options(&server, "team/a", node.cache.path()))] {
        assert_eq!(store.load(&bundle).await.expect("a bundle"), loaded);
    }
    assert_eq!(server.requests(), before);
}

#[tokio::test]
async fn many_that_want_one_vendor_bundle_fetch_it_once() {
    let server = S3Server::start().await;
    let bundle = filled(&Node::new(&server).store).await;
    let node = Node::new(&server);
    let before = server.requests();
    let loads = (0..20).map(|_| node.store.vendor_files(&bundle.vendors));
    for loaded in futures::future::join_all(loads).await {
        assert_eq!(loaded.expect("files").len(), 3);
    }
    assert_eq!(server.requests() - before, 2, "one asks for its name, one for its bytes");
}

#[tokio::test]
async fn a_thousand_questions_take_few_requests() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    let codes: Vec<String> = (0..1_000).map(|number| format!("export const number = {number};")).collect();
    let puts = codes.iter().map(|code| node.store.put(code));
    let bundles: Vec<BundleRef> = futures::future::join_all(puts)
        .await
        .into_iter()
        .map(|entry| BundleRef { entry: entry.expect("stored"), vendors: Vec::new() })
        .collect();
    let gone = BundleRef {
        entry: StoredObject { key: ObjectKey::Extension(Digest::of(b"never put")), size_bytes: 9 },
        vendors: Vec::new(),
    };
    let all: Vec<&BundleRef> = bundles.iter().chain([&gone]).collect();
    let other = Node::new(&server);
    let before = server.requests();
    let presence = other.store.presence(&all).await.expect("looked");
    assert_eq!(presence.iter().filter(|presence| **presence == Presence::Present).count(), 1_000);
    assert_eq!(presence[1_000], Presence::Missing(gone.entry.key));
    let asked = server.requests() - before;
    assert!(asked <= 3, "{asked} requests");
    let objects: Vec<StoredObject> = bundles.iter().map(|bundle| bundle.entry).collect();
    assert!(other.store.holds(&objects).await.expect("looked"));
    assert_eq!(server.requests() - before, asked, "what was seen just now is not asked for again");
}

#[tokio::test]
async fn the_cache_stays_within_its_bound_and_keeps_what_is_used() {
    const BOUND: u64 = 10_000;
    let server = S3Server::start().await;
    let cache = TempDir::new().expect("a directory");
    let mut options = options(&server, "p", cache.path());
    options.cache_bytes = BOUND;
    let store = S3Store::new(options);
    let local = LocalStore::new(cache.path());
    let code = |number: usize| format!("export const text = \"{number:0>980}\";");
    let mut entries = Vec::new();
    for number in 0..40 {
        entries.push(store.put(&code(number)).await.expect("stored"));
        let first = BundleRef { entry: entries[0], vendors: Vec::new() };
        store.load(&first).await.expect("the first one, again and again");
        let cached = local.list().await.expect("a listing");
        let bytes: u64 = cached.iter().map(|object| object.size_bytes).sum();
        assert!(bytes <= BOUND, "{bytes} bytes after {number}");
        assert!(cached.contains(&entries[0]), "what is used stays ({number})");
        assert!(cached.contains(&entries[number]), "what came last is there ({number})");
    }
    assert!(!local.list().await.expect("a listing").contains(&entries[1]), "what is not used leaves");
    let before = server.requests();
    let left = BundleRef { entry: entries[1], vendors: Vec::new() };
    assert_eq!(&*store.load(&left).await.expect("a bundle").code, code(1));
    assert_eq!(server.requests() - before, 1, "what left is fetched");
    let large = "x".repeat(20_000);
    let large = BundleRef { entry: store.put(&large).await.expect("stored"), vendors: Vec::new() };
    assert!(store.load(&large).await.is_ok(), "what the cache cannot hold is served all the same");
    assert!(!local.list().await.expect("a listing").is_empty(), "and nothing makes room for it in vain");
}

fn fault(error: &StoreError) -> Fault {
    error.fault().clone()
}

#[tokio::test]
async fn an_outage_is_transient_and_passes() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    let bundle = filled(&node.store).await;
    let empty = Node::new(&server);
    server.stop().await;
    for fault in [
        fault(&node.store.put("export const other = 1;").await.expect_err("nobody answers")),
        fault(&empty.store.load(&bundle).await.expect_err("nobody answers")),
        fault(&empty.store.presence(&[&bundle]).await.expect_err("nobody answers")),
        fault(&node.store.list().await.expect_err("nobody answers")),
        fault(&node.store.sweep(&sweep(BTreeSet::new())).await.expect_err("nobody answers")),
    ] {
        assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::STORE_UNREACHABLE), "{fault}");
        assert!(fault.message.contains(&server.endpoint()) && fault.message.contains("s3://bundles/team/a"), "{fault}");
    }
    // What is here goes on.
    assert!(node.store.load(&bundle).await.is_ok());
    let later = S3Store::new(options(&server, "team/a", node.cache.path()));
    assert_eq!(later.presence(&[&bundle]).await.expect("from the cache"), [Presence::Present]);

    server.start_again().await;
    let mut outcome = empty.store.load(&bundle).await;
    for _ in 0..100 {
        if outcome.is_ok() {
            break;
        }
        // The store leaves a server alone for a while that did not answer.
        tokio::time::sleep(Duration::from_millis(100)).await;
        outcome = empty.store.load(&bundle).await;
    }
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(node.store.put("export const other = 1;").await.is_ok());
}

/// As where packets are lost: nothing is refused, and nothing comes back.
#[tokio::test]
async fn a_silent_server_is_waited_for_in_full_only_by_who_has_no_copy() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    let bundle = filled(&node.store).await;
    // Another process, which remembers nothing of what is there.
    let other = S3Store::new(options(&server, "team/a", node.cache.path()));
    server.be_silent(true);
    let start = std::time::Instant::now();
    assert_eq!(other.presence(&[&bundle]).await.expect("the copies"), [Presence::Present]);
    assert_eq!(other.presence(&[&bundle]).await.expect("the copies"), [Presence::Present], "nobody asks at once again");
    assert_eq!(&*other.load(&bundle).await.expect("the copies").code, CODE);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let elsewhere = Node::new(&server);
    let wanted = [&bundle];
    let asking = elsewhere.store.presence(&wanted);
    let answer = tokio::time::timeout(Duration::from_secs(5), asking).await;
    assert!(answer.is_err(), "it has nothing else: {answer:?}");
    server.be_silent(false);
    assert_eq!(elsewhere.store.presence(&[&bundle]).await.expect("an answer"), [Presence::Present]);
}

#[tokio::test]
async fn an_outage_costs_the_first_who_ask_and_not_all() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    server.stop().await;
    node.store.list().await.expect_err("nobody answers");
    let before = node.store.requests();
    for number in 0..500 {
        node.store.put(&format!("export const n = {number};")).await.expect_err("nobody answers");
    }
    assert_eq!(node.store.requests(), before, "no further request while it is left alone");
}

#[tokio::test]
async fn statuses_have_their_classes() {
    let server = S3Server::start().await;
    for (status, class, code) in [
        (503, FailureClass::Transient, Code::STORE_UNREACHABLE),
        (429, FailureClass::Transient, Code::STORE_UNREACHABLE),
        (501, FailureClass::Environment, Code::STORE_REFUSED),
        (401, FailureClass::Environment, Code::STORE_REFUSED),
        (403, FailureClass::Environment, Code::STORE_REFUSED),
        (301, FailureClass::Environment, Code::STORE_REFUSED),
        (400, FailureClass::Environment, Code::STORE_REFUSED),
    ] {
        server.refuse(status);
        let node = Node::new(&server);
        for fault in [
            fault(&node.store.put(CODE).await.expect_err("refused")),
            fault(&node.store.list().await.expect_err("refused")),
        ] {
            assert_eq!((fault.class, fault.code), (class, code), "{status}: {fault}");
            assert!(fault.message.contains(&status.to_string()), "{status}: {fault}");
        }
    }
    server.refuse(0);
    filled(&Node::new(&server).store).await;
}

#[tokio::test]
async fn what_is_configured_wrongly_is_named_without_a_secret() {
    let server = S3Server::start().await;
    let cache = TempDir::new().expect("a directory");
    let usual = || options(&server, "team/a", cache.path());
    let mut wrong_secret = usual();
    wrong_secret.environment.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "another-secret-to-hide".to_owned());
    let mut unknown_key = usual();
    unknown_key.environment.insert("AWS_ACCESS_KEY_ID".to_owned(), "AKIDUNKNOWN".to_owned());
    let mut no_bucket = usual();
    no_bucket.place.bucket = "elsewhere".to_owned();
    let mut no_credentials = usual();
    no_credentials.environment.remove("AWS_SECRET_ACCESS_KEY");
    let cases = [
        (wrong_secret, "SignatureDoesNotMatch"),
        (unknown_key, "NotSignedUp"),
        (no_bucket, "no such bucket"),
        (no_credentials, "AWS_SECRET_ACCESS_KEY"),
    ];
    for (options, expected) in cases {
        let shown = format!("{options:?}");
        let store = S3Store::new(options);
        let list = fault(&store.list().await.expect_err("refused"));
        // This server makes a bucket that is written to.
        let put = if expected == "no such bucket" {
            list.clone()
        } else {
            fault(&store.put(CODE).await.expect_err("refused"))
        };
        for fault in [&put, &list] {
            assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::STORE_REFUSED), "{fault}");
            assert!(fault.message.contains(expected), "{expected}: {fault}");
        }
        for text in [shown, format!("{store:?}"), format!("{put:?}{list:?}{put}{list}")] {
            for hidden in [SECRET, "another-secret-to-hide", KEY_ID, "AKIDUNKNOWN"] {
                assert!(!text.contains(hidden), "{text}");
            }
        }
    }
}

/// A node of a catalog of its own.
async fn owned(server: &S3Server) -> (Node, Arc<dyn Catalog>, String) {
    let node = Node::new(server);
    let catalog: Arc<dyn Catalog> = Arc::new(MemoryCatalog::new());
    node.store.belongs_to(&catalog);
    let identity = catalog.identity().await.expect("a catalog").expect("an identity");
    (node, catalog, identity)
}

#[tokio::test]
async fn the_store_of_another_catalog_is_refused() {
    let server = S3Server::start().await;
    let (ours, _catalog, identity) = owned(&server).await;
    assert_eq!(ours.store.ownership(&identity).await.expect("looked"), Ownership::Unclaimed);
    ours.store.list().await.expect("who only reads claims nothing");
    assert_eq!(ours.store.ownership(&identity).await.expect("looked"), Ownership::Unclaimed);
    let bundle = filled(&ours.store).await;
    assert_eq!(ours.store.ownership(&identity).await.expect("looked"), Ownership::Ours);

    let (theirs, _their_catalog, their_identity) = owned(&server).await;
    let objects = server.objects();
    let object = bundle.entry;
    for outcome in [
        theirs.store.put(CODE).await.map(drop),
        theirs.store.put_vendor(&vendor_files()).await.map(drop),
        theirs.store.load(&bundle).await.map(drop),
        theirs.store.presence(&[&bundle]).await.map(drop),
        theirs.store.holds(&[object]).await.map(drop),
        theirs.store.verify(&object).await.map(drop),
        theirs.store.list().await.map(drop),
        theirs.store.remove(object.key).await,
        theirs.store.sweep(&SweepRequest { catalog: their_identity.clone(), ..sweep(BTreeSet::new()) }).await.map(drop),
    ] {
        match outcome {
            Err(StoreError::Foreign { owner, fault }) => {
                assert_eq!((owner, fault.code), (identity.clone(), Code::STORE_FOREIGN));
            }
            other => panic!("expected a refusal, found {other:?}"),
        }
    }
    assert_eq!(server.objects(), objects, "and nothing was touched");

    theirs.store.expect_claim();
    theirs.store.load(&bundle).await.expect("a catalog that replaces another one uses what is there");
    theirs.store.claim(&their_identity).await.expect("claimed");
    assert_eq!(ours.store.ownership(&identity).await.expect("looked"), Ownership::Foreign(their_identity));
}

#[tokio::test]
async fn of_catalogs_that_come_at_once_one_gets_the_store() {
    let server = S3Server::start().await;
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(owned(&server).await);
    }
    let puts = nodes.iter().map(|(node, _, _)| node.store.put(CODE));
    let outcomes = futures::future::join_all(puts).await;
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Foreign { .. }))).count();
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((stored, refused), (1, 7), "{outcomes:?}");
}

/// Makes an object as old as the days say.
fn age(path: &Path, days: u64) {
    let at = SystemTime::now() - Duration::from_hours(24 * days);
    let file = fs::File::options().write(true).open(path).expect("an object");
    file.set_modified(at).expect("an earlier time");
}

#[tokio::test]
async fn a_sweep_leaves_what_was_put_again_elsewhere() {
    let server = S3Server::start().await;
    let (one, other) = (Node::new(&server), Node::new(&server));
    let bundle = filled(&one.store).await;
    for path in server.objects().values() {
        age(path, 2);
    }
    // What is old and put again is young: a row that names it may be about to be committed.
    let again = other.store.put(CODE).await.expect("stored");
    assert_eq!(again, bundle.entry);
    let dry = SweepRequest { is_dry_run: true, ..sweep(BTreeSet::new()) };
    assert_eq!(one.store.sweep(&dry).await.expect("looked").objects, [bundle.vendors[0]]);
    let swept = one.store.sweep(&sweep(BTreeSet::new())).await.expect("swept");
    assert_eq!(swept.objects, [bundle.vendors[0]]);
    assert_eq!(one.store.list().await.expect("a listing"), [bundle.entry]);
    assert_eq!(
        refused(&one.store, &bundle).await,
        (bundle.vendors[0].key, Code::BUNDLE_MISSING),
        "also not from the cache"
    );
}

#[tokio::test]
async fn a_sweep_leaves_what_is_needed_and_what_is_not_ours() {
    let server = S3Server::start().await;
    let node = Node::new(&server);
    let bundle = filled(&node.store).await;
    let foreign = server.object("team/a/vendor/").parent().expect("a folder").join("note.txt");
    fs::write(&foreign, "somebody else's").expect("written");
    for path in server.objects().values() {
        age(path, 30);
    }
    let needed: BTreeSet<ObjectKey> = bundle.closure().map(|object| object.key).collect();
    assert_eq!(node.store.sweep(&sweep(needed)).await.expect("swept").objects, []);
    assert!(node.store.load(&bundle).await.is_ok());
    assert_eq!(node.store.list().await.expect("a listing").len(), 2);
    node.store.sweep(&sweep(BTreeSet::new())).await.expect("swept");
    assert!(foreign.exists(), "what is none of our objects is left alone");
}

#[tokio::test]
async fn what_is_written_twice_is_written_once() {
    let server = S3Server::start().await;
    let (one, other) = (Node::new(&server), Node::new(&server));
    let bundle = filled(&one.store).await;
    let path = server.object(".js");
    age(&path, 0);
    let modified = || fs::metadata(&path).expect("an object").modified().expect("a time");
    let before = modified();
    assert_eq!(filled(&other.store).await, bundle);
    assert_eq!(modified(), before, "an object that is there, whole and young, is not written again");
    assert!(SHORTEST_GRACE >= Duration::from_hours(24), "half a grace period is far longer than a build");
}

#[tokio::test]
async fn a_second_node_loads_everything_from_a_full_store() {
    let server = S3Server::start().await;
    let one = Node::new(&server);
    let vendors = vec![one.store.put_vendor(&vendor_files()).await.expect("stored")];
    let mut bundles = Vec::new();
    for number in 0..300 {
        let entry = one.store.put(&format!("export const n = {number};")).await.expect("stored");
        bundles.push(BundleRef { entry, vendors: vendors.clone() });
    }
    let two = Node::new(&server);
    let before = server.requests();
    let all: Vec<&BundleRef> = bundles.iter().collect();
    let presence = two.store.presence(&all).await.expect("looked");
    assert!(presence.iter().all(|presence| *presence == Presence::Present));
    let loads = bundles.iter().map(|bundle| two.store.load(bundle));
    for loaded in futures::future::join_all(loads).await {
        assert_eq!(loaded.expect("a bundle").vendor_files.len(), 3);
    }
    let asked = server.requests() - before;
    assert_eq!(asked, 1 + 300 + 2, "one listing, one for each entry, two for the vendor bundle");
}
