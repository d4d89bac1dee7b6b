//! Durations as workflow files write them.

use std::time::Duration;

use crate::{
    document::{Node, NodeValue},
    form::{Form, Members},
    json::Number,
    time::parse_duration,
};

/// A duration that may be missing; longer than zero.
pub(super) fn optional(form: &mut Form<'_>, members: Members<'_>, key: &str) -> Option<Duration> {
    let node = form.optional(members, key)?;
    let duration = read(node);
    if duration.is_none() {
        form.expected(node, key, "seconds, or a duration such as 90s, 5m or 1h");
    }
    duration
}

/// Whole seconds, or digits with `ms`, `s`, `m` or `h`; longer than zero.
fn read(node: &Node) -> Option<Duration> {
    let millis = match &node.value {
        NodeValue::Number(Number::Integer(seconds)) => u64::try_from(*seconds).ok()?.checked_mul(1000)?,
        NodeValue::String(text) => return parse_duration(text),
        _ => return None,
    };
    (millis > 0).then(|| Duration::from_millis(millis))
}
