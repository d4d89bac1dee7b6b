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
    #[error("{}", missing(.vault, .file, .key, .said.as_deref()))]
    Missing {
        /// The vault.
        vault: String,
        /// Its file.
        file: String,
        /// The key.
        key: String,
        /// What the vault said, if it gave an error.
        said: Option<String>,
    },
    /// The code of the vault gives no secret for a key; other keys may be there.
    #[error("the vault `{vault}` ({file}) does not give `{key}`: {said}")]
    Refused {
        /// The vault.
        vault: String,
        /// Its file.
        file: String,
        /// The key.
        key: String,
        /// What the vault said.
        said: String,
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
            SecretError::Refused { .. } | SecretError::Type { .. } | SecretError::Failed { .. } => Code::VAULT_UNUSABLE,
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
            | SecretError::Refused { .. }
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

fn missing(vault: &str, file: &str, key: &str, said: Option<&str>) -> String {
    match said {
        None => {
            format!("the vault `{vault}` ({file}) has no secret `{key}`; `mangrove vault put {vault} {key}` adds it")
        }
        Some(said) => {
            format!(
                "the vault `{vault}` ({file}) does not have `{key}` in its list, and says when it is asked for it: {said}"
            )
        }
    }
}

fn advice(problem: &Problem) -> String {
    problem.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default()
}
