//! What a method asks of vaults, and what of its data goes into them.

use mangrove_domain::json::Json;

use super::host::{Host, text};
use crate::{secrets::VaultKey, vault::Place};

impl Host {
    /// One function of `vaultService`.
    pub(super) async fn vault_service(&self, function: &str, arguments: &[Json]) -> Result<Json, String> {
        let argument = |index: usize| arguments.get(index).unwrap_or(&Json::Null);
        let named = |index: usize, what: &str| text(&format!("vaultService.{function}"), what, argument(index));
        let vaults = &self.vaults;
        let failed = |error: crate::vault::SecretError| {
            self.environment.mask(&format!("ctx.vaultService.{function}: {}", error.sentence()))
        };
        match function {
            "get" => {
                let (vault, key) = (named(0, "vault")?, named(1, "key")?);
                let secret = vaults.secret(vault, key).await.map_err(failed)?;
                self.environment.conceal(&secret.value, VaultKey::new(vault, key));
                if let Some(remark) = &secret.remark {
                    self.remark(remark);
                }
                Ok(Json::from(secret.value))
            }
            "put" => {
                let (vault, key) = (named(0, "vault")?, named(1, "key")?);
                let Some(value) = argument(2).as_str() else {
                    let found = argument(2).type_name();
                    return Err(format!("ctx.vaultService.put: expected a string as value, found {found}"));
                };
                self.environment.conceal(value, VaultKey::new(vault, key));
                vaults.put(vault, key, value).await.map_err(failed)?;
                Ok(Json::Null)
            }
            "delete" => {
                let (vault, key) = (named(0, "vault")?, named(1, "key")?);
                vaults.delete(vault, key).await.map_err(failed)?;
                Ok(Json::Null)
            }
            "list" => {
                let keys = vaults.keys(named(0, "vault")?).await.map_err(failed)?;
                Ok(Json::Array(keys.into_iter().map(Json::from).collect()))
            }
            "names" => {
                let configured = vaults.configured().await.map_err(|error| failed(error.into()))?;
                Ok(Json::Array(configured.vaults.into_iter().map(|vault| Json::from(vault.name.value)).collect()))
            }
            "default" => {
                let configured = vaults.configured().await.map_err(|error| failed(error.into()))?;
                let default = vaults.default_vault(&configured);
                Ok(default.map_or(Json::Null, |vault| Json::from(vault.name.value.as_str())))
            }
            other => Err(format!("ctx.vaultService.{other} is not supported in this version")),
        }
    }

    /// Where this method writes an item of its own model.
    pub(super) fn place<'a>(&'a self, spec: &'a str, name: &'a str) -> Place<'a> {
        Place {
            type_name: self.description.type_name.as_str(),
            model_id: &self.model_id,
            method: &self.method,
            spec,
            instance: name,
            vault: self.origin.vault(spec),
        }
    }

    /// The content of a resource as it is stored: what its model declares as sensitive is in a vault.
    pub(super) async fn without_sensitive(
        &self,
        function: &str,
        place: Place<'_>,
        declared: &Json,
        content: &Json,
    ) -> Result<Json, String> {
        let kept = self.vaults.keep_sensitive(place, declared, content, &self.environment).await;
        kept.map_err(|reason| self.environment.mask(&format!("ctx.{function}: {reason}")))
    }
}
