//! Why an extension is not pulled, restored or removed.

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::{Code, Problem},
};

/// Why an extension is not pulled, restored or removed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// Registry, archive or disk failed.
    #[error("{0}")]
    Failed(Fault),
    /// It was understood, and the answer is no.
    #[error("{}", .0.message)]
    Refused(Box<Problem>),
}

impl ExtensionError {
    /// The code that stands for it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Failed(fault) => fault.code,
            Self::Refused(problem) => problem.code,
        }
    }

    /// The same, saying this as well.
    pub(super) fn adding(self, more: &str) -> Self {
        match self {
            Self::Failed(fault) => {
                let message = format!("{}; {more}", fault.message);
                Self::Failed(Fault { message, ..fault })
            }
            Self::Refused(problem) => {
                let message = format!("{}; {more}", problem.message);
                Problem { message, ..*problem }.into()
            }
        }
    }

    /// True if the same may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed(fault) if fault.class == FailureClass::Transient)
    }
}

impl From<Fault> for ExtensionError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Problem> for ExtensionError {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}
