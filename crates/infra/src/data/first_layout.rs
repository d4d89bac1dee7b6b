//! Versions of the first layout of this store, which are read and never written:
//!
//! ```text
//! <root>/<model id>/<spec>/<name>/<version>.json        the content, as JSON: of a file, its text or `{ base64 }`
//! <root>/<model id>/<spec>/<name>/<version>.meta.json   what is known of it
//! ```
//!
//! Names were unique for a model and a specification there. Where two specifications share one, the version that was
//! written last counts.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::{
    data::{self, DataHandle, DataKind, Owner, OwnerKind},
    failure::Fault,
    json::Json,
    time::Timestamp,
};
use mangrove_fs::{directory::Directory, json_text, leftovers};
use serde::Deserialize;

use super::{Place, Versions, each_in, malformed, metadata, name_of, names, names_in, opened, read_text};

#[derive(Clone, Debug)]
pub(super) struct FirstLayout {
    root: Arc<Path>,
}

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
    pub(super) const fn new(root: Arc<Path>) -> Self {
        Self { root }
    }

    pub(super) fn versions(&self, model_id: &str, name: &str) -> Result<Versions, Fault> {
        let mut versions = Versions::new();
        let directory = names::escape(name);
        self.each_spec(&self.root.join(names::escape(model_id)), &mut |spec| {
            let path = spec.path().join(&directory);
            let Some(item) = opened(&self.root, &path)? else { return Ok(()) };
            for number in numbers(&item)? {
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
            Ok(())
        })?;
        Ok(versions)
    }

    #[expect(clippy::unused_self, reason = "as those of the other places")]
    pub(super) fn handle(&self, item: &Path, version: u32) -> Result<DataHandle, Fault> {
        let path = item.join(format!("{version}.meta.json"));
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

    pub(super) fn names(&self, model_id: &str) -> Result<BTreeSet<String>, Fault> {
        let mut names = BTreeSet::new();
        self.each_item(&self.root.join(names::escape(model_id)), &mut |handle| {
            names.insert(handle.name);
            true
        })?;
        Ok(names)
    }

    pub(super) fn models(&self) -> Result<BTreeSet<String>, Fault> {
        let mut ids = BTreeSet::new();
        if let Some(root) = opened(&self.root, &self.root)? {
            each_in(&root, &mut |model| {
                self.each_item(model.path(), &mut |handle| {
                    ids.insert(handle.model_id);
                    false
                })
            })?;
        }
        Ok(ids)
    }

    /// Visits the items of a model by their newest versions, as long as it is wanted.
    fn each_item(&self, model: &Path, visit: &mut dyn FnMut(DataHandle) -> bool) -> Result<(), Fault> {
        let mut goes_on = true;
        self.each_spec(model, &mut |spec| {
            each_in(spec, &mut |item| {
                if goes_on && let Some(number) = numbers(item)?.into_iter().next_back() {
                    goes_on = visit(self.handle(item.path(), number)?);
                }
                Ok(())
            })
        })
    }

    fn each_spec(&self, model: &Path, visit: &mut dyn FnMut(&Directory) -> Result<(), Fault>) -> Result<(), Fault> {
        let Some(model) = opened(&self.root, model)? else { return Ok(()) };
        each_in(&model, &mut |spec| if name_of(spec.path()).starts_with('@') { Ok(()) } else { visit(spec) })
    }

    pub(super) fn remove_leftovers(&self, is_dry_run: bool) -> Result<u64, Fault> {
        let mut count = 0;
        if let Some(root) = opened(&self.root, &self.root)? {
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

/// The versions of an item that have a content.
fn numbers(item: &Directory) -> Result<BTreeSet<u32>, Fault> {
    let number = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse::<u32>().ok();
    Ok(names_in(item)?.into_iter().filter_map(number).collect())
}
