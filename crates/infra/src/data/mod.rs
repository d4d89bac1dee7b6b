//! What methods write, as files.
//!
//! ```text
//! <root>/<model id>/<spec>/<name>/<version>.json        the content
//! <root>/<model id>/<spec>/<name>/<version>.meta.json   what is known of it
//! ```
//!
//! A version is claimed by creating its metadata under a name that must not be there yet; the content follows
//! under the same rule. Two writers therefore get two versions. A version whose content is missing belongs to a
//! writer that died in between: it does not exist, and its number is not used again. Both files are complete and
//! on the disk before they get their names. Names are escaped, so none leads anywhere else (`names`), and no link below
//! the root is followed.

mod names;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use mangrove_domain::{
    data::{DataHandle, DataKind},
    failure::Fault,
    json::Json,
    ports::{DataError, DataStore, NewData},
    problem::Code,
    time::Timestamp,
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
    json_text, leftovers,
    read::{self, FileKind, Within},
};
use serde::{Deserialize, Serialize};

/// How often a writer tries the next version before it gives up.
const CLAIM_ATTEMPTS: u32 = 10_000;

/// Data in a local directory. Cheap to clone.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone, Debug)]
pub struct LocalData {
    root: Arc<Path>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    data_id: String,
    model_id: String,
    spec_name: String,
    name: String,
    kind: String,
    version: u32,
    size_bytes: u64,
    tags: Vec<(String, String)>,
    run_id: String,
    written_at: i64,
}

impl LocalData {
    /// The store in this directory, such as `.mangrove/data`. Nothing is created before the first write.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().into() }
    }

    fn item(&self, model_id: &str, spec_name: &str, name: &str) -> PathBuf {
        let mut path = self.root.join(names::escape(model_id));
        path.push(names::escape(spec_name));
        path.push(names::escape(name));
        path
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Self) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, DataError> {
        let this = self.clone();
        let outcome = mangrove_fs::blocking(move || work(&this)).await;
        outcome
            .unwrap_or_else(|error| {
                let message = format!("cannot {operation} data: {error}");
                Err(Fault::environment(Code::NOT_WRITABLE, "data:task", message))
            })
            .map_err(|fault| DataError { operation, fault })
    }

    fn write_item(&self, data: NewData) -> Result<DataHandle, Fault> {
        let content = data.content.to_string();
        let path = self.item(&data.model_id, &data.spec_name, &data.name);
        let directory =
            Directory::make(&self.root, &path).map_err(|error| io_fault(Operation::Create, &path, &error))?;
        let mut handle = DataHandle {
            data_id: uuid::Uuid::now_v7().to_string(),
            model_id: data.model_id,
            spec_name: data.spec_name,
            name: data.name,
            kind: data.kind,
            version: 0,
            size_bytes: content.len() as u64,
            tags: data.tags,
            run_id: data.run_id,
            written_at: data.written_at,
        };
        leftovers::remove(&directory);
        let mut version = Versions::in_directory(&directory)?.claimed;
        for _ in 0..CLAIM_ATTEMPTS {
            version = version.checked_add(1).ok_or_else(|| malformed(&path, "all versions are used up"))?;
            handle.version = version;
            let metadata = serde_json::to_string(&store(&handle))
                .map_err(|error| malformed(&path, &format!("its metadata cannot be written: {error}")))?;
            if place(&directory, &metadata_name(version), metadata.as_bytes())? {
                if place(&directory, &content_name(version), content.as_bytes())? {
                    sync_directory(&path, &self.root)?;
                    return Ok(handle);
                }
                return Err(malformed(&path, &format!("version {version} has a content and had no metadata")));
            }
        }
        Err(malformed(&path, "too many others write the same item"))
    }

    fn read_item(&self, path: &Path, version: Option<u32>) -> Result<Option<(DataHandle, Json)>, Fault> {
        let Some(directory) = self.opened(path)? else { return Ok(None) };
        let version = match version {
            Some(version) => Some(version),
            None => Versions::in_directory(&directory)?.latest,
        };
        let Some(version) = version else { return Ok(None) };
        let path = directory.path().join(content_name(version));
        let Some(content) = read_text(&path)? else { return Ok(None) };
        let content = json_text::parse(&content).map_err(|error| malformed(&path, &error.to_string()))?;
        Ok(Some((read_handle(directory.path(), version)?, content)))
    }

    fn latest_items(&self, model_id: &str) -> Result<Vec<DataHandle>, Fault> {
        let mut handles = Vec::new();
        if let Some(model) = self.opened(&self.root.join(names::escape(model_id)))? {
            each_in(&model, &mut |spec| {
                each_in(spec, &mut |item| {
                    if let Some(version) = Versions::in_directory(item)?.latest {
                        handles.push(read_handle(item.path(), version)?);
                    }
                    Ok(())
                })
            })?;
        }
        handles.sort_by(|one, other| (&one.spec_name, &one.name).cmp(&(&other.spec_name, &other.name)));
        Ok(handles)
    }
}

impl LocalData {
    /// The directory at this place, opened without links; `None` if there is none.
    fn opened(&self, path: &Path) -> Result<Option<Directory>, Fault> {
        match Directory::open(&self.root, path) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_fault(Operation::List, path, &error)),
        }
    }

    fn model_ids(&self) -> Result<Vec<String>, Fault> {
        let mut ids = Vec::new();
        if let Some(root) = self.opened(&self.root)? {
            each_in(&root, &mut |model| {
                // The name of the directory may be cut; each of its items has the whole identifier.
                let (mut id, mut unreadable) = (None, None);
                each_in(model, &mut |spec| {
                    each_in(spec, &mut |item| {
                        if id.is_some() {
                            return Ok(());
                        }
                        match Versions::in_directory(item)?.latest.map(|version| read_handle(item.path(), version)) {
                            Some(Ok(handle)) => id = Some(handle.model_id),
                            Some(Err(fault)) => unreadable = Some(fault),
                            None => {}
                        }
                        Ok(())
                    })
                })?;
                match (id, unreadable) {
                    (Some(id), _) => ids.push(id),
                    (None, Some(fault)) => return Err(fault),
                    (None, None) => {}
                }
                Ok(())
            })?;
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn remove_all_leftovers(&self, is_dry_run: bool) -> Result<u64, Fault> {
        let mut count = 0;
        if let Some(root) = self.opened(&self.root)? {
            let mut clean = |item: &Directory| {
                count += leftovers::find(item).len() as u64;
                if !is_dry_run {
                    leftovers::remove(item);
                }
                Ok(())
            };
            each_in(&root, &mut |model| each_in(model, &mut |spec| each_in(spec, &mut clean)))?;
        }
        Ok(count)
    }
}

#[async_trait]
impl DataStore for LocalData {
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError> {
        self.blocking("write", move |this| this.write_item(data)).await
    }

    async fn read(
        &self,
        model_id: &str,
        spec_name: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Json)>, DataError> {
        let directory = self.item(model_id, spec_name, name);
        self.blocking("read", move |this| this.read_item(&directory, version)).await
    }

    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError> {
        let model_id = model_id.to_owned();
        self.blocking("list", move |this| this.latest_items(&model_id)).await
    }

    async fn models(&self) -> Result<Vec<String>, DataError> {
        self.blocking("list", Self::model_ids).await
    }

    async fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, DataError> {
        self.blocking("list", move |this| this.remove_all_leftovers(is_dry_run)).await
    }
}

fn content_name(version: u32) -> String {
    format!("{version}.json")
}

fn metadata_name(version: u32) -> String {
    format!("{version}.meta.json")
}

/// What versions an item has.
#[derive(Default)]
struct Versions {
    /// The highest number that somebody claimed; 0 if nobody did.
    claimed: u32,
    /// The highest one with a content.
    latest: Option<u32>,
}

impl Versions {
    fn in_directory(directory: &Directory) -> Result<Self, Fault> {
        let mut versions = Self::default();
        for name in names_in(directory)? {
            // Temporary files have other names.
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let (number, is_content) = match stem.strip_suffix(".meta") {
                Some(number) => (number, false),
                None => (stem, true),
            };
            let Ok(number) = number.parse::<u32>() else { continue };
            versions.claimed = versions.claimed.max(number);
            if is_content {
                versions.latest = versions.latest.max(Some(number));
            }
        }
        Ok(versions)
    }
}

/// Gives complete, durable content this name. False if the name is taken.
fn place(directory: &Directory, name: &str, content: &[u8]) -> Result<bool, Fault> {
    let placed = atomic::create(directory, name, content, Durability::Durable);
    placed.map_err(|error| io_fault(Operation::Write, &directory.path().join(name), &error))
}

/// Makes the names in a directory durable, and its own up to the root.
fn sync_directory(directory: &Path, root: &Path) -> Result<(), Fault> {
    for path in directory.ancestors().take_while(|path| path.starts_with(root)) {
        atomic::sync(path).map_err(|error| io_fault(Operation::Sync, path, &error))?;
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<Option<String>, Fault> {
    match read::text(path, Within::Unlinked, FileKind::State) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into_fault()),
    }
}

fn read_handle(directory: &Path, version: u32) -> Result<DataHandle, Fault> {
    let path = directory.join(metadata_name(version));
    let text = read_text(&path)?.ok_or_else(|| malformed(&path, "it is missing beside its content"))?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|error| malformed(&path, &error.to_string()))?;
    let kind = [DataKind::Resource, DataKind::File].into_iter().find(|kind| kind.as_str() == metadata.kind);
    Ok(DataHandle {
        data_id: metadata.data_id,
        model_id: metadata.model_id,
        spec_name: metadata.spec_name,
        name: metadata.name,
        kind: kind.ok_or_else(|| malformed(&path, &format!("unknown kind {:?}", metadata.kind)))?,
        version: metadata.version,
        size_bytes: metadata.size_bytes,
        tags: metadata.tags,
        run_id: metadata.run_id,
        written_at: Timestamp::from_millis(metadata.written_at),
    })
}

fn store(handle: &DataHandle) -> Metadata {
    Metadata {
        data_id: handle.data_id.clone(),
        model_id: handle.model_id.clone(),
        spec_name: handle.spec_name.clone(),
        name: handle.name.clone(),
        kind: handle.kind.as_str().to_owned(),
        version: handle.version,
        size_bytes: handle.size_bytes,
        tags: handle.tags.clone(),
        run_id: handle.run_id.clone(),
        written_at: handle.written_at.as_millis(),
    }
}

fn names_in(directory: &Directory) -> Result<Vec<OsString>, Fault> {
    directory.names().map_err(|error| io_fault(Operation::List, directory.path(), &error))
}

/// Visits the directories in a directory, one after the other. A link is none: it is told as one that cannot be opened.
fn each_in(directory: &Directory, visit: &mut dyn FnMut(&Directory) -> Result<(), Fault>) -> Result<(), Fault> {
    for name in names_in(directory)? {
        match directory.directory(&name) {
            Ok(below) => visit(&below)?,
            // A file, or gone meanwhile.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => {}
            Err(error) => return Err(io_fault(Operation::List, &directory.path().join(name), &error)),
        }
    }
    Ok(())
}

fn malformed(path: &Path, what: &str) -> Fault {
    let message = format!("{}: {what}", path.display());
    Fault::environment(Code::MALFORMED_DOCUMENT, "data:file", message)
}
