//! Getting the program `deno` from the npm registry: one pinned version, verified, put in place in one step.

use std::{
    env::consts,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    atomic,
    directory::Directory,
    faults::{Operation, io_fault},
};
use mangrove_npm::{
    NpmPackages,
    archive::{self, Bounds},
};

use super::{PROGRAMS, ProgramLocations, version::Versions};

/// The version that is installed.
pub const DENO_VERSION: &str = "2.9.6";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The program's file.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// False if it was there already.
    pub is_new: bool,
}

/// The npm package that holds the program for this machine.
///
/// # Errors
/// `RUNTIME_MISSING` where there is none.
pub fn package() -> Result<&'static str, Fault> {
    match (consts::OS, consts::ARCH) {
        ("linux", "x86_64") => Ok("@deno/linux-x64-glibc"),
        ("linux", "aarch64") => Ok("@deno/linux-arm64-glibc"),
        ("macos", "x86_64") => Ok("@deno/darwin-x64"),
        ("macos", "aarch64") => Ok("@deno/darwin-arm64"),
        (system, processor) => {
            let message = format!(
                "there is no Deno for {system} on {processor}; `deno:` in mangrove.yaml or MANGROVE_DENO names one of your own"
            );
            Err(Fault::environment(Code::RUNTIME_MISSING, "program:deno", message))
        }
    }
}

/// Makes sure that the program lies in the state directory. What is there and tells the right version is left alone.
///
/// # Errors
/// A fault of the registry, of the archive or of the disk; `RUNTIME_FAILED` if what was fetched does not run here.
pub async fn deno(packages: &NpmPackages, places: &ProgramLocations, versions: &Versions) -> Result<Installed, Fault> {
    let path = places.installed();
    if path.is_file() && versions.of(&path).await.is_ok_and(|version| version == DENO_VERSION) {
        return Ok(Installed { path, version: DENO_VERSION.to_owned(), is_new: false });
    }
    let name = package()?;
    let bytes = packages.archive(name, DENO_VERSION).await?;
    let state_directory = places.state_directory.clone();
    let unpacked = mangrove_fs::blocking(move || unpack(name, &bytes, &state_directory)).await;
    let fresh = unpacked.unwrap_or_else(|error| {
        let message = format!("unpacking Deno ended unexpectedly: {error}");
        Err(Fault::environment(Code::RUNTIME_FAILED, "program:deno", message))
    })?;
    // Proven before it takes the old one's place.
    let version = versions.of(&fresh.program).await?;
    atomic::rename(&places.state_directory, &fresh.program, &path)
        .map_err(|error| io_fault(Operation::Write, &path, &error))?;
    Ok(Installed { path, version, is_new: true })
}

/// An unpacked program; its directory is removed with this value.
struct Fresh {
    program: PathBuf,
    _directory: tempfile::TempDir,
}

fn unpack(name: &str, bytes: &[u8], state_directory: &Path) -> Result<Fresh, Fault> {
    let home = state_directory.join(PROGRAMS);
    let directory = Directory::make(state_directory, &home)
        .and_then(|home| home.temporary(atomic::PREFIX))
        .map_err(|error| io_fault(Operation::Create, &home, &error))?;
    archive::unpack(name, bytes, Some(directory.path()), Bounds::default())?;
    let program = directory.path().join("deno");
    if !program.is_file() {
        let message = format!("the package {name}@{DENO_VERSION} holds no program `deno`");
        let cause = format!("package:{name}@{DENO_VERSION}");
        return Err(Fault::environment(Code::PACKAGE_MALFORMED, cause, message));
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .map_err(|error| io_fault(Operation::Write, &program, &error))?;
    Ok(Fresh { program, _directory: directory })
}

#[cfg(test)]
mod tests;
