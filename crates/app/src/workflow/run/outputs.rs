//! What a step says of the data that it writes.

use mangrove_domain::{
    document::Node,
    form::Located,
    json::Json,
    problem::Code,
    run::RunProblem,
    workflow::{OutputOverride, Step},
};

use crate::method::{OutputSettings, problem};

/// The settings in the order in which later ones count. Names vary by the inputs of the step, else by those of the workflow.
///
/// # Errors
/// An input that a name is to vary by is not given, or has no text.
pub(super) fn settings(step: &Step, inputs: [&Json; 2], file: &str) -> Result<Vec<OutputSettings>, RunProblem> {
    step.outputs.iter().map(|output| of_output(output, inputs, file)).collect()
}

fn of_output(output: &OutputOverride, inputs: [&Json; 2], file: &str) -> Result<OutputSettings, RunProblem> {
    let value = |name: &Located<String>| {
        let found = inputs.iter().find_map(|inputs| inputs.get(&name.value));
        text(found).ok_or_else(|| {
            let found = found.map_or("nothing", Json::type_name);
            let place = name.position(file);
            let message =
                format!("{place}: `vary` names the input `{}`: expected a text or a number, found {found}", name.value);
            problem(Code::INVALID_INPUT, message)
        })
    };
    Ok(OutputSettings {
        spec_name: output.spec_name.value.clone(),
        lifetime: output.lifetime.as_ref().map(|lifetime| lifetime.value.clone()),
        garbage_collection: output.garbage_collection.as_ref().map(Node::to_json),
        tags: output.tags.clone(),
        vary: output.vary.iter().map(value).collect::<Result<_, _>>()?,
        vault_name: None,
    })
}

fn text(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::String(text) => Some(text.clone()),
        value @ (Json::Number(_) | Json::Bool(_)) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
