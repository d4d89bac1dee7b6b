//! Opening a file: looking at what is there, creating, migrating and setting aside.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    directory::{self, Directory},
    faults::{Operation, io_fault},
};
use sqlx::{SqliteConnection, SqlitePool, migrate::MigrateError};
use tokio::sync::Mutex;

use super::{
    BusyPolicy, Layout, OpenMode, SqliteError,
    connections::{connect_options, reader_pool, writer_pool},
    database::{Database, Pools},
    error::{corrupt, failed, incomplete, newer},
    files::{FileIdentity, directory_of, suspect_path},
    lock::lock_setup,
    set_aside::move_aside,
};
use crate::persistence::{Patience, migrator};

/// The state of a database file when it is opened.
enum FileState {
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
    busy: BusyPolicy,
) -> Result<(Database, Option<PathBuf>), SqliteError> {
    match mode {
        OpenMode::ReadOnly => Ok((open_to_read(path, layout, busy).await?, None)),
        OpenMode::ReadWrite => open_to_write(path, layout, busy).await,
    }
}

async fn open_to_read(path: &Path, layout: &Layout, busy: BusyPolicy) -> Result<Database, SqliteError> {
    let empty = Database {
        path: path.to_owned(),
        pools: None,
        identity: None,
        patience: Patience::new(busy),
        turn: Mutex::default(),
        is_volatile: AtomicBool::new(false),
    };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(empty),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(empty),
        Err(error) => return Err(SqliteError::Other(io_fault(Operation::Read, path, &error))),
    }
    let options = connect_options(path, layout, busy).read_only(true).create_if_missing(false);
    let mut readers = reader_pool(options.clone());
    let mut state = examine(&readers, path, layout, OpenMode::ReadOnly).await;
    if matches!(&state, Err(SqliteError::Other(fault)) if matches!(fault.code, Code::UNREADABLE | Code::NOT_WRITABLE)) {
        // A read-only directory: SQLite cannot keep its index of the write-ahead log there. Nobody else can
        // write the file either, so it can be read as one that does not change.
        readers = reader_pool(options.immutable(true));
        state = examine(&readers, path, layout, OpenMode::ReadOnly).await;
    }
    match state? {
        FileState::Ready => {
            let identity = FileIdentity::of(path).ok().flatten();
            Ok(Database { pools: Some(Pools { writer: None, readers }), identity, ..empty })
        }
        FileState::Blank => Ok(empty),
        FileState::NeedsSetup => {
            let what = "it has an earlier layout; a scan brings it up to date";
            Err(SqliteError::Other(failed("read", path, what)))
        }
    }
}

async fn open_to_write(
    path: &Path,
    layout: &Layout,
    busy: BusyPolicy,
) -> Result<(Database, Option<PathBuf>), SqliteError> {
    let directory = directory_of(path);
    Directory::make(directory, directory)
        .map_err(|error| SqliteError::Other(io_fault(Operation::Create, directory, &error)))?;
    let options = connect_options(path, layout, busy).create_if_missing(false);
    let attempt = || async {
        let writer = writer_pool(options.clone());
        (examine(&writer, path, layout, OpenMode::ReadWrite).await, writer)
    };
    let exists = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    if exists {
        let identity = FileIdentity::of(path).ok().flatten();
        match attempt().await {
            (Ok(FileState::Ready), writer) => return Ok((Database::writable(path, writer, options, busy)?, None)),
            (Ok(FileState::Blank | FileState::NeedsSetup) | Err(SqliteError::Corrupt(_)), writer) => {
                writer.close().await;
            }
            // Another process moved it aside while it was looked at.
            (Err(_), writer) if FileIdentity::of(path).ok().flatten() != identity => writer.close().await,
            (Err(error), _) => return Err(error),
        }
    }
    // Under the lock, examine it again: another process may have done it meanwhile.
    let lock = lock_setup(path, busy).await?;
    let mut set_aside = None;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0) {
        let (found, writer) = attempt().await;
        writer.close().await;
        match found {
            Ok(FileState::Ready | FileState::Blank | FileState::NeedsSetup) => {}
            Err(SqliteError::Corrupt(_)) => set_aside = Some(move_aside(path, "corrupt")?),
            Err(error) => return Err(error),
        }
    }
    let writer = writer_pool(options.clone().create_if_missing(true));
    set_up(&writer, path, layout).await?;
    drop(lock);
    Ok((Database::writable(path, writer, options, busy)?, set_aside))
}

/// Switches to WAL and migrates; called under the lock.
async fn set_up(writer: &SqlitePool, path: &Path, layout: &Layout) -> Result<(), SqliteError> {
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(writer)
        .await
        .map_err(|error| SqliteError::of("prepare", path, &error))?;
    if journal != "wal" {
        let message = format!("{}: the file system does not allow write-ahead logging", path.display());
        return Err(SqliteError::Other(Fault::environment(Code::CATALOG_FAILED, "catalog:wal", message)));
    }
    migrator(layout.steps).run(writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => newer(path, "another", layout.version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            SqliteError::of("migrate", path, &error)
        }
        other => SqliteError::Other(failed("migrate", path, &other.to_string())),
    })
}

/// Checks version, journal mode and health.
async fn examine(pool: &SqlitePool, path: &Path, layout: &Layout, mode: OpenMode) -> Result<FileState, SqliteError> {
    let failed_to_open = |error: sqlx::Error| SqliteError::of("open", path, &error);
    // One transaction, which sees one state of the file: another process may make or migrate its tables meanwhile.
    let mut transaction = pool.begin().await.map_err(failed_to_open)?;
    let found = state(&mut transaction, path, layout, mode).await;
    let ended = transaction.rollback().await.map_err(failed_to_open);
    let found = found?;
    ended.map(|()| found)
}

async fn state(
    connection: &mut SqliteConnection,
    path: &Path,
    layout: &Layout,
    mode: OpenMode,
) -> Result<FileState, SqliteError> {
    let failed_to_open = |error: sqlx::Error| SqliteError::of("open", path, &error);
    let names = names(connection).await.map_err(failed_to_open)?;
    if lacks(&names, "meta") {
        if is_blank(connection, &names).await.map_err(failed_to_open)? {
            return Ok(FileState::Blank);
        }
        return Err(incomplete(path, "meta"));
    }
    let found: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'layout'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed_to_open)?;
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
        return Ok(FileState::NeedsSetup);
    }
    let later = layout.later_objects.iter().filter(|(since, _)| *since <= found).map(|(_, name)| name);
    if let Some(lost) = layout.objects.iter().chain(later).find(|name| lacks(&names, name)) {
        return Err(incomplete(path, lost));
    }
    sqlx::query(layout.probe).fetch_all(&mut *connection).await.map_err(failed_to_open)?;
    if mode == OpenMode::ReadOnly {
        return Ok(FileState::Ready);
    }
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(failed_to_open)?;
    if journal != "wal" {
        return Ok(FileState::NeedsSetup);
    }
    let suspect = suspect_path(path);
    if suspect.exists() {
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed_to_open)?;
        if verdict != "ok" {
            return Err(corrupt(format!("{} is damaged: {verdict}", path.display())));
        }
        // Best effort: a mark that stays costs one more check at the next open.
        let _ = directory::remove_file(directory_of(path), &suspect);
    }
    Ok(FileState::Ready)
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
