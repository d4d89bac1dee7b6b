//! What methods write, as files.
//!
//! ```text
//! <root>/<model id>/@<name>/<version>/raw              the content
//! <root>/<model id>/@<name>/<version>/metadata.json    what is known of it
//! <root>/<model id>/@<name>/hidden                     up to which version nothing is found that is not ours
//! ```
//!
//! A version is claimed by creating its content under a name that must not be there yet; the metadata follows, and makes
//! it a version. Two writers therefore get two versions. A number whose metadata is missing belongs to a writer that died
//! in between, or to a file that a method still fills: it does not exist, and it is not used again. Both files are
//! complete and on the disk before they get their names, but for a file that a method fills itself. Names are escaped, so
//! none leads anywhere else (`names`), and no link below the root is followed.
//!
//! Two other places are read and never written: versions of the first layout of this store (`first_layout`), and those that
//! the program had written that a repository was made with (`existing`). A name has the versions of all three; where two have the same number,
//! the later of them counts in this order. New versions are numbered above all of them.

mod existing;
mod first_layout;
mod metadata;
mod names;
mod ours;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use mangrove_domain::{
    data::{self, DataHandle},
    failure::Fault,
    ports::{Content, DataError, DataField, DataSearch, DataStore, Documents, FoundData, NewData, Removed},
    problem::Code,
};
use mangrove_fs::{
    directory::Directory,
    faults::{Operation, io_fault},
    json_text,
    read::{self, FileKind, Within},
};

use self::{existing::Existing, first_layout::FirstLayout, ours::Ours};

/// Data in a local directory. Cheap to clone.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone)]
pub struct LocalData {
    ours: Ours,
    first: FirstLayout,
    existing: Option<Arc<Existing>>,
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

/// The versions of one item, by number.
type Versions = BTreeMap<u32, Place>;

impl LocalData {
    /// The store in this directory, such as `.mangrove/data`. Nothing is created before the first write.
    pub fn new(root: impl AsRef<Path>) -> Self {
        let root: Arc<Path> = root.as_ref().into();
        Self { ours: Ours::new(Arc::clone(&root)), first: FirstLayout::new(root), existing: None }
    }

    /// The same store, which also gives out what lies in this directory, such as `.swamp/data`.
    #[must_use]
    pub fn with_existing(mut self, directory: PathBuf, documents: Arc<dyn Documents>) -> Self {
        self.existing = Some(Arc::new(Existing::new(directory, documents)));
        self
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

    /// The versions of an item that there are, and the highest number that is taken.
    fn versions_of(&self, model_id: &str, name: &str) -> Result<(Versions, u32), Fault> {
        let (mut versions, taken) = match &self.existing {
            Some(existing) => existing.versions(model_id, name)?,
            None => (Versions::new(), 0),
        };
        versions.extend(self.first.versions(model_id, name)?);
        let highest = versions.last_key_value().map_or(0, |(number, _)| *number);
        let own = self.ours.versions(model_id, name)?;
        versions.retain(|number, _| *number > own.hidden_up_to);
        versions.extend(own.places);
        Ok((versions, highest.max(taken).max(own.claimed).max(own.hidden_up_to)))
    }

    fn handle(&self, place: &Place, version: u32) -> Result<Option<DataHandle>, Fault> {
        match (place, &self.existing) {
            (Place::Ours(path), _) => self.ours.handle(path),
            (Place::First(path), _) => self.first.handle(path, version).map(Some),
            (Place::Existing(path), Some(existing)) => existing.handle(path).map(Some),
            (Place::Existing(_), None) => Ok(None),
        }
    }

    fn content(&self, place: &Place, handle: &DataHandle) -> Result<Content, Fault> {
        let bytes = match place {
            Place::Ours(path) | Place::Existing(path) => {
                let within = match (place, &self.existing) {
                    (Place::Existing(_), Some(existing)) => Within::Root(existing.root()),
                    _ => Within::Unlinked,
                };
                let path = path.join(RAW);
                read::bytes(&path, within, FileKind::State).map_err(read::ReadError::into_fault)?
            }
            Place::First(path) => self.first.content(path, handle)?,
        };
        let json = if data::is_json(&handle.content_type) {
            std::str::from_utf8(&bytes).ok().and_then(|text| json_text::parse(text).ok())
        } else {
            None
        };
        Ok(Content { bytes, json })
    }

    /// The newest version that is there, with what is known of it.
    fn newest(&self, versions: &Versions) -> Result<Option<(Place, DataHandle)>, Fault> {
        for (number, place) in versions.iter().rev() {
            if let Some(handle) = self.handle(place, *number)? {
                return Ok(Some((place.clone(), handle)));
            }
        }
        Ok(None)
    }

    fn read_item(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, Fault> {
        let (versions, _) = self.versions_of(model_id, name)?;
        let found = match version {
            None => self.newest(&versions)?,
            Some(number) => match versions.get(&number) {
                Some(place) => self.handle(place, number)?.map(|handle| (place.clone(), handle)),
                None => None,
            },
        };
        let Some((place, handle)) = found else { return Ok(None) };
        let content = self.content(&place, &handle)?;
        Ok(Some((handle, content)))
    }

    fn all_versions(&self, model_id: &str, name: &str) -> Result<Vec<(Place, DataHandle)>, Fault> {
        let (versions, _) = self.versions_of(model_id, name)?;
        let mut handles = Vec::with_capacity(versions.len());
        for (number, place) in versions {
            if let Some(handle) = self.handle(&place, number)? {
                handles.push((place, handle));
            }
        }
        Ok(handles)
    }

    fn names(&self, model_id: &str) -> Result<BTreeSet<String>, Fault> {
        let mut names = self.ours.names(model_id)?;
        names.extend(self.first.names(model_id)?);
        if let Some(existing) = &self.existing {
            names.extend(existing.names(model_id)?);
        }
        Ok(names)
    }

    fn latest_items(&self, model_id: &str) -> Result<Vec<DataHandle>, Fault> {
        let mut handles = Vec::new();
        for name in self.names(model_id)? {
            let (versions, _) = self.versions_of(model_id, &name)?;
            handles.extend(self.newest(&versions)?.map(|(_, handle)| handle));
        }
        handles.sort_by(|one, other| (&one.spec_name, &one.name).cmp(&(&other.spec_name, &other.name)));
        Ok(handles)
    }

    fn model_ids(&self) -> Result<Vec<String>, Fault> {
        let mut ids = self.ours.models()?;
        ids.extend(self.first.models()?);
        if let Some(existing) = &self.existing {
            ids.extend(existing.models()?);
        }
        Ok(ids.into_iter().collect())
    }

    fn search(&self, search: &DataSearch) -> Result<Vec<FoundData>, Fault> {
        let wanted =
            |field: &DataField| search.equal.iter().find(|(known, _)| known == field).map(|(_, value)| value.clone());
        let models = wanted(&DataField::ModelId).map_or_else(|| self.model_ids(), |id| Ok(vec![id]))?;
        let mut found = Vec::new();
        for model in models {
            let names = match wanted(&DataField::Name) {
                Some(name) => BTreeSet::from([name]),
                None => self.names(&model)?,
            };
            for name in names {
                self.search_item(&model, &name, search, &mut found)?;
            }
        }
        Ok(found)
    }

    fn search_item(
        &self,
        model: &str,
        name: &str,
        search: &DataSearch,
        found: &mut Vec<FoundData>,
    ) -> Result<(), Fault> {
        let versions = self.all_versions(model, name)?;
        let is_gone = versions.last().is_some_and(|(_, newest)| newest.is_gone());
        // The newest come first, so that the first of each step is its latest.
        let mut steps = BTreeSet::new();
        for (place, handle) in versions.into_iter().rev() {
            let is_latest = steps.insert(handle.step_name().to_owned()) && !is_gone;
            let fits = (is_latest || search.wants_every_version)
                && !handle.is_gone()
                && search.equal.iter().all(|(field, value)| field.of(&handle) == value);
            if fits {
                let content = if search.wants_content { Some(self.content(&place, &handle)?) } else { None };
                found.push(FoundData { handle, is_latest, content });
            }
        }
        Ok(())
    }

    fn remove(&self, model_id: &str, name: &str, version: Option<u32>) -> Result<Removed, Fault> {
        let mut removed = Removed::default();
        let all = self.all_versions(model_id, name)?;
        let highest = all.last().map_or(0, |(_, handle)| handle.version);
        let going: Vec<_> =
            all.iter().filter(|(_, handle)| version.is_none_or(|only| only == handle.version)).collect();
        let is_foreign = |place: &Place| !matches!(place, Place::Ours(_));
        if let Some((place, handle)) = going.iter().find(|(place, _)| is_foreign(place) && version.is_some()) {
            let path = match place {
                Place::Ours(path) | Place::First(path) | Place::Existing(path) => path.display(),
            };
            let message = format!("{path}: version {} of `{name}` was not written by this store", handle.version);
            return Err(Fault::environment(Code::NOT_WRITABLE, "data:file", message));
        }
        if going.iter().any(|(place, _)| is_foreign(place)) {
            self.ours.hide(model_id, name, highest)?;
        }
        for (place, handle) in going {
            if matches!(place, Place::Ours(_)) {
                self.ours.remove(model_id, name, handle.version)?;
            }
            removed.versions += 1;
            removed.bytes += handle.size_bytes;
        }
        if version.is_none() {
            self.ours.tidy(model_id, name)?;
        }
        Ok(removed)
    }
}

#[async_trait]
impl DataStore for LocalData {
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError> {
        self.blocking("write", move |this| {
            let (_, highest) = this.versions_of(&data.model_id, &data.name)?;
            this.ours.write(data, highest)
        })
        .await
    }

    async fn reserve(&self, model_id: &str, name: &str) -> Result<(u32, PathBuf), DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("write", move |this| {
            let (_, highest) = this.versions_of(&model_id, &name)?;
            this.ours.reserve(&model_id, &name, highest)
        })
        .await
    }

    async fn finish(&self, version: u32, data: NewData) -> Result<DataHandle, DataError> {
        self.blocking("write", move |this| this.ours.finish(version, data)).await
    }

    async fn read(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("read", move |this| this.read_item(&model_id, &name, version)).await
    }

    async fn versions(&self, model_id: &str, name: &str) -> Result<Vec<DataHandle>, DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("list", move |this| {
            Ok(this.all_versions(&model_id, &name)?.into_iter().map(|(_, handle)| handle).collect())
        })
        .await
    }

    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError> {
        let model_id = model_id.to_owned();
        self.blocking("list", move |this| this.latest_items(&model_id)).await
    }

    async fn find(&self, search: &DataSearch) -> Result<Vec<FoundData>, DataError> {
        let search = search.clone();
        self.blocking("search", move |this| this.search(&search)).await
    }

    async fn models(&self) -> Result<Vec<String>, DataError> {
        self.blocking("list", Self::model_ids).await
    }

    async fn delete(&self, model_id: &str, name: &str, version: Option<u32>) -> Result<Removed, DataError> {
        let (model_id, name) = (model_id.to_owned(), name.to_owned());
        self.blocking("delete", move |this| this.remove(&model_id, &name, version)).await
    }

    fn is_removable(&self, handle: &DataHandle) -> bool {
        let directory = self.ours.version(&handle.model_id, &handle.name, handle.version);
        matches!(self.ours.handle(&directory), Ok(Some(_)))
    }

    fn content_path(&self, model_id: &str, name: &str, version: u32) -> PathBuf {
        let versions = self.versions_of(model_id, name).map(|(versions, _)| versions).unwrap_or_default();
        match versions.get(&version) {
            Some(Place::Existing(path)) => path.join(RAW),
            Some(Place::First(path)) => path.join(first_layout::content_name(version)),
            Some(Place::Ours(_)) | None => self.ours.version(model_id, name, version).join(RAW),
        }
    }

    async fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, DataError> {
        self.blocking("list", move |this| {
            Ok(this.ours.remove_leftovers(is_dry_run)? + this.first.remove_leftovers(is_dry_run)?)
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
        match directory.directory(&name) {
            Ok(below) => visit(&below)?,
            // A file, or gone meanwhile.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => {}
            Err(error) => return Err(io_fault(Operation::List, &directory.path().join(name), &error)),
        }
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

/// The last part of a path as text.
fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn malformed(path: &Path, what: &str) -> Fault {
    let message = format!("{}: {what}", path.display());
    Fault::environment(Code::MALFORMED_DOCUMENT, "data:file", message)
}
