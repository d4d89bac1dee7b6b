//! Inputs that break their schema, as far as that can be known while expressions have no values yet.

use mangrove_domain::{
    description::{Violation, is_path_within},
    document::{Node, NodeValue},
    form, inputs,
    json::Json,
    nearest,
    ports::SchemaValidator,
    position::Position,
    problem::{Code, Severity},
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

/// Values that are given to something.
pub(super) struct Given<'a> {
    /// The file of the layers that are not the checked file's own.
    pub(super) owner: &'a str,
    pub(super) schema: &'a Json,
    pub(super) layers: &'a [Layer<'a>],
    /// Where it is said if something is missing.
    pub(super) at: &'a Position,
    /// What people call the values.
    pub(super) what: &'a str,
}

impl Given<'_> {
    /// The layers as one object, and the paths of values that are not known before expressions are evaluated.
    fn merged(&self) -> (Json, Vec<String>) {
        let mut unknown_values = Vec::new();
        let mut values = Vec::new();
        for layer in self.layers {
            let Some(node) = layer.node else { continue };
            let value = arguments::as_written(self.schema, node.to_json(), Some(node));
            values.push(if layer.is_own { value } else { arguments::known_to(self.schema, &value) });
            expression_paths(node, "", &mut unknown_values);
        }
        (arguments::merge(&values.iter().collect::<Vec<_>>()), unknown_values)
    }

    /// The names that the schema requires and that no layer has.
    fn missing(&self, merged: &Json) -> Vec<Violation> {
        let required = self.schema.get("required").and_then(Json::as_array).unwrap_or_default();
        let absent = required.iter().filter_map(Json::as_str).filter(|name| merged.get(name).is_none());
        absent.map(|name| Violation { path: name.to_owned(), message: "is required".to_owned() }).collect()
    }

    fn report(&self, findings: &mut Findings<'_>, severity: Severity, violation: &Violation, hint: Option<String>) {
        let key = own_key(self.layers, &violation.path).filter(|_| hint.is_some());
        let position = match key {
            Some(key) => Some(key.position(findings.file)),
            None => place(violation, self.layers, findings.file, self.owner),
        };
        let position = position.unwrap_or_else(|| self.at.clone());
        let message = format!("{}: {violation}", self.what);
        findings.report(severity, Code::INVALID_INPUT, position, message, hint.map(Into::into));
    }

    /// Keys of the checked file that the schema does not name, unless `is_known` says that something else does.
    fn report_unknown(&self, findings: &mut Findings<'_>, severity: Severity, is_known: impl Fn(&str) -> bool) {
        let properties = inputs::properties(self.schema);
        let names = || properties.iter().map(|(name, _)| name.as_str());
        let own = self.layers.iter().filter(|layer| layer.is_own).filter_map(|layer| layer.node?.as_map()).flatten();
        for (key, _) in own {
            let name = key.as_str().unwrap_or_default();
            if names().any(|known| known == name) || is_known(name) {
                continue;
            }
            let message = format!("{}: `{name}` is not known", self.what);
            let position = key.position(findings.file);
            let hint = nearest::hint(name, names()).map(Into::into);
            findings.report(severity, Code::INVALID_INPUT, position, message, hint);
        }
    }
}

/// Checks the inputs of a workflow: they are refused for what is wrong with them.
pub(super) fn check_inputs(findings: &mut Findings<'_>, given: &Given<'_>) {
    let (merged, unknown_values) = given.merged();
    let merged = inputs::with_defaults(given.schema, inputs::coerced(given.schema, merged));
    for violation in inputs::violations(given.schema, &merged) {
        if !depends_on_expression(&violation, &unknown_values) {
            let names = inputs::properties(given.schema).iter().map(|(name, _)| name.as_str());
            let is_unknown = !violation.path.is_empty() && !names.clone().any(|name| violation.is_within(name));
            let hint = if is_unknown { nearest::hint(&violation.path, names) } else { None };
            given.report(findings, Severity::Error, &violation, hint);
        }
    }
    let is_closed = given.schema.get("additionalProperties") == Some(&Json::Bool(false));
    if !inputs::properties(given.schema).is_empty() && !is_closed {
        given.report_unknown(findings, Severity::Warning, |_| false);
    }
}

/// Checks the arguments of a method. What is required must be there; what its author's schema makes of the rest is known
/// when it runs, and its JSON Schema is no more than a hint. `is_known` says which names something else has a use for.
pub(super) fn check_arguments(
    findings: &mut Findings<'_>,
    given: &Given<'_>,
    is_known: impl Fn(&str) -> bool,
    port: &dyn SchemaValidator,
) {
    let (merged, unknown_values) = given.merged();
    let missing = given.missing(&merged);
    for violation in &missing {
        given.report(findings, Severity::Error, violation, None);
    }
    hint_at(findings, given, &merged, &unknown_values, port);
    if arguments::is_listing(given.schema) {
        given.report_unknown(findings, Severity::Warning, is_known);
    }
}

/// Checks global arguments: nothing of them is required, and a name that their schema does not list is refused.
pub(super) fn check_global(findings: &mut Findings<'_>, given: &Given<'_>, port: &dyn SchemaValidator) {
    let (merged, unknown_values) = given.merged();
    hint_at(findings, given, &merged, &unknown_values, port);
    if arguments::is_listing(given.schema) {
        given.report_unknown(findings, Severity::Error, |_| false);
    }
}

/// Warns of values that do not look as the JSON Schema says.
fn hint_at(
    findings: &mut Findings<'_>,
    given: &Given<'_>,
    merged: &Json,
    unknown_values: &[String],
    port: &dyn SchemaValidator,
) {
    let merged = arguments::coerced(given.schema, merged.clone());
    // A schema that the validator cannot use says nothing about values.
    let violations = port.validate(given.schema, &merged).unwrap_or_default();
    let properties = inputs::properties(given.schema);
    for violation in violations {
        let is_of_member = properties.iter().any(|(name, _)| violation.is_within(name) && merged.get(name).is_some());
        if is_of_member && !depends_on_expression(&violation, unknown_values) {
            given.report(findings, Severity::Warning, &violation, None);
        }
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
    expressions.iter().any(|expression| violation.is_within(expression) || is_path_within(expression, &violation.path))
}

/// Where the value stands that a violation is about: in the last layer that has it.
fn place(violation: &Violation, layers: &[Layer<'_>], file: &str, owner: &str) -> Option<Position> {
    layers.iter().rev().find_map(|layer| {
        let node = layer.node?;
        let found = form::follow(node, &violation.path);
        if std::ptr::eq(found, node) {
            return None;
        }
        Some(found.position(if layer.is_own { file } else { owner }))
    })
}
