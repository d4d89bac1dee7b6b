//! Steps that somebody has to approve.

use mangrove_app::service::WaitingStep;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{json, moment::Moment};

/// `workflow approvals --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalListDocument {
    /// `mangrove.workflow-approvals/1`.
    pub schema: String,
    /// The steps that wait, those of the run that began first first.
    pub approvals: Vec<WaitingStepDocument>,
}

/// A step that somebody has to approve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingStepDocument {
    /// The workflow.
    pub workflow_name: String,
    /// The run.
    pub run_id: String,
    /// The job.
    pub job_name: String,
    /// The step.
    pub step_name: String,
    /// Since when it waits.
    pub suspended_at: Option<Moment>,
    /// What is asked, secrets masked.
    pub prompt: String,
    /// The inputs of the run, secrets masked.
    pub inputs: Value,
}

impl From<&[WaitingStep]> for ApprovalListDocument {
    fn from(steps: &[WaitingStep]) -> Self {
        let step = |step: &WaitingStep| WaitingStepDocument {
            workflow_name: step.workflow.clone(),
            run_id: step.run_id.clone(),
            job_name: step.job.clone(),
            step_name: step.step.clone(),
            suspended_at: step.since.map(Moment),
            prompt: step.prompt.clone(),
            inputs: json::to_value(&step.inputs),
        };
        Self { schema: "mangrove.workflow-approvals/1".to_owned(), approvals: steps.iter().map(step).collect() }
    }
}
