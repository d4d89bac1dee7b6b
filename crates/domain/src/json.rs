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

    /// JSON text with each member and item on a line of its own, indented by two.
    #[must_use]
    pub fn indented(&self) -> String {
        let mut text = String::new();
        self.indent(0, &mut text);
        text
    }

    fn indent(&self, depth: usize, text: &mut String) {
        let line = |depth: usize, text: &mut String| {
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
        };
        match self {
            Json::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    text.push(if index == 0 { '[' } else { ',' });
                    line(depth + 1, text);
                    item.indent(depth + 1, text);
                }
                line(depth, text);
                text.push(']');
            }
            Json::Object(members) if !members.is_empty() => {
                for (index, (key, value)) in members.iter().enumerate() {
                    text.push(if index == 0 { '{' } else { ',' });
                    line(depth + 1, text);
                    text.push_str(&Json::from(key.as_str()).to_string());
                    text.push_str(": ");
                    value.indent(depth + 1, text);
                }
                line(depth, text);
                text.push('}');
            }
            other => text.push_str(&other.to_string()),
        }
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

/// As JavaScript prints it: the shortest digits that mean the same number, `1e+21` from there on, `1e-7` from there down.
impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match self {
            Number::Integer(value) => return write!(out, "{value}"),
            Number::Float(value) => *value,
        };
        let magnitude = value.abs();
        if value.is_nan() {
            out.write_str("NaN")
        } else if value.is_infinite() {
            out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
        } else if magnitude == 0.0 {
            out.write_str("0")
        } else if (1e-6..1e21).contains(&magnitude) {
            write!(out, "{value}")
        } else {
            let text = format!("{value:e}");
            match text.split_once('e') {
                Some((digits, exponent)) if !exponent.starts_with('-') => write!(out, "{digits}e+{exponent}"),
                _ => out.write_str(&text),
            }
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
    let mut rest = text;
    // What needs no escape goes on as it is, in one piece.
    while let Some(at) = rest.find(|character: char| character < ' ' || character == '"' || character == '\\') {
        let (plain, escaped) = rest.split_at(at);
        out.write_str(plain)?;
        let mut characters = escaped.chars();
        match characters.next() {
            Some('"') => out.write_str("\\\"")?,
            Some('\\') => out.write_str("\\\\")?,
            Some('\n') => out.write_str("\\n")?,
            Some('\r') => out.write_str("\\r")?,
            Some('\t') => out.write_str("\\t")?,
            Some(control) => write!(out, "\\u{:04x}", u32::from(control))?,
            None => {}
        }
        rest = characters.as_str();
    }
    out.write_str(rest)?;
    out.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_javascript() {
        let printed = |value: f64| Number::Float(value).to_string();
        for (value, text) in [
            (1.0, "1"),
            (1.5, "1.5"),
            (-0.0, "0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(printed(value), text);
        }
        assert_eq!(Number::Integer(-3).to_string(), "-3");
    }

    #[test]
    fn indented_text_has_a_line_for_each_item() {
        let value = Json::object([
            ("a", Json::Array(vec![Json::from(1), Json::object([("b", Json::Null)])])),
            ("c", Json::Array(Vec::new())),
        ]);
        assert_eq!(value.indented(), "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": []\n}");
        assert_eq!(Json::from("x").indented(), "\"x\"");
    }
}
