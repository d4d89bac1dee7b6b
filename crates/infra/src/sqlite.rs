//! What the catalog and the run history share: opening, checking, setting aside and writing an `SQLite` file.
//!
//! The rules are explained in `design/catalog.md`. In short: WAL is switched on once, under a file lock, and
//! then only checked; one connection writes, a few read; every write is a transaction that begins as a
//! writer; a busy file is waited for, and then tried again, a bounded number of times; a damaged file is set
//! aside under another name; a file of a newer version is refused and left as it is.

mod aside;
mod log;
pub(crate) mod migrations;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};
use mangrove_fs::faults::{Operation, io_class, io_fault};
use sqlx::{
    Row as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use aside::move_aside;
pub(crate) use aside::replace;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// Created, migrated, and set aside if it is damaged.
    ReadWrite,
    /// Never created, changed or set aside. A file that is not there reads as an empty one.
    ReadOnly,
}

/// How long a busy file is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long `SQLite` waits for a lock within one attempt.
    pub busy_timeout: Duration,
    /// Attempts before `Busy` is reported, at least 1.
    pub attempts: u32,
}

/// Four attempts of five seconds.
impl Default for Patience {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), attempts: 4 }
    }
}

/// Which file it is and what it must look like.
pub(crate) struct Layout {
    /// The version that this program writes and reads; `meta.layout` in the file.
    pub(crate) version: i64,
    /// The earliest version that it reads as it is, without bringing the file up to date: for commands that only look,
    /// also while another process is at it.
    pub(crate) readable_from: i64,
    /// How to get there.
    pub(crate) steps: &'static [migrations::LayoutStep],
    /// When the operating system is told to write through.
    pub(crate) synchronous: SqliteSynchronous,
    /// The tables and indexes that it must have; a file without one of them is damaged.
    pub(crate) objects: &'static [&'static str],
    /// A query that reads every page that matters, to meet damage at open and not in the middle of work.
    pub(crate) probe: &'static str,
}

/// Why the file could not be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Others hold the lock.
    Busy(Fault),
    /// A newer version wrote it.
    Newer(Fault),
    /// It is damaged.
    Corrupt(Fault),
    /// Anything else.
    Other(Fault),
}

impl Trouble {
    /// The fault in it.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Trouble::Busy(fault) | Trouble::Newer(fault) | Trouble::Corrupt(fault) | Trouble::Other(fault) => fault,
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    pools: Option<Pools>,
    identity: Option<FileIdentity>,
    attempts: u32,
}

#[derive(Debug)]
struct Pools {
    writer: Option<SqlitePool>,
    readers: SqlitePool,
}

/// What tells a file from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    fn of(path: &Path) -> std::io::Result<Option<Self>> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(Some(Self { device: metadata.dev(), inode: metadata.ino() }))
        }
        #[cfg(not(unix))]
        {
            drop(metadata);
            Ok(None)
        }
    }
}

/// What a first look at a file says.
enum Look {
    Ready,
    /// There, and nothing in it: created by a process that died before it wrote.
    Blank,
    /// Of an earlier layout, or not in WAL mode.
    NeedsSetup,
}

/// Opens the file. The second value names where a damaged one was moved.
pub(crate) async fn open(
    path: &Path,
    mode: OpenMode,
    layout: &Layout,
    patience: Patience,
) -> Result<(Database, Option<PathBuf>), Trouble> {
    match mode {
        OpenMode::ReadOnly => Ok((open_to_read(path, layout, patience).await?, None)),
        OpenMode::ReadWrite => open_to_write(path, layout, patience).await,
    }
}

async fn open_to_read(path: &Path, layout: &Layout, patience: Patience) -> Result<Database, Trouble> {
    let empty = Database { path: path.to_owned(), pools: None, identity: None, attempts: patience.attempts.max(1) };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(empty),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(empty),
        Err(error) => return Err(Trouble::Other(io_fault(Operation::Read, path, &error))),
    }
    let options = connect_options(path, layout, patience).read_only(true).create_if_missing(false);
    let mut readers = reader_pool(options.clone());
    let mut look = look(&readers, path, layout, OpenMode::ReadOnly).await;
    if matches!(&look, Err(Trouble::Other(fault)) if matches!(fault.code, Code::UNREADABLE | Code::NOT_WRITABLE)) {
        // A read-only directory: SQLite cannot keep its index of the write-ahead log there. Nobody else can
        // write the file either, so it can be read as one that does not change.
        readers = reader_pool(options.immutable(true));
        look = self::look(&readers, path, layout, OpenMode::ReadOnly).await;
    }
    match look? {
        Look::Ready => Ok(Database { pools: Some(Pools { writer: None, readers }), ..empty }),
        Look::Blank => Ok(empty),
        Look::NeedsSetup => {
            let what = "it has an earlier layout; a scan brings it up to date";
            Err(Trouble::Other(failed("read", path, what)))
        }
    }
}

async fn open_to_write(
    path: &Path,
    layout: &Layout,
    patience: Patience,
) -> Result<(Database, Option<PathBuf>), Trouble> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Trouble::Other(io_fault(Operation::Create, parent, &error)))?;
    }
    let options = connect_options(path, layout, patience).create_if_missing(false);
    let attempt = || async {
        let writer = writer_pool(options.clone());
        (look(&writer, path, layout, OpenMode::ReadWrite).await, writer)
    };
    let exists = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    if exists {
        match attempt().await {
            (Ok(Look::Ready), writer) => return Ok((Database::writable(path, writer, options, patience)?, None)),
            (Ok(Look::Blank | Look::NeedsSetup) | Err(Trouble::Corrupt(_)), writer) => writer.close().await,
            (Err(trouble), _) => return Err(trouble),
        }
    }
    // Under the lock, look again: another process may have done it meanwhile.
    let lock = lock_setup(path, patience).await?;
    let mut set_aside = None;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
        let (found, writer) = attempt().await;
        writer.close().await;
        match found {
            Ok(Look::Ready | Look::Blank | Look::NeedsSetup) => {}
            Err(Trouble::Corrupt(_)) => set_aside = Some(move_aside(path, "corrupt")?),
            Err(trouble) => return Err(trouble),
        }
    }
    let writer = writer_pool(options.clone().create_if_missing(true));
    set_up(&writer, path, layout).await?;
    drop(lock);
    Ok((Database::writable(path, writer, options, patience)?, set_aside))
}

/// Switches to WAL and migrates; called under the lock.
async fn set_up(writer: &SqlitePool, path: &Path, layout: &Layout) -> Result<(), Trouble> {
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(writer)
        .await
        .map_err(|error| trouble("prepare", path, &error))?;
    if journal != "wal" {
        let message = format!("{}: the file system does not allow write-ahead logging", path.display());
        return Err(Trouble::Other(Fault::environment(Code::CATALOG_FAILED, "catalog:wal", message)));
    }
    migrations::migrator(layout.steps).run(writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => newer(path, "another", layout.version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => trouble("migrate", path, &error),
        other => Trouble::Other(failed("migrate", path, &other.to_string())),
    })
}

/// Checks version, journal mode and health.
async fn look(pool: &SqlitePool, path: &Path, layout: &Layout, mode: OpenMode) -> Result<Look, Trouble> {
    let trouble = |error: sqlx::Error| trouble("open", path, &error);
    let mut connection = pool.acquire().await.map_err(trouble)?;
    let mut names = names(&mut connection).await.map_err(trouble)?;
    if lacks(&names, "meta") {
        if is_blank(&mut connection, &names).await.map_err(trouble)? {
            return Ok(Look::Blank);
        }
        // Another process may have made the tables between the two questions.
        names = self::names(&mut connection).await.map_err(trouble)?;
        if lacks(&names, "meta") {
            return Err(incomplete(path, "meta"));
        }
    }
    let found: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'layout'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(trouble)?;
    let Some(found) = found.and_then(|text| text.parse::<i64>().ok()) else {
        return Err(corrupt(format!("{} does not say which layout it has", path.display())));
    };
    if found > layout.version {
        return Err(newer(path, &found.to_string(), layout.version));
    }
    let oldest = match mode {
        OpenMode::ReadOnly => layout.readable_from,
        OpenMode::ReadWrite => layout.version,
    };
    if found < oldest {
        return Ok(Look::NeedsSetup);
    }
    if let Some(lost) = layout.objects.iter().find(|name| lacks(&names, name)) {
        return Err(incomplete(path, lost));
    }
    sqlx::query(layout.probe).fetch_all(&mut *connection).await.map_err(trouble)?;
    if mode == OpenMode::ReadOnly {
        return Ok(Look::Ready);
    }
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(trouble)?;
    if journal != "wal" {
        return Ok(Look::NeedsSetup);
    }
    let suspect = suspect_path(path);
    if suspect.exists() {
        let verdict: String =
            sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await.map_err(trouble)?;
        if verdict != "ok" {
            return Err(corrupt(format!("{} is damaged: {verdict}", path.display())));
        }
        // Best effort: a mark that stays costs one more check at the next open.
        let _ = std::fs::remove_file(&suspect);
    }
    Ok(Look::Ready)
}

/// The tables and indexes of the file.
async fn names(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetch_all(connection).await
}

fn lacks(names: &[String], name: &str) -> bool {
    !names.iter().any(|known| known == name)
}

/// True if nothing of a layout was written yet. A file that was set up once and has lost its tables is none.
async fn is_blank(connection: &mut SqliteConnection, names: &[String]) -> Result<bool, sqlx::Error> {
    match names {
        [] => Ok(true),
        [only] if only == "_sqlx_migrations" => {
            let applied: i64 =
                sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(connection).await?;
            Ok(applied == 0)
        }
        _ => Ok(false),
    }
}

fn incomplete(path: &Path, lost: &str) -> Trouble {
    corrupt(format!("{} is damaged: its table or index `{lost}` is gone", path.display()))
}

fn corrupt(message: String) -> Trouble {
    Trouble::Corrupt(Fault::environment(Code::CATALOG_CORRUPT, "catalog:corrupt", message))
}

impl Database {
    fn writable(
        path: &Path,
        writer: SqlitePool,
        options: SqliteConnectOptions,
        patience: Patience,
    ) -> Result<Self, Trouble> {
        let identity =
            FileIdentity::of(path).map_err(|error| Trouble::Other(io_fault(Operation::Stat, path, &error)))?;
        Ok(Self {
            path: path.to_owned(),
            pools: Some(Pools { writer: Some(writer), readers: reader_pool(options.read_only(true)) }),
            identity,
            attempts: patience.attempts.max(1),
        })
    }

    /// How it was opened.
    pub(crate) fn mode(&self) -> OpenMode {
        let is_writable = self.pools.as_ref().is_some_and(|pools| pools.writer.is_some());
        if is_writable { OpenMode::ReadWrite } else { OpenMode::ReadOnly }
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The connections to read with; `None` if there is no file.
    pub(crate) fn readers(&self) -> Option<&SqlitePool> {
        self.pools.as_ref().map(|pools| &pools.readers)
    }

    /// A transaction that is a writer from its first statement on: one that turns into a writer later gets
    /// `SQLITE_BUSY` without any waiting.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Sqlite>, Trouble> {
        let Some(writer) = self.pools.as_ref().and_then(|pools| pools.writer.as_ref()) else {
            let message = format!("{} is opened read-only", self.path.display());
            return Err(Trouble::Other(Fault::environment(Code::NOT_WRITABLE, "catalog:read-only", message)));
        };
        self.check_identity()?;
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.trouble("write", &error))
    }

    /// Commits what [`begin_write`](Self::begin_write) began. A file that was deleted meanwhile is an error:
    /// the commit would go where nobody finds it.
    pub(crate) async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), Trouble> {
        self.check_identity()?;
        transaction.commit().await.map_err(|error| self.trouble("write", &error))
    }

    fn check_identity(&self) -> Result<(), Trouble> {
        let now = match FileIdentity::of(&self.path) {
            Ok(identity) => identity,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Trouble::Other(io_fault(Operation::Stat, &self.path, &error))),
        };
        if now == self.identity && (now.is_some() || cfg!(not(unix))) {
            return Ok(());
        }
        let message = format!(
            "{} was deleted or replaced while it was open; the same command again starts with a fresh one",
            self.path.display()
        );
        Err(Trouble::Other(Fault::environment(Code::CATALOG_FAILED, "catalog:replaced", message)))
    }

    /// Runs an attempt again while the file is busy, a bounded number of times.
    pub(crate) async fn patiently<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Trouble> {
        let mut left = self.attempts;
        loop {
            left -= 1;
            match attempt().await {
                Err(Trouble::Busy(_)) if left > 0 => {}
                Err(Trouble::Corrupt(fault)) => {
                    self.mark_suspect();
                    return Err(Trouble::Corrupt(fault));
                }
                other => return other,
            }
        }
    }

    /// Says what an error of the engine means for this file.
    pub(crate) fn trouble(&self, operation: &str, error: &sqlx::Error) -> Trouble {
        trouble(operation, &self.path, error)
    }

    /// Makes the next open check the whole file: damage was met in the middle of work.
    fn mark_suspect(&self) {
        if self.pools.as_ref().is_some_and(|pools| pools.writer.is_some()) {
            // Best effort: without the mark, the probe at open still reads the pages of the rows.
            let _ = File::create(suspect_path(&self.path));
        }
    }

    /// Reads the whole file and says whether it is in order.
    pub(crate) async fn check(&self) -> Result<(), Trouble> {
        let Some(readers) = self.readers() else { return Ok(()) };
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(readers)
            .await
            .map_err(|error| self.trouble("check", &error))?;
        if verdict == "ok" { Ok(()) } else { Err(corrupt(format!("{} is damaged: {verdict}", self.path.display()))) }
    }

    /// Writes a copy as of now to `target`, which must not exist. It appears there whole or not at all.
    pub(crate) async fn back_up(&self, target: &Path) -> Result<(), Trouble> {
        let io = |operation, error: &std::io::Error| Trouble::Other(io_fault(operation, target, error));
        let Some(readers) = self.readers() else {
            let error = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Trouble::Other(io_fault(Operation::Read, &self.path, &error)));
        };
        if std::fs::symlink_metadata(target).is_ok() {
            return Err(io(Operation::Create, &std::io::ErrorKind::AlreadyExists.into()));
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let copy = tempfile::Builder::new()
            .prefix(".mangrove-backup-")
            .tempfile_in(directory)
            .map_err(|error| io(Operation::Create, &error))?;
        sqlx::query("VACUUM INTO ?1")
            .bind(copy.path().to_string_lossy().into_owned())
            .execute(readers)
            .await
            .map_err(|error| self.trouble("copy", &error))?;
        copy.as_file().sync_all().map_err(|error| io(Operation::Sync, &error))?;
        copy.persist_noclobber(target).map_err(|error| io(Operation::Create, &error.error))?;
        Ok(())
    }

    /// Waits until every connection is closed, which folds the write-ahead log into the file.
    pub(crate) async fn close(&self) {
        if let Some(pools) = &self.pools {
            pools.readers.close().await;
            if let Some(writer) = &pools.writer {
                writer.close().await;
            }
        }
    }
}

/// What an error of the engine means. The code numbers are `SQLite`'s primary result codes.
pub(crate) fn trouble(operation: &str, path: &Path, error: &sqlx::Error) -> Trouble {
    let message = format!("cannot {operation} {}: {error}", path.display());
    let fault = |class, code, cause: String| Fault::new(class, code, cause, message.clone());
    let other = |code, cause: String| Trouble::Other(fault(FailureClass::Environment, code, cause));
    match error {
        sqlx::Error::Database(database) => {
            let number = database.code().and_then(|text| text.parse::<i32>().ok()).map_or(0, |code| code & 0xff);
            let cause = format!("sqlite:{number}");
            match number {
                5 | 6 => {
                    let message = format!("cannot {operation} {}: another process is writing it", path.display());
                    Trouble::Busy(Fault::transient(Code::CATALOG_BUSY, cause, message))
                }
                11 | 26 => Trouble::Corrupt(fault(FailureClass::Environment, Code::CATALOG_CORRUPT, cause)),
                13 => other(Code::DISK_FULL, cause),
                3 | 8 | 23 => other(Code::NOT_WRITABLE, cause),
                14 => other(Code::UNREADABLE, cause),
                _ => other(Code::CATALOG_FAILED, cause),
            }
        }
        sqlx::Error::Io(error) => {
            Trouble::Other(fault(io_class(error.kind()), Code::CATALOG_FAILED, format!("io:{:?}", error.kind())))
        }
        sqlx::Error::PoolTimedOut => {
            Trouble::Busy(fault(FailureClass::Transient, Code::CATALOG_BUSY, "catalog:connections".to_owned()))
        }
        _ => other(Code::CATALOG_FAILED, "catalog:engine".to_owned()),
    }
}

/// True if the statement would break a unique index.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A failure that is no engine error.
pub(crate) fn failed(operation: &str, path: &Path, what: &str) -> Fault {
    let message = format!("cannot {operation} {}: {what}", path.display());
    Fault::environment(Code::CATALOG_FAILED, "catalog:engine", message)
}

/// A value of `meta`.
pub(crate) async fn meta(connection: &mut SqliteConnection, name: &str) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = ?1").bind(name).fetch_optional(connection).await?;
    row.map(|row| row.try_get(0)).transpose()
}

fn newer(path: &Path, found: &str, known: i64) -> Trouble {
    let message = format!(
        "{} was written by a newer version (layout {found}, this version knows {known}); it is left as it is",
        path.display()
    );
    Trouble::Newer(Fault::environment(Code::CATALOG_NEWER, "catalog:newer", message))
}

fn connect_options(path: &Path, layout: &Layout, patience: Patience) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(patience.busy_timeout)
        .synchronous(layout.synchronous)
        .foreign_keys(true)
}

fn writer_pool(options: SqliteConnectOptions) -> SqlitePool {
    pool(1).connect_lazy_with(options)
}

fn reader_pool(options: SqliteConnectOptions) -> SqlitePool {
    pool(4).connect_lazy_with(options)
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_mins(1))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn suspect_path(path: &Path) -> PathBuf {
    with_suffix(path, "-suspect")
}

/// Takes the lock under which a file is created, migrated or set aside. The kernel releases it when its
/// holder dies, so a lock file that is left behind locks nobody out (fault 39).
async fn lock_setup(path: &Path, patience: Patience) -> Result<File, Trouble> {
    let lock_path = with_suffix(path, "-lock");
    let file =
        File::create(&lock_path).map_err(|error| Trouble::Other(io_fault(Operation::Create, &lock_path, &error)))?;
    let pause = Duration::from_millis(10);
    let mut left = patience.busy_timeout.saturating_mul(patience.attempts.max(1));
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if left > Duration::ZERO => {
                left = left.saturating_sub(pause);
                tokio::time::sleep(pause).await;
            }
            Err(TryLockError::WouldBlock) => {
                let message = format!("{} is being prepared by another process", path.display());
                let fault = Fault::transient(Code::CATALOG_BUSY, "catalog:setup", message);
                return Err(Trouble::Busy(fault));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Trouble::Other(io_fault(Operation::Lock, &lock_path, &error)));
            }
        }
    }
}
