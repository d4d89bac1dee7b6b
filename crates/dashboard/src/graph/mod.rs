//! The jobs and steps of a workflow as a drawing: columns from left to right, each thing after what it waits for.
//!
//! The drawing says nothing that the list beside it does not say, and stays readable however large the workflow is: with many
//! steps it shows jobs only, with many jobs it shows those that wait for the same as one box, and beyond that none.

mod drawing;
mod groups;
mod layers;
mod place;
mod text;

use mangrove_documents::{JobDocument, RunDocument, StepDocument};
use mangrove_domain::workflow::{Condition, Dependency, Workflow};

pub(crate) use self::drawing::Drawing;

/// With more steps than this, jobs are drawn without them.
const MOST_STEPS: usize = 60;

/// Jobs with their steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) jobs: Vec<Job>,
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// Where the page tells of it.
    pub(crate) link: String,
    /// How far it is, in a word; empty if it is not about a run.
    pub(crate) status: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: Option<u64>,
    pub(crate) waits_for: Vec<Wait>,
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// What it runs.
    pub(crate) task: String,
    /// Where the page tells of it.
    pub(crate) link: String,
    /// How far it is, in a word; empty if it is not about a run.
    pub(crate) status: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: Option<u64>,
    pub(crate) waits_for: Vec<Wait>,
}

/// What something waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wait {
    /// By its index among its siblings.
    pub(crate) on: usize,
    /// True if it is anything but the success of the other.
    pub(crate) is_conditional: bool,
}

impl Graph {
    /// The jobs of a workflow as its file says.
    pub(crate) fn of_workflow(workflow: &Workflow) -> Self {
        let names: Vec<&str> = workflow.jobs.iter().map(|job| job.name.value.as_str()).collect();
        let jobs = workflow.jobs.iter().enumerate().map(|(job_index, job)| {
            let step_names: Vec<&str> = job.steps.iter().map(|step| step.name.value.as_str()).collect();
            let steps = job.steps.iter().enumerate().map(|(index, step)| Step {
                name: step.name.value.clone(),
                task: step.task.label(),
                link: format!("#{}", step_anchor(job_index, index)),
                waits_for: waits_for(&step.depends_on, &step_names),
                ..Step::default()
            });
            Job {
                name: job.name.value.clone(),
                link: format!("#{}", job_anchor(job_index)),
                waits_for: waits_for(&job.depends_on, &names),
                steps: steps.collect(),
                ..Job::default()
            }
        });
        Self { jobs: jobs.collect() }
    }

    /// The jobs of a run, with what they wait for as far as the file of the workflow still has them.
    pub(crate) fn of_run(run: &RunDocument, workflow: Option<&Workflow>) -> Self {
        let names: Vec<&str> = run.jobs.iter().map(|job| job.name.as_str()).collect();
        let jobs = run.jobs.iter().enumerate().map(|(job_index, document)| {
            let JobDocument { name, status, duration_ms, steps, .. } = document;
            let job = workflow.and_then(|workflow| workflow.jobs.iter().find(|job| job.name.value == *name));
            let in_workflow = |step: &StepDocument| step.template.clone().unwrap_or_else(|| step.name.clone());
            let step_names: Vec<String> = steps.iter().map(in_workflow).collect();
            let step_names: Vec<&str> = step_names.iter().map(String::as_str).collect();
            let steps = steps.iter().enumerate().map(|(index, document)| {
                let StepDocument { name, task, status, duration_ms, .. } = document;
                let step = job.and_then(|job| job.steps.iter().find(|step| step.name.value == in_workflow(document)));
                Step {
                    name: name.clone(),
                    task: task.clone(),
                    link: format!("#{}", step_anchor(job_index, index)),
                    status: status.clone(),
                    duration_ms: *duration_ms,
                    waits_for: step.map(|step| waits_for(&step.depends_on, &step_names)).unwrap_or_default(),
                }
            });
            Job {
                name: name.clone(),
                link: format!("#{}", job_anchor(job_index)),
                status: status.clone(),
                duration_ms: *duration_ms,
                waits_for: job.map(|job| waits_for(&job.depends_on, &names)).unwrap_or_default(),
                steps: steps.collect(),
            }
        });
        Self { jobs: jobs.collect() }
    }

    /// True if there is more than one step, so that a drawing says something.
    pub(crate) fn is_worth_drawing(&self) -> bool {
        self.steps() > 1
    }

    /// True if there are so many steps that the drawing leaves them out, and that a list folds them.
    pub(crate) fn has_many_steps(&self) -> bool {
        self.steps() > MOST_STEPS
    }

    fn steps(&self) -> usize {
        self.jobs.iter().map(|job| job.steps.len()).sum()
    }
}

/// The name of the part of a page that tells of this job.
pub(crate) fn job_anchor(job: usize) -> String {
    format!("job-{}", job + 1)
}

/// The name of the part of a page that tells of this step of this job.
pub(crate) fn step_anchor(job: usize, step: usize) -> String {
    format!("step-{}-{}", job + 1, step + 1)
}

/// A name that several have is that of the repetitions of a step: all of them are waited for.
fn waits_for(dependencies: &[Dependency], names: &[&str]) -> Vec<Wait> {
    let wait = |dependency: &Dependency| {
        let is_conditional = dependency.condition != Condition::Succeeded;
        let on = names.iter().enumerate().filter(|(_, name)| **name == dependency.on.value).map(|(on, _)| on);
        on.map(|on| Wait { on, is_conditional }).collect::<Vec<_>>()
    };
    let mut waits: Vec<Wait> = dependencies.iter().flat_map(wait).collect();
    waits.sort();
    waits.dedup_by_key(|wait| wait.on);
    waits
}
