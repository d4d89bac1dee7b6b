//! Why a run was asked to end.

use std::sync::{Arc, OnceLock};

use mangrove_domain::{problem::Code, run::RunProblem};

/// The label of a cancelled run that says why.
pub(super) const TAG: &str = "cancel_reason";

/// Why a run was asked to end: what is said first counts.
#[derive(Clone, Debug, Default)]
pub struct CancelReason(Arc<OnceLock<String>>);

impl CancelReason {
    /// Says it, before the run is asked to end.
    pub fn say(&self, reason: impl Into<String>) {
        // Somebody else may have been faster.
        let _ = self.0.set(reason.into());
    }

    /// The problem with this reason, if it is that something was cancelled.
    pub(super) fn named(&self, problem: RunProblem) -> RunProblem {
        match self.0.get() {
            Some(reason) if problem.code == Code::RUN_CANCELLED => RunProblem { message: reason.clone(), ..problem },
            Some(_) | None => problem,
        }
    }
}
