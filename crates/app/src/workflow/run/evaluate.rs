//! The body of a workflow for one run: everything in it that has a value before anything runs.
//!
//! One expression without a value keeps the run from beginning. What reads the run, a step, `env` or a vault stays as it is
//! written, and what steps give to what they call is only looked at here: it is evaluated when the step begins.

use std::collections::HashSet;

use mangrove_domain::{
    document::{Node, NodeValue},
    form::Located,
    json::Json,
    position::Position,
    problem::Code,
    run::RunProblem,
    workflow::{
        Dependency, Job, OutputOverride, Step, Target, Task, Workflow,
        template::{self, Part},
    },
};

use crate::{
    method::problem,
    render::{Renderer, Stage},
    secrets::Environment,
};

/// The workflow with the values of its expressions. What stands in records and labels of data, names and tags, has secrets
/// masked.
pub(super) async fn body(workflow: &Workflow, renderer: &Renderer<'_>) -> Result<Workflow, RunProblem> {
    let mut jobs = Vec::with_capacity(workflow.jobs.len());
    for job in &workflow.jobs {
        jobs.push(job_of(job, renderer).await?);
    }
    apart(jobs.iter().map(|job| &job.name), renderer)?;
    let tags = labels(&workflow.tags, &workflow.name, renderer).await?;
    Ok(Workflow { tags, jobs, ..workflow.clone() })
}

async fn job_of(job: &Job, renderer: &Renderer<'_>) -> Result<Job, RunProblem> {
    let mut steps = Vec::with_capacity(job.steps.len());
    for step in &job.steps {
        steps.push(step_of(step, renderer).await?);
    }
    apart(steps.iter().map(|step| &step.name), renderer)?;
    let depends_on = dependencies(&job.depends_on, renderer).await?;
    Ok(Job { name: name_of(&job.name, renderer).await?, depends_on, steps, ..job.clone() })
}

async fn step_of(step: &Step, renderer: &Renderer<'_>) -> Result<Step, RunProblem> {
    Ok(Step {
        name: name_of(&step.name, renderer).await?,
        depends_on: dependencies(&step.depends_on, renderer).await?,
        task: task_of(&step.task, renderer).await?,
        outputs: outputs_of(&step.outputs, renderer).await?,
        ..step.clone()
    })
}

async fn outputs_of(outputs: &[OutputOverride], renderer: &Renderer<'_>) -> Result<Vec<OutputOverride>, RunProblem> {
    let mut evaluated = Vec::with_capacity(outputs.len());
    for output in outputs {
        let spec_name = text(&output.spec_name, renderer).await?;
        let lifetime = match &output.lifetime {
            Some(said) => Some(text(said, renderer).await?),
            None => None,
        };
        let garbage_collection = match &output.garbage_collection {
            Some(said) => Some(document(said, renderer).await?),
            None => None,
        };
        let tags = labels(&output.tags, &output.spec_name, renderer).await?;
        let mut vary = Vec::with_capacity(output.vary.len());
        for name in &output.vary {
            vary.push(text(name, renderer).await?);
        }
        evaluated.push(OutputOverride { spec_name, lifetime, garbage_collection, tags, vary });
    }
    Ok(evaluated)
}

/// Labels of what is at this place, secrets masked.
async fn labels(
    labels: &[(String, String)],
    place: &Located<String>,
    renderer: &Renderer<'_>,
) -> Result<Vec<(String, String)>, RunProblem> {
    let mut evaluated = Vec::with_capacity(labels.len());
    for (name, value) in labels {
        let value = Located { value: value.clone(), line: place.line, column: place.column };
        evaluated.push((name.clone(), name_of(&value, renderer).await?.value));
    }
    Ok(evaluated)
}

async fn dependencies(dependencies: &[Dependency], renderer: &Renderer<'_>) -> Result<Vec<Dependency>, RunProblem> {
    let mut evaluated = Vec::with_capacity(dependencies.len());
    for dependency in dependencies {
        evaluated.push(Dependency { on: name_of(&dependency.on, renderer).await?, ..dependency.clone() });
    }
    Ok(evaluated)
}

async fn task_of(task: &Task, renderer: &Renderer<'_>) -> Result<Task, RunProblem> {
    Ok(match task {
        Task::ModelMethod { target, method, inputs, global_arguments } => {
            look_at(inputs.as_ref(), renderer).await?;
            let target = match target {
                Target::Definition(name) => Target::Definition(text(name, renderer).await?),
                Target::Instance { type_name, name } => {
                    Target::Instance { type_name: text(type_name, renderer).await?, name: text(name, renderer).await? }
                }
            };
            let global_arguments = match global_arguments {
                Some(node) => Some(document(node, renderer).await?),
                None => None,
            };
            Task::ModelMethod {
                target,
                method: text(method, renderer).await?,
                inputs: inputs.clone(),
                global_arguments,
            }
        }
        Task::Workflow { name, inputs } => {
            look_at(inputs.as_ref(), renderer).await?;
            Task::Workflow { name: text(name, renderer).await?, inputs: inputs.clone() }
        }
        Task::Assert { message, .. } => {
            renderer.text(&message.value, &message.position(renderer.file), Stage::BODY_INPUTS).await?;
            task.clone()
        }
        Task::ManualApproval { prompt, timeout } => {
            Task::ManualApproval { prompt: text(prompt, renderer).await?, timeout: *timeout }
        }
    })
}

/// Finds out whether something has a value that is evaluated later.
async fn look_at(node: Option<&Node>, renderer: &Renderer<'_>) -> Result<(), RunProblem> {
    if let Some(node) = node {
        renderer.value(node, Stage::BODY_INPUTS).await?;
    }
    Ok(())
}

/// A text that is recorded.
async fn name_of(said: &Located<String>, renderer: &Renderer<'_>) -> Result<Located<String>, RunProblem> {
    let Located { value, line, column } = text(said, renderer).await?;
    Ok(Located { value: renderer.environment.mask(&value), line, column })
}

/// Refuses two of one place that have become the same name.
fn apart<'n>(names: impl Iterator<Item = &'n Located<String>>, renderer: &Renderer<'_>) -> Result<(), RunProblem> {
    let mut known = HashSet::new();
    for name in names {
        if !known.insert(name.value.as_str()) {
            let message = format!("{}: two of them become `{}`", name.position(renderer.file), name.value);
            return Err(problem(Code::INVALID_DOCUMENT, message));
        }
    }
    Ok(())
}

async fn text(said: &Located<String>, renderer: &Renderer<'_>) -> Result<Located<String>, RunProblem> {
    let position = said.position(renderer.file);
    let value = match renderer.text(&said.value, &position, Stage::BODY).await? {
        Json::String(text) => text,
        other @ (Json::Array(_) | Json::Object(_)) => {
            let message = format!("{position}: expected a text, found {}", other.type_name());
            return Err(problem(Code::INVALID_EXPRESSION, message));
        }
        other => template::put_into_text(&other),
    };
    if has_others(&value, &said.value) {
        return Err(not_evaluated(&position));
    }
    Ok(Located { value, line: said.line, column: said.column })
}

async fn document(said: &Node, renderer: &Renderer<'_>) -> Result<Node, RunProblem> {
    let value = renderer.value(said, Stage::BODY).await?;
    let mut written = HashSet::new();
    written_in(said, &mut written);
    // What is evaluated later must be the author's own: a value that somebody gives could ask for any secret.
    let is_meant = |raw: &str| written.contains(raw) || renderer.environment.is_left(raw);
    if has_foreign(&value, &is_meant) {
        return Err(not_evaluated(&said.position(renderer.file)));
    }
    Ok(Node::of_json(value, said))
}

fn not_evaluated(position: &Position) -> RunProblem {
    let message = format!("{position}: a value that this reads contains `${{{{`, which is not evaluated");
    problem(Code::INVALID_EXPRESSION, message)
}

/// The expressions in the texts of a document, as they are written.
fn written_in<'a>(node: &'a Node, found: &mut HashSet<&'a str>) {
    match &node.value {
        NodeValue::String(text) => found.extend(expressions(text)),
        NodeValue::List(items) => {
            for item in items {
                written_in(item, found);
            }
        }
        NodeValue::Map(members) => {
            for (_, value) in members {
                written_in(value, found);
            }
        }
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
    }
}

/// True if a text in a value has an expression that nobody meant.
fn has_foreign(value: &Json, is_meant: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Json::String(text) => expressions(text).any(|raw| !is_meant(raw)),
        Json::Array(items) => items.iter().any(|item| has_foreign(item, is_meant)),
        Json::Object(members) => members.iter().any(|(_, member)| has_foreign(member, is_meant)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The expressions in a text, as they are written.
fn expressions(text: &str) -> impl Iterator<Item = &str> {
    template::split(text).into_iter().filter_map(|part| match part {
        Part::Expression(span) => Some(span.raw),
        Part::Text(_) => None,
    })
}

/// An evaluated workflow as it may be shown: secrets that its expressions gave are masked.
pub(super) fn shown(workflow: &Workflow, environment: &Environment) -> Workflow {
    let text = |said: &Located<String>| Located { value: environment.mask(&said.value), ..said.clone() };
    let node = |node: &Node| Node::of_json(environment.mask_json(&node.to_json()), node);
    let task = |task: &Task| match task {
        Task::ModelMethod { target, method, inputs, global_arguments } => Task::ModelMethod {
            target: match target {
                Target::Definition(name) => Target::Definition(text(name)),
                Target::Instance { type_name, name } => {
                    Target::Instance { type_name: text(type_name), name: text(name) }
                }
            },
            method: text(method),
            inputs: inputs.as_ref().map(node),
            global_arguments: global_arguments.as_ref().map(node),
        },
        Task::Workflow { name, inputs } => Task::Workflow { name: text(name), inputs: inputs.as_ref().map(node) },
        Task::Assert { expression, message, severity } => {
            Task::Assert { expression: expression.clone(), message: text(message), severity: *severity }
        }
        Task::ManualApproval { prompt, timeout } => Task::ManualApproval { prompt: text(prompt), timeout: *timeout },
    };
    let step = |step: &Step| Step { task: task(&step.task), ..step.clone() };
    let job = |job: &Job| Job { steps: job.steps.iter().map(step).collect(), ..job.clone() };
    Workflow { jobs: workflow.jobs.iter().map(job).collect(), ..workflow.clone() }
}

/// True if there are expressions in a text that are not in what was written: they come from a value, and nobody meant them to
/// be evaluated.
fn has_others(text: &str, written: &str) -> bool {
    let known: HashSet<&str> = expressions(written).collect();
    expressions(text).any(|expression| !known.contains(expression))
}
