//! What the catalog in `SQLite` does beyond its contract: other processes, damage, versions, read-only places.

#![cfg(unix)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    digest::Digest,
    failure::FailureClass,
    ports::{AttemptCache as _, Catalog as _, CatalogError, Change},
    problem::Code,
    row::Row,
    state::{State, StateName},
    type_name::TypeName,
};
use mangrove_infra::catalog::{BusyPolicy, LAYOUT_VERSION, OpenMode, Opened, SqliteCatalog};
use mangrove_testkit::rows;
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("catalog.db")
    }

    async fn open(&self) -> SqliteCatalog {
        let opened = open(&self.path()).await;
        assert_eq!(opened.set_aside, None);
        opened.catalog
    }

    /// A closed catalog with this many indexed rows.
    async fn fill(&self, count: usize) {
        let catalog = self.open().await;
        let rows: Vec<Row> =
            (0..count).map(|n| rows::indexed(&format!("models/{n:05}.ts"), &format!("@acme/{n}"))).collect();
        let changes = rows.iter().map(|row| Change {
            transition: Some(rows::transition(None, StateName::Indexed, "New")),
            ..rows::put(row)
        });
        catalog.commit(rows::batch(changes)).await.expect("committed");
        catalog.close().await;
    }

    /// A connection that knows nothing of our rules.
    async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        SqliteConnection::connect_with(&options).await.expect("a connection")
    }

    /// Runs a statement behind the catalog's back.
    async fn tamper(&self, statement: &'static str) {
        let mut raw = self.raw().await;
        sqlx::query(statement).execute(&mut raw).await.expect("tampered");
        raw.close().await.expect("closed");
    }

    /// Every file with its bytes.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.directory.path()).expect("a listing");
        entries
            .map(|entry| entry.expect("an entry"))
            .map(|entry| (entry.file_name().into_string().expect("UTF-8"), fs::read(entry.path()).expect("bytes")))
            .collect()
    }
}

async fn open(path: &Path) -> Opened {
    SqliteCatalog::open(path, OpenMode::ReadWrite).await.expect("a catalog")
}

async fn stored(catalog: &SqliteCatalog) -> Vec<Row> {
    let mut rows = catalog.snapshot().await.expect("a snapshot").rows;
    rows.sort_by(|one, other| one.source.cmp(&other.source));
    rows
}

/// Puts an empty catalog in the place of this one.
async fn replace(path: &Path) -> Result<Option<PathBuf>, CatalogError> {
    let directory = TempDir::new_in(path.parent().expect("a directory")).expect("a directory");
    let staged = directory.path().join("catalog.db");
    open(&staged).await.catalog.close().await;
    SqliteCatalog::replace(path, &staged).await
}

fn impatient() -> BusyPolicy {
    BusyPolicy { busy_timeout: Duration::from_millis(20), attempts: 2 }
}

#[tokio::test]
async fn fault_16_a_moved_repository_keeps_its_rows() {
    let place = Place::new();
    place.fill(3).await;
    for (name, bytes) in place.files() {
        let path = place.directory.path().to_str().expect("UTF-8").as_bytes();
        assert!(!bytes.windows(path.len()).any(|window| window == path), "{name} names an absolute path");
    }
    let before = stored(&place.open().await).await;
    let elsewhere = Place::new();
    fs::rename(place.directory.path(), elsewhere.directory.path().join("moved")).expect("moved");
    let moved = open(&elsewhere.directory.path().join("moved/catalog.db")).await.catalog;
    assert_eq!(stored(&moved).await, before);
    let change = rows::put(&before[0]);
    assert_eq!(moved.commit(rows::batch([change])).await.expect("committed").conflicts, []);
}

#[tokio::test]
async fn fault_16_an_absolute_path_is_refused_by_the_table() {
    let place = Place::new();
    place.fill(1).await;
    let mut raw = place.raw().await;
    let refused = sqlx::query("UPDATE sources SET path = '/somewhere/models/a.ts'").execute(&mut raw).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn fault_17_every_write_sets_every_column() {
    let place = Place::new();
    let catalog = place.open().await;
    let mut add_on = rows::indexed("models/x.ts", "@acme/base");
    let State::Indexed(indexed) = &mut add_on.state else { unreachable!("an indexed row") };
    indexed.is_add_on = true;
    // One row goes through every kind of write; after each, the columns say what the record says.
    let mut revision = 0;
    let states = [
        add_on.clone(),
        rows::indexed("models/x.ts", "@acme/x"),
        rows::failed("models/x.ts", "@acme/y"),
        rows::rejected("models/x.ts", "@acme/z"),
        rows::degraded("models/x.ts", "@acme/x"),
        rows::orphaned("models/x.ts", "@acme/x"),
        add_on,
    ];
    let mut raw = place.raw().await;
    for state in states {
        let row = Row { revision, ..state };
        revision = catalog.commit(rows::put_all([&row])).await.expect("committed").revisions[0].1;
        let row = Row { revision, ..row };
        assert_eq!(stored(&catalog).await, std::slice::from_ref(&row));
        let columns = sqlx::query("SELECT kind, state, type_name, resolvable, description, revision FROM sources")
            .fetch_one(&mut raw)
            .await
            .expect("a row");
        assert_eq!(columns.get::<String, _>(0), row.kind.as_str());
        assert_eq!(columns.get::<String, _>(1), row.state.name().as_str());
        assert_eq!(columns.get::<Option<String>, _>(2).as_deref(), row.type_name().map(TypeName::as_str));
        assert_eq!(columns.get::<i64, _>(3) == 1, row.is_resolvable());
        let description = match &row.state {
            State::Indexed(indexed) => Some(indexed.description.as_bytes().to_vec()),
            _ => None,
        };
        assert_eq!(columns.get::<Option<Vec<u8>>, _>(4), description);
        assert_eq!(u64::try_from(columns.get::<i64, _>(5)).expect("a revision"), row.revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_18_nobody_hears_that_the_database_is_locked() {
    const WRITERS: usize = 8;
    const COMMITS: usize = 25;
    let place = Place::new();
    let path = place.path();
    // One attempt only: waiting for the lock must be enough. A transaction that reads first and turns into a
    // writer later would not even wait.
    let busy = BusyPolicy { busy_timeout: Duration::from_mins(1), attempts: 1 };
    // Every writer opens for itself, all at once on a file that is not there yet, as processes do.
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let path = path.clone();
            tokio::spawn(async move {
                let opened = SqliteCatalog::open_with(&path, OpenMode::ReadWrite, busy).await;
                let catalog = opened.expect("no lock reaches us").catalog;
                for number in 0..COMMITS {
                    let name = format!("@acme/{writer}-{number}");
                    let [kept, passing] = ["kept", "passing"].map(|kind| format!("models/{writer}/{kind}-{number}.ts"));
                    let row = rows::indexed(&kept, &name);
                    let passing = rows::failed(&passing, &name);
                    let outcome = catalog.commit(rows::put_all([&row, &passing])).await.expect("no lock reaches us");
                    assert_eq!(outcome.conflicts, []);
                    catalog.snapshot().await.expect("readers do not wait for writers");
                    // A deletion reads before it writes.
                    let passing = Row { revision: outcome.revisions[1].1, ..passing };
                    let outcome = catalog.commit(rows::batch([rows::delete(&passing)])).await;
                    assert_eq!(outcome.expect("no lock reaches us").conflicts, []);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    assert_eq!(stored(&place.open().await).await.len(), WRITERS * COMMITS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_18_writers_of_one_row_get_conflicts_and_lose_nothing() {
    let place = Place::new();
    place.fill(1).await;
    let path = place.path();
    let first_revision = stored(&place.open().await).await[0].revision;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move {
                let catalog = open(&path).await.catalog;
                let mut written = 0;
                while written < 10 {
                    let mut row = stored(&catalog).await.remove(0);
                    row.rule_version += 1;
                    written += catalog.commit(rows::put_all([&row])).await.expect("committed").revisions.len();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    let row = stored(&place.open().await).await.remove(0);
    assert_eq!(row.rule_version, 1 + 40, "each increment was planned on the one before");
    assert_eq!(row.revision, first_revision + 40);
}

#[tokio::test]
async fn fault_18_opening_does_not_wait_for_a_writer() {
    let place = Place::new();
    place.fill(2).await;
    let mut raw = place.raw().await;
    let held = raw.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let opened = SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, impatient()).await;
    let catalog = opened.expect("no journal switch, hence no lock, at open").catalog;
    assert_eq!(stored(&catalog).await.len(), 2);
    drop(held);
}

#[tokio::test]
async fn fault_18_a_lock_beyond_patience_is_called_busy() {
    let place = Place::new();
    place.fill(1).await;
    let opened = SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, impatient()).await;
    let catalog = opened.expect("a catalog").catalog;
    let mut raw = place.raw().await;
    let held = raw.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let row = rows::failed("models/late.ts", "@acme/late");
    match catalog.commit(rows::put_all([&row])).await {
        Err(CatalogError::Busy { fault }) => {
            assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::CATALOG_BUSY));
            assert!(!fault.message.contains("database is locked"), "{fault}");
        }
        other => panic!("expected busy, found {other:?}"),
    }
    held.rollback().await.expect("released");
    assert_eq!(catalog.commit(rows::put_all([&row])).await.expect("free again").conflicts, []);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_18_many_requests_share_few_connections() {
    let place = Place::new();
    place.fill(50).await;
    let catalog = Arc::new(place.open().await);
    let requests: Vec<_> = (0..200)
        .map(|_| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move { catalog.snapshot().await.expect("a snapshot").rows.len() })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.expect("a request"), 50);
    }
    let ours = fs::read_dir("/proc/self/fd")
        .expect("descriptors")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| *target == place.path())
        .count();
    assert!(ours <= 5, "{ours} descriptors of one catalog");
}

#[tokio::test]
async fn fault_19_a_read_only_place_can_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.fill(4).await;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    set(&place.path(), 0o444);
    set(place.directory.path(), 0o555);
    let catalog = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect("a catalog").catalog;
    assert_eq!(stored(&catalog).await.len(), 4);
    assert!(catalog.identity().await.expect("an identity").is_some());
    let row = rows::failed("models/new.ts", "@acme/new");
    let error = catalog.commit(rows::put_all([&row])).await.expect_err("read-only");
    assert_eq!(error.fault().code, Code::NOT_WRITABLE);
    set(place.directory.path(), 0o755);
}

#[tokio::test]
async fn fault_19_a_place_where_nothing_can_be_created_is_a_clear_error() {
    let place = Place::new();
    fs::write(place.path(), "a file where the directory should be").expect("written");
    let path = place.path().join("catalog.db");
    let error = SqliteCatalog::open(&path, OpenMode::ReadWrite).await.expect_err("no directory");
    assert_eq!((error.fault().class, error.fault().code), (FailureClass::Environment, Code::NOT_WRITABLE));
    assert!(error.to_string().contains(path.parent().expect("a parent").to_str().expect("UTF-8")), "{error}");
}

#[tokio::test]
async fn fault_39_a_lock_file_left_behind_locks_nobody_out() {
    let place = Place::new();
    fs::write(place.directory.path().join("catalog.db-lock"), "4711").expect("written");
    let catalog = SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, impatient()).await;
    assert_eq!(stored(&catalog.expect("a catalog").catalog).await, []);
}

#[tokio::test]
async fn fault_39_a_living_holder_is_waited_for_and_then_named_busy() {
    let place = Place::new();
    let lock = fs::File::create(place.directory.path().join("catalog.db-lock")).expect("a lock file");
    lock.lock().expect("locked");
    let refused = SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, impatient()).await;
    assert!(matches!(refused, Err(CatalogError::Busy { .. })), "{refused:?}");
    drop(lock);
    assert_eq!(stored(&place.open().await).await, []);
}

#[tokio::test]
async fn fault_40_reading_changes_nothing() {
    let place = Place::new();
    let missing = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect("an empty view").catalog;
    assert_eq!(stored(&missing).await, []);
    assert_eq!(missing.identity().await.expect("no file"), None);
    assert_eq!(missing.transitions(&rows::source("models/a.ts")).await.expect("no history"), []);
    missing.close().await;
    assert_eq!(place.files(), BTreeMap::new(), "nothing was created");

    place.fill(4).await;
    let before = place.files();
    let catalog = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect("a catalog").catalog;
    assert_eq!(stored(&catalog).await.len(), 4);
    catalog.close().await;
    let mut after = place.files();
    // SQLite's index of the write-ahead log and the empty log hold nothing.
    for (name, bytes) in &after {
        assert!(before.contains_key(name) || name.ends_with("-shm") || bytes.is_empty(), "{name} was created");
    }
    after.retain(|name, _| before.contains_key(name));
    assert_eq!(after, before);
}

#[tokio::test]
async fn fault_40_damage_is_reported_and_not_mended_when_reading() {
    let place = Place::new();
    fs::write(place.path(), vec![b'x'; 10_000]).expect("written");
    let before = place.files();
    let error = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect_err("damaged");
    assert_eq!(error.fault().code, Code::CATALOG_CORRUPT);
    assert_eq!(place.files(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside() {
    let place = Place::new();
    fs::write(place.path(), vec![b'x'; 10_000]).expect("written");
    let opened = open(&place.path()).await;
    let aside = opened.set_aside.expect("where it went");
    assert!(aside.file_name().expect("a name").to_str().expect("UTF-8").starts_with("catalog.db.corrupt-"));
    assert_eq!(fs::read(&aside).expect("bytes"), vec![b'x'; 10_000]);
    let row = rows::indexed("models/a.ts", "@acme/a");
    opened.catalog.commit(rows::put_all([&row])).await.expect("the new one works");
    opened.catalog.close().await;
    assert_eq!(stored(&place.open().await).await.len(), 1);
}

#[tokio::test]
async fn two_processes_set_a_damaged_file_aside_once() {
    let place = Place::new();
    fs::write(place.path(), vec![b'x'; 10_000]).expect("written");
    let path = place.path();
    let (one, other) = tokio::join!(open(&path), open(&path));
    assert_eq!([&one, &other].iter().filter(|opened| opened.set_aside.is_some()).count(), 1);
    let row = rows::indexed("models/a.ts", "@acme/a");
    one.catalog.commit(rows::put_all([&row])).await.expect("committed");
    assert_eq!(stored(&other.catalog).await.len(), 1, "both use the same new file");
}

#[tokio::test]
async fn any_damaged_page_is_survived() {
    const PAGE: usize = 4096;
    let place = Place::new();
    place.fill(60).await;
    let intact = fs::read(place.path()).expect("bytes");
    assert!(intact.len() / PAGE > 10, "enough pages to damage");
    for page in 0..intact.len() / PAGE {
        let damaged_place = Place::new();
        let mut bytes = intact.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5);
        fs::write(damaged_place.path(), &bytes).expect("written");
        // Damage that the first open does not meet is met by the work, and the open after it repairs it.
        for _ in 0..3 {
            let catalog = open(&damaged_place.path()).await.catalog;
            let _ = catalog.snapshot().await;
            let _ = catalog.transitions(&rows::source("models/00001.ts")).await;
            let _ = catalog.commit(rows::put_all([&rows::indexed("models/new.ts", "@acme/new")])).await;
            let _ = catalog.cache(rows::description("@acme/1").digest(), b"x").await;
            catalog.close().await;
        }
        let catalog = open(&damaged_place.path()).await.catalog;
        let row = rows::failed("models/last.ts", "@acme/last");
        let outcome = catalog.commit(rows::put_all([&row])).await;
        assert_eq!(outcome.unwrap_or_else(|error| panic!("page {page}: {error}")).conflicts, [], "page {page}");
        catalog.snapshot().await.unwrap_or_else(|error| panic!("page {page}: {error}"));
    }
}

#[tokio::test]
async fn a_truncated_file_is_set_aside() {
    let place = Place::new();
    place.fill(60).await;
    let bytes = fs::read(place.path()).expect("bytes");
    fs::write(place.path(), &bytes[..bytes.len() / 2]).expect("truncated");
    let opened = open(&place.path()).await;
    assert!(opened.set_aside.is_some());
    assert_eq!(stored(&opened.catalog).await, []);
}

#[tokio::test]
async fn an_empty_file_is_a_new_catalog() {
    let place = Place::new();
    fs::write(place.path(), "").expect("written");
    let reading = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect("an empty view");
    assert_eq!(stored(&reading.catalog).await, []);
    assert_eq!(stored(&place.open().await).await, []);
}

#[tokio::test]
async fn a_newer_catalog_is_refused_and_left_as_it_is() {
    let place = Place::new();
    place.fill(2).await;
    place.tamper("UPDATE meta SET value = '99' WHERE name = 'layout'").await;
    let before = place.files();
    for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        match SqliteCatalog::open(&place.path(), mode).await {
            Err(CatalogError::Newer { fault }) => {
                assert_eq!(fault.code, Code::CATALOG_NEWER);
                assert!(fault.message.contains("99") && fault.message.contains(&LAYOUT_VERSION.to_string()));
            }
            other => panic!("expected newer, found {other:?}"),
        }
    }
    assert_eq!(place.files().get("catalog.db"), before.get("catalog.db"));
}

/// A catalog of layout 1, as the version before wrote it: its records end before the acceptance, which is none here.
#[tokio::test]
async fn a_catalog_of_the_first_layout_is_migrated_with_its_rows() {
    let place = Place::new();
    place.fill(3).await;
    let expected = stored(&place.open().await).await;
    place.tamper("UPDATE sources SET record = CAST(x'01' || substr(record, 2, length(record) - 2) AS BLOB)").await;
    place.tamper("UPDATE meta SET value = '1' WHERE name = 'layout'").await;
    place.tamper("DELETE FROM _sqlx_migrations WHERE version = 2").await;
    // Who only looks reads it as it is, also while another process has brought a new file no further than this.
    let before = fs::read(place.path()).expect("a file");
    let reading = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect("a reader").catalog;
    assert_eq!(stored(&reading).await, expected);
    drop(reading);
    assert_eq!(fs::read(place.path()).expect("a file"), before);
    let catalog = place.open().await;
    let view = catalog.snapshot().await.expect("rows");
    assert_eq!((stored(&catalog).await, view.damaged), (expected, Vec::new()));
    let row = Row { revision: view.rows[0].revision, ..rows::failed("models/00000.ts", "@acme/0") };
    assert_eq!(catalog.commit(rows::put_all([&row])).await.expect("committed").conflicts, []);
    catalog.close().await;
    assert_eq!(stored(&place.open().await).await.len(), 3);
}

#[tokio::test]
async fn a_catalog_deleted_while_open_is_noticed_at_commit() {
    let place = Place::new();
    place.fill(1).await;
    let catalog = place.open().await;
    fs::remove_file(place.path()).expect("deleted");
    let row = rows::failed("models/new.ts", "@acme/new");
    let error = catalog.commit(rows::put_all([&row])).await.expect_err("nobody would find it");
    assert!(error.to_string().contains("deleted or replaced"), "{error}");
    // The same for one that another process put in its place.
    let other = place.open().await;
    let error = catalog.commit(rows::put_all([&row])).await.expect_err("the wrong file");
    assert!(error.to_string().contains("deleted or replaced"), "{error}");
    assert_eq!(other.commit(rows::put_all([&row])).await.expect("the new one works").conflicts, []);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_only_itself() {
    let place = Place::new();
    place.fill(3).await;
    place.tamper("UPDATE sources SET record = x'01ff' WHERE path = 'models/00001.ts'").await;
    let catalog = place.open().await;
    assert_eq!(stored(&catalog).await.len(), 2);
    let damaged = catalog.snapshot().await.expect("rows").damaged;
    assert_eq!(damaged.len(), 1);
    assert_eq!((damaged[0].code, damaged[0].subject.as_str()), (Code::CATALOG_ROW, "models/00001.ts"));
    // Its source counts as new, and the new row takes its place.
    let row = rows::indexed("models/00001.ts", "@acme/1");
    assert_eq!(catalog.commit(rows::put_all([&row])).await.expect("committed").conflicts, []);
    assert_eq!(stored(&catalog).await.len(), 3);
    assert_eq!(catalog.snapshot().await.expect("rows").damaged, []);
}

#[tokio::test]
async fn a_row_of_an_unknown_format_is_left_out() {
    let place = Place::new();
    place.fill(2).await;
    place
        .tamper("UPDATE sources SET record = CAST(x'63' || substr(record, 2) AS BLOB) WHERE path = 'models/00000.ts'")
        .await;
    let catalog = place.open().await;
    assert_eq!(stored(&catalog).await.len(), 1);
    let damaged = catalog.snapshot().await.expect("rows").damaged;
    assert!(damaged[0].message.contains("unknown format 99"), "{damaged:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_hold_its_type() {
    let place = Place::new();
    place.fill(2).await;
    place.tamper("UPDATE sources SET record = x'01' WHERE path = 'models/00001.ts'").await;
    let catalog = place.open().await;
    let row = rows::indexed("models/elsewhere.ts", "@acme/1");
    let outcome = catalog.commit(rows::put_all([&row])).await.expect("committed");
    assert_eq!(outcome.conflicts, []);
    assert_eq!(outcome.revisions.len(), 1);
}

#[tokio::test]
async fn rows_that_must_not_be_stored_are_refused() {
    let place = Place::new();
    let catalog = place.open().await;
    let bundled = rows::row("models/a.ts", "@acme/a", State::Bundled { bundle: rows::bundle("a") });
    let error = catalog.commit(rows::put_all([&bundled])).await.expect_err("never stored");
    assert!(matches!(&error, CatalogError::Row { source_id, .. } if source_id == "models/a.ts"), "{error}");
    let row = rows::failed("models/a.ts", "@acme/a");
    let twice = rows::batch([rows::put(&row), rows::put(&row)]);
    assert!(matches!(catalog.commit(twice).await, Err(CatalogError::Row { .. })));
    let mut orphan = rows::put_all([&rows::indexed("models/a.ts", "@acme/a")]);
    orphan.descriptions.clear();
    assert!(catalog.commit(orphan).await.is_err(), "a description must come with its row");
    assert_eq!(stored(&catalog).await, []);
}

#[tokio::test]
async fn what_no_row_names_is_swept() {
    let place = Place::new();
    let catalog = place.open().await;
    let mut row = rows::indexed("models/a.ts", "@acme/0");
    for number in 0..300 {
        let next = rows::indexed("models/a.ts", &format!("@acme/{number}"));
        row = Row { revision: row.revision, ..next };
        row.revision = catalog.commit(rows::put_all([&row])).await.expect("committed").revisions[0].1;
    }
    let old = rows::description("@acme/7").digest();
    assert!(catalog.description(old).await.expect("read").is_some(), "readers of old snapshots still find it");
    catalog.close().await;
    let catalog = place.open().await;
    assert_eq!(catalog.description(old).await.expect("read"), None);
    assert!(catalog.description(rows::description("@acme/299").digest()).await.expect("read").is_some());
    assert_eq!(stored(&catalog).await, [row]);
}

#[tokio::test]
async fn the_identity_stays_and_differs() {
    let (one, other) = (Place::new(), Place::new());
    let identity = async |place: &Place| {
        let catalog = place.open().await;
        let identity = catalog.identity().await.expect("read").expect("an identity");
        catalog.close().await;
        identity
    };
    let first = identity(&one).await;
    assert_eq!(identity(&one).await, first);
    assert_ne!(identity(&other).await, first);
}

#[tokio::test]
async fn a_commit_that_is_abandoned_leaves_nothing() {
    let place = Place::new();
    let catalog = place.open().await;
    let rows: Vec<Row> = (0..500).map(|n| rows::failed(&format!("models/{n}.ts"), "@acme/a")).collect();
    // The future is dropped at its first wait, wherever that is.
    let attempt = catalog.commit(rows::put_all(&rows));
    let _ = tokio::time::timeout(Duration::ZERO, attempt).await;
    let count = stored(&catalog).await.len();
    assert!(count == 0 || count == 500, "{count} rows of one transaction");
    let late = rows::failed("models/late.ts", "@acme/late");
    assert_eq!(catalog.commit(rows::put_all([&late])).await.expect("usable").conflicts, []);
}

#[tokio::test]
async fn fault_49_a_dropped_table_or_index_is_mended_by_opening() {
    for lost in [
        "DROP TABLE parts",
        "PRAGMA foreign_keys = OFF; DROP TABLE descriptions",
        "DROP TABLE departed",
        "DROP TABLE meta",
        "DROP INDEX sources_resolvable",
    ] {
        let place = Place::new();
        place.fill(2).await;
        place.tamper(lost).await;
        let error = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect_err("a reader repairs nothing");
        assert_eq!(error.fault().code, Code::CATALOG_CORRUPT, "{lost}: {error}");
        let opened = open(&place.path()).await;
        assert!(opened.set_aside.is_some(), "{lost}");
        let row = rows::indexed("models/a.ts", "@acme/a");
        assert_eq!(opened.catalog.commit(rows::put_all([&row])).await.expect("usable").conflicts, [], "{lost}");
    }
}

#[tokio::test]
async fn fault_49_a_lost_description_is_told_and_its_row_is_inspected_again() {
    let place = Place::new();
    place.fill(2).await;
    place.tamper("PRAGMA foreign_keys = OFF; DELETE FROM descriptions").await;
    let catalog = place.open().await;
    let view = catalog.snapshot().await.expect("rows");
    assert!(view.rows.iter().all(|row| row.state.name() == StateName::Bundled), "{:?}", view.rows);
    assert_eq!(view.damaged.len(), 2);
    // What an inspection yields is written over it, conditional on its revision as ever.
    let row = Row { revision: view.rows[1].revision, ..rows::indexed("models/00001.ts", "@acme/1") };
    assert_eq!(catalog.commit(rows::put_all([&row])).await.expect("committed").conflicts, []);
    let view = catalog.snapshot().await.expect("rows");
    assert_eq!(view.rows[1].state.name(), StateName::Indexed);
    assert_eq!(view.damaged.len(), 1);
}

#[tokio::test]
async fn a_description_of_which_any_byte_is_damaged_is_lost_and_stored_again_with_its_row() {
    let place = Place::new();
    place.fill(2).await;
    let catalog = place.open().await;
    let (row, digest) = (rows::indexed("models/00000.ts", "@acme/0"), rows::description("@acme/0").digest());
    let whole = rows::description("@acme/0").to_json().to_string().into_bytes();
    let mut raw = place.raw().await;
    // Another letter, and what is no UTF-8.
    for (at, bit) in (0..whole.len()).flat_map(|at| [(at, 1_u8), (at, 0x80)]) {
        let mut damaged = whole.clone();
        damaged[at] ^= bit;
        sqlx::query("UPDATE descriptions SET json = CAST(?1 AS TEXT) WHERE digest = ?2")
            .bind(damaged)
            .bind(digest.as_bytes().as_slice())
            .execute(&mut raw)
            .await
            .expect("damaged");
        assert_eq!(catalog.description(digest).await.expect("readable"), None, "byte {at} ^ {bit}");
        let stored = stored(&catalog).await;
        let again = Row { revision: stored[0].revision, ..row.clone() };
        assert_eq!(catalog.commit(rows::put_all([&again])).await.expect("committed").conflicts, []);
        assert!(catalog.description(digest).await.expect("readable").is_some(), "byte {at} ^ {bit}");
    }
    let other = rows::description("@acme/1").digest();
    assert!(catalog.description(other).await.expect("readable").is_some(), "the other one was never touched");
}

#[tokio::test]
async fn a_catalog_is_replaced_whatever_is_in_it_and_the_latest_is_kept() {
    let place = Place::new();
    assert_eq!(replace(&place.path()).await.expect("nothing to move"), None);
    place.fill(2).await;
    place.tamper("UPDATE meta SET value = '99' WHERE name = 'layout'").await;
    let first = replace(&place.path()).await.expect("moved").expect("it was there");
    assert_eq!(stored(&place.open().await).await, []);
    fs::write(place.path(), vec![7; 5_000]).expect("written");
    let second = replace(&place.path()).await.expect("moved").expect("it was there");
    assert!(second.exists() && !first.exists(), "{} and {}", first.display(), second.display());
}

#[tokio::test]
async fn a_backup_is_whole_and_never_overwrites() {
    let place = Place::new();
    place.fill(3).await;
    let catalog = place.open().await;
    let target = place.path().with_file_name("copy.db");
    catalog.back_up(&target).await.expect("copied");
    assert_eq!(stored(&open(&target).await.catalog).await.len(), 3);
    let error = catalog.back_up(&target).await.expect_err("taken");
    assert_eq!(error.fault().code, Code::NOT_WRITABLE);
    let reading = SqliteCatalog::open(&place.path(), OpenMode::ReadOnly).await.expect("readable").catalog;
    reading.back_up(&place.path().with_file_name("other.db")).await.expect("a reader can copy");
    let left: Vec<_> = fs::read_dir(target.parent().expect("a parent")).expect("listed").flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().contains("backup")), "{left:?}");
}

/// What a process leaves that ends without closing: the files as they were while it ran.
#[tokio::test]
async fn a_log_that_was_left_is_folded_once() {
    let (running, left) = (Place::new(), Place::new());
    let catalog = running.open().await;
    let written: Vec<Row> =
        (0..1_000).map(|n| rows::indexed(&format!("models/{n:05}.ts"), &format!("@acme/{n}"))).collect();
    catalog.commit(rows::batch(written.iter().map(rows::put))).await.expect("committed");
    for name in ["catalog.db", "catalog.db-wal"] {
        fs::copy(running.directory.path().join(name), left.directory.path().join(name)).expect("a copy");
    }
    let log = left.directory.path().join("catalog.db-wal");
    let log_bytes = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
    assert!(log_bytes() > 256 << 10, "{} bytes prove nothing", log_bytes());

    let opened = left.open().await;
    assert_eq!(log_bytes(), 0);
    assert_eq!(stored(&opened).await.len(), written.len());
    opened.close().await;
    catalog.close().await;
}

#[tokio::test]
async fn f05_all_writes_share_one_patience_and_it_comes_back() {
    let place = Place::new();
    place.fill(1).await;
    let policy = BusyPolicy { busy_timeout: Duration::from_millis(400), attempts: 2 };
    let catalog =
        SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, policy).await.expect("a catalog").catalog;
    let mut raw = place.raw().await;
    let row = rows::failed("models/late.ts", "@acme/late");
    for _ in 0..2 {
        let held = raw.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
        let began = tokio::time::Instant::now();
        let first = catalog.commit(rows::put_all([&row])).await;
        assert!(matches!(first, Err(CatalogError::Busy { .. })), "{first:?}");
        assert!(began.elapsed() >= Duration::from_millis(800), "the first one waits: {:?}", began.elapsed());
        for number in 0..8_u8 {
            let refused = catalog.cache(Digest::of(&[number]), b"x").await;
            assert!(matches!(refused, Err(CatalogError::Busy { .. })), "{refused:?}");
        }
        // One after the other they would have waited another six seconds.
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        held.rollback().await.expect("released");
        catalog.cache(Digest::of(b"again"), b"x").await.expect("somebody gets through");
    }
    assert_eq!(catalog.commit(rows::put_all([&row])).await.expect("free again").conflicts, []);
}

#[tokio::test]
async fn f05_many_writers_at_once_do_not_wait_one_after_the_other() {
    let place = Place::new();
    place.fill(1).await;
    let policy = BusyPolicy { busy_timeout: Duration::from_millis(300), attempts: 2 };
    let catalog =
        SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, policy).await.expect("a catalog").catalog;
    let mut raw = place.raw().await;
    let held = raw.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let began = tokio::time::Instant::now();
    let keys: Vec<Digest> = (0..20_u8).map(|number| Digest::of(&[number])).collect();
    let writes = keys.iter().map(|key| catalog.cache(*key, b"x"));
    for outcome in futures::future::join_all(writes).await {
        assert!(matches!(outcome, Err(CatalogError::Busy { .. })), "{outcome:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop(held);
}

#[tokio::test]
async fn f05_an_open_catalog_that_should_be_swept_opens_while_it_is_busy() {
    let place = Place::new();
    place.fill(1).await;
    let mut raw = place.raw().await;
    for number in 0..300 {
        sqlx::query("INSERT INTO descriptions (digest, json) VALUES (randomblob(32), ?1)")
            .bind(number.to_string())
            .execute(&mut raw)
            .await
            .expect("garbage");
    }
    let held = raw.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let opened = SqliteCatalog::open_with(&place.path(), OpenMode::ReadWrite, impatient()).await;
    assert_eq!(stored(&opened.expect("it opens").catalog).await.len(), 1);
    drop(held);
}

#[tokio::test]
async fn f13_a_catalog_is_emptied_in_place_and_those_who_have_it_open_go_on() {
    let place = Place::new();
    place.fill(3).await;
    let (writing, reading) = (place.open().await, place.open().await);
    let identity = reading.identity().await.expect("readable");
    let aside = replace(&place.path()).await.expect("replaced").expect("it was there");
    assert_eq!(stored(&open(&aside).await.catalog).await.len(), 3, "the old one is whole");
    assert_eq!(stored(&reading).await, []);
    assert_eq!(reading.identity().await.expect("readable"), identity, "the bundle store is still its own");
    // What was planned on a row that is gone conflicts, and its new revision is higher than the old one.
    let mut row = rows::indexed("models/00001.ts", "@acme/00001");
    row.revision = 1;
    let outcome = writing.commit(rows::put_all([&row])).await.expect("committed");
    assert_eq!(outcome.conflicts, [row.source.clone()]);
    row.revision = 0;
    let outcome = writing.commit(rows::put_all([&row])).await.expect("committed");
    assert_eq!(outcome.revisions, [(row.source.clone(), 2)]);
    assert!(reading.departed(&row.kind, row.type_name().expect("a type")).await.expect("readable").is_empty());
    for catalog in [writing, reading] {
        catalog.close().await;
    }
}

#[tokio::test]
async fn a_catalog_gets_all_of_its_new_content_at_once() {
    let (place, staged) = (Place::new(), Place::new());
    place.fill(300).await;
    let reading = place.open().await;
    let identity = reading.identity().await.expect("readable");
    let before = stored(&reading).await;
    staged.fill(200).await;
    let inspected = Digest::of(b"inspected");
    let catalog = staged.open().await;
    catalog.cache(inspected, b"found").await.expect("remembered");
    catalog.close().await;
    let (path, from) = (place.path(), staged.path());
    let replacing = tokio::spawn(async move { SqliteCatalog::replace(&path, &from).await });
    let after = loop {
        let now = stored(&reading).await;
        if now.len() != 300 {
            break now;
        }
        assert!(now == before);
        tokio::task::yield_now().await;
    };
    replacing.await.expect("it ends").expect("replaced").expect("it was there");
    assert_eq!(after.len(), 200);
    assert!(after.iter().all(|row| row.revision == 2), "later than any that was planned on");
    assert_eq!(reading.identity().await.expect("readable"), identity);
    let State::Indexed(indexed) = &after[7].state else { panic!("{:?}", after[7]) };
    assert!(reading.description(indexed.description).await.expect("readable").is_some());
    assert_eq!(reading.transitions(&after[7].source).await.expect("readable").len(), 1, "the audit begins anew");
    assert!(reading.cached(inspected).await.expect("readable").is_some());
    reading.close().await;
}

#[tokio::test]
async fn f13_a_catalog_that_others_write_is_emptied_when_they_are_done_or_called_busy() {
    let place = Place::new();
    place.fill(2).await;
    let mut raw = place.raw().await;
    let held = raw.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
    let path = place.path();
    let replacing = tokio::spawn(async move { replace(&path).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!replacing.is_finished(), "it waits");
    held.rollback().await.expect("released");
    replacing.await.expect("it ends").expect("replaced").expect("it was there");
    assert_eq!(stored(&place.open().await).await, []);
}
