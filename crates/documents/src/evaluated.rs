//! A workflow with the values that its expressions have before a run.

use mangrove_domain::{
    document::Node,
    json::Json,
    workflow::{Condition, Dependency, Job, Step, Target, Task, Workflow},
};
use serde_json::Value;

use crate::json;

/// `workflow evaluate --json`: what stays as it is written has no value before its step begins.
#[must_use]
pub fn evaluated_workflow(workflow: &Workflow) -> Value {
    let mut members = vec![
        ("schema", Json::from("mangrove.workflow-evaluated/1")),
        ("id", Json::from(workflow.id.as_str())),
        ("name", Json::from(workflow.name.value.as_str())),
        ("description", workflow.description.as_deref().map_or(Json::Null, Json::from)),
        ("version", Json::from(i64::from(workflow.version))),
        ("tags", Json::object(workflow.tags.iter().map(|(name, value)| (name.as_str(), Json::from(value.as_str()))))),
    ];
    members.push(("jobs", Json::Array(workflow.jobs.iter().map(job).collect())));
    json::to_value(&Json::object(members))
}

fn job(job: &Job) -> Json {
    let mut members = vec![("name", Json::from(job.name.value.as_str()))];
    if !job.depends_on.is_empty() {
        members.push(("dependsOn", depends_on(&job.depends_on, "job")));
    }
    members.push(("steps", Json::Array(job.steps.iter().map(step).collect())));
    Json::object(members)
}

fn step(step: &Step) -> Json {
    let mut members = vec![("name", Json::from(step.name.value.as_str()))];
    if let Some(for_each) = &step.for_each {
        let item = Json::from(for_each.item.value.as_str());
        members.push(("forEach", Json::object([("item", item), ("in", for_each.over.to_json())])));
    }
    if let Some(guard) = &step.guard {
        members.push(("guard", Json::from(guard.value.as_str())));
    }
    if !step.depends_on.is_empty() {
        members.push(("dependsOn", depends_on(&step.depends_on, "step")));
    }
    members.push(("task", task(&step.task)));
    Json::object(members)
}

fn task(task: &Task) -> Json {
    let given = |key, node: &Option<Node>| node.as_ref().map(|node| (key, node.to_json()));
    let mut members: Vec<(&str, Json)> = Vec::new();
    match task {
        Task::ModelMethod { target, method, inputs, global_arguments } => {
            members.push(("type", Json::from("model_method")));
            match target {
                Target::Definition(name) => members.push(("modelIdOrName", Json::from(name.value.as_str()))),
                Target::Instance { type_name, name } => {
                    members.push(("modelType", Json::from(type_name.value.as_str())));
                    members.push(("modelName", Json::from(name.value.as_str())));
                }
            }
            members.push(("methodName", Json::from(method.value.as_str())));
            members.extend(given("inputs", inputs));
            members.extend(given("globalArgs", global_arguments));
        }
        Task::Workflow { name, inputs } => {
            members.push(("type", Json::from("workflow")));
            members.push(("workflowIdOrName", Json::from(name.value.as_str())));
            members.extend(given("inputs", inputs));
        }
        Task::Assert { expression, message, severity } => {
            members.push(("type", Json::from("assert")));
            members.push(("expr", Json::from(expression.value.as_str())));
            members.push(("message", Json::from(message.value.as_str())));
            members.push(("severity", Json::from(severity.as_str())));
        }
        Task::ManualApproval { prompt, timeout } => {
            members.push(("type", Json::from("manual_approval")));
            members.push(("prompt", Json::from(prompt.value.as_str())));
            let seconds = timeout.and_then(|limit| i64::try_from(limit.as_secs()).ok());
            members.extend(seconds.map(|seconds| ("timeout", Json::from(seconds))));
        }
    }
    Json::object(members)
}

fn depends_on(dependencies: &[Dependency], key: &str) -> Json {
    let entry = |dependency: &Dependency| {
        Json::object([(key, Json::from(dependency.on.value.as_str())), ("condition", condition(&dependency.condition))])
    };
    Json::Array(dependencies.iter().map(entry).collect())
}

fn condition(of: &Condition) -> Json {
    let plain = |word: &str| Json::object([("type", Json::from(word))]);
    let joined = |word: &str, parts: &[Condition]| {
        Json::object([("type", Json::from(word)), ("conditions", Json::Array(parts.iter().map(condition).collect()))])
    };
    match of {
        Condition::Always => plain("always"),
        Condition::Succeeded => plain("succeeded"),
        Condition::Failed => plain("failed"),
        Condition::Completed => plain("completed"),
        Condition::Skipped => plain("skipped"),
        Condition::All(parts) => joined("and", parts),
        Condition::Any(parts) => joined("or", parts),
        Condition::Not(inner) => Json::object([("type", Json::from("not")), ("condition", condition(inner))]),
    }
}
