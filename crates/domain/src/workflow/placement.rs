//! Keys that ask for another machine, keys that are gone from the format, and one that others have. All are refused by name: a
//! step must not run where or when its author did not want it.

use crate::{
    document::{Node, NodeValue},
    form::{Form, Members},
    problem::{Code, Severity},
};

/// What workflows, jobs and steps may have beside their own keys.
pub(super) const KEYS: [&str; 7] = ["target", "labels", "platform", "queueTimeout", "driver", "driverConfig", "needs"];

/// Looks at these keys of a workflow, job or step.
pub(super) fn check(form: &mut Form<'_>, members: Members<'_>) {
    let what = members.what;
    for key in ["driver", "driverConfig"] {
        if let Some(place) = key_of(members.node, key) {
            let hint = format!("take it out: a {what} runs its methods here");
            form.error(place, format!("`{key}` is no key of a {what} any more"), Some(hint));
        }
    }
    if let Some(place) = key_of(members.node, "needs") {
        let hint = "write `dependsOn`, a list of `{job: NAME, condition: {type: succeeded}}`, or `step` in its place in a step";
        form.error(
            place,
            format!("a {what} has no `needs`: without `dependsOn` it waits for nothing"),
            Some(hint.to_owned()),
        );
    }
    let mut is_placed = false;
    for key in ["target", "labels", "platform"] {
        let is_anywhere = |node: &Node| node.as_map().is_some_and(<[_]>::is_empty);
        if form.optional(members, key).is_none_or(is_anywhere) {
            continue;
        }
        is_placed = true;
        if let Some(place) = key_of(members.node, key) {
            let message = format!("`{key}` asks for another machine, and Mangrove runs every step on its own");
            form.error(place, message, Some(format!("take it out if this {what} may run here")));
        }
    }
    for key in ["affinity", "queueTimeout"] {
        let is_off = |node: &Node| node.value == NodeValue::Bool(false);
        if is_placed || form.optional(members, key).is_none_or(is_off) {
            continue;
        }
        if let Some(place) = key_of(members.node, key) {
            let message = format!("`{key}` has no effect: every step runs on this machine");
            let hint = Some("take it out, or leave it for other programs".to_owned());
            form.report(Severity::Warning, Code::INVALID_DOCUMENT, place, message, hint);
        }
    }
}

/// The key itself, for its place.
fn key_of<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.as_map()?.iter().map(|(name, _)| name).find(|name| name.as_str() == Some(key))
}
