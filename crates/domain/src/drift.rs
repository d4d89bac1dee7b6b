//! What lies on disk against what the lockfile of pulled extensions names (`design/origins.md`).

use std::sync::Arc;

use crate::{
    advice::{Advice, UserAction},
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
    /// The checksum over all files is not that of these files. Either one of them changed, or another program computed
    /// the checksum by another rule; which of the two is not known.
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
    /// The difference as a problem; `None` for a missing file, which every scan reports already.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let (severity, message) = match self.difference {
            Difference::Missing => return None,
            Difference::Extra => (Severity::Warning, "is not listed in the lockfile"),
            Difference::Changed => (Severity::Warning, "does not match the checksum in the lockfile"),
            Difference::Unconfirmed => (
                Severity::Information,
                "its files do not match the checksum in the lockfile, or that was computed by another rule",
            ),
        };
        let again = UserAction::PullExtension { name: self.extension.to_string(), is_forced: true };
        let advice = match self.difference {
            Difference::Missing | Difference::Extra => {
                Advice::new(again).and(" puts the extension in place again; or remove the file")
            }
            Difference::Changed | Difference::Unconfirmed => Advice::new(again)
                .and(" puts the extension in place again; your own changes belong in a source of the repository"),
        };
        let root = format!("pulled:{}", self.extension);
        Some(
            Problem::new(
                severity,
                Code::LOCK_DRIFT,
                self.path.as_ref().map_or_else(|| root.clone(), |path| format!("{root}/{path}")),
                message,
            )
            .advise(advice),
        )
    }
}
