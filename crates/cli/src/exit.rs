//! Exit codes.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Understood, and the answer is no: a run failed, the doctor found something, a strict scan.
    No,
    /// A mistake of usage or configuration.
    Usage,
    /// We failed.
    Failed,
    /// Try again later.
    TryAgain,
    /// A signal of this number ended it before it was done.
    Interrupted(u8),
}

impl Exit {
    /// How a command ends that scripts of swamp read: it knows no difference between our reasons, but that one may try again.
    pub(crate) const fn of_swamp(self) -> Self {
        match self {
            Exit::Usage | Exit::Failed => Exit::No,
            other => other,
        }
    }

    /// The number: 0, 1, 2, 3, 75, or 128 and the number of the signal.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::TryAgain => 75,
            Exit::Interrupted(signal) => 128_u8.saturating_add(signal),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
