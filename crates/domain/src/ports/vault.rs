//! One vault.

use std::{fmt, path::Path};

use async_trait::async_trait;

use crate::{advice::Advice, failure::Fault};

/// Keeps secrets by their keys.
///
/// Implementations MUST give back exactly what was put; MUST give `None` for a key that is not there; MUST NOT let a secret
/// into an error, a log or a file that is not meant for it. What is put MUST be there as a whole or not at all.
/// Contract: `testkit::contract::vault`.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secret of this key; `None` if there is none.
    async fn get(&self, key: &str) -> Result<Option<Secret>, VaultError>;

    /// Keeps a secret under this key, in place of the one that is there.
    async fn put(&self, key: &str, value: &str) -> Result<(), VaultError>;

    /// Removes the secret of this key; false if there is none.
    async fn delete(&self, key: &str) -> Result<bool, VaultError>;

    /// All keys, sorted.
    async fn list(&self) -> Result<Vec<String>, VaultError>;

    /// The directory of this machine in which it keeps secrets; `None` if it keeps them elsewhere.
    fn directory(&self) -> Option<&Path> {
        None
    }
}

/// What a vault gave out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The secret itself.
    pub value: String,
    /// What whoever uses it should know of it, a sentence.
    pub remark: Option<String>,
}

/// Without the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secret").field("remark", &self.remark).finish_non_exhaustive()
    }
}

/// A vault that did not do what it was asked for. Never holds a secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VaultError {
    /// The vault cannot have such a key.
    #[error("the key `{key}` cannot be used: {reason}")]
    Key {
        /// Which one.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its own key, or its configuration, cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Nothing here has its type, or what has it cannot run.
    #[error("{reason}")]
    NoType {
        /// Why, in one sentence.
        reason: String,
        /// What to do about it.
        advice: Advice,
    },
    /// What is kept under a key cannot be read with the key of the vault.
    #[error("the secret `{key}` cannot be decrypted: {reason}")]
    Damaged {
        /// Which one.
        key: String,
        /// Why.
        reason: String,
    },
    /// It has no such key, and says so in its own words.
    #[error("{0}")]
    NotThere(String),
    /// It has no such function.
    #[error("this type of vault has no `{0}`")]
    Unsupported(&'static str),
    /// What the code of an extension says.
    #[error("{0}")]
    Refused(String),
    /// The system, a program or a service failed.
    #[error("{0}")]
    Fault(Fault),
}
