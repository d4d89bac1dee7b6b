//! Workflows that steps call.

use std::collections::BTreeSet;

use mangrove_domain::{
    document::Node,
    form::Located,
    problem::{Code, Severity},
    workflow::{MAXIMUM_NESTING, Task, Workflow},
};

use super::{Findings, inputs, is_expression};
use crate::workflow::library::Library;

/// Checks the workflow that a step names, and what the step gives it.
pub(super) fn check(
    findings: &mut Findings<'_>,
    library: &Library,
    workflow: &Workflow,
    name: &Located<String>,
    step_inputs: Option<&Node>,
) {
    if name.value.contains("${{") {
        return;
    }
    let position = findings.at(name);
    let called = match library.workflow(&name.value) {
        Ok(called) => called,
        Err(wrong) => {
            // An earlier step may bring it; one whose file is wrong is reported there.
            let is_missing = wrong.code == Code::UNKNOWN_NAME || library.broken_workflow(&name.value).is_some();
            let severity = if is_missing { Severity::Warning } else { Severity::Error };
            let message = match library.broken_workflow(&name.value) {
                Some(broken) => format!("the workflow `{}` cannot be used: see {}", name.value, broken.file),
                None => wrong.message,
            };
            findings.report(severity, wrong.code, position, message, wrong.advice);
            return;
        }
    };
    if is_expression(step_inputs) {
        return;
    }
    let mut path = vec![workflow.name.value.as_str()];
    if let Some(cycle) = cycle(library, called, &mut path) {
        let message = format!("workflows call each other: {}", cycle.join(" → "));
        findings.error(Code::WORKFLOW_CYCLE, position, message, None);
        return;
    }
    let layers = [inputs::Layer { node: step_inputs, is_own: true }];
    let what = format!("the inputs of workflow `{}`", called.name.value);
    let schema = called.input_schema();
    let given = inputs::Given { owner: &called.file, schema: &schema, layers: &layers, at: &position, what: &what };
    inputs::check_inputs(findings, &given);
}

/// The way back to the first of `path`, or to a workflow on the way that calls itself again.
fn cycle<'a>(library: &'a Library, at: &'a Workflow, path: &mut Vec<&'a str>) -> Option<Vec<String>> {
    let name = at.name.value.as_str();
    if path.contains(&name) {
        let mut cycle: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        cycle.push(name.to_owned());
        return Some(cycle);
    }
    if path.len() > MAXIMUM_NESTING {
        return None;
    }
    path.push(name);
    let called = at.jobs.iter().flat_map(|job| &job.steps).filter_map(|step| match &step.task {
        Task::Workflow { name, .. } => library.workflow(&name.value).ok(),
        Task::ModelMethod { .. } | Task::Assert { .. } | Task::ManualApproval { .. } => None,
    });
    let mut seen = BTreeSet::new();
    let found =
        called.filter(|called| seen.insert(called.name.value.as_str())).find_map(|called| cycle(library, called, path));
    path.pop();
    found
}
