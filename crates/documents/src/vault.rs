//! Vaults and what is done with them. Never a secret, but in the one document that somebody asked for.

use mangrove_domain::vault::VaultConfiguration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json;

/// `vault create --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedVaultDocument {
    /// `mangrove.vault-create/1`.
    pub schema: String,
    /// Its identifier.
    pub id: String,
    /// What expressions call it.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What its type is called by people.
    #[serde(rename = "typeName")]
    pub title: String,
    /// What its type is told.
    pub config: Value,
    /// Its file.
    pub path: String,
}

/// `vault get --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultDocument {
    /// `mangrove.vault/1`.
    pub schema: String,
    /// Its identifier.
    pub id: String,
    /// What expressions call it.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What its type is told.
    pub config: Value,
    /// When it was made.
    pub created_at: Option<String>,
    /// Its file.
    pub storage_path: String,
}

impl From<&VaultConfiguration> for VaultDocument {
    fn from(vault: &VaultConfiguration) -> Self {
        Self {
            schema: "mangrove.vault/1".to_owned(),
            id: vault.id.clone(),
            name: vault.name.value.clone(),
            type_name: vault.type_name.clone(),
            config: json::to_value(&vault.config),
            created_at: vault.created_at.clone(),
            storage_path: vault.file.clone(),
        }
    }
}

/// `vault search --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaultsDocument {
    /// `mangrove.vaults/1`.
    pub schema: String,
    /// What was looked for.
    pub query: String,
    /// The vaults, in the order of their files.
    pub results: Vec<ListedVaultDocument>,
}

/// One vault in `vault search`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedVaultDocument {
    /// Its identifier.
    pub id: String,
    /// What expressions call it.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// When it was made.
    pub created_at: Option<String>,
}

impl From<&VaultConfiguration> for ListedVaultDocument {
    fn from(vault: &VaultConfiguration) -> Self {
        Self {
            id: vault.id.clone(),
            name: vault.name.value.clone(),
            type_name: vault.type_name.clone(),
            created_at: vault.created_at.clone(),
        }
    }
}

/// `vault list-keys --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultKeysDocument {
    /// `mangrove.vault-keys/1`.
    pub schema: String,
    /// The vault.
    pub vault_name: String,
    /// Its type.
    pub vault_type: String,
    /// Its keys, sorted.
    pub secret_keys: Vec<String>,
    /// How many these are.
    pub count: usize,
}

/// `vault put --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutSecretDocument {
    /// `mangrove.vault-put/1`.
    pub schema: String,
    /// The vault.
    pub vault_name: String,
    /// The key.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// True if it had another value before.
    pub overwritten: bool,
    /// The directory in which it lies, if that is outside of the repository; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// When.
    pub timestamp: String,
}

/// `vault read-secret --json`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretDocument {
    /// `mangrove.vault-secret/1`.
    pub schema: String,
    /// The vault.
    pub vault_name: String,
    /// The key.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// The secret.
    pub value: String,
}
