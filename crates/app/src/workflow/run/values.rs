//! Inputs and labels of runs: put together, and looked at.

use mangrove_domain::{
    json::Json,
    problem::{Code, Problem},
    workflow::Workflow,
};

use crate::{
    secrets::MASK,
    workflow::inputs::{self, Mistakes},
};

/// A mapping with another one over it, at any depth.
pub(super) fn laid_over(under: Json, over: Json) -> Json {
    match (under, over) {
        (Json::Object(mut members), Json::Object(others)) => {
            for (key, value) in others {
                match members.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, before)) => *before = laid_over(std::mem::take(before), value),
                    None => members.push((key, value)),
                }
            }
            Json::Object(members)
        }
        (_, over) => over,
    }
}

/// The first input of which something was masked when it was written down.
pub(super) fn masked_input(inputs: &Json) -> Option<&str> {
    fn is_masked(value: &Json) -> bool {
        match value {
            Json::String(text) => text.contains(MASK),
            Json::Array(items) => items.iter().any(is_masked),
            Json::Object(members) => members.iter().any(|(_, value)| is_masked(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
    let members = inputs.as_object().unwrap_or_default();
    members.iter().find(|(_, value)| is_masked(value)).map(|(name, _)| name.as_str())
}

/// Labels under others that win.
pub(super) fn overlaid(under: &[(String, String)], over: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut tags = under.to_vec();
    tags.retain(|(name, _)| !over.iter().any(|(other, _)| other == name));
    tags.extend(over);
    tags
}

/// The inputs with defaults and coerced texts.
pub(super) fn inputs(workflow: &Workflow, inputs: Json) -> Result<Json, Vec<Problem>> {
    known_inputs(workflow, inputs, &|_| false)
}

/// The same; nothing is said of those that wait.
pub(super) fn known_inputs(
    workflow: &Workflow,
    inputs: Json,
    waits: &dyn Fn(&Json) -> bool,
) -> Result<Json, Vec<Problem>> {
    let position = || workflow.inputs.as_ref().map(|node| node.position(&workflow.file));
    let invalid = |message: String, hint: Option<String>| {
        Problem::error(Code::INVALID_INPUT, workflow.name.value.clone(), message).at_if(position()).advise_if(hint)
    };
    let unnamed = inputs::unnamed(workflow, &inputs);
    inputs::check_but(workflow, inputs, waits).map_err(|Mistakes(violations)| {
        // An input that is missing may be there by another name.
        let told = |problem: &Problem| {
            let is_about = |name: &str| problem.message.contains(&format!("`{name}`"));
            violations.iter().any(|wrong| is_about(&wrong.violation.path))
        };
        let unnamed: Vec<Problem> = unnamed.into_iter().filter(|problem| !told(problem)).collect();
        let wrong = violations.iter().map(|wrong| invalid(format!("input {}", wrong.violation), wrong.hint.clone()));
        wrong.chain(unnamed).collect()
    })
}
