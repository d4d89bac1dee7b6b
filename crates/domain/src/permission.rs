//! What extensions need from the machine, and what the repository grants them (`permissions:` of its marker).

use std::collections::{BTreeMap, BTreeSet};

use crate::{failure::Fault, host_grant, json::Json, problem::Code, protected, source::RootId};

/// Variables by which packages choose how they print, trace and build themselves, and which many read while they load. Where
/// they are not granted they are not set, and nobody is refused: an author's own settings have other names.
pub const CHOOSING_VARIABLES: [&str; 8] =
    ["DEBUG", "FORCE_COLOR", "LOG_STREAM", "LOG_TOKENS", "NODE_DEBUG", "NODE_ENV", "NO_COLOR", "TF_BUILD"];

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

    /// True if it allows this variable or program: by its name, or by the beginning of it that stands before a `*`.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        let is_meant = |known: &String| match known.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => known == name,
        };
        match self {
            Grant::All => true,
            Grant::Only(names) => names.iter().any(is_meant),
        }
    }

    /// True if it allows to reach this host of a URL at this port ([`host_grant`]).
    #[must_use]
    pub fn names_host(&self, host: &str, port: u16) -> bool {
        match self {
            Grant::All => true,
            Grant::Only(entries) => entries.iter().any(|entry| host_grant::names(entry, host, port)),
        }
    }

    /// The same and one thing more; `None` is everything.
    pub(crate) fn and(self, name: Option<&str>) -> Self {
        match (self, name) {
            (Grant::All, _) | (Grant::Only(_), None) => Grant::All,
            (Grant::Only(mut names), Some(name)) => {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
                Grant::Only(names)
            }
        }
    }
}

/// The path that stands for the whole repository.
const REPOSITORY: &str = ".";

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

/// The line of `mangrove.yaml` that grants this to `subject`, a type or an extension.
#[must_use]
pub fn entry(subject: &str, grants: &Grants) -> String {
    let quoted = |text: &str| Json::from(text).to_string();
    let grants: Vec<String> = grants
        .iter()
        .map(|(permission, grant)| match grant {
            Grant::All => format!("{}: true", permission.as_str()),
            Grant::Only(names) => {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                format!("{}: [{}]", permission.as_str(), names.join(", "))
            }
        })
        .collect();
    format!("permissions: {{ {}: {{ {} }} }}", quoted(subject), grants.join(", "))
}

/// Who runs, and what it may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grantee {
    /// The name by which the most specific entry of `permissions:` speaks of it: its type.
    pub name: String,
    /// The root that its code lies in. It may be read where nothing is said about reading.
    pub root: RootId,
    /// What the entry in force grants; empty if none speaks of it.
    pub grants: Grants,
    /// The environment variables that are granted and set, with their values.
    pub variables: BTreeMap<String, String>,
}

impl Grantee {
    /// True if this environment variable may be read, whether it is set or not.
    #[must_use]
    pub fn may_read_variable(&self, name: &str) -> bool {
        self.grants.get(&Permission::Env).is_some_and(|grant| grant.names(name))
    }

    /// True if this host of a URL may be reached at this port.
    #[must_use]
    pub fn may_reach(&self, host: &str, port: u16) -> bool {
        self.grants.get(&Permission::Net).is_some_and(|grant| grant.names_host(host, port))
    }

    /// What of a permission is held, as an entry would say it: without one for `read`, the code of the repository itself may
    /// read the repository. `None` if nothing is.
    #[must_use]
    pub fn held(&self, permission: Permission) -> Option<Grant> {
        let by_default = || {
            (permission == Permission::Read && self.root == RootId::local())
                .then(|| Grant::Only(vec![REPOSITORY.to_owned()]))
        };
        self.grants.get(&permission).cloned().or_else(by_default)
    }

    /// The failure of code that reached for what it may not reach: a host, a variable, a path or a program by its
    /// name, or all of them at once. It names the entry to write; that entry keeps what is granted already.
    /// `subject` is what a person calls the source.
    #[must_use]
    pub fn denied(&self, subject: &str, permission: Permission, name: Option<&str>) -> Fault {
        let mut grants = self.grants.clone();
        let is_of_files = matches!(permission, Permission::Read | Permission::Write);
        let held = match self.held(permission) {
            // Every path but those that are protected: the same as a list, to which one can be added.
            Some(Grant::All) if is_of_files && name.is_some() => Grant::Only(vec!["/".to_owned()]),
            held => held.unwrap_or(Grant::Only(Vec::new())),
        };
        grants.insert(permission, held.and(name));
        let quoted = |text: &str| Json::from(text).to_string();
        let what = name.map_or_else(|| "as a whole".to_owned(), quoted);
        let message = format!(
            "{subject} asks for `{}` {what}, which is not granted; the entry in mangrove.yaml that grants it is \
             `{}`",
            permission.as_str(),
            entry(&self.name, &grants)
        );
        let message = if permission == Permission::Read && self.held(Permission::Read).is_none() {
            format!(
                "{message}; without an entry for `read`, the root of the code may be read; with one, only what it names"
            )
        } else {
            message
        };
        let message = if is_of_files && name.is_some_and(protected::is_protected_path) {
            format!("{message}; it is protected: an entry for a directory around it does not grant it")
        } else {
            message
        };
        let cause = format!("permission:{}:{}", permission.as_str(), name.unwrap_or("*"));
        Fault::environment(Code::PERMISSION_DENIED, cause, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureClass;

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

    #[test]
    fn a_denial_names_the_entry_that_keeps_what_is_granted() {
        let mut grantee = Grantee {
            name: "@acme/dns".to_owned(),
            root: RootId::local(),
            grants: Grants::from([
                (Permission::Net, Grant::All),
                (Permission::Env, Grant::Only(vec!["HOME".to_owned(), "AWS_*".to_owned()])),
            ]),
            variables: BTreeMap::new(),
        };
        assert!(grantee.may_read_variable("HOME") && !grantee.may_read_variable("HOM"));
        assert!(grantee.may_read_variable("AWS_REGION") && !grantee.may_read_variable("AWS"));
        let fault = grantee.denied("a.ts", Permission::Env, Some("TOKEN"));
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PERMISSION_DENIED));
        assert_eq!(&*fault.cause.0, "permission:env:TOKEN");
        let entry = r#"permissions: { "@acme/dns": { net: true, env: ["HOME", "AWS_*", "TOKEN"] } }"#;
        assert!(fault.message.contains(entry), "{fault}");
        grantee.grants.clear();
        let fault = grantee.denied("a.ts", Permission::Run, None);
        assert!(fault.message.contains(r#"{ "@acme/dns": { run: true } }"#), "{fault}");
        let fault = grantee.denied("a.ts", Permission::Read, Some("/r/.env"));
        assert!(fault.message.contains("an entry for a directory around it does not grant it"), "{fault}");
        grantee.grants.insert(Permission::Write, Grant::All);
        let fault = grantee.denied("a.ts", Permission::Write, Some("/r/.git/config"));
        assert!(fault.message.contains(r#"{ write: ["/", "/r/.git/config"] }"#), "{fault}");
        let fault = grantee.denied("a.ts", Permission::Read, Some("/etc/\"x"));
        assert!(
            fault.message.contains(r#"read: [".", "/etc/\"x"]"#),
            "what may be read without an entry stays: {fault}"
        );
        grantee.root = RootId::pulled("@acme/dns");
        let fault = grantee.denied("a.ts", Permission::Read, Some("/etc/x"));
        assert!(
            fault.message.contains(r#"read: ["/etc/x"]"#) && fault.message.contains("only what it names"),
            "{fault}"
        );
    }
}
