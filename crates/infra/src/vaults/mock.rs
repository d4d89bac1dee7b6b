//! A vault in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    ports::{Secret, Vault, VaultError},
};

/// Secrets that are gone with the process.
pub(super) struct MemoryVault {
    secrets: Mutex<BTreeMap<String, String>>,
}

impl MemoryVault {
    /// One that has the members of its configuration.
    pub(super) fn new(config: &Json) -> Self {
        let members = config.as_object().unwrap_or_default().iter();
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self { secrets: Mutex::new(members.map(|(key, value)| (key.clone(), text(value))).collect()) }
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Vault for MemoryVault {
    async fn get(&self, key: &str) -> Result<Option<Secret>, VaultError> {
        Ok(self.secrets().get(key).map(|value| Secret { value: value.clone(), remark: None }))
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), VaultError> {
        self.secrets().insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<bool, VaultError> {
        Ok(self.secrets().remove(key).is_some())
    }

    async fn list(&self) -> Result<Vec<String>, VaultError> {
        Ok(self.secrets().keys().cloned().collect())
    }
}
