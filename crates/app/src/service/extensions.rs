//! Extensions from elsewhere.

use std::sync::Arc;

use super::{base::Service, error::ServiceError};
use crate::extensions::Extensions;

impl Service {
    /// The pulled extensions of the repository.
    ///
    /// # Errors
    /// This service gets none.
    pub fn extensions(&self) -> Result<Extensions, ServiceError> {
        let ports = self.options.extensions.clone().ok_or(ServiceError::Without("extensions from elsewhere"))?;
        let clock = Arc::clone(&self.scanner.ports().clock);
        Ok(Extensions::new(ports, Arc::clone(&self.repository.documents), clock, self.scanner.loaders().layouts()))
    }
}
