//! The configuration, read again while the service runs.

use std::sync::Arc;

use mangrove_domain::{permission::Permissions, problem::Problem};

use super::{base::Service, error::ServiceError};

impl Service {
    /// Reads the configuration again: permissions, drivers, the bundler, the place of Deno. What begins after this goes by the
    /// new one. One that cannot be used leaves the old one in force, and the problems say why. Mounts, pulled extensions and the
    /// directories of the kinds need no reload: every look at the sources reads them.
    ///
    /// # Errors
    /// This service has no configuration.
    pub async fn reload(&self) -> Result<Vec<Problem>, ServiceError> {
        let configuration = self.options.configuration.as_ref();
        match configuration.ok_or(ServiceError::Without("a configuration"))?.reload().await {
            Ok(in_force) => {
                self.permissions.store(Arc::new(in_force.permissions));
                self.drivers.store(Arc::new(in_force.drivers));
                Ok(Vec::new())
            }
            Err(problems) => Ok(problems),
        }
    }

    /// What is granted now.
    #[must_use]
    pub fn permissions(&self) -> Arc<Permissions> {
        self.permissions.load_full()
    }

    /// The bundler that is chosen now; `None` if this service has no configuration.
    #[must_use]
    pub fn bundler(&self) -> Option<&'static str> {
        Some(self.options.configuration.as_ref()?.in_force().bundler)
    }
}
