//! JSON text to and from the domain's values.

use mangrove_domain::json::{Json, Number};
use serde_json::Value;

/// The value of a JSON text.
///
/// # Errors
/// [`serde_json::Error`] with line and column if the text is no JSON.
pub fn parse(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str(text).map(from_value)
}

/// The domain's value of a parsed one. Integers beyond 64 bits become floats.
#[must_use]
pub fn from_value(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Number(number) => Json::Number(match number.as_i64() {
            Some(integer) => Number::Integer(integer),
            None => Number::Float(number.as_f64().unwrap_or(f64::MAX)),
        }),
        Value::String(text) => Json::String(text),
        Value::Array(items) => Json::Array(items.into_iter().map(from_value).collect()),
        Value::Object(members) => {
            Json::Object(members.into_iter().map(|(key, value)| (key, from_value(value))).collect())
        }
    }
}

/// The serde value of a domain value. A float that is not finite becomes `null`, as JSON has none.
#[must_use]
pub fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(Number::Integer(integer)) => Value::from(*integer),
        Json::Number(Number::Float(float)) => Value::from(*float),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), to_value(value))).collect())
        }
    }
}
