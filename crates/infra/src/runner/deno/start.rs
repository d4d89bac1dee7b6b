//! What a process is started with.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};

use mangrove_domain::{
    bundle::LoadedBundle,
    permission::{Grant, Grantee, Permission},
};
use mangrove_fs::stamp::Seen;

/// Everything that decides what a process runs, may do and sees, apart from what is the same for all processes of a runner.
/// Sessions with equal ones can follow each other in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The file of the program.
    pub(super) program: PathBuf,
    /// What stood there: another version may be installed in its place.
    pub(super) program_seen: Seen,
    /// The module to run, laid out by content.
    pub(super) main: PathBuf,
    /// What was laid out.
    pub(super) bundle: LoadedBundle,
    /// Our own directory, absolute.
    pub(super) state_directory: PathBuf,
    /// The export that is called into.
    pub(super) export_name: String,
    /// On whose behalf it runs, with the variables that it sees.
    pub(super) grantee: Grantee,
    /// The directory that the root of the code is, absolute; `None` if it is gone.
    pub(super) root: Option<PathBuf>,
    /// The permissions as arguments of Deno: what is denied depends on what lay where when the session began.
    pub(super) permissions: Vec<OsString>,
}

impl Start {
    /// True if code of such a process can start programs, or load what can.
    pub(super) fn may_start_programs(&self) -> bool {
        let may = |permission| self.grantee.grants.get(&permission).is_some_and(Grant::allows_anything);
        may(Permission::Run) || may(Permission::Ffi)
    }

    /// The variables whose values a call must leave as they were: `None` for all.
    pub(super) fn variables(&self) -> Option<BTreeSet<&str>> {
        let granted = match self.grantee.grants.get(&Permission::Env) {
            Some(Grant::All) => return None,
            Some(Grant::Only(names)) => names.as_slice(),
            None => &[],
        };
        // A pattern is the name of no variable.
        let names = self.grantee.variables.keys().chain(granted).filter(|name| !name.is_empty() && !name.contains('*'));
        Some(names.map(String::as_str).collect())
    }
}
