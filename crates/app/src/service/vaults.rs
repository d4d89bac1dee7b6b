//! Vaults of the repository.

use std::sync::Arc;

use mangrove_domain::{
    problem::{Code, Problem},
    source::Kind,
    vault::VaultConfiguration,
};

use super::{base::Service, error::ServiceError};
use crate::{
    catalogue::Lookup,
    vault::{ConfiguredVaults, Parts, Vaults},
};

impl Service {
    /// The vaults of the repository. There is one such object for all who ask.
    ///
    /// # Errors
    /// This service runs nothing.
    pub fn vaults(&self) -> Result<&Vaults, ServiceError> {
        let running = self.running()?;
        Ok(self.vaults.get_or_init(|| {
            let variables = self.repository.environment.iter();
            Vaults::new(Parts {
                files: Arc::clone(&self.repository.files),
                documents: Arc::clone(&self.repository.documents),
                providers: Arc::clone(&running.vaults),
                types: Arc::clone(&self.types) as _,
                runner: Arc::clone(&running.runner),
                permissions: Arc::clone(&self.permissions),
                configuration: self.options.configuration.clone(),
                variables: variables.map(|(name, value)| (name.clone(), value.clone())).collect(),
            })
        }))
    }

    /// The vaults that are configured and whose type is one that something here has. Of the others, the problems say why they
    /// are left out. Nothing is built.
    ///
    /// # Errors
    /// The vaults cannot be listed, the catalog cannot be read, or this service runs nothing.
    pub async fn usable_vaults(&self) -> Result<ConfiguredVaults, ServiceError> {
        let configured = self.vaults()?.configured().await?;
        let mut left_out = Vec::new();
        for vault in &configured.vaults {
            if let Some(problem) = self.unknown_vault_type(vault).await? {
                left_out.push((vault.file.clone(), problem));
            }
        }
        Ok(configured.without(&left_out))
    }

    /// That nothing has the type of a vault; `None` if something has it, or may.
    async fn unknown_vault_type(&self, vault: &VaultConfiguration) -> Result<Option<Problem>, ServiceError> {
        let built_in = self.vaults()?.built_in_types();
        if built_in.iter().any(|(name, _)| *name == vault.type_name) {
            return Ok(None);
        }
        let problem = |reason: String| {
            let message = format!("the vault `{}` is left out: {reason}", vault.name.value);
            Problem::warning(Code::UNKNOWN_TYPE, vault.file.clone(), message).at(vault.position())
        };
        Ok(match self.describe(&vault.type_name, Some(&Kind::new("vault"))).await? {
            Lookup::Unknown(not_ready)
                if not_ready.claimed_by.is_empty() && not_ready.unclaimed.unscanned.is_empty() =>
            {
                let reason = format!("{}; {}", not_ready.headline(), not_ready.reason());
                Some(problem(reason).advise(not_ready.advice()))
            }
            Lookup::NoName(_) => {
                let known: Vec<&str> = built_in.iter().map(|(name, _)| *name).collect();
                let advice = format!("known are {}, and the types of extensions", known.join(", "));
                Some(problem(format!("there is no type of vaults `{}`", vault.type_name)).advise(advice))
            }
            Lookup::Unknown(_) | Lookup::Found(_) | Lookup::BuiltIn(_) | Lookup::Ambiguous(_) => None,
        })
    }

    /// What is wrong with the vaults; nothing if this service runs nothing, or if they cannot be looked at, which whoever
    /// looks at the rest says.
    pub(super) async fn vault_problems(&self) -> Vec<Problem> {
        match self.usable_vaults().await {
            Ok(configured) => configured.problems,
            Err(error) => {
                tracing::debug!(%error, "the vaults are not looked at");
                Vec::new()
            }
        }
    }
}
