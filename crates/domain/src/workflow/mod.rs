//! Workflows: their documents, their graph, and what may start when.
//!
//! Pure: text comes in as a [`Document`](crate::document::Document), statuses as values. `design/workflows.md` has the
//! rules in words.

pub mod condition;
mod duration;
mod file;
pub mod graph;
mod outputs;
mod parse;
mod placement;
pub mod resume;
pub mod rewrites;
mod task;
pub mod template;
pub mod trigger;
pub mod webhook;

pub use condition::Condition;
pub use file::{WorkflowFile, WorkflowFiles};
pub use outputs::OutputOverride;
pub use parse::parse;
pub use task::{Target, Task};
pub use trigger::{Misfire, Overlap, Trigger};

use std::time::Duration;

use crate::{document::Node, form::Located, inputs, json::Json, selection::Selection, source::Origin};

/// How deep workflows may call each other.
pub const MAXIMUM_NESTING: usize = 10;

/// A workflow as its file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Its file, as people name it.
    pub file: String,
    /// Where its root comes from: workflows of the repository come before those of mounts, and these before pulled ones.
    pub origin: Origin,
    /// A UUID; empty for one that no file holds.
    pub id: String,
    /// What people call it; unique among those of its origin.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// How often its author has revised it, from 1.
    pub version: u32,
    /// Free labels.
    pub tags: Vec<(String, String)>,
    /// What it may be given: a JSON Schema of an object.
    pub inputs: Option<Node>,
    /// When it runs by itself; `None` also if its trigger cannot be used.
    pub trigger: Option<Trigger>,
    /// True if there is a mistake in its trigger: it can be run by hand only.
    pub is_trigger_broken: bool,
    /// How many jobs, and steps of one job, may run at once; at least 1.
    pub concurrency: Option<u32>,
    /// Which reports it insists on after its runs, and which it leaves out.
    pub reports: Selection,
    /// At least one.
    pub jobs: Vec<Job>,
}

impl Workflow {
    /// The schema of its inputs as JSON Schema of an object, whichever form it is written in.
    #[must_use]
    pub fn input_schema(&self) -> Json {
        inputs::schema(self.inputs.as_ref())
    }

    /// True for one that was made up to call one method, for a person who asked for just that.
    #[must_use]
    pub fn is_single_call(&self) -> bool {
        self.id.is_empty()
    }
}

/// One job: steps that run in a graph of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Unique in its workflow.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The jobs that it waits for.
    pub depends_on: Vec<Dependency>,
    /// Lighter ones start first; 0 if it says nothing.
    pub weight: f64,
    /// How many steps may run at once, at least 1.
    pub concurrency: Option<u32>,
    /// At least one.
    pub steps: Vec<Step>,
}

/// One step: one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Unique in its job.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it runs.
    pub task: Task,
    /// Runs the task once for each element.
    pub for_each: Option<ForEach>,
    /// An expression that says that there is nothing to do.
    pub guard: Option<Located<String>>,
    /// The steps of the same job that it waits for.
    pub depends_on: Vec<Dependency>,
    /// Lighter ones start first; 0 if it says nothing.
    pub weight: f64,
    /// How many steps of its level may run at once, at least 1.
    pub concurrency: Option<u32>,
    /// True if its failure does not fail the job.
    pub allow_failure: bool,
    /// How long it may take, longer than zero.
    pub timeout: Option<Duration>,
    /// What it says of the data that it writes.
    pub outputs: Vec<OutputOverride>,
}

/// One member that another waits for, and what must have become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The name of a job of the workflow, or of a step of the job.
    pub on: Located<String>,
    /// What must hold; `succeeded` if the document says nothing.
    pub condition: Condition,
}

/// A repetition.
#[derive(Clone, Debug, PartialEq)]
pub struct ForEach {
    /// What `self` calls the element.
    pub item: Located<String>,
    /// A list or mapping, or an expression that gives one.
    pub over: Node,
}
