//! What methods write, as files.
//!
//! ```text
//! <root>/<model id>/@<name>/<version>/raw              the content
//! <root>/<model id>/@<name>/<version>/metadata.json    what is known of it
//! <root>/<model id>/@<name>/hidden                     up to which version nothing is found that is not ours
//! ```
//!
//! A version is claimed by creating its content under a name that must not be there yet; the metadata follows, is complete
//! before it gets its name, and makes it a version. Two writers therefore get two versions. A number whose metadata is missing
//! belongs to a writer that died in between, or to a file that a method still fills: it does not exist, and it is not used
//! again. On the disk they are once the version is
//! settled: its content, then its metadata, then the names of both. A power failure before that may leave metadata without
//! anything in it, which makes no version, or content that is shorter than its metadata says, which is told as damage. Names
//! are escaped, so none leads anywhere else (`names`), and no link below the root is followed.
//!
//! Two other places are read and never written: versions of the first layout of this store (`first_layout`), and those that
//! the program had written that a repository was made with (`existing`). A name has the versions of all three; where two have the same number,
//! the later of them counts in this order. New versions are numbered above all of them.
//!
//! `files` says what all of these say together. Searches over many items are answered by an index of it (`index`), which is
//! believed only where what it was made of is as it was (`evidence`).

mod claims;
mod evidence;
mod existing;
mod files;
mod first_layout;
mod index;
mod metadata;
mod names;
mod ours;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use mangrove_domain::{
    data::DataHandle,
    failure::Fault,
    ports::{Content, DataError, DataSearch, DataStore, Documents, FoundData, NewData, Removed, WrittenVersion},
    problem::Code,
};
use mangrove_fs::{
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};

use self::{
    evidence::Evidence,
    files::Files,
    index::{Answer, Index},
};
use crate::persistence::OpenMode;

/// From how many items on an index is worth its file.
pub const INDEXED_FROM: usize = 500;

/// Data in a local directory. Cheap to clone.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone)]
pub struct LocalData {
    files: Files,
    index: Option<Arc<Index>>,
}

/// Where a version lies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Its directory.
    Ours(PathBuf),
    /// The directory of its item.
    First(PathBuf),
    /// Its directory.
    Existing(PathBuf),
}

impl Place {
    /// The directory.
    fn path(&self) -> &Path {
        let (Place::Ours(path) | Place::First(path) | Place::Existing(path)) = self;
        path
    }
}

/// The versions of one item, by number.
type Versions = BTreeMap<u32, Place>;

impl LocalData {
    /// The store in this directory, such as `.mangrove/data`. Nothing is created before the first write.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self { files: Files::new(root.as_ref().into()), index: None }
    }

    /// The same store, which also gives out what lies in this directory, such as `.swamp/data`.
    #[must_use]
    pub fn with_existing(mut self, directory: PathBuf, documents: Arc<dyn Documents>) -> Self {
        self.files.add_existing(directory, documents);
        self
    }

    /// The same store, which searches with an index in this state directory once a search would look at so many items. The
    /// index can be deleted at any time; opened to be read, none is made and none is changed.
    #[must_use]
    pub fn with_index(mut self, state_directory: PathBuf, mode: OpenMode, from_items: usize) -> Self {
        self.index = Some(Arc::new(Index::new(state_directory.join(index::FILE_NAME), mode, from_items)));
        self.files.probe = (mode == OpenMode::ReadWrite).then_some(state_directory);
        self
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Files) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, DataError> {
        let files = self.files.clone();
        let outcome = mangrove_fs::blocking(move || work(&files)).await;
        outcome
            .unwrap_or_else(|error| {
                let message = format!("cannot {operation} data: {error}");
                Err(Fault::environment(Code::NOT_WRITABLE, "data:task", message))
            })
            .map_err(|fault| DataError { operation, fault })
    }
}

#[async_trait]
impl DataStore for LocalData {
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError> {
        self.blocking("write", move |files| {
            let others = files.highest_of_others(&data.model_id, &data.name)?;
            files.ours.write(data, others)
        })
        .await
    }

    async fn reserve(&self, model_id: &str, name: &str) -> Result<(u32, PathBuf), DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("write", move |files| {
            let others = files.highest_of_others(&model_id, &name)?;
            files.ours.reserve(&model_id, &name, others)
        })
        .await
    }

    async fn finish(&self, version: u32, data: NewData) -> Result<DataHandle, DataError> {
        self.blocking("write", move |files| files.ours.finish(version, data)).await
    }

    async fn settle(&self, written: Vec<WrittenVersion>) -> Result<(), DataError> {
        self.blocking("write", move |files| files.ours.settle(&written)).await
    }

    async fn read(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("read", move |files| files.read_item(&model_id, &name, version)).await
    }

    async fn versions(&self, model_id: &str, name: &str) -> Result<Vec<DataHandle>, DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("list", move |files| {
            let model = files.model(&model_id, &files.looker())?;
            let versions = files.all_versions(&model, &name, &mut Evidence::unwanted())?;
            Ok(versions.into_iter().map(|(_, handle)| handle).collect())
        })
        .await
    }

    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError> {
        let mut listed = None;
        if let Some(index) = &self.index {
            let answer = index.list(&self.files, model_id).await;
            match answer.map_err(|fault| DataError { operation: "list", fault })? {
                Answer::Found(handles) => return Ok(handles),
                Answer::InFiles(listing) => listed = listing,
            }
        }
        let model_id = model_id.to_owned();
        self.blocking("list", move |files| files.latest_items(&model_id, listed)).await
    }

    async fn find(&self, search: &DataSearch) -> Result<Vec<FoundData>, DataError> {
        let mut listed = None;
        if let Some(index) = &self.index {
            let answer = index.find(&self.files, search).await;
            match answer.map_err(|fault| DataError { operation: "search", fault })? {
                Answer::Found(found) => return Ok(found),
                Answer::InFiles(listing) => listed = listing,
            }
        }
        let search = search.clone();
        self.blocking("search", move |files| files.search(&search, listed)).await
    }

    async fn models(&self) -> Result<Vec<String>, DataError> {
        self.blocking("list", Files::model_ids).await
    }

    async fn delete(&self, model_id: &str, name: &str, version: Option<u32>) -> Result<Removed, DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("delete", move |files| files.remove(&model_id, &name, version)).await
    }

    fn is_removable(&self, handle: &DataHandle) -> bool {
        let ours = &self.files.ours;
        let directory = ours.version(&handle.model_id, &handle.name, handle.version);
        matches!(ours.handle(&directory), Ok(Some(_)))
    }

    fn content_path(&self, model_id: &str, name: &str, version: u32) -> PathBuf {
        self.files.content_path(model_id, name, version)
    }

    async fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, DataError> {
        self.blocking("list", move |files| {
            Ok(files.ours.remove_leftovers(is_dry_run)? + files.first.remove_leftovers(is_dry_run)?)
        })
        .await
    }
}

/// The file with the content of a version.
const RAW: &str = "raw";

/// The directory at this place, opened without links; `None` if there is none.
fn opened(root: &Path, path: &Path) -> Result<Option<Directory>, Fault> {
    match Directory::open(root, path) {
        Ok(directory) => Ok(Some(directory)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(io_fault(Operation::List, path, &error)),
    }
}

fn names_in(directory: &Directory) -> Result<Vec<OsString>, Fault> {
    directory.names().map_err(|error| io_fault(Operation::List, directory.path(), &error))
}

/// Visits the directories in a directory, one after the other. A link is none: it is told as one that cannot be opened.
fn each_in(directory: &Directory, visit: &mut dyn FnMut(&Directory) -> Result<(), Fault>) -> Result<(), Fault> {
    for name in names_in(directory)? {
        each_named(directory, &name, visit)?;
    }
    Ok(())
}

/// Visits the directory of this name, if there is one.
fn each_named(
    directory: &Directory,
    name: &OsStr,
    visit: &mut dyn FnMut(&Directory) -> Result<(), Fault>,
) -> Result<(), Fault> {
    match directory.directory(name) {
        Ok(below) => visit(&below),
        // A file, or gone meanwhile.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(io_fault(Operation::List, &directory.path().join(name), &error)),
    }
}

/// The names of the directories in a directory, in no order. A link among them is an error, as in [`each_in`]; only what
/// the listing itself does not tell from a directory is opened.
fn directories_in(directory: &Directory) -> Result<Vec<OsString>, Fault> {
    let entries = directory.names_without_files();
    let entries = entries.map_err(|error| io_fault(Operation::List, directory.path(), &error))?;
    let mut names = Vec::with_capacity(entries.len());
    for (name, is_directory) in entries {
        let mut is_one = is_directory;
        if !is_directory {
            each_named(directory, &name, &mut |_| {
                is_one = true;
                Ok(())
            })?;
        }
        if is_one {
            names.push(name);
        }
    }
    Ok(names)
}

fn read_text(path: &Path) -> Result<Option<String>, Fault> {
    match read::text(path, Within::Unlinked, FileKind::State) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into_fault()),
    }
}

/// The last part of a path as text.
fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn malformed(path: &Path, what: &str) -> Fault {
    let message = format!("{}: {what}", path.display());
    Fault::environment(Code::MALFORMED_DOCUMENT, "data:file", message)
}
