//! Versions of the first layout of this store, which are read and never written:
//!
//! ```text
//! <root>/<model id>/<spec>/<name>/<version>.json        the content, as JSON: of a file, its text or `{ base64 }`
//! <root>/<model id>/<spec>/<name>/<version>.meta.json   what is known of it
//! ```
//!
//! Names were unique for a model and a specification there. Where two specifications share one, the version that was
//! written last counts.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::{
    data::{self, DataHandle, DataKind, Owner, OwnerKind},
    failure::Fault,
    json::Json,
    time::Timestamp,
};
use mangrove_fs::{directory::Directory, json_text, leftovers, stamp::Seen};
use serde::Deserialize;

use super::{
    Place, Versions, directories_in, each_in, each_named,
    evidence::{Evidence, Links, Looker, Root, Tree},
    malformed, metadata, names, names_in, opened,
    ours::ITEM,
    read_text,
};

/// How many models are remembered.
const MOST_REMEMBERED: usize = 10_000;

#[derive(Clone, Debug)]
pub(super) struct FirstLayout {
    root: Root,
    /// The directories of specifications by model, as they were when the directory of the model had this stamp: most have
    /// none, and that takes a list of all items to see.
    specs: Arc<Mutex<HashMap<String, (Seen, Specs)>>>,
}

/// The directories of the specifications of a model, sorted.
pub(super) type Specs = Arc<Vec<PathBuf>>;

#[derive(Deserialize)]
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

pub(super) fn content_name(version: u32) -> String {
    format!("{version}.json")
}

impl FirstLayout {
    pub(super) fn new(root: Root) -> Self {
        Self { root, specs: Arc::default() }
    }

    /// The directories of the specifications of a model.
    pub(super) fn specs(&self, model_id: &str, looker: &Looker) -> Result<Specs, Fault> {
        let directory = names::escape(model_id);
        let seen = looker.look(Tree::Ours, &directory, Links::Refused);
        if seen.is_absent() {
            return Ok(Specs::default());
        }
        let remembered = || self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, specs)) = remembered().get(model_id).filter(|(earlier, _)| *earlier == seen) {
            return Ok(Arc::clone(specs));
        }
        let is_racy = looker.is_racy(Tree::Ours, &seen);
        let mut specs = Vec::new();
        self.each_spec(&self.root.path.join(directory), &mut |spec| {
            specs.push(spec.path().to_owned());
            Ok(())
        })?;
        specs.sort();
        let specs = Arc::new(specs);
        let mut remembered = remembered();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        if is_racy {
            remembered.remove(model_id);
        } else {
            remembered.insert(model_id.to_owned(), (seen, Arc::clone(&specs)));
        }
        Ok(specs)
    }

    pub(super) fn versions(
        &self,
        specs: &[PathBuf],
        name: &str,
        evidence: &mut Evidence<'_>,
    ) -> Result<Versions, Fault> {
        let mut versions = Versions::new();
        let directory = names::escape(name);
        for spec in specs {
            let path = spec.join(&directory);
            evidence.look(&self.root, &path, Links::Refused);
            let Some(item) = opened(&self.root.path, &path)? else { continue };
            for number in numbers(&item)? {
                evidence.look(&self.root, &metadata_path(&path, number), Links::Refused);
                let is_later = match versions.get(&number) {
                    Some(Place::First(other)) => {
                        self.handle(&path, number)?.written_at > self.handle(other, number)?.written_at
                    }
                    Some(Place::Ours(_) | Place::Existing(_)) | None => true,
                };
                if is_later {
                    versions.insert(number, Place::First(path.clone()));
                }
            }
        }
        Ok(versions)
    }

    #[expect(clippy::unused_self, reason = "as those of the other places")]
    pub(super) fn handle(&self, item: &Path, version: u32) -> Result<DataHandle, Fault> {
        let path = metadata_path(item, version);
        let text = read_text(&path)?.ok_or_else(|| malformed(&path, "it is missing beside its content"))?;
        let metadata: Metadata = serde_json::from_str(&text).map_err(|error| malformed(&path, &error.to_string()))?;
        let kind = metadata::kind(&metadata.kind).map_err(|what| malformed(&path, &what))?;
        let is_markdown = [&metadata.name, &metadata.spec_name].iter().any(|name| name.ends_with(".md"));
        let content_type = match kind {
            DataKind::Resource => data::JSON,
            DataKind::File if is_markdown => "text/markdown",
            DataKind::File => "text/plain",
        };
        let own = [("type".to_owned(), kind.as_str().to_owned()), ("specName".to_owned(), metadata.spec_name.clone())];
        let owner = Owner {
            kind: OwnerKind::ModelMethod,
            reference: metadata.model_id.clone(),
            workflow_run_id: Some(metadata.run_id.clone()),
            ..Owner::default()
        };
        Ok(DataHandle {
            data_id: metadata.data_id,
            model_id: metadata.model_id,
            model_type: String::new(),
            spec_name: metadata.spec_name,
            name: metadata.name,
            kind,
            version: metadata.version,
            size_bytes: metadata.size_bytes,
            checksum: None,
            content_type: content_type.to_owned(),
            lifetime: "infinite".to_owned(),
            garbage_collection: Json::Null,
            is_streaming: false,
            tags: data::tags([&own[..], &metadata.tags]),
            owner,
            is_deleted: false,
            renamed_to: None,
            run_id: metadata.run_id,
            written_at: Timestamp::from_millis(metadata.written_at),
        })
    }

    #[expect(clippy::unused_self, reason = "as those of the other places")]
    pub(super) fn content(&self, item: &Path, handle: &DataHandle) -> Result<Vec<u8>, Fault> {
        let path = item.join(content_name(handle.version));
        let text = read_text(&path)?.ok_or_else(|| malformed(&path, "it is missing beside its metadata"))?;
        if handle.kind == DataKind::Resource {
            return Ok(text.into_bytes());
        }
        match json_text::parse(&text).map_err(|error| malformed(&path, &error.to_string()))? {
            Json::String(text) => Ok(text.into_bytes()),
            other => match other.get("base64").and_then(Json::as_str).and_then(|text| STANDARD.decode(text).ok()) {
                Some(bytes) => Ok(bytes),
                None => Ok(other.to_string().into_bytes()),
            },
        }
    }

    /// The names of the items in directories of specifications.
    pub(super) fn names(&self, specs: &[PathBuf], evidence: &mut Evidence<'_>) -> Result<BTreeSet<String>, Fault> {
        let mut names = BTreeSet::new();
        for spec in specs {
            evidence.look(&self.root, spec, Links::Refused);
            let Some(directory) = opened(&self.root.path, spec)? else { continue };
            for item in directories_in(&directory)? {
                let Some(escaped) = item.to_str() else { continue };
                let name = match names::unescape(escaped) {
                    None if names::is_cut(escaped) => {
                        // What its name is stands in files that nobody looks at again.
                        evidence.distrust();
                        self.newest(&spec.join(&item))?.map(|handle| handle.name)
                    }
                    name => name,
                };
                names.extend(name.filter(|name| names::escape(name) == escaped));
            }
        }
        Ok(names)
    }

    fn newest(&self, item: &Path) -> Result<Option<DataHandle>, Fault> {
        let Some(directory) = opened(&self.root.path, item)? else { return Ok(None) };
        let newest = numbers(&directory)?.into_iter().next_back();
        newest.map(|number| self.handle(item, number)).transpose()
    }

    /// What is known of any version in the directory of a model.
    pub(super) fn any(&self, model: &Path) -> Result<Option<DataHandle>, Fault> {
        let mut found = None;
        self.each_spec(model, &mut |spec| {
            each_in(spec, &mut |item| {
                if found.is_none() {
                    found = self.newest(item.path())?;
                }
                Ok(())
            })
        })?;
        Ok(found)
    }

    fn each_spec(&self, model: &Path, visit: &mut dyn FnMut(&Directory) -> Result<(), Fault>) -> Result<(), Fault> {
        let Some(model) = opened(&self.root.path, model)? else { return Ok(()) };
        for name in directories_in(&model)? {
            if !name.to_string_lossy().starts_with(ITEM) {
                each_named(&model, &name, visit)?;
            }
        }
        Ok(())
    }

    pub(super) fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, Fault> {
        let mut count = 0;
        if let Some(root) = opened(&self.root.path, &self.root.path)? {
            let mut clean = |item: &Directory| {
                count += leftovers::find(item).len() as u64;
                if !is_dry_run {
                    leftovers::remove(item);
                }
                Ok(())
            };
            each_in(&root, &mut |model| self.each_spec(model.path(), &mut |spec| each_in(spec, &mut clean)))?;
        }
        Ok(count)
    }
}

fn metadata_path(item: &Path, version: u32) -> PathBuf {
    item.join(format!("{version}.meta.json"))
}

/// The versions of an item that have a content.
fn numbers(item: &Directory) -> Result<BTreeSet<u32>, Fault> {
    let number = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse::<u32>().ok();
    Ok(names_in(item)?.into_iter().filter_map(number).collect())
}
