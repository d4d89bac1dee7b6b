//! What a step says of the data that its method writes.

use mangrove_domain::{
    description::Description,
    document::Node,
    inputs,
    json::Json,
    nearest,
    problem::{Code, Severity},
    workflow::{Step, Workflow},
};

use super::Findings;

/// True if the value of an input becomes part of a name.
pub(super) fn varies_by(step: &Step, input: &str) -> bool {
    step.outputs.iter().flat_map(|output| &output.vary).any(|varied| varied.value == input)
}

/// Names of resources and files that the type does not have.
pub(super) fn check_names(findings: &mut Findings<'_>, step: &Step, description: &Description) {
    let declared = ["resources", "files"].into_iter().filter_map(|key| description.details.get(key)?.as_object());
    let names: Vec<&str> = declared.flatten().map(|(name, _): &(String, Json)| name.as_str()).collect();
    for output in &step.outputs {
        let name = &output.spec_name;
        if name.value.contains("${{") || names.contains(&name.value.as_str()) {
            continue;
        }
        let message = format!("`{}` writes no `{}`, so nothing is overridden", description.type_name, name.value);
        let hint = nearest::hint(&name.value, names.iter().copied());
        let position = findings.at(name);
        findings.report(Severity::Warning, Code::UNKNOWN_NAME, position, message, hint.map(Into::into));
    }
}

/// Names vary by inputs that neither the step nor the workflow has.
pub(super) fn check_variation(
    findings: &mut Findings<'_>,
    workflow: &Workflow,
    step: &Step,
    step_inputs: Option<&Node>,
) {
    let given = step_inputs.and_then(Node::as_map).unwrap_or_default();
    let of_workflow = workflow.input_schema();
    let of_workflow = inputs::properties(&of_workflow);
    for varied in step.outputs.iter().flat_map(|output| &output.vary) {
        let name = varied.value.as_str();
        if given.iter().any(|(key, _)| key.as_str() == Some(name)) || of_workflow.iter().any(|(known, _)| known == name)
        {
            continue;
        }
        let message = format!("names vary by `{name}`, which is no input of this step or of the workflow");
        let hint = format!("add `{}` to the inputs of the step", varied.value);
        let position = findings.at(varied);
        findings.report(Severity::Error, Code::INVALID_INPUT, position, message, Some(hint.into()));
    }
}
