//! The types of vaults that come with the program: secrets in encrypted files, and a vault in memory for trying things.

mod cipher;
mod files;
mod material;
mod mock;

use std::{path::PathBuf, sync::Arc};

use mangrove_domain::{
    json::Json,
    ports::{Vault, VaultError, VaultProviders},
    vault::{LOCAL_ENCRYPTION, VaultConfiguration},
};

use files::{EncryptedFiles, Place};
use material::MaterialSource;
use mock::MemoryVault;

/// The type in memory.
pub const MOCK: &str = "mock";

/// Opens them for one repository.
#[derive(Clone, Debug)]
pub struct BuiltInVaults {
    repository: PathBuf,
    /// The home directory of the user, if there is one.
    home: Option<PathBuf>,
}

impl BuiltInVaults {
    /// Those of the repository in this directory, for the user who lives in that one.
    #[must_use]
    pub const fn new(repository: PathBuf, home: Option<PathBuf>) -> Self {
        Self { repository, home }
    }

    fn encrypted(&self, configuration: &VaultConfiguration) -> Result<EncryptedFiles, VaultError> {
        let name = &configuration.name.value;
        if let Some(reason) = files::unusable_name(name) {
            return Err(VaultError::Unusable(format!("the name of a vault of the type {LOCAL_ENCRYPTION} {reason}")));
        }
        let config = &configuration.config;
        let base = text(config, "base_dir")?.map(|path| material::expanded(path, self.home.as_deref()));
        let base = base.map_or_else(|| self.repository.clone(), |base| self.repository.join(base));
        let directory =
            [".swamp", "secrets", LOCAL_ENCRYPTION, name].iter().fold(base.clone(), |path, part| path.join(part));
        let is_generated = match config.get("auto_generate") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(value)) => *value,
            Some(other) => return Err(wrong("auto_generate", "true or false", other)),
        };
        let home = self.home.as_deref();
        let source = MaterialSource {
            ssh_key: text(config, "ssh_key_path")?.map(|path| self.repository.join(material::expanded(path, home))),
            key_file: is_generated.then_some(match text(config, "key_file")? {
                Some(path) => self.repository.join(material::expanded(path, home)),
                None => directory.join(".key"),
            }),
            usual_key: self.home.as_ref().map(|home| home.join(".ssh/id_rsa")),
        };
        Ok(EncryptedFiles::new(Place { base, directory }, source))
    }
}

impl VaultProviders for BuiltInVaults {
    fn types(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (LOCAL_ENCRYPTION, "encrypted files in the repository, or in the directory that `base_dir` names"),
            (MOCK, "in memory, for trying things: `config` is its content"),
        ]
    }

    fn open(&self, configuration: &VaultConfiguration) -> Option<Result<Arc<dyn Vault>, VaultError>> {
        match configuration.type_name.as_str() {
            LOCAL_ENCRYPTION => Some(self.encrypted(configuration).map(|vault| Arc::new(vault) as _)),
            MOCK => Some(Ok(Arc::new(MemoryVault::new(&configuration.config)))),
            _ => None,
        }
    }
}

fn text<'a>(config: &'a Json, key: &str) -> Result<Option<&'a str>, VaultError> {
    match config.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(other) => Err(wrong(key, "a text", other)),
    }
}

fn wrong(key: &str, expected: &str, found: &Json) -> VaultError {
    VaultError::Unusable(format!("`config.{key}`: expected {expected}, found {}", found.type_name()))
}

#[cfg(test)]
mod tests;
