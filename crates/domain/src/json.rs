//! JSON values without serde, so that the domain can hold data it did not define.

use std::fmt;

/// A JSON value. Objects keep the order in which their members were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, exact where it is an integer of 64 bits.
    Number(Number),
    /// A string, Unicode.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; keys are unique, the order is the one of the source.
    Object(Vec<(String, Json)>),
}

/// A JSON number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer between `i64::MIN` and `i64::MAX`.
    Integer(i64),
    /// Any other finite number.
    Float(f64),
}

impl Json {
    /// The member `key` of an object; `None` for other values and unknown keys.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// The members of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&[(String, Json)]> {
        if let Json::Object(members) = self { Some(members) } else { None }
    }

    /// The items of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Json]> {
        if let Json::Array(items) = self { Some(items) } else { None }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Json::Bool(value) = self { Some(*value) } else { None }
    }

    /// The value of a number that is an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Json::Number(Number::Integer(value)) = self { Some(*value) } else { None }
    }

    /// An object from pairs, in their order. A later pair replaces an earlier one of the same key, in its place.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Json {
        let mut object: Vec<(String, Json)> = Vec::new();
        for (key, value) in members {
            let key = key.into();
            match object.iter_mut().find(|(name, _)| *name == key) {
                Some(slot) => slot.1 = value,
                None => object.push((key, value)),
            }
        }
        Json::Object(object)
    }

    /// What a person calls this kind of value: "string", "object", ….
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Json::String(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Json::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Json::Number(Number::Integer(value))
    }
}

/// Compact JSON text (RFC 8259), members in their order. A float that is not finite prints as `null`.
impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Bool(value) => write!(out, "{value}"),
            Json::Number(Number::Integer(value)) => write!(out, "{value}"),
            Json::Number(Number::Float(value)) if value.is_finite() => write!(out, "{value}"),
            Json::Null | Json::Number(Number::Float(_)) => out.write_str("null"),
            Json::String(text) => write_string(out, text),
            Json::Array(items) => {
                out.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.write_str(",")?;
                    }
                    write!(out, "{item}")?;
                }
                out.write_str("]")
            }
            Json::Object(members) => {
                out.write_str("{")?;
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.write_str(",")?;
                    }
                    write_string(out, key)?;
                    write!(out, ":{value}")?;
                }
                out.write_str("}")
            }
        }
    }
}

fn write_string(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            control if u32::from(control) < 0x20 => write!(out, "\\u{:04x}", u32::from(control))?,
            other => write!(out, "{other}")?,
        }
    }
    out.write_str("\"")
}
