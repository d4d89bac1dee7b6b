//! Calls that name a type and an instance of it: inputs that belong nowhere, and what a new instance lacks.

use mangrove_domain::{
    description::{Description, MethodDescription},
    document::Node,
    inputs,
    json::Json,
    position::Position,
    problem::Code,
};

use super::Findings;
use crate::method::arguments;

/// A call as a step has it.
pub(super) struct Call<'a> {
    pub(super) described: &'a MethodDescription,
    pub(super) description: &'a Description,
    /// True if there is no definition of its name yet.
    pub(super) is_new: bool,
    pub(super) step_inputs: Option<&'a Node>,
    pub(super) step_global: Option<&'a Node>,
    /// Where it is said if something is missing.
    pub(super) at: &'a Position,
}

/// Reports what keeps the call from being routed, and the global arguments that a new instance lacks.
pub(super) fn check(findings: &mut Findings<'_>, call: &Call<'_>) {
    let schema = call.description.details.get("globalArguments").filter(|schema| schema.as_object().is_some());
    let given = call.step_inputs.map_or(Json::Null, Node::to_json);
    if call.step_global.is_none()
        && let Err(unknown) = arguments::route(&given, &call.described.arguments, schema)
    {
        for name in unknown {
            let key = call.step_inputs.and_then(|node| {
                let mut keys = node.as_map()?.iter().map(|(key, _)| key);
                keys.find(|key| key.as_str() == Some(name.as_str()))
            });
            let position = key.map_or_else(|| call.at.clone(), |key| key.position(findings.file));
            let message = format!("the input `{name}` is neither of the method nor a global argument");
            findings.error(Code::INVALID_INPUT, position, message, None);
        }
    }
    // What an expression gives is not known yet.
    let global = match call.step_global {
        Some(node) if node.as_str().is_some() => return,
        Some(node) => node.to_json(),
        None => given,
    };
    let Some(schema) = schema.filter(|_| call.is_new) else { return };
    let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
    let is_of_method =
        |name: &str| inputs::properties(&call.described.arguments).iter().any(|(known, _)| known == name);
    for name in required.iter().filter_map(Json::as_str) {
        if global.get(name).is_none() || call.step_global.is_none() && is_of_method(name) {
            let message = format!("the global argument `{name}` of a new instance is required");
            findings.error(Code::INVALID_INPUT, call.at.clone(), message, None);
        }
    }
}
