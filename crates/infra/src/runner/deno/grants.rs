//! Grants of a repository as Deno's own permissions.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use mangrove_domain::permission::{Grant, Grantee, Permission};

/// How deep files named `.env` are looked for below a root that is readable as a whole.
const DEEPEST: usize = 16;

/// Where things lie.
pub(super) struct Places<'a> {
    /// The root of the code; `None` if it is gone.
    pub(super) root: Option<&'a Path>,
    /// The repository.
    pub(super) repository: &'a Path,
    /// `.mangrove`.
    pub(super) state_directory: &'a Path,
}

/// The arguments that grant what the grantee is granted. Where nothing is said about reading, the root of the code may
/// be read, without what is secret in it. Our own state is never written to by others.
pub(super) fn arguments(grantee: &Grantee, places: &Places<'_>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--deny-import".into(), with_path("--deny-write=", places.state_directory)];
    for (permission, grant) in &grantee.grants {
        let flag = format!("--allow-{}", permission.as_str());
        match grant {
            Grant::All => arguments.push(flag.into()),
            Grant::Only(names) => {
                let grants = names.iter().filter(|name| !name.is_empty()).map(|name| match permission {
                    Permission::Read | Permission::Write | Permission::Ffi => {
                        with_path(&format!("{flag}="), &places.repository.join(name))
                    }
                    Permission::Net | Permission::Env | Permission::Run | Permission::Sys => {
                        format!("{flag}={name}").into()
                    }
                });
                arguments.extend(grants);
            }
        }
    }
    if !grantee.grants.contains_key(&Permission::Read)
        && let Some(root) = places.root
    {
        arguments.push(with_path("--allow-read=", root));
        let secret = [places.state_directory.to_owned(), places.repository.join("vaults"), root.join("vaults")];
        arguments.extend(secret.iter().map(|path| with_path("--deny-read=", path)));
        arguments.extend(environment_files(root).iter().map(|path| with_path("--deny-read=", path)));
    }
    // Packages choose a variant by this one; that it is not granted means that it is not set.
    if !grantee.may_read_variable("NODE_ENV") {
        arguments.push("--ignore-env=NODE_ENV".into());
    }
    arguments
}

/// True if anything may be started.
pub(super) fn may_run(grantee: &Grantee) -> bool {
    grantee.grants.get(&Permission::Run).is_some_and(Grant::allows_anything)
}

fn with_path(flag: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(flag);
    argument.push(path);
    argument
}

/// Files named `.env` or `.env.…` below a root, as far as its own directories reach.
fn environment_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            if name == ".env" || name.starts_with(".env.") {
                found.push(entry.path());
            } else if kind.is_dir() && depth < DEEPEST && !["node_modules", ".git", ".mangrove"].contains(&&*name) {
                directories.push((entry.path(), depth + 1));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mangrove_domain::{permission::Grants, source::RootId};

    use super::*;

    fn granted(grants: Grants, root: &Path) -> Vec<String> {
        let grantee = Grantee { name: "@acme/a".to_owned(), root: RootId::local(), grants, variables: BTreeMap::new() };
        let places = Places {
            root: Some(root),
            repository: Path::new("/repository"),
            state_directory: Path::new("/repository/.mangrove"),
        };
        arguments(&grantee, &places).into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn without_an_entry_the_root_is_readable_but_for_its_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for file in ["a.txt", ".env", "below/.env.production", "below/.envy", "node_modules/x/.env"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        let path = |file: &str| root.join(file).display().to_string();
        assert_eq!(
            granted(Grants::new(), root),
            [
                "--deny-import".to_owned(),
                "--deny-write=/repository/.mangrove".to_owned(),
                format!("--allow-read={}", root.display()),
                "--deny-read=/repository/.mangrove".to_owned(),
                "--deny-read=/repository/vaults".to_owned(),
                format!("--deny-read={}", path("vaults")),
                format!("--deny-read={}", path(".env")),
                format!("--deny-read={}", path("below/.env.production")),
                "--ignore-env=NODE_ENV".to_owned(),
            ]
        );
    }

    #[test]
    fn an_entry_says_all_and_relative_paths_begin_in_the_repository() {
        let only = |names: &[&str]| Grant::Only(names.iter().map(|name| (*name).to_owned()).collect());
        let grants = Grants::from([
            (Permission::Net, Grant::All),
            (Permission::Env, only(&["NODE_ENV", "AWS_*"])),
            (Permission::Read, only(&["data", "/etc/hosts"])),
            (Permission::Run, only(&[])),
        ]);
        assert_eq!(
            granted(grants, Path::new("/nowhere")),
            [
                "--deny-import",
                "--deny-write=/repository/.mangrove",
                "--allow-net",
                "--allow-env=NODE_ENV",
                "--allow-env=AWS_*",
                "--allow-read=/repository/data",
                "--allow-read=/etc/hosts",
            ]
        );
    }
}
