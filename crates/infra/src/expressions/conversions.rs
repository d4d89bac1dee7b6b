//! `string(x)`, and what `duration(x)` is given.

use cel::{
    ExecutionError,
    common::{
        types::{CelBool, CelBytes, CelDouble, CelInt, CelString, CelUInt},
        value::CowVal,
    },
};
use mangrove_domain::json::Number;

use super::messages::kind;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// The text of texts, booleans, numbers and bytes. Doubles in their shortest form.
pub(super) fn string<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let Some(argument) = arguments.pop() else { return Err(ExecutionError::invalid_argument_count(1, 0)) };
    let value = argument.as_ref();
    if value.downcast_ref::<CelString>().is_some() {
        return Ok(argument);
    }
    let text = if let Some(value) = value.downcast_ref::<CelDouble>() {
        Number::Float(*value.inner()).to_string()
    } else if let Some(value) = value.downcast_ref::<CelInt>() {
        value.inner().to_string()
    } else if let Some(value) = value.downcast_ref::<CelUInt>() {
        value.inner().to_string()
    } else if let Some(value) = value.downcast_ref::<CelBool>() {
        value.inner().to_string()
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        let text = std::str::from_utf8(bytes.inner());
        text.map_err(|error| ExecutionError::function_error("string", error))?.to_owned()
    } else {
        let message = format!("there is no text of a {}", kind(value.get_type().name()));
        return Err(ExecutionError::function_error("string", message));
    };
    Ok(CowVal::owned(CelString::from(text)))
}

/// The text of a span of time, if all of it is one: a sign, then numbers with the units `h m s ms us ns`. Everything else as
/// it is.
pub(super) fn span<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let Some(argument) = arguments.pop() else { return Err(ExecutionError::invalid_argument_count(1, 0)) };
    if argument.downcast_ref::<CelString>().is_some_and(|text| !is_span(text.inner())) {
        let message = "expects numbers with the units h, m, s, ms, us or ns, such as `1h30m`";
        return Err(ExecutionError::function_error("duration", message));
    }
    Ok(argument)
}

fn is_span(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() && rest != "0" {
        let is_number = |it: char| it.is_ascii_digit() || it == '.';
        let (number, behind) = rest.split_at(rest.find(|it| !is_number(it)).unwrap_or(rest.len()));
        let (unit, behind) = behind.split_at(behind.find(is_number).unwrap_or(behind.len()));
        if number.parse::<f64>().is_err() || !matches!(unit, "h" | "m" | "s" | "ms" | "us" | "ns") {
            return false;
        }
        rest = behind;
    }
    true
}
