//! Vaults of the repository.

use std::sync::Arc;

use super::{base::Service, error::ServiceError};
use crate::vault::{Parts, Vaults};

impl Service {
    /// The vaults of the repository. There is one such object for all who ask.
    ///
    /// # Errors
    /// This service runs nothing.
    pub fn vaults(&self) -> Result<&Vaults, ServiceError> {
        let running = self.running()?;
        Ok(self.vaults.get_or_init(|| {
            let variables = self.repository.environment.iter();
            Vaults::new(Parts {
                files: Arc::clone(&self.repository.files),
                documents: Arc::clone(&self.repository.documents),
                providers: Arc::clone(&running.vaults),
                types: Arc::clone(&self.types) as _,
                runner: Arc::clone(&running.runner),
                permissions: Arc::clone(&self.permissions),
                configuration: self.options.configuration.clone(),
                variables: variables.map(|(name, value)| (name.clone(), value.clone())).collect(),
            })
        }))
    }
}
