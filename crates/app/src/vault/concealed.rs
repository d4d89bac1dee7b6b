//! Secrets that are masked from the moment they are given out.

use std::sync::Arc;

use async_trait::async_trait;

use super::Vaults;
use crate::secrets::{Environment, Secrets, VaultKey};

/// The vaults of a repository for one run: whatever they give out is masked in what that run leaves behind.
pub(crate) struct ConcealedVaults {
    vaults: Vaults,
    environment: Arc<Environment>,
}

impl ConcealedVaults {
    /// The vaults, for what `environment` masks.
    #[must_use]
    pub(crate) const fn new(vaults: Vaults, environment: Arc<Environment>) -> Self {
        Self { vaults, environment }
    }
}

#[async_trait]
impl Secrets for ConcealedVaults {
    async fn get(&self, vault: &str, key: &str) -> Result<String, String> {
        let secret = self.vaults.get(vault, key).await?;
        self.environment.conceal(&secret, VaultKey::new(vault, key));
        Ok(secret)
    }
}
