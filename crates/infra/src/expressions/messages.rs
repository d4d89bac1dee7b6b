//! Why an expression has no value, in words.

use cel::{ExecutionError, IdedExpr, Value};
use mangrove_domain::nearest;

use super::tree;

/// Why the expression has no value that sees these names.
pub(super) fn explain<'a>(
    error: &ExecutionError,
    tree: &IdedExpr,
    names: impl Iterator<Item = &'a str> + Clone,
) -> String {
    match error {
        ExecutionError::UndeclaredReference(name) if tree::calls(tree, name) => {
            format!("there is no function `{name}`")
        }
        ExecutionError::UndeclaredReference(name) => match nearest::hint(name, names.clone()) {
            Some(hint) => format!("unknown name `{name}`; {hint}"),
            None => format!("unknown name `{name}`; known are {}", names.collect::<Vec<_>>().join(", ")),
        },
        ExecutionError::NoSuchKey(name) => format!("there is no member `{name}`"),
        ExecutionError::FunctionError { function, message } => format!("`{function}`: {message}"),
        ExecutionError::NoSuchOverload(overload) => without_overload(overload.function(), overload.argument_types()),
        ExecutionError::UnexpectedType { got, want } => format!("expected {}, found {}", kind(want), kind(got)),
        ExecutionError::IndexOutOfBounds(index) => format!("there is no element {}", number(index)),
        ExecutionError::UnsupportedIndex(index, _) => format!("{} is no position in a list", number(index)),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "the result is too large".to_owned(),
        other => other.to_string(),
    }
}

/// An operator or function that does not take what it was given.
fn without_overload(function: &str, kinds: &[String]) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|name| kind(name)).collect();
    if let ("_._" | "_[_]" | "_?._" | "_[?_]", Some(owner)) = (function, kinds.first()) {
        return match (*owner, kinds.get(1)) {
            ("list", Some(index)) => format!("the position in a list is an int, not a {index}"),
            // Nothing was written yet, or there is none in these inputs: the most frequent of all.
            ("null", _) => "null has no members; `.?` in place of `.` gives null where there is nothing".to_owned(),
            (owner, _) => format!("{owner} has no members"),
        };
    }
    let operator = function.trim_matches('_').trim_start_matches('@');
    match kinds.as_slice() {
        [left, right] if function.starts_with(['_', '@']) => format!("`{operator}`: not between {left} and {right}"),
        kinds => format!("`{operator}`: not with {}", kinds.join(", ")),
    }
}

/// What people call a kind of value.
pub(super) fn kind(name: &str) -> &str {
    match name {
        "null_type" => "null",
        "optional_type" => "optional",
        "google.protobuf.Timestamp" => "timestamp",
        "google.protobuf.Duration" => "duration",
        "string" => "text",
        "map" => "mapping",
        other => other,
    }
}

fn number(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}
