//! The steps that a job becomes when it starts: a step that repeats is one step for each element, with a name of its own.

use std::collections::HashMap;

use mangrove_domain::{
    json::Json,
    problem::Code,
    run::RunProblem,
    workflow::{
        ForEach, Job, Step,
        template::{self, Part},
    },
};

use super::context::Context;
use crate::{
    method::problem,
    render::{Scope, Stage},
};

/// One step as it runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedStep {
    /// Its place in the job of the workflow.
    pub(super) index: usize,
    /// Its name in the run.
    pub(super) name: String,
    /// The element that it is for, by the name that it has in `self`.
    pub(super) item: Option<(String, Json)>,
}

/// Why a job cannot start: the step that cannot be repeated, and why.
pub(super) type NotRepeated = (usize, RunProblem);

/// True if a job has a step that repeats.
pub(super) fn repeats(job: &Job) -> bool {
    job.steps.iter().any(|step| step.for_each.is_some())
}

/// What each step of a job becomes where none repeats.
pub(super) fn as_they_are(job: &Job) -> Vec<Vec<PlannedStep>> {
    job.steps.iter().enumerate().map(|(index, step)| vec![as_it_is(index, step)]).collect()
}

fn as_it_is(index: usize, step: &Step) -> PlannedStep {
    PlannedStep { index, name: step.name.value.clone(), item: None }
}

/// What each step of a job becomes.
pub(super) async fn of_job(context: &Context<'_>, job: &Job) -> Result<Vec<Vec<PlannedStep>>, NotRepeated> {
    let mut planned = Vec::with_capacity(job.steps.len());
    for (index, step) in job.steps.iter().enumerate() {
        planned.push(match &step.for_each {
            None => vec![as_it_is(index, step)],
            Some(for_each) => {
                let repeated = of_step(context, job, step, for_each).await.map_err(|error| (index, error))?;
                repeated.into_iter().map(|(name, item)| PlannedStep { index, name, item: Some(item) }).collect()
            }
        });
    }
    let mut names: HashMap<&str, usize> = HashMap::new();
    for step in planned.iter().flatten() {
        if names.insert(&step.name, step.index).is_some() {
            let position = job.steps[step.index].name.position(&context.workflow.file);
            let message = format!("{position}: two steps of the job become `{}`", step.name);
            return Err((step.index, problem(Code::INVALID_DOCUMENT, message)));
        }
    }
    Ok(planned)
}

/// The name of each repetition and its element by its name.
type Repetition = (String, (String, Json));

async fn of_step(
    context: &Context<'_>,
    job: &Job,
    step: &Step,
    for_each: &ForEach,
) -> Result<Vec<Repetition>, RunProblem> {
    let scope = context.scope_of(job, &step.name.value, None);
    let position = for_each.over.position(&context.workflow.file);
    let elements: Vec<(String, Json)> = match context.renderer(&scope).value(&for_each.over, Stage::EVERYTHING).await? {
        Json::Array(items) => items.into_iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Json::Object(members) => members
            .into_iter()
            .map(|(key, value)| {
                let item = Json::object([("key", Json::from(key.as_str())), ("value", value)]);
                (key, item)
            })
            .collect(),
        other => {
            let message = format!("{position}: `in` must give a list or a mapping, found {}", other.type_name());
            return Err(problem(Code::INVALID_EXPRESSION, message));
        }
    };
    let mut repetitions = Vec::with_capacity(elements.len());
    for (place, item) in elements {
        let item = (for_each.item.value.clone(), item);
        let scope = context.scope_of(job, &step.name.value, Some(&item));
        repetitions.push((name_of(context, &scope, step, &place, &item.1).await, item));
    }
    Ok(repetitions)
}

/// The name of a repetition, masked. `place` is its index, or its key in a mapping.
async fn name_of(context: &Context<'_>, scope: &Scope, step: &Step, place: &str, item: &Json) -> String {
    let name = &step.name.value;
    if !name.contains("${{") {
        return match item {
            // The elements of a mapping have a key.
            Json::Object(_) | Json::Array(_) => format!("{name}-{place}"),
            plain => context.environment.mask(&format!("{name}-{}", template::put_into_text(plain))),
        };
    }
    let renderer = context.renderer(scope);
    let position = step.name.position(&context.workflow.file);
    let mut expanded = String::new();
    let mut has_failed = false;
    for part in template::split(name) {
        match part {
            Part::Text(text) => expanded.push_str(text),
            Part::Expression(span) => match renderer.text(span.raw, &position, Stage::EVERYTHING).await {
                Ok(value) => expanded.push_str(&template::put_into_text(&value)),
                Err(_) => {
                    has_failed = true;
                    expanded.push_str(span.raw);
                }
            },
        }
    }
    if has_failed {
        expanded.push('-');
        expanded.push_str(place);
    }
    context.environment.mask(&expanded)
}
