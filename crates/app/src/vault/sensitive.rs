//! Sensitive values of resources: into a vault before they are stored, and out of it when they are read.

use mangrove_domain::{
    json::Json,
    vault::{self, SensitiveField, sensitive_fields},
};

use super::{ConfiguredVaults, SecretError, Vaults};
use crate::secrets::Environment;

/// Where a resource is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) type_name: &'a str,
    pub(crate) model_id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) spec: &'a str,
    pub(crate) instance: &'a str,
    /// The vault that the definition names for this resource.
    pub(crate) vault: Option<&'a str>,
}

impl Place<'_> {
    /// The key of a value that names none.
    fn key(&self, field: &SensitiveField) -> String {
        let path = field.path.join(".");
        vault::sensitive_key(&[self.type_name, self.model_id, self.method, self.spec, self.instance, &path])
    }
}

impl Vaults {
    /// The content as it is stored: sensitive values are in vaults, and references in their places. They are masked from now on.
    ///
    /// # Errors
    /// Why a value cannot be kept; it must not be stored then.
    pub(crate) async fn keep_sensitive(
        &self,
        place: Place<'_>,
        declared: &Json,
        content: &Json,
        environment: &Environment,
    ) -> Result<Json, String> {
        let fields = sensitive_fields(declared, content);
        if fields.is_empty() {
            return Ok(content.clone());
        }
        let configured = self.configured().await.map_err(|error| SecretError::Files(error).to_string())?;
        let declared_vault = declared.get("vaultName").and_then(Json::as_str);
        let mut stored = content.clone();
        for field in fields {
            let Some(value) = vault::at(content, &field.path) else { continue };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            environment.conceal(&text);
            let named = field.vault.as_deref().or(place.vault).or(declared_vault);
            let vault = self.vault_for(&configured, named).map_err(|reason| {
                format!("`{}` of resource `{}` is sensitive: {reason}", field.path.join("."), place.spec)
            })?;
            let key = field.key.clone().unwrap_or_else(|| place.key(&field));
            self.put(&vault, &key, &text).await.map_err(|error| error.to_string())?;
            stored = vault::replaced(&stored, &field.path, Json::from(vault::reference(&vault, &key)));
        }
        Ok(stored)
    }

    /// The name of the vault for a value, and why there is none.
    fn vault_for(&self, configured: &ConfiguredVaults, named: Option<&str>) -> Result<String, String> {
        if let Some(name) = named {
            if name.starts_with('_') {
                return Err(format!("the vault `{name}` begins with `_` and keeps no values of resources"));
            }
            return Ok(name.to_owned());
        }
        let default = configured.default_vault(self.shared.default_name().as_deref());
        default.map(|vault| vault.name.value.clone()).ok_or_else(|| {
            "there is no vault that could keep it; `vault create local_encryption NAME` makes one".to_owned()
        })
    }

    /// The value with the secrets of all references in it, at any depth. They are masked from now on. A reference whose secret
    /// cannot be had stays.
    pub async fn resolve(&self, value: &Json, environment: &Environment) -> Json {
        let mut references = Vec::new();
        referenced(value, &mut references);
        let mut secrets = Vec::new();
        for (vault, key) in references {
            match self.secret(&vault, &key).await {
                Ok(secret) => {
                    environment.conceal(&secret.value);
                    secrets.push((vault, key, secret.value));
                }
                Err(error) => tracing::warn!(%error, "a reference to a secret stays as it is"),
            }
        }
        if secrets.is_empty() { value.clone() } else { resolved(value, &secrets) }
    }
}

/// The references in a value, each once.
fn referenced(value: &Json, found: &mut Vec<(String, String)>) {
    match value {
        Json::String(text) => {
            if let Some((vault, key)) = vault::referenced(text) {
                let reference = (vault.to_owned(), key.to_owned());
                if !found.contains(&reference) {
                    found.push(reference);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| referenced(item, found)),
        Json::Object(members) => members.iter().for_each(|(_, member)| referenced(member, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn resolved(value: &Json, secrets: &[(String, String, String)]) -> Json {
    match value {
        Json::String(text) => {
            let reference = vault::referenced(text);
            let secret = reference.and_then(|reference| {
                secrets.iter().find(|(vault, key, _)| (vault.as_str(), key.as_str()) == reference)
            });
            secret.map_or_else(|| value.clone(), |(_, _, secret)| Json::from(secret.as_str()))
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| resolved(item, secrets)).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, member)| (name.clone(), resolved(member, secrets))).collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}
