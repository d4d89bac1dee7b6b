//! Types of vaults that come with the program.

use std::sync::Arc;

use super::vault::{Vault, VaultError};
use crate::vault::VaultConfiguration;

/// Opens vaults.
///
/// Opening MUST NOT read a secret, nor make anything.
pub trait VaultProviders: Send + Sync {
    /// The names of the types, each with what it is, sorted.
    fn types(&self) -> Vec<(&'static str, &'static str)>;

    /// The vault of this configuration; `None` if its type is none of these.
    fn open(&self, configuration: &VaultConfiguration) -> Option<Result<Arc<dyn Vault>, VaultError>>;
}
