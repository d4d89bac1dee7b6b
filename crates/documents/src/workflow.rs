//! Workflows.

use mangrove_app::workflow::Library;
use mangrove_domain::workflow::Workflow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    moment::Moment,
    problem::{ProblemDocument, problems},
};

/// `workflow list --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowListDocument {
    /// `mangrove.workflow-list/1`.
    pub schema: String,
    /// The workflows.
    pub workflows: Vec<ListedWorkflowDocument>,
    /// What is wrong with definitions and workflows.
    pub problems: Vec<ProblemDocument>,
}

/// One workflow in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedWorkflowDocument {
    /// What people call it.
    pub name: String,
    /// A UUID.
    pub id: String,
    /// Its file.
    pub path: String,
    /// `local`, `mounted` or `pulled`.
    pub origin: String,
    /// The file of the workflow that has its name or identifier and comes before it.
    pub shadowed_by: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When it runs by itself, as its file says.
    pub schedule: Option<String>,
    /// When it runs next.
    pub next_run: Option<Moment>,
    /// What is wrong with its file.
    pub problems: Vec<ProblemDocument>,
}

impl From<&Library> for WorkflowListDocument {
    fn from(library: &Library) -> Self {
        let workflow = |workflow: &Workflow| ListedWorkflowDocument {
            name: workflow.name.value.clone(),
            id: workflow.id.clone(),
            path: workflow.file.clone(),
            origin: workflow.origin.as_str().to_owned(),
            shadowed_by: library.shadowing(workflow).map(|winner| winner.file.clone()),
            description: workflow.description.clone(),
            schedule: schedule(workflow).map(str::to_owned),
            next_run: None,
            problems: problems(library.problems_of(&workflow.file)),
        };
        Self {
            schema: "mangrove.workflow-list/1".to_owned(),
            workflows: library.workflows.iter().map(|it| workflow(it)).collect(),
            problems: problems(&library.problems),
        }
    }
}

/// When a workflow runs by itself, as its file says.
#[must_use]
pub fn schedule(workflow: &Workflow) -> Option<&str> {
    workflow.trigger.as_ref()?.schedule.as_ref().map(|schedule| schedule.value.as_str())
}
