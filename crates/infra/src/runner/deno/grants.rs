//! Grants of a repository as Deno's own permissions.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use mangrove_domain::{
    failure::Fault,
    permission::{Grant, Grantee, Permission},
    problem::Code,
};

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
///
/// # Errors
/// `RUNTIME_FAILED` if a name holds a comma: Deno takes it for two, and would grant or deny something else.
pub(super) fn arguments(grantee: &Grantee, places: &Places<'_>) -> Result<Vec<OsString>, Fault> {
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
        arguments.extend(hidden(root, &secret).iter().map(|path| with_path("--deny-read=", path)));
    }
    // Packages choose a variant by the one, and the other is asked for whenever a program is started; that they are not
    // granted means that they are not set.
    for name in ["NODE_ENV", "NODE_V8_COVERAGE"] {
        if !grantee.may_read_variable(name) {
            arguments.push(format!("--ignore-env={name}").into());
        }
    }
    match arguments.iter().find(|argument| argument.as_encoded_bytes().contains(&b',')) {
        None => Ok(arguments),
        Some(argument) => {
            let message = format!(
                "Deno cannot be told `{}`: it takes a comma for the end of a name; give the file or directory another one",
                argument.to_string_lossy()
            );
            Err(Fault::environment(Code::RUNTIME_FAILED, "program:deno", message))
        }
    }
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

/// What below a root is not to be read with it, as far as its own directories reach: files named `.env` or `.env.…`,
/// wherever they lead, and links that lead out of the root or to what is secret. Deno compares paths as they are written.
fn hidden(root: &Path, secret: &[PathBuf]) -> Vec<PathBuf> {
    let real = |path: &Path| path.canonicalize().ok();
    let inside = real(root).unwrap_or_else(|| root.to_owned());
    let secret: Vec<PathBuf> = secret.iter().filter_map(|path| real(path)).collect();
    let mut found = secret.clone();
    let mut links = Vec::new();
    let mut directories = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            if name == ".env" || name.starts_with(".env.") {
                found.extend(real(&entry.path()));
                found.push(entry.path());
            } else if kind.is_symlink() {
                links.push(entry.path());
            } else if kind.is_dir() && depth < DEEPEST && !["node_modules", ".git", ".mangrove"].contains(&&*name) {
                directories.push((entry.path(), depth + 1));
            }
        }
    }
    for link in links {
        let leads_astray = real(&link).is_some_and(|target| {
            let is_near = |place: &PathBuf| target.starts_with(place) || place.starts_with(&target);
            !target.starts_with(&inside) || found.iter().any(is_near)
        });
        if leads_astray {
            found.push(link);
        }
    }
    found.sort();
    found.dedup();
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
        arguments(&grantee, &places).unwrap().into_iter().map(|argument| argument.into_string().unwrap()).collect()
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
                "--ignore-env=NODE_V8_COVERAGE".to_owned(),
            ]
        );
    }

    #[test]
    fn links_that_lead_out_or_to_secrets_are_denied_and_others_are_not() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = directory.path();
        fs::create_dir_all(root.join("vaults")).unwrap();
        fs::write(root.join(".env"), "").unwrap();
        fs::write(root.join("a.txt"), "").unwrap();
        let targets = [("out", outside.path().to_owned()), ("v", root.join("vaults")), ("e", root.join(".env"))];
        for (name, target) in targets.iter().chain(&[("fine", root.join("a.txt")), ("up", root.to_owned())]) {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        let granted = granted(Grants::new(), root);
        let is_denied = |name: &str| granted.contains(&format!("--deny-read={}", root.join(name).display()));
        let denied = ["out", "v", "e", "up", "fine", "a.txt"].map(is_denied);
        assert_eq!(denied, [true, true, true, true, false, false], "{granted:?}");
    }

    #[test]
    fn a_comma_is_refused_before_it_grants_something_else() {
        let grants = Grants::from([(Permission::Read, Grant::Only(vec!["a,b".to_owned()]))]);
        let grantee = Grantee { name: "@acme/a".to_owned(), root: RootId::local(), grants, variables: BTreeMap::new() };
        let place = Path::new("/repository");
        let places = Places { root: None, repository: place, state_directory: place };
        let fault = arguments(&grantee, &places).unwrap_err();
        assert!(fault.code == Code::RUNTIME_FAILED && fault.message.contains("comma"), "{fault}");
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
                "--ignore-env=NODE_V8_COVERAGE",
            ]
        );
    }
}
