//! Workflows: their documents, their graph, and what may start when.
//!
//! Pure: text comes in as a [`Document`](crate::document::Document), statuses as values. `design/workflows.md` has the
//! rules in words.

pub mod condition;
mod duration;
mod file;
pub mod graph;
mod parse;
pub mod rewrites;
pub mod template;
pub mod trigger;
pub mod webhook;

pub use condition::Condition;
pub use file::{WorkflowFile, WorkflowFiles};
pub use parse::parse;
pub use trigger::{Misfire, Overlap, Trigger};

use std::time::Duration;

use crate::{document::Node, form::Located, json::Json, source::Origin};

/// How deep workflows may call each other.
pub const MAXIMUM_NESTING: usize = 10;

/// Keywords of a schema that speak of properties beside those that it names.
const OPEN_KEYWORDS: [&str; 11] = [
    "additionalProperties",
    "patternProperties",
    "unevaluatedProperties",
    "propertyNames",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "not",
    "$ref",
    "dependentSchemas",
];

/// A workflow as its file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Its file, as people name it.
    pub file: String,
    /// Where its root comes from: workflows of the repository come before those of mounts, and these before pulled ones.
    pub origin: Origin,
    /// A UUID.
    pub id: String,
    /// What people call it; unique among those of its origin.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Free labels.
    pub tags: Vec<(String, String)>,
    /// What it may be given: a JSON Schema of an object.
    pub inputs: Option<Node>,
    /// When it runs by itself; `None` also if its trigger cannot be used.
    pub trigger: Option<Trigger>,
    /// True if there is a mistake in its trigger: it can be run by hand only.
    pub is_trigger_broken: bool,
    /// How many jobs may run at once, at least 1.
    pub concurrency: Option<u32>,
    /// The driver of steps that name none.
    pub driver: Option<Located<String>>,
    /// At least one.
    pub jobs: Vec<Job>,
}

impl Workflow {
    /// The schema of its inputs as JSON Schema, `type: object` added where it says nothing. One that names
    /// properties and says nothing of others takes no others: an input that nobody asked for is a slip. A workflow
    /// that names none takes any (`design/workflows.md`).
    #[must_use]
    pub fn input_schema(&self) -> Json {
        let mut schema = vec![("type".to_owned(), Json::from("object"))];
        let members = match self.inputs.as_ref().map(Node::to_json) {
            Some(Json::Object(members)) => members,
            _ => Vec::new(),
        };
        schema.extend(members.into_iter().filter(|(key, _)| key != "type"));
        let says = |key: &str| schema.iter().any(|(known, _)| known == key);
        // Where schemas are put together, each part must let the properties of the others pass.
        if says("properties") && !OPEN_KEYWORDS.iter().any(|keyword| says(keyword)) {
            schema.push(("additionalProperties".to_owned(), Json::Bool(false)));
        }
        Json::Object(schema)
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
    /// Heavier ones start first; 0 if it says nothing.
    pub weight: i64,
    /// How many steps may run at once, at least 1.
    pub concurrency: Option<u32>,
    /// The driver of steps that name none.
    pub driver: Option<Located<String>>,
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
    /// The steps of the same job that it waits for.
    pub depends_on: Vec<Dependency>,
    /// Heavier ones start first; 0 if it says nothing.
    pub weight: i64,
    /// True if its failure does not fail the job.
    pub allow_failure: bool,
    /// How long it may take, longer than zero.
    pub timeout: Option<Duration>,
    /// The driver that runs it.
    pub driver: Option<Located<String>>,
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
    /// A list, or an expression that yields one.
    pub over: Node,
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// A method of a definition.
    ModelMethod {
        /// Whose method; may contain expressions.
        target: Target,
        /// Which one; may contain expressions.
        method: Located<String>,
        /// Further arguments, a mapping; may contain expressions.
        inputs: Option<Node>,
    },
    /// Another workflow.
    Workflow {
        /// Which one.
        name: Located<String>,
        /// Its inputs, a mapping.
        inputs: Option<Node>,
    },
}

/// The definition that a step uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// By name or identifier.
    Definition(Located<String>),
    /// By name; if there is no such definition, an empty one of this type.
    Instance {
        /// The model type.
        type_name: Located<String>,
        /// The definition.
        name: Located<String>,
    },
}

impl Target {
    /// The name of the definition.
    #[must_use]
    pub const fn name(&self) -> &Located<String> {
        match self {
            Target::Definition(name) | Target::Instance { name, .. } => name,
        }
    }
}

impl Task {
    /// What people call it: `definition.method`, or `workflow name`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Task::ModelMethod { target, method, .. } => format!("{}.{}", target.name().value, method.value),
            Task::Workflow { name, .. } => format!("workflow {}", name.value),
        }
    }
}
