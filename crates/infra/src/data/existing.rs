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

use super::{
    Place, RAW, Versions,
    evidence::{Evidence, Links, Look, Looker, Root},
    malformed,
    metadata::DELETED,
};

const METADATA: &str = "metadata.yaml";
/// What says which version is the newest that counts.
const LATEST: &str = "latest";
/// How deep models may lie: namespace and segments of a type.
const DEEPEST: usize = 12;

pub(super) struct Existing {
    root: Root,
    documents: Arc<dyn Documents>,
    /// As it was found last.
    models: Mutex<Option<Arc<Models>>>,
}

/// The directories of all models by their identifiers, and what says that they are still those.
#[derive(Default)]
pub(super) struct Models {
    looks: Vec<Look<String>>,
    is_lasting: bool,
    pub(super) directories: BTreeMap<String, PathBuf>,
}

impl Existing {
    pub(super) fn new(root: Root, documents: Arc<dyn Documents>) -> Self {
        Self { root, documents, models: Mutex::default() }
    }

    pub(super) const fn root(&self) -> &Root {
        &self.root
    }

    /// The directories of all models. Somebody else may write here, so that every look is taken again.
    pub(super) fn models(&self, looker: &Looker) -> Result<Arc<Models>, Fault> {
        let known = self.models.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.is_lasting && looker.finds(&known.looks)) {
            return Ok(known);
        }
        let mut directories = BTreeMap::new();
        let mut evidence = Evidence::by(looker);
        self.collect(&self.root.path, 0, &mut directories, &mut evidence)?;
        let models = Arc::new(Models { is_lasting: evidence.is_lasting, looks: evidence.looks, directories });
        *self.models.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&models));
        Ok(models)
    }

    fn collect(
        &self,
        directory: &Path,
        depth: usize,
        models: &mut BTreeMap<String, PathBuf>,
        evidence: &mut Evidence<'_>,
    ) -> Result<(), Fault> {
        if depth > DEEPEST {
            return Ok(());
        }
        evidence.look(&self.root, directory, Links::Refused);
        let below = directories(directory)?;
        let before = evidence.looks.len();
        for item in &below {
            if let Some(number) = self.numbers(item, evidence)?.first() {
                // One version makes it a model, whatever the others say.
                evidence.looks.truncate(before);
                evidence.look(&self.root, item, Links::Refused);
                evidence.look(&self.root, &item.join(number.to_string()).join(METADATA), Links::Followed);
                models.entry(super::name_of(directory)).or_insert_with(|| directory.to_owned());
                return Ok(());
            }
        }
        for directory in below {
            self.collect(&directory, depth + 1, models, evidence)?;
        }
        Ok(())
    }

    /// The names of the directories in that of a model, also of those that have no version.
    pub(super) fn names(&self, model: &Path, evidence: &mut Evidence<'_>) -> Result<BTreeSet<String>, Fault> {
        evidence.look(&self.root, model, Links::Refused);
        Ok(directories(model)?.iter().map(|item| super::name_of(item)).collect())
    }

    /// The versions of an item in the directory of a model, and the highest number that is taken.
    pub(super) fn versions(
        &self,
        model: &Path,
        name: &str,
        evidence: &mut Evidence<'_>,
    ) -> Result<(Versions, u32), Fault> {
        // The name is that of a directory here.
        if data::check_name(name).is_err() {
            return Ok((Versions::new(), 0));
        }
        let item = model.join(name);
        let mut numbers = self.numbers(&item, evidence)?;
        let highest = numbers.last().copied().unwrap_or(0);
        if let Some(latest) = self.latest(&item, evidence)? {
            // What is above is not finished.
            numbers.retain(|number| *number <= latest);
        }
        let place = |number: u32| (number, Place::Existing(item.join(number.to_string())));
        Ok((numbers.into_iter().map(place).collect(), highest))
    }

    /// The numbered directories with metadata in the directory of an item.
    fn numbers(&self, item: &Path, evidence: &mut Evidence<'_>) -> Result<BTreeSet<u32>, Fault> {
        let mut found = BTreeSet::new();
        // One that is not there shows in the directory above.
        if evidence.is_wanted() && fs::symlink_metadata(item).is_ok() {
            evidence.look(&self.root, item, Links::Refused);
            if is_link(item) {
                evidence.distrust();
            }
        }
        for entry in entries(item)? {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let metadata = entry.path().join(METADATA);
            if evidence.is_wanted() {
                evidence.look(&self.root, &metadata, Links::Followed);
                // Where a link leads may change without any of the looks.
                if is_link(&entry.path()) || is_link(&metadata) {
                    evidence.distrust();
                }
            }
            if metadata.is_file() {
                found.insert(number);
            }
        }
        Ok(found)
    }

    /// What an item says is its latest version: the number in a text file, or the directory that a link leads to.
    fn latest(&self, item: &Path, evidence: &mut Evidence<'_>) -> Result<Option<u32>, Fault> {
        let path = item.join(LATEST);
        if evidence.is_wanted() && fs::symlink_metadata(&path).is_ok() {
            evidence.look(&self.root, &path, Links::Refused);
        }
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

    pub(super) fn handle(&self, directory: &Path, evidence: &mut Evidence<'_>) -> Result<DataHandle, Fault> {
        let path = directory.join(METADATA);
        let text = read::text(&path, Within::Root(&self.root.path), FileKind::Document)
            .map_err(read::ReadError::into_fault)?;
        let name = path.display().to_string();
        let document = self.documents.parse(&name, &text).map_err(|error| malformed(&path, &error.to_string()))?;
        let metadata = document.root.to_json();
        if stated_size(&metadata).is_none() {
            evidence.look(&self.root, &directory.join(RAW), Links::Followed);
        }
        self.read(directory, &metadata).ok_or_else(|| malformed(&path, "it has no name or no version"))
    }

    fn read(&self, directory: &Path, metadata: &Json) -> Option<DataHandle> {
        let text = |key: &str| metadata.get(key).and_then(Json::as_str).map(str::to_owned);
        let model = directory.parent()?.parent()?;
        let model_type = model.parent()?.strip_prefix(&self.root.path).ok()?;
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
        let measured = || fs::metadata(directory.join(RAW)).map(|found| found.len()).ok();
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
            size_bytes: stated_size(metadata).or_else(measured).unwrap_or(0),
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

/// How long the content is, where the metadata says it.
fn stated_size(metadata: &Json) -> Option<u64> {
    metadata.get("size").and_then(Json::as_integer).and_then(|size| u64::try_from(size).ok())
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, Fault> {
    let listed = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    match listed {
        Ok(entries) => Ok(entries),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(io_fault(Operation::List, directory, &error)),
    }
}
