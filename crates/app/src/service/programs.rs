//! Outside programs.

use mangrove_domain::{
    ports::TransferListener,
    program::{InstalledProgram, Program},
};

use super::{base::Service, error::ServiceError};

impl Service {
    /// The programs that are used, and what is compiled in.
    ///
    /// # Errors
    /// This service has no programs.
    pub async fn list_programs(&self) -> Result<Vec<Program>, ServiceError> {
        Ok(self.programs()?.list().await)
    }

    /// Gets the program `deno` from a registry, unless the right version is installed already.
    ///
    /// # Errors
    /// It cannot be had, or does not run here.
    pub async fn install_deno(&self, listener: Option<TransferListener>) -> Result<InstalledProgram, ServiceError> {
        let installed = self.programs()?.install_deno(listener).await;
        installed.map_err(ServiceError::failed("installing deno"))
    }
}
