//! Why a vault did not do what it was asked for.

use mangrove_domain::{
    advice::Advice,
    ports::{FilesError, VaultError},
    problem::{Code, Problem},
};

/// A vault, or a secret in one, that cannot be had. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The repository has no such vault.
    #[error("{}{}", .0.message, advice(.0))]
    Unknown(Problem),
    /// The vault has no such key.
    #[error("the vault `{vault}` ({file}) has no secret `{key}`; `mangrove vault put {vault} {key}` adds it")]
    Missing {
        /// The vault.
        vault: String,
        /// Its file.
        file: String,
        /// The key.
        key: String,
    },
    /// Nothing here knows the type of the vault.
    #[error("the vault `{vault}` ({file}) cannot be used: {reason}")]
    Type {
        /// The vault.
        vault: String,
        /// Its file.
        file: String,
        /// Why there is no such type.
        reason: String,
    },
    /// The vault failed.
    #[error("the vault `{vault}` ({file}) cannot be used: {source}")]
    Failed {
        /// The vault.
        vault: String,
        /// Its file.
        file: String,
        /// What came back.
        source: VaultError,
    },
    /// The configurations cannot be listed.
    #[error("the vaults cannot be listed: {0}")]
    Files(#[from] FilesError),
}

impl SecretError {
    /// The code that stands for it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            SecretError::Unknown(problem) => problem.code,
            SecretError::Missing { .. } => Code::SECRET_MISSING,
            SecretError::Type { .. } | SecretError::Failed { .. } => Code::VAULT_UNUSABLE,
            SecretError::Files(error) => error.fault.code,
        }
    }
}

impl SecretError {
    /// What to do about it, where its sentence does not say so.
    #[must_use]
    pub fn advice(&self) -> Option<&Advice> {
        match self {
            SecretError::Failed { source: VaultError::NoType { advice, .. }, .. } => Some(advice),
            SecretError::Unknown(_)
            | SecretError::Missing { .. }
            | SecretError::Type { .. }
            | SecretError::Failed { .. }
            | SecretError::Files(_) => None,
        }
    }

    /// The sentence with what to do about it, for those who have no face of their own to say it in.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}; {advice}"),
            None => self.to_string(),
        }
    }
}

fn advice(problem: &Problem) -> String {
    problem.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default()
}
