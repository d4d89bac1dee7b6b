//! Outside programs: where they lie, which version they are, how they are run and installed. The why is in
//! `design/runtimes.md`.

pub mod child;
pub mod install;
pub mod version;

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use mangrove_domain::{failure::Fault, problem::Code};
use rustix::fs::{Access, access};

/// The variable that names the program `deno`.
pub const DENO_VARIABLE: &str = "MANGROVE_DENO";

/// The directory below the state directory where programs are installed.
const PROGRAMS: &str = "runtime";

/// Variables that name proxies; programs get them in both cases.
pub(crate) const PROXY_VARIABLES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// Where outside programs are looked for.
#[derive(Clone, Debug, Default)]
pub struct ProgramLocations {
    /// The program that the configuration names, as an absolute path.
    pub configured: Option<PathBuf>,
    /// The environment variables of the process: [`DENO_VARIABLE`] and `PATH`.
    pub environment: BTreeMap<String, String>,
    /// `.mangrove`: what was installed lies in `runtime/` below it.
    pub state_directory: PathBuf,
}

/// Where a program was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration names it.
    Configuration,
    /// A variable names it.
    Variable,
    /// It was installed into the state directory.
    Installed,
    /// A directory of `PATH` holds it.
    SearchPath,
}

impl Origin {
    /// `configuration`, `variable`, `installed` or `path`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Configuration => "configuration",
            Origin::Variable => "variable",
            Origin::Installed => "installed",
            Origin::SearchPath => "path",
        }
    }
}

/// A program that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
}

impl ProgramLocations {
    /// Where [`install`] puts the program.
    #[must_use]
    pub fn installed(&self) -> PathBuf {
        self.state_directory.join(PROGRAMS).join("deno")
    }

    /// The program `deno`: what the configuration names, then [`DENO_VARIABLE`], then what was installed, then `PATH`.
    ///
    /// # Errors
    /// `RUNTIME_MISSING` if it is nowhere, or is not where it is said to be: nothing else is taken in its place.
    pub fn deno(&self) -> Result<Program, Fault> {
        if let Some(path) = &self.configured {
            return named(path, Origin::Configuration, "`deno` of mangrove.yaml");
        }
        if let Some(path) = self.environment.get(DENO_VARIABLE).filter(|path| !path.is_empty()) {
            return named(Path::new(path), Origin::Variable, DENO_VARIABLE);
        }
        let installed = self.installed();
        if is_executable(&installed) {
            return Ok(Program { path: installed, origin: Origin::Installed });
        }
        let directories = self.environment.get("PATH").map(String::as_str).unwrap_or_default();
        env::split_paths(directories)
            // An empty or relative entry would mean the directory that we happen to be in.
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join("deno"))
            .find(|path| is_executable(path))
            .map(|path| Program { path, origin: Origin::SearchPath })
            .ok_or_else(|| missing("the program `deno` is needed and was not found".to_owned()))
    }
}

fn named(path: &Path, origin: Origin, says: &str) -> Result<Program, Fault> {
    if is_executable(path) {
        return Ok(Program { path: path.to_owned(), origin });
    }
    Err(missing(format!(
        "{says} names {}, which is not an executable file; correct the setting, or remove it",
        path.display()
    )))
}

fn missing(message: String) -> Fault {
    Fault::environment(Code::RUNTIME_MISSING, "program:deno", message)
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use mangrove_domain::failure::FailureClass;

    use super::*;

    fn program(directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_first_place_that_says_something_decides() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let mut places = ProgramLocations { state_directory: root.join("state"), ..ProgramLocations::default() };
        assert_eq!(places.deno().unwrap_err().code, Code::RUNTIME_MISSING);

        program(root, "bin/deno");
        places.environment.insert("PATH".to_owned(), format!("relative:{}", root.join("bin").display()));
        assert_eq!(places.deno().unwrap().origin, Origin::SearchPath);

        program(root, "state/runtime/deno");
        assert_eq!(places.deno().unwrap().origin, Origin::Installed);

        let other = program(root, "other");
        places.environment.insert(DENO_VARIABLE.to_owned(), other.display().to_string());
        assert_eq!(places.deno().unwrap(), Program { path: other.clone(), origin: Origin::Variable });

        places.configured = Some(other);
        assert_eq!(places.deno().unwrap().origin, Origin::Configuration);
    }

    #[test]
    fn a_program_that_is_named_and_not_there_is_not_replaced_by_another_one() {
        let directory = tempfile::tempdir().unwrap();
        program(directory.path(), "runtime/deno");
        let fault = ProgramLocations {
            configured: Some(directory.path().join("gone")),
            state_directory: directory.path().to_owned(),
            ..ProgramLocations::default()
        };
        let fault = fault.deno().unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_MISSING));
        assert!(fault.message.contains("gone"), "{fault}");
    }

    #[test]
    fn a_file_that_cannot_be_run_is_no_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = program(directory.path(), "runtime/deno");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let places = ProgramLocations { state_directory: directory.path().to_owned(), ..ProgramLocations::default() };
        assert!(places.deno().is_err());
    }
}
