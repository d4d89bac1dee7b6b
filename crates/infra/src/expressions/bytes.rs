//! Functions of bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cel::{
    ExecutionError,
    common::{
        types::{CelBytes, CelInt, CelString},
        value::CowVal,
    },
};

use super::{texts::integer, values};

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn bytes<'a>(function: &str, arguments: &'a [CowVal<'_, '_>]) -> Result<&'a [u8], ExecutionError> {
    let bytes = arguments.first().and_then(|argument| argument.downcast_ref::<CelBytes>());
    bytes.map(CelBytes::inner).ok_or_else(|| ExecutionError::function_error(function, "expects bytes"))
}

fn text<'a>(function: &str, arguments: &'a [CowVal<'_, '_>]) -> Result<&'a str, ExecutionError> {
    std::str::from_utf8(bytes(function, arguments)?).map_err(|error| ExecutionError::function_error(function, error))
}

pub(super) fn base64<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelString::from(STANDARD.encode(bytes("base64", &arguments)?))))
}

pub(super) fn hex<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let digits = bytes("hex", &arguments)?.iter().fold(String::new(), |mut digits, byte| {
        digits.push_str(&format!("{byte:02x}"));
        digits
    });
    Ok(CowVal::owned(CelString::from(digits)))
}

pub(super) fn string<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelString::from(text("string", &arguments)?.to_owned())))
}

/// `bytes.json()`: the value that the bytes spell.
pub(super) fn json<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let value = mangrove_fs::json_text::parse(text("json", &arguments)?);
    let value = value.map_err(|error| ExecutionError::function_error("json", error))?;
    Ok(CowVal::Owned(values::from_json(&value, &[])))
}

/// `bytes.at(index)`: one byte.
pub(super) fn at<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let index = integer("at", &arguments, 1)?;
    let byte = usize::try_from(index).ok().and_then(|index| bytes("at", &arguments).ok()?.get(index).copied());
    let byte = byte.ok_or_else(|| ExecutionError::function_error("at", format!("there is no byte {index}")))?;
    Ok(CowVal::owned(CelInt::from(i64::from(byte))))
}
