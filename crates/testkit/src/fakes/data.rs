//! What methods write, in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use async_trait::async_trait;
use mangrove_domain::{
    data::DataHandle,
    json::Json,
    ports::{DataError, DataStore, NewData},
};

use super::lock;

/// Model, spec and name of an item.
type Key = (String, String, String);

/// A data store in memory.
#[derive(Debug, Default)]
pub struct MemoryData(Mutex<BTreeMap<Key, Vec<(DataHandle, Json)>>>);

impl MemoryData {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl DataStore for MemoryData {
    async fn write(&self, data: NewData) -> Result<DataHandle, DataError> {
        let mut items = lock(&self.0);
        let key = (data.model_id.clone(), data.spec_name.clone(), data.name.clone());
        let versions = items.entry(key).or_default();
        let version = u32::try_from(versions.len() + 1).unwrap_or(u32::MAX);
        let handle = DataHandle {
            data_id: format!("{}/{}/{}/{version}", data.model_id, data.spec_name, data.name),
            model_id: data.model_id,
            spec_name: data.spec_name,
            name: data.name,
            kind: data.kind,
            version,
            size_bytes: data.content.to_string().len() as u64,
            tags: data.tags,
            run_id: data.run_id,
            written_at: data.written_at,
        };
        versions.push((handle.clone(), data.content));
        Ok(handle)
    }

    async fn read(
        &self,
        model_id: &str,
        spec_name: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Json)>, DataError> {
        let items = lock(&self.0);
        let Some(versions) = items.get(&(model_id.to_owned(), spec_name.to_owned(), name.to_owned())) else {
            return Ok(None);
        };
        Ok(match version {
            None => versions.last().cloned(),
            Some(version) => versions.iter().find(|(handle, _)| handle.version == version).cloned(),
        })
    }

    async fn list(&self, model_id: &str) -> Result<Vec<DataHandle>, DataError> {
        let items = lock(&self.0);
        let latest = items.iter().filter(|((model, ..), _)| model == model_id);
        Ok(latest.filter_map(|(_, versions)| versions.last().map(|(handle, _)| handle.clone())).collect())
    }

    async fn models(&self) -> Result<Vec<String>, DataError> {
        let models: BTreeSet<String> = lock(&self.0).keys().map(|(model, ..)| model.clone()).collect();
        Ok(models.into_iter().collect())
    }

    /// Nobody dies while writing to memory.
    async fn remove_leftovers(&self, _is_dry_run: bool) -> Result<u64, DataError> {
        Ok(0)
    }
}
