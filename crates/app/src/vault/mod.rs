//! Vaults of a repository: which there are, and the secrets in them (`design/vaults.md`).

mod concealed;
mod configured;
mod error;
mod extension;
mod sensitive;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use mangrove_domain::{
    permission::Permissions,
    ports::{
        Configuration, Documents, FilesError, MethodRunner, RepositoryFiles, Secret, Vault, VaultError, VaultProviders,
    },
    vault::VaultConfiguration,
};

pub(crate) use self::concealed::ConcealedVaults;
pub(crate) use self::sensitive::Place;
pub use self::{configured::ConfiguredVaults, error::SecretError};

use self::extension::{Engine, ExtensionVault};
use crate::{
    secrets::{Environment, Secrets},
    types::Types,
};

/// What the vaults of a repository are made of.
pub struct Parts {
    /// Reads their configurations.
    pub files: Arc<dyn RepositoryFiles>,
    /// Understands them.
    pub documents: Arc<dyn Documents>,
    /// The types that come with the program.
    pub providers: Arc<dyn VaultProviders>,
    /// Types of extensions.
    pub types: Arc<dyn Types>,
    /// Runs their code.
    pub runner: Arc<dyn MethodRunner>,
    /// What code may reach now.
    pub permissions: Arc<ArcSwap<Permissions>>,
    /// The variables that code can be granted.
    pub variables: Vec<(String, String)>,
    /// The configuration, which may name the vault for what names none.
    pub configuration: Option<Arc<dyn Configuration>>,
}

/// The vaults of a repository, for as long as a process runs. Cheap to clone.
#[derive(Clone)]
pub struct Vaults {
    shared: Arc<Shared>,
}

struct Shared {
    parts: Parts,
    /// What masks the variables that vaults were granted.
    environment: Arc<Environment>,
    /// The vaults that were opened, each by its configuration: another one is another vault.
    opened: Mutex<Vec<(VaultConfiguration, Arc<dyn Vault>)>>,
}

impl Vaults {
    /// The vaults of a repository. Nothing is read yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let environment = Arc::new(Environment::new(parts.variables.clone()));
        Self { shared: Arc::new(Shared { parts, environment, opened: Mutex::default() }) }
    }

    /// The vaults that are configured now.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn configured(&self) -> Result<ConfiguredVaults, FilesError> {
        let Parts { files, documents, .. } = &self.shared.parts;
        ConfiguredVaults::load(files.as_ref(), documents.as_ref()).await
    }

    /// The vault of this name.
    ///
    /// # Errors
    /// [`SecretError`]
    pub async fn find(&self, name: &str) -> Result<VaultConfiguration, SecretError> {
        Ok(self.configured().await?.find(name).map_err(SecretError::Unknown)?.clone())
    }

    /// The secret of a key.
    ///
    /// # Errors
    /// [`SecretError`], also if there is none.
    pub async fn secret(&self, vault: &str, key: &str) -> Result<Secret, SecretError> {
        let configuration = self.find(vault).await?;
        let opened = self.open(&configuration)?;
        let missing = |said| SecretError::Missing {
            vault: vault.to_owned(),
            file: configuration.file.clone(),
            key: key.to_owned(),
            said,
        };
        match opened.get(key).await {
            Ok(found) => found.ok_or_else(|| missing(None)),
            Err(VaultError::NotThere(said)) => Err(missing(Some(said))),
            Err(VaultError::Refused(said)) => Err(SecretError::Refused {
                vault: vault.to_owned(),
                file: configuration.file.clone(),
                key: key.to_owned(),
                said,
            }),
            Err(error) => Err(failed(&configuration, error)),
        }
    }

    /// Keeps a secret in place of the one that is there.
    ///
    /// # Errors
    /// [`SecretError`]
    pub async fn put(&self, vault: &str, key: &str, value: &str) -> Result<(), SecretError> {
        let configuration = self.find(vault).await?;
        let opened = self.open(&configuration)?;
        opened.put(key, value).await.map_err(|error| failed(&configuration, error))
    }

    /// The directory in which a vault keeps secrets; `None` if it keeps them on no disk of this machine.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn directory(&self, configuration: &VaultConfiguration) -> Result<Option<PathBuf>, SecretError> {
        Ok(self.open(configuration)?.directory().map(Path::to_path_buf))
    }

    /// Removes a secret; false if there is none.
    ///
    /// # Errors
    /// [`SecretError`]
    pub async fn delete(&self, vault: &str, key: &str) -> Result<bool, SecretError> {
        let configuration = self.find(vault).await?;
        let opened = self.open(&configuration)?;
        opened.delete(key).await.map_err(|error| failed(&configuration, error))
    }

    /// The keys of a vault, sorted.
    ///
    /// # Errors
    /// [`SecretError`]
    pub async fn keys(&self, vault: &str) -> Result<Vec<String>, SecretError> {
        let configuration = self.find(vault).await?;
        let opened = self.open(&configuration)?;
        let mut keys = opened.list().await.map_err(|error| failed(&configuration, error))?;
        keys.sort();
        Ok(keys)
    }

    /// The vault for what names none.
    #[must_use]
    pub fn default_vault<'a>(&self, configured: &'a ConfiguredVaults) -> Option<&'a VaultConfiguration> {
        configured.default_vault(self.shared.default_name().as_deref())
    }

    /// The types that come with the program, each with what it is.
    #[must_use]
    pub fn built_in_types(&self) -> Vec<(&'static str, &'static str)> {
        self.shared.parts.providers.types()
    }

    /// Opens a vault, once for each configuration.
    fn open(&self, configuration: &VaultConfiguration) -> Result<Arc<dyn Vault>, SecretError> {
        if let Some((_, vault)) = self.shared.opened().iter().find(|(known, _)| known == configuration) {
            return Ok(Arc::clone(vault));
        }
        let vault = match self.shared.parts.providers.open(configuration) {
            Some(opened) => opened.map_err(|error| failed(configuration, error))?,
            None => self.extension(configuration)?,
        };
        let mut opened = self.shared.opened();
        opened.retain(|(known, _)| known.id != configuration.id);
        opened.push((configuration.clone(), Arc::clone(&vault)));
        Ok(vault)
    }

    /// A vault of the type of an extension.
    fn extension(&self, configuration: &VaultConfiguration) -> Result<Arc<dyn Vault>, SecretError> {
        let Parts { types, runner, permissions, .. } = &self.shared.parts;
        let code = Engine {
            types: Arc::clone(types),
            runner: Arc::clone(runner),
            permissions: Arc::clone(permissions),
            environment: Arc::clone(&self.shared.environment),
        };
        let built_in: Vec<&str> = self.built_in_types().iter().map(|(name, _)| *name).collect();
        match ExtensionVault::new(code, configuration, &built_in) {
            Ok(vault) => Ok(Arc::new(vault)),
            Err(reason) => Err(SecretError::Type {
                vault: configuration.name.value.clone(),
                file: configuration.file.clone(),
                reason,
            }),
        }
    }
}

fn failed(configuration: &VaultConfiguration, source: VaultError) -> SecretError {
    SecretError::Failed { vault: configuration.name.value.clone(), file: configuration.file.clone(), source }
}

#[async_trait]
impl Secrets for Vaults {
    async fn get(&self, vault: &str, key: &str) -> Result<String, String> {
        let secret = self.secret(vault, key).await.map_err(|error| error.sentence())?;
        if let Some(remark) = &secret.remark {
            tracing::warn!(vault, remark, "a secret was given out");
        }
        Ok(secret.value)
    }
}

impl Shared {
    /// The vault that the configuration names for what names none.
    fn default_name(&self) -> Option<String> {
        self.parts.configuration.as_ref()?.in_force().default_vault
    }

    fn opened(&self) -> MutexGuard<'_, Vec<(VaultConfiguration, Arc<dyn Vault>)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
