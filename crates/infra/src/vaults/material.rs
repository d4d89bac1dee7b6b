//! The key of a vault: an SSH key, or a file that is made for it.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::ports::VaultError;
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    read::{self, FileKind, Within},
};

/// Where the key of a vault comes from: the first of these that is said and, where another follows, can be used.
#[derive(Clone, Debug)]
pub(super) struct MaterialSource {
    /// The SSH key that the configuration names.
    pub(super) ssh_key: Option<PathBuf>,
    /// The file that is made if it is not there.
    pub(super) key_file: Option<PathBuf>,
    /// The SSH key that the user has in the usual place.
    pub(super) usual_key: Option<PathBuf>,
}

/// The path with `~/` as the home directory.
pub(super) fn expanded(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

impl MaterialSource {
    /// The key; made now if it may be and `is_made` says so.
    pub(super) fn load(&self, is_made: bool) -> Result<Vec<u8>, VaultError> {
        let of_ssh = self.ssh_key.as_deref().map(ssh_key);
        match (of_ssh, &self.key_file) {
            (Some(Ok(material)), _) => Ok(material),
            (Some(Err(reason)), None) => Err(VaultError::Unusable(reason)),
            (Some(Err(_)) | None, Some(file)) => key_file(file, is_made).map_err(VaultError::Unusable),
            (None, None) => match &self.usual_key {
                Some(path) => ssh_key(path).map_err(|reason| {
                    VaultError::Unusable(format!(
                        "{reason}; `config.ssh_key_path` names another key, and `config.auto_generate: true` makes one"
                    ))
                }),
                None => {
                    Err(VaultError::Unusable("the vault has no key: `config.auto_generate: true` makes one".to_owned()))
                }
            },
        }
    }
}

/// The bytes of a key file as they are.
fn key_file(path: &Path, is_made: bool) -> Result<Vec<u8>, String> {
    match read::bytes(path, Within::Unlinked, FileKind::Document) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) if is_made => make(path, true),
        Err(error) if error.is_absent() && is_made => make(path, false),
        Ok(_) => Err(format!("the key {} is empty", path.display())),
        Err(error) if error.is_absent() => Err(format!(
            "there is no key {}; it does not belong into a repository, so that each machine needs its own secrets or a copy of it",
            path.display()
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes a key in a file that is not there, or is empty. Who comes second takes what the first one made.
fn make(path: &Path, replaces: bool) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("the key {} cannot be made: {error}", path.display());
    let unusable = || failed(std::io::Error::other("it has no name"));
    let (directory, name) = (path.parent().ok_or_else(unusable)?, path.file_name().ok_or_else(unusable)?);
    let key = format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let opened = private_directory(directory, directory).map_err(failed)?;
    if replaces {
        atomic::write(directory, path, key.as_bytes(), Durability::Durable).map_err(failed)?;
        return Ok(key.into_bytes());
    }
    let name = name.to_str().ok_or_else(unusable)?;
    if atomic::create(&opened, name, key.as_bytes(), Durability::Durable).map_err(failed)? {
        return Ok(key.into_bytes());
    }
    read::bytes(path, Within::Unlinked, FileKind::Document).map_err(|error| error.to_string())
}

/// The directory at or below a root, which only its owner may enter if it is made here.
pub(super) fn private_directory(root: &Path, path: &Path) -> std::io::Result<Directory> {
    let was_there = path.exists();
    let directory = Directory::make(root, path)?;
    if !was_there {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(directory)
}

/// What a private key consists of.
fn ssh_key(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let opened = read::open(path, Within::Anywhere, FileKind::Document);
    let mut opened = opened
        .map_err(|error| if error.is_absent() { format!("there is no SSH key {shown}") } else { error.to_string() })?;
    let metadata =
        std::fs::metadata(path).map_err(|error| format!("the SSH key {shown} cannot be looked at: {error}"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!("the SSH key {shown} may be read by others; `chmod 600` forbids that"));
    }
    let bytes = opened.bytes().map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| format!("the SSH key {shown} is no text"))?;
    let encrypted = || format!("the SSH key {shown} has a passphrase");
    if text.contains("ENCRYPTED") {
        return Err(encrypted());
    }
    let body: String =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
    let material = STANDARD.decode(body).map_err(|_| format!("{shown} is no SSH key in the form of PEM"))?;
    if material.is_empty() {
        return Err(format!("the SSH key {shown} is empty"));
    }
    if is_encrypted(&material) { Err(encrypted()) } else { Ok(material) }
}

/// True for a key of OpenSSH with a passphrase: it names the cipher that it is encrypted with.
fn is_encrypted(material: &[u8]) -> bool {
    let Some(rest) = material.strip_prefix(b"openssh-key-v1\0") else { return false };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return false };
    let cipher = usize::try_from(u32::from_be_bytes(*length)).ok().and_then(|length| rest.get(..length));
    cipher.is_some_and(|cipher| cipher != b"none")
}
