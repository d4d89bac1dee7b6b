//! Grants of a repository as Deno's own permissions.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use mangrove_domain::{
    failure::Fault,
    permission::{CHOOSING_VARIABLES, Grant, Grantee, Permission},
    problem::Code,
};

use super::denials::{Denials, Misleading, Places, normalised};

/// How long all arguments together may be, in bytes; systems allow twice as much.
const LONGEST: usize = 1 << 20;

/// The arguments that grant what the grantee is granted. Where nothing is said about reading, the root of the code may
/// be read. What is protected is denied unless an entry names it; our own state is never written to by others.
///
/// # Errors
/// `PERMISSION_DENIED` if an entry names a link to something else; `RUNTIME_FAILED` if a name holds a comma, which Deno
/// takes for two and would grant or deny something else, or if there is more to deny than can be said.
pub(super) fn arguments(grantee: &Grantee, places: Places<'_>) -> Result<Vec<OsString>, Fault> {
    let mut arguments: Vec<OsString> = vec!["--deny-import".into()];
    for permission in [Permission::Read, Permission::Write] {
        files(grantee, permission, places, &mut arguments)?;
    }
    arguments.push(with_path("--deny-write=", places.state_directory));
    for (permission, grant) in &grantee.grants {
        let flag = format!("--allow-{}", permission.as_str());
        match (permission, grant) {
            (Permission::Read | Permission::Write, _) => {}
            (_, Grant::All) => arguments.push(flag.into()),
            (Permission::Ffi, Grant::Only(names)) => {
                let paths = names.iter().filter(|name| !name.is_empty()).map(|name| places.repository.join(name));
                arguments.extend(paths.map(|path| with_path(&format!("{flag}="), &path)));
            }
            (_, Grant::Only(names)) => {
                let names = names.iter().filter(|name| !name.is_empty());
                arguments.extend(names.map(|name| OsString::from(format!("{flag}={name}"))));
            }
        }
    }
    // Packages choose a variant by these, and the last one is asked for whenever a program is started; that they are not
    // granted means that they are not set.
    for name in CHOOSING_VARIABLES.into_iter().chain(["NODE_V8_COVERAGE"]) {
        if !grantee.may_read_variable(name) {
            arguments.push(format!("--ignore-env={name}").into());
        }
    }
    checked(arguments)
}

/// The same arguments, if Deno takes them for what they are meant to be.
///
/// # Errors
/// `RUNTIME_FAILED`
pub(super) fn checked(arguments: Vec<OsString>) -> Result<Vec<OsString>, Fault> {
    let failed = |message: String| Fault::environment(Code::RUNTIME_FAILED, "program:deno", message);
    if let Some(argument) = arguments.iter().find(|argument| argument.as_encoded_bytes().contains(&b',')) {
        return Err(failed(format!(
            "Deno cannot be told `{}`: it takes a comma for the end of a name; give the file or directory another one",
            argument.to_string_lossy()
        )));
    }
    if arguments.iter().map(|argument| argument.len()).sum::<usize>() > LONGEST {
        let count = arguments.len();
        return Err(failed(format!(
            "{count} files and links below what is granted must be kept from the code, more than Deno can be told; grant \
             narrower directories"
        )));
    }
    Ok(arguments)
}

/// Adds what may be read, or written to, and what of it is denied.
fn files(
    grantee: &Grantee,
    permission: Permission,
    places: Places<'_>,
    arguments: &mut Vec<OsString>,
) -> Result<(), Fault> {
    let everything = Path::new("/");
    let (allowed, denials) = match (grantee.grants.get(&permission), places.root) {
        // Told as a directory: whoever may reach all paths may make links, and reach what is denied by another name.
        (Some(Grant::All), _) => (vec![everything.to_owned()], Denials::of_root(places, everything)),
        (Some(Grant::Only(names)), _) => {
            let names = names.iter().filter(|name| !name.is_empty());
            let paths: Vec<PathBuf> = names.map(|name| normalised(&places.repository.join(name))).collect();
            let denials = Denials::of_entry(places, &paths).map_err(|error| misleading(grantee, permission, &error))?;
            (paths, denials)
        }
        (None, Some(root)) if permission == Permission::Read => (vec![root.to_owned()], Denials::of_root(places, root)),
        (None, _) => return Ok(()),
    };
    let (allow, deny) = (format!("--allow-{}=", permission.as_str()), format!("--deny-{}=", permission.as_str()));
    arguments.extend(allowed.iter().map(|path| with_path(&allow, path)));
    if !allowed.is_empty() {
        arguments.extend(denials.paths().iter().map(|path| with_path(&deny, path)));
    }
    Ok(())
}

fn misleading(grantee: &Grantee, permission: Permission, error: &Misleading) -> Fault {
    let Misleading { granted: named, target } = error;
    let message = format!(
        "`permissions:` of {} in mangrove.yaml grants `{}` {}, which is a link to {}; name that path if it is meant",
        grantee.name,
        permission.as_str(),
        named.display(),
        target.display()
    );
    let cause = format!("permission:{}:{}", permission.as_str(), named.display());
    Fault::environment(Code::PERMISSION_DENIED, cause, message)
}

pub(super) fn with_path(flag: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(flag);
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use mangrove_domain::{permission::Grants, source::RootId};

    use super::*;
    use crate::runner::deno::listings::Listings;

    fn grantee(grants: Grants) -> Grantee {
        Grantee { name: "@acme/a".to_owned(), root: RootId::local(), grants, variables: BTreeMap::new() }
    }

    fn only(names: &[&str]) -> Grant {
        Grant::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn granted(grants: Grants, repository: &Path) -> Vec<String> {
        let state_directory = repository.join(".mangrove");
        let roots = [repository.to_owned()];
        let listings = Listings::default();
        let places = Places {
            root: Some(repository),
            repository,
            state_directory: &state_directory,
            roots: &roots,
            listings: &listings,
        };
        let arguments = arguments(&grantee(grants), places).unwrap();
        let short =
            |argument: OsString| argument.into_string().unwrap().replace(&repository.display().to_string(), "…");
        arguments.into_iter().map(short).collect()
    }

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        (directory, real)
    }

    #[test]
    fn an_entry_says_all_and_relative_paths_begin_in_the_repository() {
        let (_directory, root) = repository();
        let grants = Grants::from([
            (Permission::Net, Grant::All),
            (Permission::Env, only(&["NODE_ENV", "AWS_*"])),
            (Permission::Read, only(&["data/../notes.txt", "/etc/hosts"])),
            (Permission::Run, only(&[])),
        ]);
        let arguments = granted(grants, &root);
        let allowed: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--deny-read")).collect();
        assert_eq!(
            allowed,
            [
                "--deny-import",
                "--allow-read=…/notes.txt",
                "--allow-read=/etc/hosts",
                "--deny-write=…/.mangrove",
                "--allow-net",
                "--allow-env=NODE_ENV",
                "--allow-env=AWS_*",
                "--ignore-env=DEBUG",
                "--ignore-env=FORCE_COLOR",
                "--ignore-env=LOG_STREAM",
                "--ignore-env=LOG_TOKENS",
                "--ignore-env=NODE_DEBUG",
                "--ignore-env=NO_COLOR",
                "--ignore-env=TF_BUILD",
                "--ignore-env=NODE_V8_COVERAGE",
            ]
        );
    }

    #[test]
    fn a_grant_of_everything_is_one_of_a_directory() {
        let (_directory, root) = repository();
        let arguments = granted(Grants::from([(Permission::Write, Grant::All)]), &root);
        assert!(arguments.contains(&"--allow-write=/".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"--deny-write=…/mangrove.yaml".to_owned()), "{arguments:?}");
    }

    #[test]
    fn nothing_is_denied_where_nothing_is_granted() {
        let (_directory, root) = repository();
        fs::write(root.join(".env"), "").unwrap();
        let arguments = granted(Grants::from([(Permission::Read, only(&[]))]), &root);
        assert!(!arguments.iter().any(|argument| argument.contains("read")), "{arguments:?}");
    }

    #[test]
    fn a_comma_is_refused_before_it_grants_something_else() {
        let place = Path::new("/repository");
        let listings = Listings::default();
        let places = Places { root: None, repository: place, state_directory: place, roots: &[], listings: &listings };
        let grants = Grants::from([(Permission::Read, only(&["a,b"]))]);
        let fault = arguments(&grantee(grants), places).unwrap_err();
        assert!(fault.code == Code::RUNTIME_FAILED && fault.message.contains("comma"), "{fault}");
    }

    #[test]
    fn an_entry_that_is_a_link_to_something_else_is_refused() {
        let (_directory, root) = repository();
        let (_outside, outside) = repository();
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        for (name, target) in [("out", outside.as_path()), ("git", Path::new(".git")), ("fine", Path::new("real"))] {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        let roots = [root.clone()];
        let state = root.join(".mangrove");
        let listings = Listings::default();
        let places = Places {
            root: Some(&root),
            repository: &root,
            state_directory: &state,
            roots: &roots,
            listings: &listings,
        };
        for (name, is_refused) in [("out", true), ("out/new", true), ("git", true), ("fine", false), (".git", false)] {
            for permission in [Permission::Read, Permission::Write] {
                let outcome = arguments(&grantee(Grants::from([(permission, only(&[name]))])), places);
                assert_eq!(outcome.is_err(), is_refused, "{name}");
                if let Err(fault) = outcome {
                    assert!(fault.code == Code::PERMISSION_DENIED && fault.message.contains("is a link to"), "{fault}");
                }
            }
        }
    }

    #[test]
    fn too_much_to_deny_is_told() {
        let (_directory, root) = repository();
        let names = (0..6000).map(|number| format!("{number}-{}.env", "x".repeat(200)));
        for name in names {
            fs::write(root.join(name), "").unwrap();
        }
        let state = root.join(".mangrove");
        let listings = Listings::default();
        let places =
            Places { root: Some(&root), repository: &root, state_directory: &state, roots: &[], listings: &listings };
        let fault = arguments(&grantee(Grants::new()), places).unwrap_err();
        assert!(fault.message.contains("narrower"), "{fault}");
    }
}
