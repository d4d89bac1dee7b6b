//! Programs that Mangrove uses.

use std::path::PathBuf;

use crate::failure::Fault;

/// A program, or a part that is compiled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it is called: `deno`.
    pub name: &'static str,
    /// Its version; `None` if it is not there or does not tell one.
    pub version: Option<String>,
    /// Its file; `None` if it is compiled in or not there.
    pub path: Option<PathBuf>,
    /// Who says that it is this one: `built-in`, `configuration`, `variable`, `installed` or `path`. `None` if it is not
    /// there.
    pub origin: Option<&'static str>,
    /// Why it cannot be used.
    pub fault: Option<Fault>,
}

/// A program that was installed, or was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledProgram {
    /// Its file.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// The bytes of its file.
    pub size_bytes: u64,
    /// False if it was there already.
    pub is_new: bool,
}
