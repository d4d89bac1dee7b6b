//! What the local bundle store does beyond its contract: damage, other processes, durability.

#![cfg(unix)]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mangrove_domain::{
    bundle::{BundleFile, BundleRef, ObjectKey, Presence},
    ports::{BundleStore as _, SHORTEST_GRACE, StoreError, SweepRequest},
    problem::Code,
    time::Timestamp,
};
use mangrove_infra::store::{LocalStore, Ownership};
use tempfile::TempDir;

fn place() -> (TempDir, LocalStore) {
    let directory = TempDir::new().expect("a temporary directory");
    let store = LocalStore::new(directory.path().join("bundles"));
    (directory, store)
}

fn vendor_files() -> Vec<BundleFile> {
    let file = |path: &str, code: &str| BundleFile { path: path.to_owned(), code: Arc::from(code) };
    vec![file("zod.js", "export const z = 1;"), file("chunks/a.js", "export {};"), file("unit.json", "{}")]
}

fn extension_path(store: &LocalStore, bundle: &BundleRef) -> PathBuf {
    let name = bundle.entry.key.digest().to_string();
    store.root().join(&name[..2]).join(format!("{name}.js"))
}

fn vendor_path(store: &LocalStore, bundle: &BundleRef, file: &str) -> PathBuf {
    store.root().join("vendor").join(bundle.vendors[0].key.digest().to_string()).join(file)
}

async fn filled(store: &LocalStore) -> BundleRef {
    let entry = store.put("export const model = {};").await.expect("stored");
    let vendors = vec![store.put_vendor(&vendor_files()).await.expect("stored")];
    store.sync().await.expect("durable");
    BundleRef { entry, vendors }
}

async fn presence(store: &LocalStore, bundle: &BundleRef) -> Presence {
    store.presence(&[bundle]).await.expect("looked").remove(0)
}

/// The key and code of the object that keeps a bundle from being loaded.
async fn refused(store: &LocalStore, bundle: &BundleRef) -> (ObjectKey, Code) {
    match store.load(bundle).await {
        Err(StoreError::Unusable { key, fault }) => (key, fault.code),
        other => panic!("expected an unusable object, found {other:?}"),
    }
}

#[tokio::test]
async fn the_layout_is_the_documented_one() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    assert_eq!(fs::read_to_string(extension_path(&store, &bundle)).expect("code"), "export const model = {};");
    assert_eq!(fs::read_to_string(vendor_path(&store, &bundle, "chunks/a.js")).expect("code"), "export {};");
    assert_eq!(fs::read_dir(store.root().join("tmp")).expect("a listing").count(), 0, "nothing is left over");
}

#[tokio::test]
async fn fault_10_a_truncated_bundle_is_seen_and_heals() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    fs::write(extension_path(&store, &bundle), "export const").expect("truncated");
    let wrong_size = Presence::WrongSize { key: bundle.entry.key, recorded_bytes: 24, found_bytes: 12 };
    assert_eq!(presence(&store, &bundle).await, wrong_size);
    assert_eq!(refused(&store, &bundle).await, (bundle.entry.key, Code::BUNDLE_CORRUPT));
    assert_eq!(filled(&store).await, bundle);
    assert_eq!(presence(&store, &bundle).await, Presence::Present);
    assert!(store.load(&bundle).await.is_ok());
}

#[tokio::test]
async fn fault_10_a_damaged_vendor_file_is_seen_and_heals() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage, bool); 5] = [
        ("truncated", |path| fs::write(path, "export").expect("written"), true),
        ("emptied", |path| fs::write(path, "").expect("written"), true),
        ("deleted", |path| fs::remove_file(path).expect("deleted"), true),
        ("more", |path| fs::write(path.with_extension("mjs"), "x").expect("written"), true),
        // The same size: seen when it is loaded, not by a scan.
        ("flipped", |path| fs::write(path, "export const z = 2;").expect("written"), false),
    ];
    for (name, damage, is_seen) in damages {
        let (_directory, store) = place();
        let bundle = filled(&store).await;
        damage(&vendor_path(&store, &bundle, "zod.js"));
        assert_eq!(presence(&store, &bundle).await != Presence::Present, is_seen, "{name}");
        assert_eq!(refused(&store, &bundle).await, (bundle.vendors[0].key, Code::BUNDLE_CORRUPT), "{name}");
        assert!(!matches!(store.verify(&bundle.vendors[0]).await, Ok(Presence::Present)), "{name}");
        filled(&store).await;
        assert!(store.load(&bundle).await.is_ok(), "{name}: what is put again heals");
        assert_eq!(presence(&store, &bundle).await, Presence::Present, "{name}");
    }
}

#[tokio::test]
async fn fault_42_an_empty_bundle_does_not_exist() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    fs::write(extension_path(&store, &bundle), "").expect("emptied");
    assert!(matches!(presence(&store, &bundle).await, Presence::WrongSize { found_bytes: 0, .. }));
    assert_eq!(refused(&store, &bundle).await, (bundle.entry.key, Code::BUNDLE_CORRUPT));
}

#[tokio::test]
async fn fault_42_what_is_being_written_has_no_name_yet() {
    let (_directory, store) = place();
    filled(&store).await;
    // What a writer that was killed leaves behind.
    fs::write(store.root().join("tmp/half"), "export const mo").expect("written");
    fs::create_dir(store.root().join("tmp/half-vendor")).expect("created");
    assert_eq!(store.list().await.expect("objects").len(), 2);
}

#[tokio::test]
async fn damage_of_the_same_size_is_an_answer_of_verify_and_no_error() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    let path = extension_path(&store, &bundle);
    let mut bytes = fs::read(&path).expect("the bundle");
    bytes[0] ^= 1;
    fs::write(&path, &bytes).expect("damaged");
    let size = bundle.entry.size_bytes;
    let expected = Presence::WrongSize { key: bundle.entry.key, recorded_bytes: size, found_bytes: size };
    assert_eq!(store.verify(&bundle.entry).await.expect("an answer"), expected);
}

#[tokio::test]
async fn a_flipped_bit_is_never_executed() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    fs::write(extension_path(&store, &bundle), "export const model = [];").expect("flipped");
    assert_eq!(presence(&store, &bundle).await, Presence::Present, "a scan looks at sizes");
    assert_eq!(refused(&store, &bundle).await, (bundle.entry.key, Code::BUNDLE_CORRUPT));
    assert!(!matches!(store.verify(&bundle.entry).await, Ok(Presence::Present)));
    filled(&store).await;
    assert!(store.load(&bundle).await.is_ok());
}

#[tokio::test]
async fn what_is_not_utf8_is_damage_and_not_a_panic() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    fs::write(extension_path(&store, &bundle), [0xff; 24]).expect("written");
    assert_eq!(refused(&store, &bundle).await, (bundle.entry.key, Code::BUNDLE_CORRUPT));
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(&b"\xff.js"[..]);
    let path = vendor_path(&store, &bundle, "").join(Path::new::<std::ffi::OsStr>(odd));
    if fs::write(&path, "x").is_ok() {
        assert!(store.verify(&bundle.vendors[0]).await.is_ok_and(|presence| presence != Presence::Present));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_of_the_same_objects_do_not_disturb_readers() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    let tasks: Vec<_> = (0..8)
        .map(|writer| {
            // A store of its own each, as processes have.
            let (store, bundle) = (LocalStore::new(store.root()), bundle.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    if writer % 2 == 0 {
                        assert_eq!(filled(&store).await, bundle);
                    } else {
                        store.load(&bundle).await.expect("all of it, always");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(fs::read_dir(store.root().join("tmp")).expect("a listing").count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_first_writers_agree() {
    let (_directory, store) = place();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = LocalStore::new(store.root());
            tokio::spawn(async move { filled(&store).await })
        })
        .collect();
    let mut bundles = Vec::new();
    for task in tasks {
        bundles.push(task.await.expect("a task"));
    }
    assert!(bundles.iter().all(|bundle| *bundle == bundles[0]));
    assert!(store.load(&bundles[0]).await.is_ok());
}

#[tokio::test]
async fn many_bundles_are_looked_at_in_order() {
    let (_directory, store) = place();
    let mut bundles = Vec::new();
    for number in 0..300 {
        let entry = store.put(&format!("export const number = {number};")).await.expect("stored");
        bundles.push(BundleRef { entry, vendors: Vec::new() });
    }
    store.sync().await.expect("durable");
    store.remove(bundles[7].entry.key).await.expect("removed");
    store.remove(bundles[299].entry.key).await.expect("removed");
    let presence = store.presence(&bundles.iter().collect::<Vec<_>>()).await.expect("looked");
    let missing: Vec<usize> = (0..300).filter(|index| presence[*index] != Presence::Present).collect();
    assert_eq!(missing, [7, 299]);
}

#[tokio::test]
async fn a_sync_that_failed_is_tried_again_by_the_next() {
    let (directory, store) = place();
    let entry = store.put("export {};").await.expect("stored");
    let bundle = BundleRef { entry, vendors: Vec::new() };
    let away = directory.path().join("away");
    fs::rename(store.root(), &away).expect("moved");
    assert!(store.sync().await.is_err(), "what was put is not there");
    fs::rename(&away, store.root()).expect("moved back");
    store.sync().await.expect("durable");
    assert_eq!(presence(&store, &bundle).await, Presence::Present);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_an_environment_fault() {
    let directory = TempDir::new().expect("a temporary directory");
    fs::write(directory.path().join("bundles"), "a file").expect("written");
    let store = LocalStore::new(directory.path().join("bundles"));
    let error = store.put("export {};").await.expect_err("no directory");
    assert_eq!(error.fault().code, Code::NOT_WRITABLE);
    assert!(error.to_string().contains("bundles"), "{error}");
}

/// A sweep of now by the catalog `a`, which needs nothing.
fn sweep() -> SweepRequest {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    SweepRequest {
        catalog: "a".to_owned(),
        needed: BTreeSet::new(),
        now: Timestamp::from_millis(i64::try_from(now.as_millis()).expect("a time of today")),
        grace: SHORTEST_GRACE,
        is_dry_run: false,
    }
}

fn make_old(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_hours(25);
    fs::File::open(path).expect("it is there").set_modified(long_ago).expect("made old");
}

#[tokio::test]
async fn what_is_put_again_is_young_again() {
    let (_directory, store) = place();
    let bundle = filled(&store).await;
    let code = extension_path(&store, &bundle);
    let vendor = vendor_path(&store, &bundle, "zod.js").parent().expect("a directory").to_owned();
    for put_again in [true, false] {
        make_old(&code);
        make_old(&vendor);
        if put_again {
            filled(&store).await;
        }
        let swept = store.sweep(&sweep()).await.expect("swept").objects.len();
        assert_eq!(swept, if put_again { 0 } else { 2 });
        assert_eq!((code.exists(), vendor.exists()), (put_again, put_again));
    }
}

#[tokio::test]
async fn leftovers_of_interrupted_writes_are_swept() {
    let (_directory, store) = place();
    filled(&store).await;
    let temporary = store.root().join("tmp");
    fs::write(temporary.join("old"), "half").expect("written");
    fs::create_dir(temporary.join("old-vendor")).expect("made");
    fs::write(temporary.join("young"), "half").expect("written");
    make_old(&temporary.join("old"));
    make_old(&temporary.join("old-vendor"));
    let dry = SweepRequest { is_dry_run: true, ..sweep() };
    assert_eq!(store.sweep(&dry).await.expect("looked").leftovers, 2);
    assert_eq!(store.sweep(&sweep()).await.expect("swept").leftovers, 2);
    let left: Vec<_> =
        fs::read_dir(&temporary).expect("a listing").map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(left, ["young"]);
}

#[tokio::test]
async fn a_store_knows_whose_it_is() {
    let (_directory, store) = place();
    assert_eq!(store.ownership("a").expect("read"), Ownership::Unclaimed);
    store.claim("a").expect("written");
    assert_eq!(store.ownership("a").expect("read"), Ownership::Ours);
    assert_eq!(store.ownership("b").expect("read"), Ownership::Foreign("a".to_owned()));
    assert_eq!(store.list().await.expect("objects"), [], "the mark is no object");
}

type Obstacle = (&'static str, fn(&Path));

/// What may stand in the place of a bundle and cannot be read, not even by the superuser; and what only others cannot read.
fn obstacles() -> [Obstacle; 4] {
    use std::os::unix::fs::PermissionsExt as _;
    [
        ("a directory", |path| {
            fs::create_dir(path).expect("a directory");
            fs::write(path.join("inside"), "x").expect("a file in it");
        }),
        ("an empty directory", |path| fs::create_dir(path).expect("a directory")),
        ("a link to itself", |path| std::os::unix::fs::symlink(path, path).expect("a link")),
        ("somebody else's file", |path| {
            fs::write(path, "export const model = {};").expect("written");
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("nobody's");
        }),
    ]
}

#[tokio::test]
async fn f17_a_bundle_that_cannot_be_read_is_damaged_and_is_replaced() {
    for (what, put) in obstacles() {
        let (_directory, store) = place();
        let bundle = filled(&store).await;
        let path = extension_path(&store, &bundle);
        fs::remove_file(&path).expect("removed");
        put(&path);
        // The superuser reads what nobody may.
        if fs::read(&path).is_err() {
            assert_eq!(refused(&store, &bundle).await, (bundle.entry.key, Code::BUNDLE_CORRUPT), "{what}");
            assert!(store.verify(&bundle.entry).await.expect("looked at") != Presence::Present, "{what}");
        }
        assert_eq!(filled(&store).await, bundle, "{what}");
        assert_eq!(presence(&store, &bundle).await, Presence::Present, "{what}");
        assert!(store.load(&bundle).await.is_ok(), "{what}");
    }
}

#[tokio::test]
async fn f17_a_file_of_a_vendor_that_cannot_be_read_costs_the_vendor_only() {
    for (what, put) in obstacles() {
        let (_directory, store) = place();
        let bundle = filled(&store).await;
        let path = vendor_path(&store, &bundle, "zod.js");
        fs::remove_file(&path).expect("removed");
        put(&path);
        if fs::read(&path).is_err() {
            assert_eq!(refused(&store, &bundle).await.0, bundle.vendors[0].key, "{what}");
        }
        assert_eq!(filled(&store).await, bundle, "{what}");
        assert!(store.load(&bundle).await.is_ok(), "{what}");
    }
}

#[tokio::test]
async fn f17_what_cannot_be_read_can_be_removed() {
    for (what, put) in obstacles() {
        let (_directory, store) = place();
        let bundle = filled(&store).await;
        let path = extension_path(&store, &bundle);
        fs::remove_file(&path).expect("removed");
        put(&path);
        store.remove(bundle.entry.key).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(fs::symlink_metadata(&path).is_err(), "{what}");
    }
}

#[tokio::test]
async fn f27_what_is_no_file_is_a_damaged_bundle_and_is_put_again() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
    let link = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).expect("a link");
    let huge = |path: &Path| fs::File::create(path).and_then(|file| file.set_len(20 << 30)).expect("a file");
    let directory = TempDir::new().expect("a temporary directory");
    let store = LocalStore::new(directory.path());
    let bundle = filled(&store).await;
    let mut files: Vec<PathBuf> = Vec::new();
    let mut pending = vec![directory.path().to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).expect("a list") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { pending.push(path) } else { files.push(path) }
        }
    }
    let put: [&dyn Fn(&Path); 3] = [&pipe, &link, &huge];
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "js")) {
        for put in put {
            fs::remove_file(file).expect("removed");
            put(file);
            let load = tokio::time::timeout(Duration::from_secs(30), store.load(&bundle));
            let error = load.await.expect("it does not wait").expect_err("damaged");
            assert_eq!(error.fault().code, Code::BUNDLE_CORRUPT, "{}", file.display());
            assert_eq!(filled(&store).await, bundle, "{}", file.display());
            store.load(&bundle).await.expect("whole again");
        }
    }
}

/// Moves a directory out of the store and leaves a link to it, with a file of somebody else in it that is old.
fn link_away(directory: &TempDir, path: &Path) -> PathBuf {
    let outside = directory.path().join("outside");
    if path.exists() {
        fs::rename(path, &outside).expect("moved");
    } else {
        fs::create_dir(&outside).expect("made");
    }
    // Of a name that an object may have.
    let name = format!("{}.js", "a".repeat(64));
    fs::write(outside.join(&name), "dear diary").expect("written");
    make_old(&outside.join(&name));
    symlink(&outside, path).expect("a link");
    outside
}

/// What lies in a directory and below it, with its content.
fn contents(directory: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a listing") {
        let path = entry.expect("read").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert((path.clone(), fs::read(&path).expect("a file")));
        }
    }
    found
}

#[tokio::test]
async fn f03_nothing_is_put_through_a_link_in_the_store() {
    for linked in ["tmp", "vendor", "xx"] {
        let (directory, store) = place();
        let known = filled(&place().1).await;
        let path = match linked {
            "xx" => extension_path(&store, &known).parent().expect("a directory").to_owned(),
            other => store.root().join(other),
        };
        fs::create_dir(store.root()).expect("made");
        let outside = link_away(&directory, &path);
        let before = contents(&outside);
        let put = store.put("export const model = {};").await;
        let put_vendor = store.put_vendor(&vendor_files()).await;
        let outcomes = match linked {
            "tmp" => vec![put, put_vendor],
            "vendor" => vec![put_vendor],
            _ => vec![put],
        };
        for outcome in outcomes {
            let error = outcome.expect_err(linked);
            assert_eq!(error.fault().code, Code::STATE_LINK, "{error}");
            assert!(error.to_string().contains(&format!("{} is a symbolic link", path.display())), "{error}");
        }
        assert_eq!(contents(&outside), before, "{linked}");
    }
}

#[tokio::test]
async fn f03_nothing_is_swept_or_removed_through_a_link_in_the_store() {
    for linked in ["tmp", "vendor", "xx"] {
        let (directory, store) = place();
        let bundle = filled(&store).await;
        let code = extension_path(&store, &bundle);
        let path = match linked {
            "xx" => code.parent().expect("a directory").to_owned(),
            other => store.root().join(other),
        };
        let outside = link_away(&directory, &path);
        let before = contents(&outside);
        let error = store.sweep(&sweep()).await.expect_err(linked);
        assert_eq!(error.fault().code, Code::STATE_LINK, "{error}");
        let key = if linked == "vendor" { bundle.vendors[0].key } else { bundle.entry.key };
        let error = store.remove(key).await.expect_err(linked);
        assert_eq!(error.fault().code, Code::STATE_LINK, "{error}");
        assert_eq!(contents(&outside), before, "{linked}");
    }
}

#[tokio::test]
async fn f03_a_link_in_place_of_an_object_makes_way_and_its_target_stays() {
    let (directory, store) = place();
    let bundle = filled(&store).await;
    let vendor = vendor_path(&store, &bundle, "zod.js").parent().expect("a directory").to_owned();
    let outside = link_away(&directory, &vendor);
    let before = contents(&outside);
    assert_eq!(presence(&store, &bundle).await, Presence::Missing(bundle.vendors[0].key));
    assert_eq!(refused(&store, &bundle).await, (bundle.vendors[0].key, Code::BUNDLE_CORRUPT));
    assert_eq!(filled(&store).await, bundle);
    assert_eq!(presence(&store, &bundle).await, Presence::Present);
    assert!(!vendor.symlink_metadata().expect("a directory").is_symlink());
    assert_eq!(contents(&outside), before);
    let leftover = store.root().join("tmp/old");
    symlink(&outside, &leftover).expect("a link");
    let swept = store.sweep(&SweepRequest { now: Timestamp::from_millis(i64::MAX), ..sweep() }).await.expect("swept");
    assert_eq!((swept.objects.len(), swept.leftovers), (2, 1));
    assert!(leftover.symlink_metadata().is_err(), "the link is removed");
    assert_eq!(contents(&outside), before);
}
