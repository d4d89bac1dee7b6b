//! Versions that lie in a repository already, which are read and never written:
//!
//! ```text
//! <root>/<type>/<model id>/<name>/<version>/{raw,metadata.yaml}
//! ```
//!
//! A type may have several segments, and a directory of a shared store may stand in front of it. A directory is that of a
//! model if a directory in it has a numbered one with metadata. Links are followed as long as they lead to what lies
//! below the root: one of them, `latest`, is part of the form.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::{
    data::{self, DataHandle, DataKind, Owner, OwnerKind},
    failure::Fault,
    json::Json,
    ports::Documents,
    time::Timestamp,
};
use mangrove_fs::{
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Place, Versions, malformed, metadata::DELETED};

const METADATA: &str = "metadata.yaml";
/// How deep models may lie: namespace and segments of a type.
const DEEPEST: usize = 12;

pub(super) struct Existing {
    root: PathBuf,
    documents: Arc<dyn Documents>,
    /// The directories of models by their identifiers, as they were found last.
    models: Mutex<Arc<BTreeMap<String, PathBuf>>>,
}

impl Existing {
    pub(super) fn new(root: PathBuf, documents: Arc<dyn Documents>) -> Self {
        Self { root, documents, models: Mutex::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a model. Somebody else may write here, so that what was not found is looked for again.
    fn model(&self, model_id: &str) -> Result<Option<PathBuf>, Fault> {
        let known = || self.models.lock().unwrap_or_else(PoisonError::into_inner).get(model_id).cloned();
        match known() {
            Some(path) => Ok(Some(path)),
            None => self.look().map(|models| models.get(model_id).cloned()),
        }
    }

    fn look(&self) -> Result<Arc<BTreeMap<String, PathBuf>>, Fault> {
        let mut models = BTreeMap::new();
        collect(&self.root, 0, &mut models)?;
        let models = Arc::new(models);
        *self.models.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&models);
        Ok(models)
    }

    pub(super) fn models(&self) -> Result<BTreeSet<String>, Fault> {
        Ok(self.look()?.keys().cloned().collect())
    }

    pub(super) fn names(&self, model_id: &str) -> Result<BTreeSet<String>, Fault> {
        let Some(model) = self.model(model_id)? else { return Ok(BTreeSet::new()) };
        let mut names = BTreeSet::new();
        for item in directories(&model)? {
            if !numbers(&item)?.is_empty() {
                names.insert(super::name_of(&item));
            }
        }
        Ok(names)
    }

    /// The versions of an item, and the highest number that is taken.
    pub(super) fn versions(&self, model_id: &str, name: &str) -> Result<(Versions, u32), Fault> {
        // The name is that of a directory here.
        if data::check_name(name).is_err() {
            return Ok((Versions::new(), 0));
        }
        let Some(model) = self.model(model_id)? else { return Ok((Versions::new(), 0)) };
        let item = model.join(name);
        let mut numbers = numbers(&item)?;
        let highest = numbers.last().copied().unwrap_or(0);
        if let Some(latest) = latest(&item)? {
            // What is above is not finished.
            numbers.retain(|number| *number <= latest);
        }
        let place = |number: u32| (number, Place::Existing(item.join(number.to_string())));
        Ok((numbers.into_iter().map(place).collect(), highest))
    }

    pub(super) fn handle(&self, directory: &Path) -> Result<DataHandle, Fault> {
        let path = directory.join(METADATA);
        let text =
            read::text(&path, Within::Root(&self.root), FileKind::Document).map_err(read::ReadError::into_fault)?;
        let name = path.display().to_string();
        let document = self.documents.parse(&name, &text).map_err(|error| malformed(&path, &error.to_string()))?;
        self.read(directory, &document.root.to_json()).ok_or_else(|| malformed(&path, "it has no name or no version"))
    }

    fn read(&self, directory: &Path, metadata: &Json) -> Option<DataHandle> {
        let text = |key: &str| metadata.get(key).and_then(Json::as_str).map(str::to_owned);
        let model = directory.parent()?.parent()?;
        let model_type = model.parent()?.strip_prefix(&self.root).ok()?;
        let tags: Vec<(String, String)> = metadata
            .get("tags")
            .and_then(Json::as_object)
            .unwrap_or_default()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let tag = |name: &str| tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.clone());
        let kind = match tag("type").as_deref() {
            Some("file") => DataKind::File,
            _ => DataKind::Resource,
        };
        let none = Json::Null;
        let owner = metadata.get("ownerDefinition").unwrap_or(&none);
        let of_owner = |key: &str| owner.get(key).and_then(Json::as_str).map(str::to_owned);
        let size = metadata.get("size").and_then(Json::as_integer).and_then(|size| u64::try_from(size).ok());
        let measured = || fs::metadata(directory.join(super::RAW)).map(|found| found.len()).ok();
        let written_at = text("createdAt").and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok());
        let millis = written_at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok());
        Some(DataHandle {
            data_id: text("id").unwrap_or_default(),
            model_id: super::name_of(model),
            model_type: model_type.to_string_lossy().into_owned(),
            spec_name: tag("specName").unwrap_or_default(),
            name: text("name")?,
            kind,
            version: super::name_of(directory).parse().ok()?,
            size_bytes: size.or_else(measured).unwrap_or(0),
            checksum: text("checksum"),
            content_type: text("contentType").unwrap_or_else(|| kind.content_type().to_owned()),
            lifetime: text("lifetime").unwrap_or_else(|| "infinite".to_owned()),
            garbage_collection: metadata.get("garbageCollection").cloned().unwrap_or_default(),
            is_streaming: metadata.get("streaming").and_then(Json::as_bool).unwrap_or(false),
            owner: Owner {
                kind: of_owner("ownerType").and_then(|kind| OwnerKind::parse(&kind)).unwrap_or_default(),
                reference: of_owner("ownerRef").unwrap_or_default(),
                workflow_id: of_owner("workflowId"),
                workflow_run_id: of_owner("workflowRunId"),
                workflow_name: of_owner("workflowName"),
                job_name: of_owner("jobName"),
                step_name: of_owner("stepName"),
                source: of_owner("source"),
            },
            is_deleted: text("lifecycle").as_deref() == Some(DELETED),
            renamed_to: text("renamedTo"),
            run_id: of_owner("workflowRunId").unwrap_or_default(),
            written_at: Timestamp::from_millis(millis.unwrap_or(0)),
            tags,
        })
    }
}

fn collect(directory: &Path, depth: usize, models: &mut BTreeMap<String, PathBuf>) -> Result<(), Fault> {
    if depth > DEEPEST {
        return Ok(());
    }
    let below = directories(directory)?;
    let mut is_model = false;
    for item in &below {
        if !numbers(item)?.is_empty() {
            is_model = true;
            break;
        }
    }
    if is_model {
        models.entry(super::name_of(directory)).or_insert_with(|| directory.to_owned());
        return Ok(());
    }
    for directory in below {
        collect(&directory, depth + 1, models)?;
    }
    Ok(())
}

/// The directories in a directory, sorted, without links to some.
fn directories(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in entries(directory)? {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The numbered directories with metadata in the directory of an item.
fn numbers(item: &Path) -> Result<BTreeSet<u32>, Fault> {
    let mut found = BTreeSet::new();
    for entry in entries(item)? {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if entry.path().join(METADATA).is_file() {
            found.insert(number);
        }
    }
    Ok(found)
}

/// What an item says is its latest version: the number in a text file, or the directory that a link leads to.
fn latest(item: &Path) -> Result<Option<u32>, Fault> {
    let path = item.join("latest");
    let told = match fs::read_link(&path) {
        Ok(target) => super::name_of(&target),
        Err(_) => match read::text(&path, Within::Unlinked, FileKind::Document) {
            Ok(text) => text,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(error.into_fault()),
        },
    };
    Ok(told.trim().parse().ok())
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, Fault> {
    let listed = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    match listed {
        Ok(entries) => Ok(entries),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(io_fault(Operation::List, directory, &error)),
    }
}
