//! Workflows.

use mangrove_app::workflow::{BrokenFile, Library, LibrarySchedules};
use mangrove_domain::{problem::Problem, time::Timestamp, workflow::Workflow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    moment::Moment,
    problem::{ProblemDocument, problems},
    schedule::enabling_hint,
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
    /// The zone that its schedule is in; `null` if it does not run by itself.
    pub timezone: Option<String>,
    /// When it runs next.
    pub next_run: Option<Moment>,
    /// What clocks of that zone show then.
    pub next_wall_clock: Option<String>,
    /// What to write so that its schedule is in force; `null` if it is, or if there is none.
    pub enabling: Option<String>,
    /// False if its file cannot be used; `problems` says why. Then only its name, its identifier and where it is are known, as
    /// far as the file says them.
    #[serde(default = "usable")]
    pub is_usable: bool,
    /// False if a mistake in its trigger keeps it from running by itself.
    pub is_trigger_usable: bool,
    /// What is wrong with its file.
    pub problems: Vec<ProblemDocument>,
}

impl WorkflowListDocument {
    /// All workflows, with their next runs after `now`.
    #[must_use]
    pub fn new(library: &Library, schedules: &LibrarySchedules, now: Timestamp) -> Self {
        let further: Vec<&Problem> = schedules.further_problems(library).collect();
        let workflow = |workflow: &Workflow| {
            let recurrence = schedules.recurrence(workflow);
            let next = recurrence.and_then(|recurrence| Some((recurrence, recurrence.next_after(now)?)));
            let is_off = schedules.is_not_enabled(workflow);
            let of_schedule = further.iter().copied().filter(|problem| problem.subject == workflow.file);
            ListedWorkflowDocument {
                name: workflow.name.value.clone(),
                id: workflow.id.clone(),
                path: workflow.file.clone(),
                origin: workflow.origin.as_str().to_owned(),
                shadowed_by: library.shadowing(workflow).map(|winner| winner.file.clone()),
                description: workflow.description.clone(),
                schedule: schedule(workflow).map(str::to_owned),
                timezone: recurrence.map(|recurrence| recurrence.zone().to_owned()),
                next_run: next.map(|(_, next)| Moment(next)),
                next_wall_clock: next.map(|(recurrence, next)| recurrence.wall_clock(next)),
                enabling: is_off.then(|| enabling_hint(&workflow.name.value)),
                is_usable: true,
                is_trigger_usable: !workflow.is_trigger_broken,
                problems: problems(library.problems_of(&workflow.file).chain(of_schedule)),
            }
        };
        Self {
            schema: "mangrove.workflow-list/1".to_owned(),
            workflows: library
                .workflows
                .iter()
                .map(|it| workflow(it))
                .chain(library.broken_workflows.iter().map(|broken| broken_workflow(library, broken)))
                .collect(),
            problems: problems(library.problems.iter().chain(further.iter().copied())),
        }
    }
}

const fn usable() -> bool {
    true
}

fn broken_workflow(library: &Library, broken: &BrokenFile) -> ListedWorkflowDocument {
    let stem = broken.file.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    ListedWorkflowDocument {
        name: broken.name.clone().unwrap_or_else(|| stem.to_owned()),
        id: broken.id.clone().unwrap_or_default(),
        path: broken.file.clone(),
        origin: broken.origin.as_str().to_owned(),
        shadowed_by: None,
        description: None,
        schedule: None,
        timezone: None,
        next_run: None,
        next_wall_clock: None,
        enabling: None,
        is_usable: false,
        is_trigger_usable: false,
        problems: problems(library.problems_of(&broken.file)),
    }
}

/// When a workflow runs by itself, as its file says.
#[must_use]
pub fn schedule(workflow: &Workflow) -> Option<&str> {
    workflow.trigger.as_ref()?.schedule.as_ref().map(|schedule| schedule.value.as_str())
}
