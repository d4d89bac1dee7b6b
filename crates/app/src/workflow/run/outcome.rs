//! What became of a step.

use mangrove_domain::{
    form::Located,
    run::{ApprovalRecord, AssertionRecord, RunProblem, SkipReason},
    workflow::{Step, template},
};

use crate::{
    method::Invoked,
    render::{Renderer, Stage},
};

/// What became of a step.
pub(super) struct StepOutcome {
    /// The task with its expressions resolved, masked.
    pub(super) task: String,
    pub(super) invoked: Invoked,
    /// True if its failure does not fail its job.
    pub(super) is_failure_allowed: bool,
    pub(super) skipped: Option<SkipReason>,
    /// The text that its guard gave for a reason, masked.
    pub(super) guard_reason: Option<String>,
    pub(super) assertion: Option<AssertionRecord>,
    pub(super) approval: Option<ApprovalRecord>,
}

impl StepOutcome {
    pub(super) fn of(step: &Step, task: String, invoked: Invoked) -> Self {
        Self {
            task,
            invoked,
            is_failure_allowed: step.allow_failure,
            skipped: None,
            guard_reason: None,
            assertion: None,
            approval: None,
        }
    }
}

/// The text of a message that may contain expressions: whatever they give is put into it.
pub(super) async fn rendered_message(renderer: &Renderer<'_>, message: &Located<String>) -> Result<String, RunProblem> {
    let value = renderer.text(&message.value, &message.position(renderer.file), Stage::EVERYTHING).await?;
    Ok(template::put_into_text(&value))
}
