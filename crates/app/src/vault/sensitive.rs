//! Sensitive values of resources: into a vault before they are stored, and out of it when they are read.

use mangrove_domain::{
    json::Json,
    vault::{self, SensitiveField, sensitive_fields},
};

use super::{ConfiguredVaults, SecretError, Vaults};
use crate::secrets::{Environment, VaultKey};

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
            // It was read as it is stored, and stands for its secret already.
            if value.as_str().and_then(vault::referenced).is_some() {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            each_text(value, &mut |secret| environment.conceal_before(secret));
            let named = field.vault.as_deref().or(place.vault).or(declared_vault);
            let vault = self.vault_for(&configured, named).map_err(|reason| {
                format!("`{}` of resource `{}` is sensitive: {reason}", field.path.join("."), place.spec)
            })?;
            let key = field.key.clone().unwrap_or_else(|| place.key(&field));
            let kept_at = VaultKey::new(&vault, &key);
            each_text(value, &mut |secret| environment.conceal(secret, kept_at.clone()));
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
}

/// The texts in a value, which are masked. Numbers and the like occur in what is no secret.
fn each_text(value: &Json, hear: &mut dyn FnMut(&str)) {
    match value {
        Json::String(text) => hear(text),
        Json::Array(items) => {
            for item in items {
                each_text(item, hear);
            }
        }
        Json::Object(members) => {
            for (_, member) in members {
                each_text(member, hear);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
