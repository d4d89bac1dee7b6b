//! Secrets among the arguments of a method that a driver runs: they leave with the request.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{driver, json::Json, problem::Code, run::RunProblem};

use super::{
    super::{Invocation, problem},
    Driver,
};
use crate::{
    secrets::{Secrets, VaultKey},
    vault::Vaults,
};

/// The vaults of a call, which remembers what was asked of them.
pub(in crate::method) struct Witness<'a> {
    vaults: &'a Vaults,
    asked: Mutex<BTreeSet<VaultKey>>,
}

impl<'a> Witness<'a> {
    /// Nothing was asked yet.
    pub(in crate::method) const fn new(vaults: &'a Vaults) -> Self {
        Self { vaults, asked: Mutex::new(BTreeSet::new()) }
    }

    /// What was asked for.
    pub(in crate::method) fn into_asked(self) -> BTreeSet<VaultKey> {
        self.asked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Secrets for Witness<'_> {
    async fn get(&self, vault: &str, key: &str) -> Result<String, String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(VaultKey::new(vault, key));
        self.vaults.get(vault, key).await
    }
}

/// Refuses arguments with secrets that the driver may not be told: those that expressions asked a vault for, and those that came
/// into them by data. A text for a shell may hold none at all: here they are variables of its environment, and elsewhere what
/// stands in them would be carried out, shown among processes and printed into files.
pub(super) fn check(
    driver: &Driver,
    call: &Invocation<'_>,
    (label, type_name): (&str, &str),
    is_shell: bool,
    (asked, arguments): (&BTreeSet<VaultKey>, &Json),
) -> Result<(), RunProblem> {
    let found = call.environment.vault_secrets_in(arguments);
    if is_shell && !(asked.is_empty() && found.is_empty()) {
        let named: Vec<String> = asked.union(&found).map(|secret| format!("`{secret}`")).collect();
        let message = format!(
            "`{label}` was not started: its command holds secrets of vaults ({}), and the driver `{}` would run it with them in \
             its text; run it here with `--driver none`, or with `{type_name}: none` in `drivers` of mangrove.yaml",
            named.join(", "),
            driver.choice.name
        );
        return Err(problem(Code::DRIVER_SECRET, message));
    }
    let forbidden: BTreeSet<String> = asked
        .iter()
        .chain(&found)
        .filter(|secret| !driver.choice.may_be_told(&secret.vault, &secret.key))
        .map(ToString::to_string)
        .collect();
    if forbidden.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = forbidden.iter().map(|secret| format!("`{secret}`")).collect();
    let message = format!(
        "`{label}` was not started: its arguments hold secrets of vaults ({}), which the driver `{}` may not be told; the entry \
         in mangrove.yaml that allows it is `{}`",
        named.join(", "),
        driver.choice.name,
        // What was asked for once must not become the driver of all later calls.
        driver::entry(call.driver.map_or(type_name, |_| &driver.choice.name), &driver.choice, &forbidden)
    );
    Err(problem(Code::DRIVER_SECRET, message))
}
