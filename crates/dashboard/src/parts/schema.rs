//! JSON Schemas as tables: one line for each property, those of nested objects below their own.

use std::collections::BTreeSet;

use serde_json::Value;

/// How many lines one table has at most.
const LONGEST: usize = 200;

/// How deep properties are followed.
const DEEPEST: usize = 5;

/// One property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    /// Where it is, from the outermost object: `zone.records[].name`.
    pub(crate) path: String,
    /// `text`, `text or nothing`, `list of number`, ….
    pub(crate) kind: String,
    pub(crate) is_required: bool,
    /// What it may be: one of some values, a range, a form, what it is by default.
    pub(crate) bounds: String,
    /// In the words of its author.
    pub(crate) description: String,
}

/// The properties of an object schema. What is no such schema has none.
pub(crate) fn properties(schema: &Value) -> Vec<Property> {
    let mut table = Table { root: schema, lines: Vec::new() };
    table.add(schema, "", 0);
    table.lines
}

struct Table<'a> {
    root: &'a Value,
    lines: Vec<Property>,
}

impl<'a> Table<'a> {
    fn add(&mut self, schema: &'a Value, prefix: &str, depth: usize) {
        let schema = self.resolved(schema);
        let required: BTreeSet<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        for (name, property) in properties {
            if self.lines.len() >= LONGEST {
                return;
            }
            let property = self.resolved(property);
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            self.lines.push(Property {
                kind: self.kind(property, 0),
                is_required: required.contains(name.as_str()),
                bounds: bounds(property),
                description: text(property, "description").to_owned(),
                path: path.clone(),
            });
            if depth < DEEPEST {
                self.add(property, &path, depth + 1);
                if let Some(items) = property.get("items") {
                    self.add(items, &format!("{path}[]"), depth + 1);
                }
            }
        }
    }

    /// What a reference within the schema leads to.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let target = text(schema, "$ref").strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        target.unwrap_or(schema)
    }

    fn kind(&self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolved(schema);
        if depth > DEEPEST {
            return "…".to_owned();
        }
        for key in ["anyOf", "oneOf"] {
            let choices = list(schema, key);
            if !choices.is_empty() {
                let mut kinds: Vec<String> = choices.iter().map(|choice| self.kind(choice, depth + 1)).collect();
                kinds.dedup();
                return kinds.join(" or ");
            }
        }
        if let Some(constant) = schema.get("const") {
            return constant.to_string();
        }
        let name = |name: &str| match name {
            "string" => "text".to_owned(),
            "boolean" => "yes or no".to_owned(),
            "integer" => "whole number".to_owned(),
            "null" => "nothing".to_owned(),
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", self.kind(items, depth + 1)),
                None => "list".to_owned(),
            },
            other => other.to_owned(),
        };
        match schema.get("type") {
            Some(Value::String(one)) => name(one),
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(" or ")
            }
            Some(_) | None if schema.get("enum").is_some() => "choice".to_owned(),
            Some(_) | None => "anything".to_owned(),
        }
    }
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn bounds(schema: &Value) -> String {
    let mut parts = Vec::new();
    let choices = list(schema, "enum");
    if !choices.is_empty() {
        let choices: Vec<String> = choices.iter().map(plain).collect();
        parts.push(format!("one of {}", choices.join(", ")));
    }
    for (key, words) in [
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("minLength", "shortest"),
        ("maxLength", "longest"),
        ("minItems", "fewest"),
        ("maxItems", "most"),
        ("pattern", "matches"),
        ("format", "form"),
        ("default", "default"),
    ] {
        // What generators of schemas write for "any safe integer" says nothing.
        let value = schema.get(key).filter(|value| value.as_i64().is_none_or(|value| value.abs() < (1 << 53) - 1));
        if let Some(value) = value {
            parts.push(format!("{words} {}", plain(value)));
        }
    }
    parts.join("; ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_property_is_a_line_and_nested_ones_follow_theirs() {
        let schema = json!({
            "type": "object",
            "required": ["zone"],
            "properties": {
                "zone": {"type": "string", "description": "Where", "pattern": "^[a-z]+$"},
                "records": {"type": "array", "maxItems": 9, "items": {"$ref": "#/$defs/record"}},
                "limit": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": 5},
                "mode": {"enum": ["fast", "safe"]},
                "any": true,
            },
            "$defs": {"record": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": ["string", "null"]},
                "next": {"$ref": "#/$defs/record"},
            }}},
        });
        let lines: Vec<String> = properties(&schema)
            .iter()
            .take(5)
            .map(|line| {
                let Property { path, kind, is_required, bounds, description } = line;
                format!("{path} | {kind} | {is_required} | {bounds} | {description}")
            })
            .collect();
        assert_eq!(
            lines,
            [
                "zone | text | true | matches ^[a-z]+$ | Where",
                "records | list of object | false | most 9 | ",
                "records[].name | text or nothing | true |  | ",
                "records[].next | object | false |  | ",
                "records[].next.name | text or nothing | true |  | ",
            ]
        );
        let all = properties(&schema);
        let of = |path: &str| all.iter().find(|line| line.path == path).expect("a line");
        assert_eq!((of("limit").kind.as_str(), of("limit").bounds.as_str()), ("whole number or nothing", "default 5"));
        assert_eq!((of("mode").kind.as_str(), of("mode").bounds.as_str()), ("choice", "one of fast, safe"));
        assert_eq!(of("any").kind, "anything");
    }

    #[test]
    fn a_schema_that_never_ends_has_an_end() {
        let wide = |name: &str| (name.to_owned(), json!({"$ref": "#"}));
        let properties_of: serde_json::Map<String, Value> = (0..30).map(|number| wide(&format!("p{number}"))).collect();
        let schema = json!({"type": "object", "properties": properties_of});
        assert_eq!(properties(&schema).len(), LONGEST);
        assert_eq!(properties(&json!({"$ref": "#"})), []);
        assert_eq!(properties(&json!(null)), []);
        assert_eq!(properties(&json!({"type": "array", "items": {"$ref": "#"}})), []);
    }
}
