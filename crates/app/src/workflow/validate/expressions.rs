//! Expressions that cannot work.

use std::collections::BTreeSet;

use mangrove_domain::{
    document::{Node, NodeValue},
    json::Json,
    nearest,
    ports::{ExpressionError, Expressions},
    position::Position,
    problem::{Code, Severity},
    workflow::{
        Workflow, rewrites,
        template::{self, Part, Span},
    },
};

use super::Findings;
use crate::method::arguments;

/// The names that expressions may use.
const KNOWN: [&str; 10] =
    ["inputs", "self", "env", "run", "workflowRunId", "data", "model", "file", "vault", "workers"];
/// Those of them that have functions and no value.
const FUNCTIONS: [&str; 4] = ["data", "file", "vault", "workers"];
/// The names that expressions in the inputs of a trigger may use.
const KNOWN_TO_TRIGGERS: [&str; 2] = ["env", "webhook"];
/// The function that guards and assertions have.
const METHOD_FUNCTION: &str = "model.method";

/// Checks every text below `node`. `workflow` is the one whose inputs the expressions see, if that is known.
pub(super) fn check(findings: &mut Findings<'_>, node: &Node, workflow: Option<&Workflow>, port: &dyn Expressions) {
    check_node(findings, node, &Place::Run(workflow), port);
}

/// Checks every text of the inputs of a trigger.
pub(super) fn check_trigger(findings: &mut Findings<'_>, node: &Node, is_scheduled: bool, port: &dyn Expressions) {
    check_node(findings, node, &Place::Trigger { is_scheduled }, port);
}

/// Where expressions stand, which decides what they may use.
enum Place<'a> {
    /// In a run of this workflow, if that is known.
    Run(Option<&'a Workflow>),
    /// In a guard or an assertion of a run of this workflow.
    Decision(Option<&'a Workflow>),
    /// In the inputs of a trigger, before there is a run.
    Trigger { is_scheduled: bool },
}

fn check_node(findings: &mut Findings<'_>, node: &Node, place: &Place<'_>, port: &dyn Expressions) {
    match &node.value {
        NodeValue::String(text) => {
            let position = node.position(findings.file);
            check_parts(findings, text, &position, place, port);
        }
        NodeValue::List(items) => items.iter().for_each(|item| check_node(findings, item, place, port)),
        NodeValue::Map(members) => members.iter().for_each(|(_, value)| check_node(findings, value, place, port)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
    }
}

/// The inputs that expressions below a node read and that have to be there, each once, with the text that reads it first.
pub(super) fn inputs_read<'a>(node: &'a Node, port: &dyn Expressions) -> Vec<(String, &'a Node)> {
    let mut found: Vec<(String, &Node)> = Vec::new();
    match &node.value {
        NodeValue::String(text) => {
            for part in template::split(text) {
                let Part::Expression(Span { expression, .. }) = part else { continue };
                let calls = rewrites::vault_calls(expression);
                let Ok(parsed) = port.parse(&rewrites::replace_calls(expression, &calls, |_| "''".to_owned())) else {
                    continue;
                };
                let is_asked_for =
                    |path: &&Vec<String>| !parsed.asked_for().iter().any(|asked| path.starts_with(asked));
                for path in parsed.references().iter().filter(is_asked_for) {
                    if let [root, name, ..] = path.as_slice()
                        && root == "inputs"
                    {
                        found.push((name.clone(), node));
                    }
                }
            }
        }
        NodeValue::List(items) => found.extend(items.iter().flat_map(|item| inputs_read(item, port))),
        NodeValue::Map(members) => found.extend(members.iter().flat_map(|(_, value)| inputs_read(value, port))),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
    }
    let mut seen = BTreeSet::new();
    found.retain(|(name, _)| seen.insert(name.clone()));
    found
}

/// Checks the expressions of one text.
pub(super) fn check_text(
    findings: &mut Findings<'_>,
    text: &str,
    position: &Position,
    workflow: Option<&Workflow>,
    port: &dyn Expressions,
) {
    check_parts(findings, text, position, &Place::Run(workflow), port);
}

/// Checks the text of a guard, or the expression of an assertion in `${{ }}`.
pub(super) fn check_decision(
    findings: &mut Findings<'_>,
    text: &str,
    position: &Position,
    workflow: Option<&Workflow>,
    port: &dyn Expressions,
) {
    check_parts(findings, text, position, &Place::Decision(workflow), port);
}

fn check_parts(
    findings: &mut Findings<'_>,
    text: &str,
    position: &Position,
    place: &Place<'_>,
    port: &dyn Expressions,
) {
    for part in template::split(text) {
        let expression = match part {
            Part::Expression(Span { expression, .. }) => expression,
            Part::Text(text) => {
                if text.contains(template::OPEN) {
                    let message = "`${{` that no `}}` closes is text like any other";
                    findings.report(
                        Severity::Warning,
                        Code::INVALID_EXPRESSION,
                        position.clone(),
                        message.into(),
                        None,
                    );
                }
                continue;
            }
        };
        let calls = rewrites::vault_calls(expression);
        let readable = rewrites::replace_calls(expression, &calls, |_| "''".to_owned());
        match port.parse(&readable) {
            Ok(parsed) => {
                let functions = parsed.functions().iter().map(String::as_str);
                let asked: BTreeSet<&str> = functions.chain((!calls.is_empty()).then_some("vault.get")).collect();
                for name in asked {
                    check_function(findings, expression, name, position, place);
                }
                let is_asked_for = |path: &[String]| {
                    let asked = |asked: &&Vec<String>| asked.len() > 1 && path.starts_with(&asked[..2]);
                    parsed.asked_for().iter().any(|path| asked(&path))
                };
                for path in parsed.references().iter().filter(|path| !is_asked_for(path)) {
                    match place {
                        Place::Run(workflow) | Place::Decision(workflow) => {
                            check_reference(findings, expression, path, position, *workflow);
                        }
                        Place::Trigger { is_scheduled } => {
                            check_trigger_reference(findings, expression, path, position, *is_scheduled);
                        }
                    }
                }
            }
            Err(error) => {
                let error = ExpressionError { expression: expression.to_owned(), ..error };
                findings.error(Code::INVALID_EXPRESSION, position.clone(), error.to_string(), None);
            }
        }
    }
}

fn check_function(findings: &mut Findings<'_>, expression: &str, name: &str, position: &Position, place: &Place<'_>) {
    let (what, known) = match place {
        Place::Run(_) if name == METHOD_FUNCTION => {
            ("calls a method, which only a guard or an assertion may", KNOWN.join(", "))
        }
        Place::Trigger { .. } if matches!(name, "vault.get" | "workers.connected") => return,
        Place::Trigger { .. } => ("has no value before there is a run", KNOWN_TO_TRIGGERS.join(", ")),
        Place::Run(_) | Place::Decision(_) => return,
    };
    let message = format!("`{expression}`: `{name}` {what}");
    let hint = Some(format!("expressions may use {known}"));
    findings.error(Code::INVALID_EXPRESSION, position.clone(), message, hint.map(Into::into));
}

fn check_trigger_reference(
    findings: &mut Findings<'_>,
    expression: &str,
    path: &[String],
    position: &Position,
    is_scheduled: bool,
) {
    let Some(root) = path.first().map(String::as_str) else { return };
    let hint = format!("the inputs of a trigger may use {}", KNOWN_TO_TRIGGERS.join(", "));
    if root == "webhook" && is_scheduled {
        let message = format!("`{expression}`: `webhook` has no value when the schedule starts the workflow");
        let hint = "such a run does not begin; give the schedule a workflow of its own, which calls this one";
        findings.report(Severity::Warning, Code::INVALID_EXPRESSION, position.clone(), message, Some(hint.into()));
    } else if KNOWN.contains(&root) && !KNOWN_TO_TRIGGERS.contains(&root) {
        let message = format!("`{expression}`: `{root}` has no value before there is a run");
        findings.error(Code::INVALID_EXPRESSION, position.clone(), message, Some(hint.into()));
    }
}

fn check_reference(
    findings: &mut Findings<'_>,
    expression: &str,
    path: &[String],
    position: &Position,
    workflow: Option<&Workflow>,
) {
    let Some(root) = path.first().map(String::as_str) else { return };
    if root == "vault" {
        let message = format!("`{expression}`: `vault.get` takes two names: of a vault, and of a secret in it");
        findings.error(Code::INVALID_EXPRESSION, position.clone(), message, None);
        return;
    }
    if FUNCTIONS.contains(&root) {
        let message = format!("`{expression}`: `{root}` has functions, such as `data.latest`, and no other members");
        findings.error(Code::INVALID_EXPRESSION, position.clone(), message, None);
        return;
    }
    if root == "inputs" {
        if let (Some(name), Some(workflow)) = (path.get(1), workflow) {
            check_input(findings, expression, name, position, workflow);
        }
        return;
    }
    // Names of types are read like variables, so only what is nearly a known name is surely a slip.
    if !KNOWN.contains(&root)
        && path.len() > 1
        && let Some(hint) = nearest::hint(root, KNOWN)
    {
        let message = format!("`{expression}`: unknown name `{root}`");
        findings.error(Code::INVALID_EXPRESSION, position.clone(), message, Some(hint.into()));
    }
}

/// An input that the workflow does not declare has no value, unless its schema is open.
fn check_input(findings: &mut Findings<'_>, expression: &str, name: &str, position: &Position, workflow: &Workflow) {
    let schema = workflow.input_schema();
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return };
    // `inputs.event` is what a webhook brings.
    if name == "event" || arguments::allows_others(&schema) || properties.iter().any(|(known, _)| known == name) {
        return;
    }
    let hint = nearest::hint(name, properties.iter().map(|(known, _)| known.as_str()))
        .or_else(|| Some(format!("declare `{name}` below `inputs.properties`")));
    let message = format!("`{expression}`: the workflow has no input `{name}`");
    findings.error(Code::INVALID_EXPRESSION, position.clone(), message, hint.map(Into::into));
}
