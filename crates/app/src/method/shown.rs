//! Whether reports are told other arguments than those that a method is called with.

use mangrove_domain::{document::Node, json::Json};

use super::Invocation;

/// True if an expression in the arguments of a call may name a secret or a variable: reports are told of those as they are written.
pub(super) fn reads_secrets(call: &Invocation<'_>) -> bool {
    let nodes = [call.definition.global_arguments.as_ref(), call.definition.arguments_of(call.method)];
    nodes.into_iter().flatten().map(Node::to_json).any(|given| may_read_secrets(&given))
        || may_read_secrets(call.inputs)
}

fn may_read_secrets(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains("${{") && (text.contains("vault.get") || text.contains("env")),
        Json::Array(items) => items.iter().any(may_read_secrets),
        Json::Object(members) => members.iter().any(|(_, value)| may_read_secrets(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
