//! Secrets of webhooks, where a workflow file says that they are.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mangrove_app::service::Service;
use mangrove_daemon::webhook::Secrets;
use mangrove_domain::workflow::webhook::SecretSource;
use mangrove_fs::read::{self, FileKind, Within};

/// In variables of the process, in files, and in vaults.
pub(super) struct HostSecrets {
    pub(super) environment: BTreeMap<String, String>,
    /// Has the vaults; relative paths begin in its directory.
    pub(super) service: Service,
}

#[async_trait]
impl Secrets for HostSecrets {
    async fn find(&self, source: &SecretSource) -> Result<Vec<u8>, String> {
        match source {
            SecretSource::Environment(name) => {
                let value = self.environment.get(name).filter(|value| !value.is_empty());
                value.map(|value| value.clone().into_bytes()).ok_or_else(|| format!("the variable {name} is not set"))
            }
            SecretSource::File(path) => {
                let path = self.service.directory().join(path);
                let read = mangrove_fs::blocking(move || read::text(path, Within::Anywhere, FileKind::Document)).await;
                let text = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
                Ok(text.strip_suffix('\n').unwrap_or(&text).as_bytes().to_vec())
            }
            SecretSource::Vault { vault, key } => {
                let vaults = self.service.vaults().map_err(|error| error.to_string())?;
                let secret = vaults.secret(vault, key).await.map_err(|error| error.to_string())?;
                Ok(secret.value.into_bytes())
            }
        }
    }
}
