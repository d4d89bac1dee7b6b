//! A survey in the form in which it is stored. Domain types have no serde; these are their images.

mod blob;
mod edit;
mod restore;
mod save;

use serde::{Deserialize, Serialize};

pub(super) use blob::Blob;
pub(super) use save::save_origin;

#[derive(Serialize, Deserialize)]
pub(super) struct SavedSurvey {
    /// Texts that repeat: roots, kinds, names and versions of extensions, specifiers.
    texts: Vec<String>,
    parts: Vec<([u8; 32], Blob)>,
    entries: Vec<SavedEntry>,
    roots: Vec<SavedRoot>,
    helpers: Vec<(u32, String)>,
    problems: Vec<SavedProblem>,
    lockfile_fault: Option<SavedFault>,
    mounts_fault: Option<SavedFault>,
    mount_patterns: Vec<String>,
    unknown_identities: Vec<(u32, String)>,
}

#[derive(Clone, Serialize, Deserialize)]
struct SavedEntry {
    root: u32,
    path: String,
    origin: u8,
    extension: (u32, u32),
    kind: u32,
    claimed_type: Option<String>,
    claims_add_on: bool,
    state: SavedState,
    specifiers: Vec<u32>,
    lock: Option<u32>,
    shipped: Option<SavedShipped>,
}

#[derive(Clone, Serialize, Deserialize)]
enum SavedShipped {
    Bundle { path: String, digest: [u8; 32], pull: u32 },
    Unusable(String),
}

#[derive(Clone, Serialize, Deserialize)]
enum SavedState {
    Readable { digest: [u8; 32], source: u32, config: u32 },
    Unreadable(SavedFault),
}

#[derive(Clone, Serialize, Deserialize)]
struct SavedFault {
    class: u8,
    code: u16,
    cause: String,
    message: String,
    position: Option<(String, u32, u32)>,
}

#[derive(Serialize, Deserialize)]
struct SavedRoot {
    id: u32,
    origin: u8,
    unreachable: Option<SavedFault>,
    incomplete: Vec<String>,
    locked_files: Vec<String>,
    missing_directories: Vec<(u32, String)>,
}

#[derive(Serialize, Deserialize)]
enum SavedSeverity {
    Information,
    Warning,
    Error,
}

#[derive(Serialize, Deserialize)]
struct SavedProblem {
    code: u16,
    severity: SavedSeverity,
    subject: String,
    position: Option<(String, u32, u32)>,
    message: String,
    /// As words: actions, which no survey advises today, come back as their neutral names.
    advice: Option<String>,
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        observation::DiskView,
        problem::{Code, Problem, Severity},
        survey::Survey,
    };

    use super::*;

    #[test]
    fn problems_keep_their_severity() {
        let severities = [Severity::Information, Severity::Warning, Severity::Error];
        let problems =
            severities.map(|severity| Problem::new(severity, Code::UNREADABLE, "a.ts", "cannot be read").advise("act"));
        let disk = DiskView { problems: problems.to_vec(), ..DiskView::default() };
        let survey = Survey { disk, ..Survey::default() };
        let restored = SavedSurvey::of(&survey).restore().expect("every number leads somewhere");
        assert_eq!(restored.disk.problems, problems);
    }
}
