//! Files and directories that no grant opens unless it names them exactly: secrets, and what decides what is granted and
//! what runs. The table is in `design/running.md`.

/// Protected where it stands, at the top of the repository and of every other root, and of what is granted: also while
/// it is not there, so that it cannot be made.
pub const AT_TOP: [&str; 12] = [
    "mangrove.yaml",
    ".swamp.yaml",
    ".swamp-sources.yaml",
    ".git",
    ".mangrove",
    ".env",
    ".env.local",
    ".envrc",
    ".npmrc",
    "vaults",
    ".swamp/secrets",
    ".swamp/vault",
];

/// Directories of secrets and of what says where they are kept, by their last two names; protected in every directory.
pub const SECRET_DIRECTORIES: [&str; 2] = [".swamp/secrets", ".swamp/vault"];

/// True for names that are protected in every directory: markers and lists of mounts, the history of the repository,
/// state directories, and files of variables and tokens.
#[must_use]
pub fn is_protected(name: &str) -> bool {
    let is_known =
        ["mangrove.yaml", ".swamp.yaml", ".swamp-sources.yaml", ".git", ".mangrove", ".npmrc"].contains(&name);
    is_known || name.starts_with(".env") || (name.ends_with(".env") && name.len() > ".env".len())
}

/// True if a part of the path is protected by its name, or it lies in a directory of secrets.
#[must_use]
pub fn is_protected_path(path: &str) -> bool {
    let path = ["/", path, "/"].concat();
    path.split('/').any(is_protected) || SECRET_DIRECTORIES.iter().any(|name| path.contains(&format!("/{name}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_protected_is_known_by_its_name() {
        for name in [
            "mangrove.yaml",
            ".swamp.yaml",
            ".swamp-sources.yaml",
            ".git",
            ".mangrove",
            ".npmrc",
            ".env",
            ".envrc",
            ".env.local",
            ".env-old",
            "prod.env",
        ] {
            assert!(is_protected(name), "{name}");
            assert!(is_protected_path(&format!("/repository/below/{name}/x")), "{name}");
        }
        for name in ["", "env", "environment", "x.envy", ".gitignore", ".github", "mangrove.yml", "vaults", ".swamp"] {
            assert!(!is_protected(name), "{name}");
        }
        assert!(is_protected_path("/r/.swamp/secrets") && is_protected_path("/r/.swamp/secrets/key"));
        assert!(is_protected_path("/r/.swamp/vault/local/v.yaml") && is_protected_path(".swamp/vault"));
        assert!(!is_protected_path("/r/.swamp/vault-bundles/v.js"));
        assert!(!is_protected_path("/r/.swamp/secretsanta") && !is_protected_path("/r/.swamp/pulled-extensions"));
    }
}
