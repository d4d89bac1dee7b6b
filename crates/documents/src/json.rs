//! Values of the domain as serde sees them, and back.

use mangrove_domain::json::{Json, Number};
use serde_json::Value;

/// A value of the domain as serde sees it.
#[must_use]
pub fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(Number::Integer(value)) => (*value).into(),
        Json::Number(Number::Float(value)) => (*value).into(),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => items.iter().map(to_value).collect(),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), to_value(value))).collect())
        }
    }
}

/// A value of the domain from one of serde. Integers that do not fit become floating-point numbers.
#[must_use]
pub fn from_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Json::Number(Number::Integer(integer)),
            (None, Some(float)) => Json::Number(Number::Float(float)),
            (None, None) => Json::Null,
        },
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(from_value).collect()),
        Value::Object(members) => {
            Json::Object(members.iter().map(|(key, value)| (key.clone(), from_value(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let text = r#"{"b":[null,true,-7,1.5,"x"],"a":{},"big":18446744073709551615}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        let json = from_value(&value);
        assert_eq!(json.to_string(), r#"{"b":[null,true,-7,1.5,"x"],"a":{},"big":18446744073709552000}"#);
        assert_eq!(from_value(&to_value(&json)), json);
    }
}
