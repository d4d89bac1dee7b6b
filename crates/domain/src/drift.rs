//! What lies on disk against what the lockfile of pulled extensions names (`design/origins.md`).

use std::sync::Arc;

use crate::{
    problem::{Code, Problem, Severity},
    source::RelativePath,
};

/// One difference between a pulled extension and its entry in the lockfile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drift {
    /// The extension, as the lockfile calls it.
    pub extension: Arc<str>,
    /// The file, below the extension; `None` if it is about the whole of it.
    pub path: Option<RelativePath>,
    /// In what way.
    pub difference: Difference,
}

/// In what way a pulled extension differs from the lockfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Difference {
    /// Named, and not there.
    Missing,
    /// There, could take part in a bundle, and not named.
    Extra,
    /// There with other bytes than its checksum says.
    Changed,
    /// The checksum over all files is none that these files have. Either one of them changed, or another program made
    /// the checksum by another rule; which of both cannot be told.
    Unconfirmed,
}

impl Difference {
    /// `missing`, `extra`, `changed` or `unconfirmed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Difference::Missing => "missing",
            Difference::Extra => "extra",
            Difference::Changed => "changed",
            Difference::Unconfirmed => "unconfirmed",
        }
    }
}

impl Drift {
    /// What a person is told; `None` of what is missing, which every look at the sources says already.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let (severity, message) = match self.difference {
            Difference::Missing => return None,
            Difference::Extra => (Severity::Warning, "is there, and the lockfile does not name it"),
            Difference::Changed => (Severity::Warning, "is not what the lockfile says: its checksum is another one"),
            Difference::Unconfirmed => (
                Severity::Information,
                "its files have another checksum than the lockfile says, or it was made otherwise",
            ),
        };
        let hint = match self.difference {
            Difference::Missing | Difference::Extra => "pull the extension again, or remove the file",
            Difference::Changed | Difference::Unconfirmed => {
                "pull the extension again; changes of your own belong into a source of the repository"
            }
        };
        let root = format!("pulled:{}", self.extension);
        Some(Problem {
            code: Code::LOCK_DRIFT,
            severity,
            subject: self.path.as_ref().map_or_else(|| root.clone(), |path| format!("{root}/{path}")),
            position: None,
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        })
    }
}
