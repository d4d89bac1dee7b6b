//! Durations as workflow files write them.

use std::time::Duration;

use crate::{
    document::{Node, NodeValue},
    form::{Form, Members},
    json::Number,
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
        NodeValue::String(text) => {
            let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
            let factor = match &text[unit_at..] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
            text[..unit_at].parse::<u64>().ok()?.checked_mul(factor)?
        }
        _ => return None,
    };
    (millis > 0).then(|| Duration::from_millis(millis))
}
