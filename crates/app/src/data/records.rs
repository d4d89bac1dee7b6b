//! The read side of data.

use std::sync::Arc;

use mangrove_domain::{
    data::{self, DataHandle},
    json::Json,
    ports::{Content, DataError, DataField, DataSearch, DataStore, Expressions, FoundData},
    time::Timestamp,
};

use super::{
    models::Models,
    query::{self, Query, QueryError},
    record, sensitive,
};
use crate::secrets::Secrets;

/// How many names of one item are followed.
const MOST_RENAMES: usize = 5;

/// What methods have written, as records. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn DataStore>,
    expressions: Arc<dyn Expressions>,
    secrets: Arc<dyn Secrets>,
    models: Arc<Models>,
}

/// Data cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] DataError),
    /// The query cannot be asked.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There can be no such name.
    #[error("{0}")]
    Name(String),
}

impl Records {
    /// The records of this store. References to secrets in them are resolved by `secrets`.
    pub fn new(
        store: Arc<dyn DataStore>,
        expressions: Arc<dyn Expressions>,
        secrets: Arc<dyn Secrets>,
        models: Arc<Models>,
    ) -> Self {
        Self { store, expressions, secrets, models }
    }

    /// The definitions that name models here.
    #[must_use]
    pub const fn models(&self) -> &Arc<Models> {
        &self.models
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn DataStore> {
        &self.store
    }

    /// The latest version of an item, which may be one that says that the thing behind it is gone.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn latest(&self, model: &str, name: &str, vary: &[String]) -> Result<Option<Json>, RecordsError> {
        let name = data::varied(name, vary).map_err(RecordsError::Name)?;
        match self.latest_item(model, &name).await? {
            Some((handle, content)) => Ok(Some(self.record(&handle, Some(content), true).await)),
            None => Ok(None),
        }
    }

    /// One version of an item.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn version(
        &self,
        model: &str,
        name: &str,
        vary: &[String],
        version: i64,
    ) -> Result<Option<Json>, RecordsError> {
        let name = data::varied(name, vary).map_err(RecordsError::Name)?;
        let (Some(model), Ok(version)) = (self.model_with(model, &name).await?, u32::try_from(version)) else {
            return Ok(None);
        };
        let Some((handle, content)) = self.store.read(&model, &name, Some(version)).await? else { return Ok(None) };
        let is_latest = self.is_latest(&handle).await?;
        Ok(Some(self.record(&handle, Some(content), is_latest).await))
    }

    /// The numbers of the versions of an item, in ascending order.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn list_versions(&self, model: &str, name: &str, vary: &[String]) -> Result<Vec<u32>, RecordsError> {
        let name = data::varied(name, vary).map_err(RecordsError::Name)?;
        let Some(model) = self.model_with(model, &name).await? else { return Ok(Vec::new()) };
        Ok(self.store.versions(&model, &name).await?.into_iter().map(|handle| handle.version).collect())
    }

    /// The latest records of one specification of a model.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn find_by_spec(&self, model: &str, spec: &str) -> Result<Vec<Json>, RecordsError> {
        let model = without_namespace(model);
        let of_model = match model.and_then(|model| self.models.get(model)) {
            Some(definition) => (DataField::ModelId, definition.id.clone()),
            None => (DataField::ModelName, model.unwrap_or("\0").to_owned()),
        };
        self.find(vec![of_model, (DataField::SpecName, spec.to_owned())]).await
    }

    /// The latest records with this tag.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn find_by_tag(&self, name: &str, value: &str) -> Result<Vec<Json>, RecordsError> {
        self.find(vec![(DataField::Tag(name.to_owned()), value.to_owned())]).await
    }

    async fn find(&self, equal: Vec<(DataField, String)>) -> Result<Vec<Json>, RecordsError> {
        let search = DataSearch { equal, wants_content: true, wants_every_version: false };
        let mut found = self.store.find(&search).await?;
        found.retain(|found| search.equal.iter().all(|(field, value)| field.of(&found.handle) == value));
        sort(&mut found);
        let mut records = Vec::with_capacity(found.len());
        for FoundData { handle, is_latest, content } in found {
            records.push(self.record(&handle, content, is_latest).await);
        }
        Ok(records)
    }

    /// The records for which a predicate holds, or what `select` makes of each.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn query(&self, predicate: &str, select: Option<&str>) -> Result<Vec<Json>, RecordsError> {
        let query = Query::read(self.expressions.as_ref(), predicate, select)?;
        let mut found = self.store.find(&query.search).await?;
        sort(&mut found);
        let mut told = Vec::new();
        for FoundData { handle, is_latest, content } in found {
            if !is_latest && !query.search.wants_every_version {
                continue;
            }
            let record = self.record(&handle, content, is_latest).await;
            let seen = query::with_namespace(record.clone());
            if !query.fits(&seen) {
                continue;
            }
            let record = if query.tells_content && !query.search.wants_content {
                let read = self.store.read(&handle.model_id, &handle.name, Some(handle.version)).await?;
                self.record(&handle, read.map(|(_, content)| content), is_latest).await
            } else {
                record
            };
            told.push(query.told(record));
        }
        Ok(told)
    }

    /// The latest items of a definition, of one specification if one is given.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn of_model(&self, id: &str, spec: Option<&str>) -> Result<Vec<Json>, RecordsError> {
        let mut records = Vec::new();
        for handle in self.store.list(id).await? {
            if handle.is_gone() || spec.is_some_and(|spec| spec != handle.spec_name) {
                continue;
            }
            if let Some((handle, content)) = self.store.read(id, &handle.name, Some(handle.version)).await? {
                records.push(self.record(&handle, Some(content), true).await);
            }
        }
        Ok(records)
    }

    /// The latest version of an item of the model of this name or identifier, under its present name.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn latest_item(&self, model: &str, name: &str) -> Result<Option<(DataHandle, Content)>, RecordsError> {
        let Some(model) = self.model_with(model, name).await? else { return Ok(None) };
        self.latest_of(&model, name).await
    }

    /// The latest version of an item of the model of this identifier, under its present name.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn latest_of(&self, model_id: &str, name: &str) -> Result<Option<(DataHandle, Content)>, RecordsError> {
        let mut name = name.to_owned();
        for _ in 0..=MOST_RENAMES {
            match self.store.read(model_id, &name, None).await? {
                Some((DataHandle { renamed_to: Some(new), .. }, _)) => name = new,
                found => return Ok(found),
            }
        }
        Ok(None)
    }

    /// A content with the secrets that it refers to.
    pub async fn with_secrets(&self, json: Json) -> Json {
        if sensitive::has_reference(&json) { sensitive::resolved(self.secrets.as_ref(), json).await } else { json }
    }

    /// The identifier of a model: of the definition of this name, else of whatever was called so when it wrote.
    async fn model_with(&self, model: &str, name: &str) -> Result<Option<String>, RecordsError> {
        let Some(model) = without_namespace(model) else { return Ok(None) };
        if let Some(definition) = self.models.get(model) {
            return Ok(Some(definition.id.clone()));
        }
        let search = DataSearch {
            equal: vec![(DataField::ModelName, model.to_owned()), (DataField::Name, name.to_owned())],
            wants_every_version: true,
            wants_content: false,
        };
        let mut found = self.store.find(&search).await?;
        found.retain(|found| search.equal.iter().all(|(field, value)| field.of(&found.handle) == value));
        sort(&mut found);
        Ok(found.pop().map(|found| found.handle.model_id))
    }

    async fn is_latest(&self, handle: &DataHandle) -> Result<bool, RecordsError> {
        let versions = self.store.versions(&handle.model_id, &handle.name).await?;
        let later = versions.iter().filter(|other| other.version > handle.version);
        Ok(!later.into_iter().any(|other| other.step_name() == handle.step_name() || other.is_gone()))
    }

    async fn record(&self, handle: &DataHandle, content: Option<Content>, is_latest: bool) -> Json {
        let content = match content {
            Some(Content { bytes, json: Some(json) }) => {
                Some(Content { bytes, json: Some(self.with_secrets(json).await) })
            }
            other => other,
        };
        record::record(handle, content.as_ref(), is_latest, &self.models)
    }
}

/// The order in which records are told.
fn sort(found: &mut [FoundData]) {
    fn key(found: &FoundData) -> (Timestamp, &str, &str, &str, u32) {
        let DataHandle { written_at, model_type, model_id, name, version, .. } = &found.handle;
        (*written_at, model_type, model_id, name, *version)
    }
    found.sort_by(|one, other| key(one).cmp(&key(other)));
}

/// The name of a model without that of a shared store; `None` if it is meant to be in one, since there are none.
fn without_namespace(model: &str) -> Option<&str> {
    match model.split_once(':') {
        None => Some(model),
        Some(("" | "*", name)) => Some(name),
        Some(_) => None,
    }
}
