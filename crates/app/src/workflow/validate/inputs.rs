//! Inputs that break their schema, as far as that can be known while expressions have no values yet.

use mangrove_domain::{
    definition::Definition,
    description::Violation,
    document::{Node, NodeValue},
    form,
    json::Json,
    nearest,
    ports::SchemaValidator,
    position::Position,
    problem::{Code, Severity},
    workflow::Workflow,
};

use super::Findings;
use crate::method::arguments;

/// One source of arguments; later ones win.
pub(super) struct Layer<'a> {
    /// A mapping.
    pub(super) node: Option<&'a Node>,
    /// True if it stands in the file that is checked and is meant for this schema alone.
    pub(super) is_own: bool,
}

/// Whose file holds the layers that are not the checked file's own.
pub(super) trait Owner {
    /// The file, as people name it.
    fn file(&self) -> &str;
}

impl Owner for Definition {
    fn file(&self) -> &str {
        &self.file
    }
}

impl Owner for Workflow {
    fn file(&self) -> &str {
        &self.file
    }
}

/// Checks merged layers against a schema. What is missing is told at `at`, what is wrong where it stands.
pub(super) fn check(
    findings: &mut Findings<'_>,
    owner: &dyn Owner,
    schema: &Json,
    layers: &[Layer<'_>],
    at: &Position,
    what: &str,
    port: &dyn SchemaValidator,
) {
    let mut unknown_values = Vec::new();
    let mut values = Vec::new();
    for layer in layers {
        let Some(node) = layer.node else { continue };
        let value = node.to_json();
        values.push(if layer.is_own { value } else { arguments::known_to(schema, &value) });
        expression_paths(node, "", &mut unknown_values);
    }
    let merged = arguments::complete(schema, arguments::merge(&values.iter().collect::<Vec<_>>()));
    let violations = match port.validate(schema, &merged) {
        Ok(violations) => violations,
        Err(error) => {
            let message = format!("{what} cannot be checked: {error}");
            findings.report(Severity::Warning, Code::INVALID_INPUT, at.clone(), message, None);
            return;
        }
    };
    let properties = schema.get("properties").and_then(Json::as_object).unwrap_or_default();
    let known = || properties.iter().map(|(name, _)| name.as_str());
    let mut is_whole_left_out = false;
    for violation in violations {
        if depends_on_expression(&violation, &unknown_values) {
            is_whole_left_out |= violation.path.is_empty();
            continue;
        }
        let is_unknown = !violation.path.is_empty() && !known().any(|name| is_within(&violation.path, name));
        let key = own_key(layers, &violation.path).filter(|_| is_unknown).map(|key| key.position(findings.file));
        let position = key.or_else(|| place(&violation, layers, findings.file, owner)).unwrap_or_else(|| at.clone());
        let hint = if is_unknown { nearest::hint(&violation.path, known()) } else { None };
        findings.error(Code::INVALID_INPUT, position, format!("{what}: {violation}"), hint.map(Into::into));
    }
    // A schema that lets others pass silently drops them: nearly known names are slips all the same.
    // One that refuses others has told of them, unless it told of several in one violation that was left out.
    let is_told = schema.get("additionalProperties").is_some() && !is_whole_left_out;
    if properties.is_empty() || arguments::allows_others(schema) || is_told {
        return;
    }
    let own = layers.iter().filter(|layer| layer.is_own).filter_map(|layer| layer.node?.as_map()).flatten();
    for (key, _) in own {
        let name = key.as_str().unwrap_or_default();
        if known().any(|known| known == name) {
            continue;
        }
        let hint = nearest::hint(name, known());
        let severity = if hint.is_some() || is_whole_left_out { Severity::Error } else { Severity::Warning };
        let position = key.position(findings.file);
        findings.report(
            severity,
            Code::INVALID_INPUT,
            position,
            format!("{what}: `{name}` is not known"),
            hint.map(Into::into),
        );
    }
}

/// The key of this name in the checked file.
fn own_key<'n>(layers: &[Layer<'n>], name: &str) -> Option<&'n Node> {
    let own = layers.iter().rev().filter(|layer| layer.is_own).filter_map(|layer| layer.node?.as_map()).flatten();
    own.map(|(key, _)| key).find(|key| key.as_str() == Some(name))
}

/// The paths of all texts with expressions, written as violations write them.
fn expression_paths(node: &Node, path: &str, found: &mut Vec<String>) {
    match &node.value {
        NodeValue::String(text) if text.contains("${{") => found.push(path.to_owned()),
        NodeValue::List(items) => {
            for (index, item) in items.iter().enumerate() {
                expression_paths(item, &format!("{path}[{index}]"), found);
            }
        }
        NodeValue::Map(members) => {
            for (key, value) in members {
                let name = key.as_str().unwrap_or_default();
                let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                expression_paths(value, &below, found);
            }
        }
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) => {}
    }
}

/// True if a violation may go away once expressions have their values: it is at, below or around one.
fn depends_on_expression(violation: &Violation, expressions: &[String]) -> bool {
    expressions
        .iter()
        .any(|expression| is_within(&violation.path, expression) || is_within(expression, &violation.path))
}

/// True if `path` is `around` or lies in it.
pub(in crate::workflow) fn is_within(path: &str, around: &str) -> bool {
    path.strip_prefix(around).is_some_and(|rest| around.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Where the value stands that a violation is about: in the last layer that has it.
fn place(violation: &Violation, layers: &[Layer<'_>], file: &str, owner: &dyn Owner) -> Option<Position> {
    layers.iter().rev().find_map(|layer| {
        let node = layer.node?;
        let found = form::follow(node, &violation.path);
        if std::ptr::eq(found, node) {
            return None;
        }
        Some(found.position(if layer.is_own { file } else { owner.file() }))
    })
}
