//! What code asks the machine for, as far as its text says so.

use std::collections::BTreeSet;

use crate::{
    permission::{Grant, Grantee, Grants, Permission},
    protected,
};

/// One thing that code asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PermissionUse {
    /// Of what kind it is.
    pub permission: Permission,
    /// The host with its port, the variable, path, program or fact; `None` if it is computed, so that the text does not
    /// say which.
    pub name: Option<String>,
}

impl PermissionUse {
    /// What asks for something of this name.
    #[must_use]
    pub fn of(permission: Permission, name: impl Into<String>) -> Self {
        Self { permission, name: Some(name.into()) }
    }

    /// What asks for something whose name is computed.
    #[must_use]
    pub const fn computed(permission: Permission) -> Self {
        Self { permission, name: None }
    }
}

/// What code was refused, by the key of the cause that [`Grantee::denied`] gives its failure; `None` for other causes and for
/// everything at once.
#[must_use]
pub fn refused(cause: &str) -> Option<PermissionUse> {
    let (permission, name) = cause.strip_prefix("permission:")?.split_once(':')?;
    let permission = Permission::parse(permission)?;
    (name != "*").then(|| PermissionUse::of(permission, name))
}

/// The grants that code lacks, by its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingGrants {
    /// What the text names and no grant covers.
    pub named: Vec<PermissionUse>,
    /// The permissions of which it asks for something that is computed and nothing is granted.
    pub computed: Vec<Permission>,
    /// The entry that grants what is named, and keeps what is granted already.
    pub entry: Grants,
}

impl MissingGrants {
    /// What of these uses is not granted to `grantee`.
    #[must_use]
    pub fn of(grantee: &Grantee, uses: &BTreeSet<PermissionUse>) -> Self {
        let mut missing = Self { entry: grantee.grants.clone(), ..Self::default() };
        for wanted in uses {
            let Some(name) = &wanted.name else {
                if !grantee.grants.get(&wanted.permission).is_some_and(Grant::allows_anything) {
                    missing.computed.push(wanted.permission);
                }
                continue;
            };
            let held = grantee.held(wanted.permission);
            if held.as_ref().is_some_and(|grant| covers(grant, wanted.permission, name)) {
                continue;
            }
            missing.named.push(wanted.clone());
            missing.add(grantee, wanted.permission, name);
        }
        missing
    }

    fn add(&mut self, grantee: &Grantee, permission: Permission, name: &str) {
        let held = self.entry.remove(&permission).or_else(|| grantee.held(permission));
        self.entry.insert(permission, held.unwrap_or(Grant::Only(Vec::new())).and(Some(name)));
    }

    /// True if nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.computed.is_empty()
    }

    /// One sentence that names what is missing beside what was `asked` for and refused, with one entry for all of it that has a
    /// name; `None` if there is nothing else.
    #[must_use]
    pub fn sentence(&self, grantee: &Grantee, asked: Option<&PermissionUse>) -> Option<String> {
        let named: Vec<String> = self
            .named
            .iter()
            .filter(|wanted| Some(*wanted) != asked)
            .filter_map(|wanted| {
                Some(format!("`{}` {}", wanted.permission.as_str(), crate::json::Json::from(wanted.name.as_deref()?)))
            })
            .collect();
        let was_asked = |permission: &&Permission| asked.is_some_and(|asked| asked.permission == **permission);
        let computed: Vec<String> = self
            .computed
            .iter()
            .filter(|permission| !was_asked(permission))
            .map(|permission| format!("`{}` {}", permission.as_str(), beyond(*permission)))
            .collect();
        if named.is_empty() && computed.is_empty() {
            return None;
        }
        let has_names = !named.is_empty();
        let list = [named, computed].concat().join(", ");
        let mut sentence = format!("its text asks for more that is not granted: {list}");
        if has_names {
            let mut all = self.clone();
            if let Some(PermissionUse { permission, name: Some(name) }) = asked {
                all.add(grantee, *permission, name);
            }
            sentence.push_str(&format!("; together: `{}`", crate::permission::entry(&grantee.name, &all.entry)));
        }
        Some(sentence)
    }
}

/// What code asks for by a name that nobody can tell from its text.
const fn beyond(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "outside of its root by names that it computes",
        _ => "by names that it computes",
    }
}

/// True if a grant reaches this name: a host without a port reaches all of its ports, a path what lies below it.
fn covers(grant: &Grant, permission: Permission, name: &str) -> bool {
    let Grant::Only(names) = grant else { return true };
    if permission != Permission::Net && grant.names(name) {
        return true;
    }
    match permission {
        Permission::Net => {
            let endpoint = name.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            endpoint.is_some_and(|(host, port)| grant.names_host(host, port))
        }
        Permission::Read | Permission::Write => {
            let is_below = |known: &String| {
                let known = known.trim_end_matches('/');
                known == "." && !name.starts_with(['/', '~']) && !name.starts_with("..")
                    || name.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'))
            };
            !protected::is_protected_path(name) && names.iter().any(is_below)
        }
        Permission::Env | Permission::Run | Permission::Sys | Permission::Ffi => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::source::RootId;

    fn grantee(grants: &[(Permission, &[&str])]) -> Grantee {
        let only = |names: &[&str]| Grant::Only(names.iter().map(|name| (*name).to_owned()).collect());
        Grantee {
            name: "@acme/dns".to_owned(),
            root: RootId::local(),
            grants: grants.iter().map(|(permission, names)| (*permission, only(names))).collect(),
            variables: BTreeMap::new(),
        }
    }

    fn uses(list: &[(Permission, Option<&str>)]) -> BTreeSet<PermissionUse> {
        list.iter()
            .map(|(permission, name)| PermissionUse { permission: *permission, name: name.map(str::to_owned) })
            .collect()
    }

    #[test]
    fn all_that_is_missing_is_told_with_one_entry_that_keeps_what_is_granted() {
        let wanted = uses(&[
            (Permission::Run, Some("ssh")),
            (Permission::Run, Some("scp")),
            (Permission::Env, Some("HOME")),
            (Permission::Net, Some("api.example.org:443")),
            (Permission::Read, None),
        ]);
        let held = grantee(&[(Permission::Run, &["ssh"])]);
        let missing = MissingGrants::of(&held, &wanted);
        let sentence = missing.sentence(&held, None).expect("something is missing");
        assert_eq!(
            sentence,
            "its text asks for more that is not granted: `net` \"api.example.org:443\", `env` \"HOME\", `run` \"scp\", \
             `read` outside of its root by names that it computes; together: `permissions: { \"@acme/dns\": { net: \
             [\"api.example.org:443\"], env: [\"HOME\"], run: [\"ssh\", \"scp\"] } }`"
        );
        let (nothing, only) = (grantee(&[]), uses(&[(Permission::Run, Some("ssh"))]));
        let asked = PermissionUse::of(Permission::Run, "ssh");
        assert_eq!(MissingGrants::of(&nothing, &only).sentence(&nothing, Some(&asked)), None);
        assert!(MissingGrants::of(&grantee(&[]), &BTreeSet::new()).is_empty());
    }

    #[test]
    fn what_was_refused_stands_in_the_entry_for_all_and_no_entry_is_empty() {
        let nothing = grantee(&[]);
        let asked = PermissionUse::of(Permission::Write, "/notes/today.md");
        let computed = uses(&[(Permission::Write, None), (Permission::Read, None)]);
        let sentence = MissingGrants::of(&nothing, &computed).sentence(&nothing, Some(&asked)).expect("reading");
        assert_eq!(
            sentence,
            "its text asks for more that is not granted: `read` outside of its root by names that it computes"
        );
        let both = uses(&[(Permission::Write, None), (Permission::Run, Some("ob"))]);
        let sentence = MissingGrants::of(&nothing, &both).sentence(&nothing, Some(&asked)).expect("a program");
        assert!(sentence.ends_with("{ write: [\"/notes/today.md\"], run: [\"ob\"] } }`"), "{sentence}");
    }

    #[test]
    fn the_repository_may_be_read_without_an_entry_and_stays_readable_with_one() {
        let wanted = ["data/list.json", "/etc/hosts", ".env", "../beside"].map(|name| (Permission::Read, Some(name)));
        let missing = MissingGrants::of(&grantee(&[]), &uses(&wanted));
        let names: Vec<&str> = missing.named.iter().filter_map(|wanted| wanted.name.as_deref()).collect();
        assert_eq!(names, ["../beside", ".env", "/etc/hosts"]);
        let expected = [".", "../beside", ".env", "/etc/hosts"].map(str::to_owned).to_vec();
        assert_eq!(missing.entry[&Permission::Read], Grant::Only(expected));
    }

    #[test]
    fn hosts_reach_their_ports_and_directories_what_lies_below() {
        let wanted = uses(&[
            (Permission::Net, Some("api.example.org:443")),
            (Permission::Read, Some("data/list.json")),
            (Permission::Write, Some("/tmp/x/y")),
            (Permission::Env, Some("AWS_REGION")),
        ]);
        let granted = grantee(&[
            (Permission::Net, &["api.example.org"]),
            (Permission::Read, &["."]),
            (Permission::Write, &["/tmp/x/"]),
            (Permission::Env, &["AWS_*"]),
        ]);
        assert!(MissingGrants::of(&granted, &wanted).is_empty());
        let beside = uses(&[(Permission::Write, Some("/tmp/xy"))]);
        assert_eq!(MissingGrants::of(&granted, &beside).named.len(), 1);
    }
}
