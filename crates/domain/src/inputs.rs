//! Inputs of workflows and definitions against the schema in their file: coerced, completed with defaults, checked.
//!
//! A schema is a JSON Schema of an object, or flat: a mapping of names to schemas. What is looked at are types, `enum`,
//! the number of items, and `required` and `additionalProperties` of objects; other keywords say something to people and
//! forms, and are no reason to refuse a value (`design/workflows.md`).

use std::cmp::Ordering;

use crate::{
    description::Violation,
    document::Node,
    json::{Json, Number},
    json_text,
    ports::ANY_ITEM,
};

/// How deep values are looked at.
const MAX_DEPTH: usize = 64;

/// The largest number up to which every whole number is exact as a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The schema as a JSON Schema of an object, whichever form it is written in; of no schema, one that takes anything. A
/// flat schema requires nothing.
#[must_use]
pub fn schema(written: Option<&Node>) -> Json {
    let members = match written.map(Node::to_json) {
        Some(Json::Object(members)) => members,
        _ => Vec::new(),
    };
    let has = |key: &str| members.iter().any(|(known, _)| known == key);
    let mut schema = vec![("type".to_owned(), Json::from("object"))];
    let is_flat = !has("properties") && members.iter().any(|(_, value)| value.as_object().is_some());
    if is_flat {
        let properties = members.into_iter().filter(|(_, value)| value.as_object().is_some()).collect();
        schema.push(("properties".to_owned(), Json::Object(properties)));
    } else {
        schema.extend(members.into_iter().filter(|(key, _)| key != "type"));
    }
    Json::Object(schema)
}

/// The properties that a schema names.
#[must_use]
pub fn properties(schema: &Json) -> &[(String, Json)] {
    schema.get("properties").and_then(Json::as_object).unwrap_or_default()
}

/// The inputs as a run gets them: texts become what the schema expects, what is absent gets its default.
///
/// # Errors
/// Every way in which they break the schema then, sorted by path.
pub fn check(schema: &Json, inputs: Json) -> Result<Json, Vec<Violation>> {
    let inputs = with_defaults(schema, coerced(schema, inputs));
    let violations = violations(schema, &inputs);
    if violations.is_empty() { Ok(inputs) } else { Err(violations) }
}

/// The value with texts turned into what the schema expects of them. A text that cannot be turned stays as it is.
#[must_use]
pub fn coerced(schema: &Json, value: Json) -> Json {
    coerced_at(schema, value, 0)
}

fn coerced_at(schema: &Json, value: Json, depth: usize) -> Json {
    if depth > MAX_DEPTH {
        return value;
    }
    match value {
        Json::String(text) => of_text(schema, text),
        Json::Array(items) => match schema.get("items") {
            Some(schema) => Json::Array(items.into_iter().map(|item| coerced_at(schema, item, depth + 1)).collect()),
            None => Json::Array(items),
        },
        Json::Object(members) => {
            let known = properties(schema);
            let member = |(name, value): (String, Json)| match known.iter().find(|(known, _)| *known == name) {
                Some((_, schema)) => (name, coerced_at(schema, value, depth + 1)),
                None => (name, value),
            };
            Json::Object(members.into_iter().map(member).collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value,
    }
}

fn of_text(schema: &Json, text: String) -> Json {
    let types = types(schema);
    if types.contains(&"string") {
        return Json::String(text);
    }
    for kind in types {
        let found = match kind {
            "number" => number(&text).map(Json::Number),
            "integer" => number(&text).map(truncated).map(Json::Number),
            "boolean" if text == "true" => Some(Json::Bool(true)),
            "boolean" if text == "false" => Some(Json::Bool(false)),
            "array" => json_text::parse(&text).filter(|value| value.as_array().is_some()),
            "object" => json_text::parse(&text).filter(|value| value.as_object().is_some()),
            _ => None,
        };
        if let Some(found) = found {
            return found;
        }
    }
    Json::String(text)
}

/// The number that a text reads as; nothing but blanks reads as 0.
#[must_use]
pub fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Number::Integer(0));
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Number::Integer(integer));
    }
    // `inf` and `nan` are words.
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    text.parse::<f64>().ok().filter(|float| float.is_finite()).map(whole)
}

/// An integer where the value is one, as JSON does not tell the two apart.
#[expect(clippy::cast_possible_truncation, reason = "the value is integral and in the exact range")]
fn whole(float: f64) -> Number {
    if float.fract() == 0.0 && float.abs() <= EXACT { Number::Integer(float as i64) } else { Number::Float(float) }
}

fn truncated(number: Number) -> Number {
    match number {
        Number::Integer(_) => number,
        Number::Float(float) => whole(float.trunc()),
    }
}

/// The inputs with the defaults of those that are absent.
#[must_use]
pub fn with_defaults(schema: &Json, inputs: Json) -> Json {
    let Json::Object(mut members) = inputs else { return inputs };
    for (name, schema) in properties(schema) {
        if let Some(default) = schema.get("default")
            && !members.iter().any(|(known, _)| known == name)
        {
            members.push((name.clone(), default.clone()));
        }
    }
    Json::Object(members)
}

/// The paths of the values that a schema declares as integers and not also as numbers; [`ANY_ITEM`] stands in them for each
/// item of a list.
#[must_use]
pub fn integers(schema: &Json) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    integers_at(schema, &mut Vec::new(), &mut found);
    found
}

fn integers_at(schema: &Json, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let types = types(schema);
    if types.contains(&"integer") && !types.contains(&"number") {
        found.push(path.clone());
    }
    if path.len() == MAX_DEPTH {
        return;
    }
    let items = schema.get("items").map(|items| (ANY_ITEM, items));
    for (name, schema) in properties(schema).iter().map(|(name, schema)| (name.as_str(), schema)).chain(items) {
        path.push(name.to_owned());
        integers_at(schema, path, found);
        path.pop();
    }
}

/// Every way in which a value breaks its schema, sorted by path.
#[must_use]
pub fn violations(schema: &Json, value: &Json) -> Vec<Violation> {
    let mut found = Vec::new();
    look(schema, value, "", &mut found, 0);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn look(schema: &Json, value: &Json, path: &str, found: &mut Vec<Violation>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    let mut report = |path: &str, message: String| found.push(Violation { path: path.to_owned(), message });
    let types = types(schema);
    if !types.is_empty() && !types.iter().any(|kind| fits(kind, value)) {
        // A property with a default may be nothing.
        if *value != Json::Null || schema.get("default").is_none() {
            report(path, format!("expected {}, found {}", types.join(" or "), shown(value)));
        }
        return;
    }
    if let Some(listed) = schema.get("enum").and_then(Json::as_array)
        && !listed.iter().any(|known| is_equal(known, value))
    {
        let words: Vec<String> = listed.iter().map(Json::to_string).collect();
        report(path, format!("expected one of {}, found {}", words.join(", "), shown(value)));
    }
    match value {
        Json::Array(items) => {
            let bound = |key: &str| schema.get(key).and_then(Json::as_integer).and_then(|it| usize::try_from(it).ok());
            if let Some(least) = bound("minItems").filter(|least| items.len() < *least) {
                report(path, format!("expected at least {least} items, found {}", items.len()));
            }
            if let Some(most) = bound("maxItems").filter(|most| items.len() > *most) {
                report(path, format!("expected at most {most} items, found {}", items.len()));
            }
            let is_repeated = |(at, item): (usize, &Json)| items[..at].iter().any(|before| is_equal(before, item));
            if schema.get("uniqueItems") == Some(&Json::Bool(true)) && items.iter().enumerate().any(is_repeated) {
                report(path, "expected items that differ".to_owned());
            }
            if let Some(schema) = schema.get("items") {
                for (at, item) in items.iter().enumerate() {
                    look(schema, item, &format!("{path}[{at}]"), found, depth + 1);
                }
            }
        }
        Json::Object(members) => look_at_members(schema, members, path, found, depth),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn look_at_members(schema: &Json, members: &[(String, Json)], path: &str, found: &mut Vec<Violation>, depth: usize) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let is_given = |name: &str| members.iter().any(|(known, _)| known == name);
    for name in schema.get("required").and_then(Json::as_array).unwrap_or_default() {
        if let Some(name) = name.as_str().filter(|name| !is_given(name)) {
            found.push(Violation { path: below(name), message: "is required".to_owned() });
        }
    }
    let known = properties(schema);
    let is_closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
    for (name, value) in members {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, schema)) => look(schema, value, &below(name), found, depth + 1),
            None if is_closed => {
                found.push(Violation { path: below(name), message: "is not known".to_owned() });
            }
            None => {}
        }
    }
}

/// The types that a schema names, those that are none of JSON's left out.
fn types(schema: &Json) -> Vec<&str> {
    let named: Vec<&str> = match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let is_known =
        |name: &&str| matches!(*name, "string" | "number" | "integer" | "boolean" | "array" | "object" | "null");
    // One that is not known takes anything.
    if named.iter().all(is_known) { named } else { Vec::new() }
}

fn fits(kind: &str, value: &Json) -> bool {
    match (kind, value) {
        ("string", Json::String(_))
        | ("number" | "integer", Json::Number(Number::Integer(_)))
        | ("number", Json::Number(_))
        | ("boolean", Json::Bool(_))
        | ("array", Json::Array(_))
        | ("object", Json::Object(_))
        | ("null", Json::Null) => true,
        ("integer", Json::Number(Number::Float(float))) => float.fract() == 0.0,
        _ => false,
    }
}

/// Equal as JSON: 1 and 1.0 are one number, and the order of members says nothing.
#[must_use]
pub fn is_equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let same_float = |number: &Number| match number {
                Number::Integer(integer) => whole_float(*integer),
                Number::Float(float) => *float,
            };
            one == other || same_float(one).partial_cmp(&same_float(other)) == Some(Ordering::Equal)
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        (Json::Object(members), Json::Object(others)) => {
            let has_same = |(name, value): &(String, Json)| other.get(name).is_some_and(|found| is_equal(value, found));
            members.len() == others.len() && members.iter().all(has_same)
        }
        _ => one == other,
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared with a float, which has no more digits")]
fn whole_float(integer: i64) -> f64 {
    integer as f64
}

/// A value in a message, not without bound.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { format!("{}…", text.chars().take(60).collect::<String>()) }
}
