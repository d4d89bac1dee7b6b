//! Secrets in encrypted files, one each:
//!
//! ```text
//! <base>/.swamp/secrets/local_encryption/<vault>/<key>.enc             the secret
//! <base>/.swamp/secrets/local_encryption/<vault>/.key                  the key, if it is made here
//! <base>/.swamp/secrets/local_encryption/<vault>/.refresh/<key>.enc    how somebody wanted it renewed: never carried out
//! ```

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{Secret, Vault, VaultError},
    problem::Code,
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};

use super::{
    cipher::{self, SALT_BYTES, Sealed, SecretKey},
    material::{MaterialSource, private_directory},
};

const ENDING: &str = ".enc";

/// Where a vault lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory below which all of it lies.
    pub(super) base: PathBuf,
    /// Its own directory.
    pub(super) directory: PathBuf,
}

/// A vault in a directory. Cheap to clone.
#[derive(Clone)]
pub(super) struct EncryptedFiles {
    shared: Arc<Shared>,
}

/// Keys by key material and salt.
type Keys = HashMap<(Vec<u8>, Vec<u8>), SecretKey>;

struct Shared {
    place: Place,
    source: MaterialSource,
    /// Keys that were made of the material already, by what they were made of: making one takes a while.
    keys: Mutex<Keys>,
}

/// What is wrong with a name that is to be the name of a file or directory; `None` if nothing is.
pub(super) fn unusable_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("must not be empty")
    } else if name.contains("..") || name.contains(['/', '\\', '\0']) {
        Some("must not contain `..`, `/`, `\\` or NUL")
    } else {
        None
    }
}

impl EncryptedFiles {
    pub(super) fn new(place: Place, source: MaterialSource) -> Self {
        Self { shared: Arc::new(Shared { place, source, keys: Mutex::default() }) }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let shared = Arc::clone(&self.shared);
        mangrove_fs::blocking(move || work(&shared)).await.unwrap_or_else(|error| {
            let fault = Fault::environment(Code::UNREADABLE, "vault:task", format!("the vault failed: {error}"));
            Err(VaultError::Fault(fault))
        })
    }
}

impl Shared {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, material: &[u8], salt: &[u8]) -> SecretKey {
        let made_of = (material.to_vec(), salt.to_vec());
        if let Some(key) = self.keys().get(&made_of) {
            return *key;
        }
        let key = cipher::key_of(material, salt);
        self.keys().insert(made_of, key);
        key
    }

    fn path(&self, key: &str) -> Result<PathBuf, VaultError> {
        if let Some(reason) = unusable_name(key) {
            return Err(VaultError::Key { key: key.to_owned(), reason: format!("it {reason}") });
        }
        Ok(self.place.directory.join(format!("{key}{ENDING}")))
    }

    fn get(&self, key: &str) -> Result<Option<Secret>, VaultError> {
        let Some(value) = self.open(key, &self.path(key)?)? else { return Ok(None) };
        let refresh = self.place.directory.join(".refresh").join(format!("{key}{ENDING}"));
        let remark = refresh.symlink_metadata().is_ok().then(|| {
            format!("`{key}` has a command that would renew it; such commands are never run, so the value may be out of date")
        });
        Ok(Some(Secret { value, remark }))
    }

    /// The text that a file holds.
    fn open(&self, key: &str, path: &Path) -> Result<Option<String>, VaultError> {
        let bytes = match read::bytes(path, Within::Root(&self.place.base), FileKind::Document) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(VaultError::Fault(error.into_fault())),
        };
        let damaged = |reason: String| VaultError::Damaged { key: key.to_owned(), reason };
        let sealed = Sealed::read(&bytes).map_err(damaged)?;
        let salt = sealed.salt().map_err(damaged)?;
        let material = self.source.load(false)?;
        sealed.open(&self.key(&material, &salt)).map(Some).map_err(damaged)
    }

    fn put(&self, key: &str, value: &str) -> Result<(), VaultError> {
        let path = self.path(key)?;
        let failed = |error: std::io::Error| VaultError::Fault(io_fault(Operation::Write, &path, &error));
        // It is there before the key, so that the key does not lie in a directory that others may enter.
        private_directory(&self.place.base, &self.place.directory).map_err(failed)?;
        let material = self.source.load(true)?;
        let unusable = |reason: String| VaultError::Unusable(format!("the secret cannot be encrypted: {reason}"));
        let salt: [u8; SALT_BYTES] = cipher::random().map_err(unusable)?;
        let sealed = Sealed::new(&self.key(&material, &salt), &salt, value).map_err(unusable)?;
        let bytes = sealed.to_bytes().map_err(unusable)?;
        atomic::write(&self.place.base, &path, &bytes, Durability::Durable).map_err(failed)
    }

    fn delete(&self, key: &str) -> Result<bool, VaultError> {
        let path = self.path(key)?;
        let failed = |error: std::io::Error| VaultError::Fault(io_fault(Operation::Remove, &path, &error));
        let Some(directory) = self.directory()? else { return Ok(false) };
        match directory.remove_file(path.file_name().unwrap_or_default()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    fn list(&self) -> Result<Vec<String>, VaultError> {
        let Some(directory) = self.directory()? else { return Ok(Vec::new()) };
        let failed =
            |error: std::io::Error| VaultError::Fault(io_fault(Operation::List, &self.place.directory, &error));
        let names = directory.names().map_err(failed)?;
        let keys = names.iter().filter_map(|name| name.to_str()?.strip_suffix(ENDING).map(str::to_owned));
        let mut keys: Vec<String> = keys.filter(|key| !key.is_empty() && !key.starts_with(atomic::PREFIX)).collect();
        keys.sort();
        Ok(keys)
    }

    fn directory(&self) -> Result<Option<Directory>, VaultError> {
        match Directory::open(&self.place.base, &self.place.directory) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VaultError::Fault(io_fault(Operation::List, &self.place.directory, &error))),
        }
    }
}

#[async_trait]
impl Vault for EncryptedFiles {
    async fn get(&self, key: &str) -> Result<Option<Secret>, VaultError> {
        let key = key.to_owned();
        self.blocking(move |shared| shared.get(&key)).await
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), VaultError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.blocking(move |shared| shared.put(&key, &value)).await
    }

    async fn delete(&self, key: &str) -> Result<bool, VaultError> {
        let key = key.to_owned();
        self.blocking(move |shared| shared.delete(&key)).await
    }

    async fn list(&self) -> Result<Vec<String>, VaultError> {
        self.blocking(Shared::list).await
    }

    fn directory(&self) -> Option<&Path> {
        Some(&self.shared.place.directory)
    }
}
