//! Who wrote an item.

/// What sort of writer it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerKind {
    /// A method of a definition.
    #[default]
    ModelMethod,
    /// A step of a workflow.
    WorkflowStep,
    /// A person.
    Manual,
}

impl OwnerKind {
    /// `model-method`, `workflow-step` or `manual`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OwnerKind::ModelMethod => "model-method",
            OwnerKind::WorkflowStep => "workflow-step",
            OwnerKind::Manual => "manual",
        }
    }

    /// The sort of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [OwnerKind::ModelMethod, OwnerKind::WorkflowStep, OwnerKind::Manual]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Who wrote an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// What sort of writer.
    pub kind: OwnerKind,
    /// Which one.
    pub reference: String,
    /// The workflow, in a run of one.
    pub workflow_id: Option<String>,
    /// The run of the workflow.
    pub workflow_run_id: Option<String>,
    /// The name of the workflow.
    pub workflow_name: Option<String>,
    /// The job.
    pub job_name: Option<String>,
    /// The step.
    pub step_name: Option<String>,
    /// Where the content comes from, such as `step-output`.
    pub source: Option<String>,
}
