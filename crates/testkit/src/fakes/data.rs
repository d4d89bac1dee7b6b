//! What methods write, in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Mutex,
};

use async_trait::async_trait;
use mangrove_domain::{
    data::{self, DataHandle},
    digest::Digest,
    failure::Fault,
    json::Json,
    ports::{Content, DataError, DataSearch, DataStore, FoundData, NewData, Removed, WrittenVersion},
    problem::Code,
};

use super::lock;

/// Model and name of an item.
type Key = (String, String);

/// A data store in memory. It has no files that others could fill.
#[derive(Debug, Default)]
pub struct MemoryData {
    items: Mutex<BTreeMap<Key, Vec<(DataHandle, Content)>>>,
    unsettled: Mutex<Vec<WrittenVersion>>,
}

impl MemoryData {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a power failure would take now.
    #[must_use]
    pub fn unsettled(&self) -> Vec<WrittenVersion> {
        lock(&self.unsettled).clone()
    }
}

#[async_trait]
impl DataStore for MemoryData {
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError> {
        let mut items = lock(&self.items);
        let key = (data.model_id.clone(), data.name.clone());
        let versions = items.entry(key).or_default();
        let version = versions.last().map_or(0, |(handle, _)| handle.version) + 1;
        let handle = DataHandle {
            data_id: format!("{}/{}/{version}", data.model_id, data.name),
            model_id: data.model_id,
            model_type: data.model_type,
            spec_name: data.spec_name,
            name: data.name,
            kind: data.kind,
            version,
            size_bytes: data.content.len() as u64,
            checksum: Some(Digest::of(&data.content).to_string()),
            content_type: data.content_type,
            lifetime: data.lifetime,
            garbage_collection: data.garbage_collection,
            is_streaming: data.is_streaming,
            tags: data::tags([&*data.tags]),
            owner: data.owner,
            is_deleted: data.is_deleted,
            renamed_to: None,
            run_id: data.run_id,
            written_at: data.written_at,
        };
        let json = if data::is_json(&handle.content_type) {
            serde_json::from_slice(&data.content).ok().map(|value| from_value(&value))
        } else {
            None
        };
        lock(&self.unsettled).push(WrittenVersion::from(&handle));
        versions.push((handle.clone(), Content { bytes: data.content, json }));
        Ok(handle)
    }

    async fn reserve(&self, _model_id: &str, _name: &str) -> Result<(u32, PathBuf), DataError> {
        let fault = Fault::environment(Code::NOT_WRITABLE, "data:file", "a store in memory has no files".to_owned());
        Err(DataError { operation: "write", fault })
    }

    async fn finish(&self, _version: u32, data: NewData) -> Result<DataHandle, DataError> {
        self.write(data).await
    }

    async fn settle(&self, written: Vec<WrittenVersion>) -> Result<(), DataError> {
        lock(&self.unsettled).retain(|version| !written.contains(version));
        Ok(())
    }

    async fn read(
        &self,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, DataError> {
        let items = lock(&self.items);
        let Some(versions) = items.get(&(model_id.to_owned(), name.to_owned())) else { return Ok(None) };
        Ok(match version {
            None => versions.last().cloned(),
            Some(version) => versions.iter().find(|(handle, _)| handle.version == version).cloned(),
        })
    }

    async fn versions(&self, model_id: &str, name: &str) -> Result<Vec<DataHandle>, DataError> {
        let items = lock(&self.items);
        let versions = items.get(&(model_id.to_owned(), name.to_owned()));
        Ok(versions.into_iter().flatten().map(|(handle, _)| handle.clone()).collect())
    }

    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError> {
        let items = lock(&self.items);
        let latest = items.iter().filter(|((model, _), _)| model == model_id);
        let mut handles: Vec<DataHandle> =
            latest.filter_map(|(_, versions)| versions.last().map(|(handle, _)| handle.clone())).collect();
        handles.sort_by(|one, other| (&one.spec_name, &one.name).cmp(&(&other.spec_name, &other.name)));
        Ok(handles)
    }

    async fn find(&self, search: &DataSearch) -> Result<Vec<FoundData>, DataError> {
        let mut found = Vec::new();
        for versions in lock(&self.items).values() {
            let is_gone = versions.last().is_some_and(|(newest, _)| newest.is_gone());
            let mut steps = BTreeSet::new();
            for (handle, content) in versions.iter().rev() {
                let is_latest = steps.insert(handle.step_name().to_owned()) && !is_gone;
                let fits = (is_latest || search.wants_every_version)
                    && !handle.is_gone()
                    && search.equal.iter().all(|(field, value)| field.of(handle) == value);
                if fits {
                    let content = search.wants_content.then(|| content.clone());
                    found.push(FoundData { handle: handle.clone(), is_latest, content });
                }
            }
        }
        Ok(found)
    }

    async fn models(&self) -> Result<Vec<String>, DataError> {
        let models: BTreeSet<String> = lock(&self.items).keys().map(|(model, _)| model.clone()).collect();
        Ok(models.into_iter().collect())
    }

    async fn delete(&self, model_id: &str, name: &str, version: Option<u32>) -> Result<Removed, DataError> {
        let mut items = lock(&self.items);
        let key = (model_id.to_owned(), name.to_owned());
        let mut removed = Removed::default();
        if let Some(versions) = items.get_mut(&key) {
            versions.retain(|(handle, _)| {
                let goes = version.is_none_or(|only| only == handle.version);
                if goes {
                    removed.versions += 1;
                    removed.bytes += handle.size_bytes;
                }
                !goes
            });
            if versions.is_empty() {
                items.remove(&key);
            }
        }
        Ok(removed)
    }

    fn is_removable(&self, _handle: &DataHandle) -> bool {
        true
    }

    fn content_path(&self, model_id: &str, name: &str, version: u32) -> PathBuf {
        ["memory", model_id, name, &version.to_string(), "raw"].iter().collect()
    }

    /// Nobody dies while writing to memory.
    async fn remove_leftovers(&self, _is_dry_run: bool) -> Result<u64, DataError> {
        Ok(0)
    }
}

fn from_value(value: &serde_json::Value) -> Json {
    use mangrove_domain::json::Number;
    use serde_json::Value;
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Json::Number(Number::Integer(integer)),
            (None, Some(float)) => Json::Number(Number::Float(float)),
            (None, None) => Json::Null,
        },
        Value::String(text) => Json::from(text.as_str()),
        Value::Array(items) => Json::Array(items.iter().map(from_value).collect()),
        Value::Object(members) => {
            Json::Object(members.iter().map(|(key, value)| (key.clone(), from_value(value))).collect())
        }
    }
}
