//! What methods have written.

use std::sync::Arc;

use mangrove_domain::{
    data::DataHandle,
    ports::{Content, DataError, DataField, DataSearch, DataStore, Removed},
};

use super::{base::Service, error::ServiceError, parts::Running};
use crate::{
    data::{self, Models, Records, SweepError, Swept},
    secrets::NoSecrets,
};

/// An item of data, by what names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlace {
    /// The identifier of the definition whose method wrote it.
    pub model_id: String,
    /// Its name.
    pub name: String,
}

/// A model that data belongs to. Its file may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataModel {
    /// The identifier of the definition.
    pub id: String,
    /// Its name, as far as it is known.
    pub name: String,
    /// Its type, as far as it is known.
    pub type_name: String,
}

impl Service {
    /// The identifiers of all definitions whose methods have written something, sorted. Their files may be gone.
    ///
    /// # Errors
    /// The data cannot be listed, or this service runs nothing.
    pub async fn data_models(&self) -> Result<Vec<String>, ServiceError> {
        self.data_store()?.models().await.map_err(unreadable)
    }

    /// The model of this name or identifier: a definition, else whatever was called so when it wrote.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models), or the definitions cannot be listed.
    pub async fn data_model(&self, name: &str) -> Result<Option<DataModel>, ServiceError> {
        let models = self.models().await?;
        if let Some(definition) = models.get(name) {
            return Ok(Some(DataModel {
                id: definition.id.clone(),
                name: definition.name.value.clone(),
                type_name: definition.type_name.value.to_string(),
            }));
        }
        let store = self.data_store()?;
        let handles = store.list(name).await.map_err(unreadable)?;
        let of = |handle: &DataHandle| DataModel {
            id: handle.model_id.clone(),
            name: Some(handle.model_name()).filter(|name| !name.is_empty()).unwrap_or(name).to_owned(),
            type_name: handle.model_type.clone(),
        };
        if let Some(newest) = handles.iter().max_by_key(|handle| handle.written_at) {
            return Ok(Some(of(newest)));
        }
        let search = DataSearch { equal: vec![(DataField::ModelName, name.to_owned())], ..DataSearch::default() };
        let found = store.find(&search).await.map_err(unreadable)?;
        let named = found.iter().map(|found| &found.handle).filter(|handle| handle.model_name() == name);
        Ok(named.max_by_key(|handle| handle.written_at).map(of))
    }

    /// The definitions that name models, as they are now.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn models(&self) -> Result<Arc<Models>, ServiceError> {
        Ok(Arc::new(Models::new(self.library().await?.usable_definitions())))
    }

    /// What methods have written, as queries see it.
    ///
    /// # Errors
    /// As [`data_model`](Self::data_model).
    pub async fn records(&self) -> Result<Records, ServiceError> {
        let store = Arc::clone(self.data_store()?);
        let expressions = Arc::clone(&self.repository.expressions);
        Ok(Records::new(store, expressions, Arc::new(NoSecrets), self.models().await?))
    }

    /// The latest versions of all items that the methods of a definition have written, sorted by spec and name. It is named
    /// by its identifier.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models).
    pub async fn data_of(&self, model_id: &str) -> Result<Vec<DataHandle>, ServiceError> {
        self.data_store()?.list(model_id).await.map_err(unreadable)
    }

    /// One item with its content: of this version, else of the latest; `None` if there is none. Contents are as methods
    /// wrote them: secrets in them are not masked.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models).
    pub async fn data_item(
        &self,
        place: &DataPlace,
        version: Option<u32>,
    ) -> Result<Option<(DataHandle, Content)>, ServiceError> {
        let DataPlace { model_id, name } = place;
        self.data_store()?.read(model_id, name, version).await.map_err(unreadable)
    }

    /// The versions of an item that there are, in ascending order.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models).
    pub async fn data_versions(&self, place: &DataPlace) -> Result<Vec<DataHandle>, ServiceError> {
        self.data_store()?.versions(&place.model_id, &place.name).await.map_err(unreadable)
    }

    /// The versions that a run wrote; of the run of a workflow, those of all its steps.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models).
    pub async fn data_of_run(&self, run_id: &str) -> Result<Vec<DataHandle>, ServiceError> {
        let search = DataSearch { wants_every_version: true, ..DataSearch::default() };
        let found = self.data_store()?.find(&search).await.map_err(unreadable)?;
        let is_of_run =
            |handle: &DataHandle| handle.run_id == run_id || handle.owner.workflow_run_id.as_deref() == Some(run_id);
        let mut handles: Vec<DataHandle> = found.into_iter().map(|found| found.handle).filter(is_of_run).collect();
        handles.sort_by(|one, other| (one.written_at, &one.name).cmp(&(other.written_at, &other.name)));
        Ok(handles)
    }

    /// Removes one version of an item, or all of them.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models), or it cannot be removed.
    pub async fn delete_data(&self, place: &DataPlace, version: Option<u32>) -> Result<Removed, ServiceError> {
        let deleted = self.data_store()?.delete(&place.model_id, &place.name, version).await;
        deleted.map_err(|error| ServiceError::failed("removing data")(error.fault))
    }

    /// Removes what is not kept any longer: see [`data::sweep`].
    ///
    /// # Errors
    /// Data or runs cannot be looked at, or this service has none.
    pub async fn sweep_data(&self, is_dry_run: bool) -> Result<Swept, ServiceError> {
        let (store, runs) = (self.data_store()?, self.run_store()?);
        let swept = data::sweep(store.as_ref(), runs.as_ref(), self.clock().now(), is_dry_run).await;
        swept.map_err(|error| match error {
            SweepError::Data(error) => ServiceError::failed("sweeping data")(error.fault),
            SweepError::Runs(error) => error.into(),
        })
    }

    /// Where the content of a version lies.
    ///
    /// # Errors
    /// This service runs nothing.
    pub fn data_path(&self, handle: &DataHandle) -> Result<std::path::PathBuf, ServiceError> {
        Ok(self.data_store()?.content_path(&handle.model_id, &handle.name, handle.version))
    }

    /// The latest versions as a search wants them; there may be more than those that fit.
    pub(super) async fn found_data(&self, search: &DataSearch) -> Result<Vec<DataHandle>, ServiceError> {
        let found = self.data_store()?.find(search).await.map_err(unreadable)?;
        Ok(found.into_iter().filter(|found| found.is_latest).map(|found| found.handle).collect())
    }

    fn data_store(&self) -> Result<&Arc<dyn DataStore>, ServiceError> {
        Ok(&self.running()?.data)
    }

    pub(super) fn running(&self) -> Result<&Running, ServiceError> {
        self.options.running.as_deref().ok_or(ServiceError::Without("what runs methods"))
    }
}

fn unreadable(error: DataError) -> ServiceError {
    ServiceError::failed("reading the data")(error.fault)
}
