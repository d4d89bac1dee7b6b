//! What extensions need from the machine, and what the repository grants them (`permissions:` of its marker).

use std::collections::{BTreeMap, BTreeSet};

/// Something outside of the engine that code may be allowed to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// The network.
    Net,
    /// Environment variables.
    Env,
    /// Reading files.
    Read,
    /// Writing files.
    Write,
    /// Starting programs.
    Run,
    /// Facts about the machine.
    Sys,
    /// Native libraries.
    Ffi,
}

impl Permission {
    /// Every one.
    pub const ALL: [Permission; 7] = [
        Permission::Net,
        Permission::Env,
        Permission::Read,
        Permission::Write,
        Permission::Run,
        Permission::Sys,
        Permission::Ffi,
    ];

    /// The name in the marker: `net`, `env`, `read`, `write`, `run`, `sys` or `ffi`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::Net => "net",
            Permission::Env => "env",
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Run => "run",
            Permission::Sys => "sys",
            Permission::Ffi => "ffi",
        }
    }

    /// The permission of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Permission::ALL.into_iter().find(|permission| permission.as_str() == text)
    }

    /// The permissions that these requirements of a description can do nothing without. `deno` is none of them: it
    /// says who runs the code, not what the code reaches.
    #[must_use]
    pub fn needed(requirements: &[String]) -> BTreeSet<Permission> {
        requirements.iter().flat_map(|requirement| of_requirement(requirement)).copied().collect()
    }
}

fn of_requirement(requirement: &str) -> &'static [Permission] {
    let module = requirement.strip_prefix("node:").map(|module| module.split('/').next().unwrap_or(module));
    match (module, requirement) {
        (Some("fs"), _) => &[Permission::Read, Permission::Write],
        (Some("child_process" | "cluster"), _) => &[Permission::Run],
        (Some("os"), _) => &[Permission::Sys],
        (Some("http" | "https" | "http2" | "net" | "tls" | "dns" | "dgram"), _)
        | (None, "fetch" | "WebSocket" | "EventSource") => &[Permission::Net],
        (Some(_) | None, _) => &[],
    }
}

/// How much of a permission is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Everything.
    All,
    /// These hosts, variables, paths or programs; nothing if empty.
    Only(Vec<String>),
}

impl Grant {
    /// True if there is anything that it allows.
    #[must_use]
    pub const fn allows_anything(&self) -> bool {
        match self {
            Grant::All => true,
            Grant::Only(names) => !names.is_empty(),
        }
    }
}

/// What one entry of the marker grants.
pub type Grants = BTreeMap<Permission, Grant>;

/// The grants of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// By the name of a type or an extension, or `*` for everything else.
    pub entries: BTreeMap<String, Grants>,
}

impl Permissions {
    /// The entry that counts for a type of an extension. The most specific one replaces the others: type, extension,
    /// `*`. `None` if none speaks of it.
    #[must_use]
    pub fn of(&self, type_name: &str, extension: &str) -> Option<&Grants> {
        [type_name, extension, "*"].into_iter().find_map(|subject| self.entries.get(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_entry_replaces_the_others() {
        let grants = |permission| Grants::from([(permission, Grant::All)]);
        let mut permissions = Permissions::default();
        let keys = |permissions: &Permissions| {
            permissions.of("@acme/dns", "@acme/tools").map(|grants| grants.keys().copied().collect::<Vec<_>>())
        };
        assert_eq!(keys(&permissions), None);
        permissions.entries.insert("*".to_owned(), grants(Permission::Env));
        assert_eq!(keys(&permissions), Some(vec![Permission::Env]));
        permissions.entries.insert("@acme/tools".to_owned(), grants(Permission::Net));
        assert_eq!(keys(&permissions), Some(vec![Permission::Net]));
        permissions.entries.insert("@acme/dns".to_owned(), Grants::new());
        assert_eq!(keys(&permissions), Some(Vec::new()));
    }

    #[test]
    fn requirements_name_what_they_reach() {
        let needed = |requirements: &[&str]| -> Vec<&str> {
            let requirements: Vec<String> = requirements.iter().map(|text| (*text).to_owned()).collect();
            Permission::needed(&requirements).into_iter().map(Permission::as_str).collect()
        };
        assert_eq!(needed(&["node:fs/promises", "fetch"]), ["net", "read", "write"]);
        assert_eq!(needed(&["node:os", "node:child_process"]), ["run", "sys"]);
        assert_eq!(needed(&["deno", "node:path", "fs"]), [""; 0]);
    }
}
