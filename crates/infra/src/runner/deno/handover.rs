//! Files that code fills itself. It may write in a directory that its process has for this alone; what it has filled there is
//! put where the host keeps it, by us.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use mangrove_domain::{
    json::Json,
    ports::{HostCall, MethodHost},
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    read::{self, FileKind, Within},
};
use tempfile::TempDir;

use crate::worker::session::answer;

/// The directory of a process, removed with it, and the files that the code of a session was given to fill.
pub(super) struct HandedFiles {
    directory: TempDir,
    state_directory: PathBuf,
    /// By what a request to finish the file says first: where code fills it, and where it belongs.
    places: HashMap<String, (PathBuf, PathBuf)>,
    /// How many files it was given, in all sessions of the process: no two have one name.
    count: u64,
}

impl HandedFiles {
    /// An empty directory, in that of the system for temporary files.
    pub(super) fn new(state_directory: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("mangrove-files-").tempdir()?;
        Ok(Self { directory, state_directory: state_directory.to_owned(), places: HashMap::new(), count: 0 })
    }

    /// Where code may write, without links on the way.
    pub(super) fn directory(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap_or_else(|_| self.directory.path().to_owned())
    }

    /// Ends a session: what it left in the directory is removed. Waits for the disk.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.places.clear();
        let directory = self.directory();
        let directory = Directory::open(&directory, &directory)?;
        directory.names()?.iter().try_for_each(|name| directory.remove_all(name))
    }

    /// Answers a call of a context function: as the host does, but for the places of files.
    pub(super) async fn answer(&mut self, host: &dyn MethodHost, call: HostCall) -> Result<Json, String> {
        match call.function.as_str() {
            "filePath" => {
                let named = Json::Array(call.arguments.iter().take(2).cloned().collect());
                let reserved = answer(host, call).await?;
                let (Some(version), Some(path)) =
                    (reserved.get("version"), reserved.get("path").and_then(Json::as_str))
                else {
                    return Ok(reserved);
                };
                let own = self.directory().join(self.count.to_string());
                self.count += 1;
                self.places.insert(key(&named, version), (own.clone(), PathBuf::from(path)));
                let own = Json::from(own.to_string_lossy().into_owned());
                Ok(Json::object([("version", version.clone()), ("path", own)]))
            }
            "finishFile" => {
                let named = Json::Array(call.arguments.iter().take(2).cloned().collect());
                let version = call.arguments.get(2).unwrap_or(&Json::Null);
                if let Some((filled, place)) = self.places.remove(&key(&named, version)) {
                    let state_directory = self.state_directory.clone();
                    let moved = mangrove_fs::blocking(move || put(&filled, &state_directory, &place)).await;
                    moved.map_err(|error| error.to_string()).flatten()?;
                }
                answer(host, call).await
            }
            _ => answer(host, call).await,
        }
    }
}

fn key(named: &Json, version: &Json) -> String {
    format!("{named} {version}")
}

/// A link would lead to what code may not read.
fn put(filled: &Path, state_directory: &Path, place: &Path) -> Result<(), String> {
    let content =
        read::bytes(filled, Within::Unlinked, FileKind::State).map_err(|error| error.into_fault().to_string())?;
    atomic::write(state_directory, place, &content, Durability::Volatile).map_err(|error| error.to_string())
}
