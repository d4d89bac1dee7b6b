//! What methods have written.

use mangrove_domain::{data::DataHandle, json::Json, ports::DataError};

use super::{base::Service, error::ServiceError, parts::Running};

/// An item of data, by what names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlace {
    /// The identifier of the definition whose method wrote it.
    pub model_id: String,
    /// The declared resource or file.
    pub spec_name: String,
    /// The name of the instance.
    pub name: String,
}

impl Service {
    /// The identifiers of all definitions whose methods have written something, sorted. Their files may be gone.
    ///
    /// # Errors
    /// The data cannot be listed, or this service runs nothing.
    pub async fn data_models(&self) -> Result<Vec<String>, ServiceError> {
        self.running()?.data.models().await.map_err(unreadable)
    }

    /// The latest versions of all items that the methods of a definition have written, sorted by spec and name. It is named
    /// by its identifier.
    ///
    /// # Errors
    /// As [`data_models`](Self::data_models).
    pub async fn data_of(&self, model_id: &str) -> Result<Vec<DataHandle>, ServiceError> {
        self.running()?.data.list(model_id).await.map_err(unreadable)
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
    ) -> Result<Option<(DataHandle, Json)>, ServiceError> {
        let DataPlace { model_id, spec_name, name } = place;
        self.running()?.data.read(model_id, spec_name, name, version).await.map_err(unreadable)
    }

    pub(super) fn running(&self) -> Result<&Running, ServiceError> {
        self.options.running.as_deref().ok_or(ServiceError::Without("what runs methods"))
    }
}

fn unreadable(error: DataError) -> ServiceError {
    ServiceError::failed("reading the data")(error.fault)
}
