//! Arguments: merged, completed with defaults, coerced. Pure.

use mangrove_domain::{
    description::Violation,
    json::{Json, Number},
    nearest,
};

/// How deep values are completed; deeper ones stay as they are.
const MAX_DEPTH: usize = 32;

/// The members of all layers; a later layer replaces members of an earlier one.
#[must_use]
pub fn merge(layers: &[&Json]) -> Json {
    let members = layers.iter().filter_map(|layer| layer.as_object()).flatten().cloned();
    Json::object(members)
}

/// The members that a method's schema knows, of arguments that are meant for all methods. A schema that names no
/// properties, or allows others, knows all of them.
#[must_use]
pub fn known_to(schema: &Json, arguments: &Json) -> Json {
    let Some(properties) = schema.get("properties") else { return arguments.clone() };
    if allows_others(schema) {
        return arguments.clone();
    }
    let members = arguments.as_object().unwrap_or_default();
    Json::Object(members.iter().filter(|(name, _)| properties.get(name).is_some()).cloned().collect())
}

/// True if a schema says something about members that it does not name.
#[must_use]
pub fn allows_others(schema: &Json) -> bool {
    match schema.get("additionalProperties") {
        Some(Json::Bool(allowed)) => *allowed,
        Some(Json::Object(_)) => true,
        _ => schema.get("patternProperties").is_some(),
    }
}

/// Arguments that a schema would drop without a word and whose name is nearly one that it knows: slips.
#[must_use]
pub fn slips(schema: &Json, arguments: &Json) -> Vec<Violation> {
    let properties = schema.get("properties").and_then(Json::as_object).unwrap_or_default();
    // A schema that mentions others reports them itself.
    if schema.get("additionalProperties").is_some() || allows_others(schema) {
        return Vec::new();
    }
    let known = || properties.iter().map(|(name, _)| name.as_str());
    let unknown =
        arguments.as_object().unwrap_or_default().iter().filter(|(name, _)| !known().any(|known| known == name));
    unknown
        .filter_map(|(name, _)| {
            let hint = nearest::hint(name, known())?;
            Some(Violation { path: name.clone(), message: format!("is not known; {hint}") })
        })
        .collect()
}

/// The value with defaults filled in, and with texts read as numbers or booleans where the schema expects those
/// and takes no text: `--input size=3` and YAML in quotes.
#[must_use]
pub fn complete(schema: &Json, value: Json) -> Json {
    complete_at(schema, value, 0)
}

fn complete_at(schema: &Json, value: Json, depth: usize) -> Json {
    if depth > MAX_DEPTH {
        return value;
    }
    match value {
        Json::String(text) => coerced(schema, text),
        Json::Array(items) => match schema.get("items") {
            Some(items_schema) => {
                Json::Array(items.into_iter().map(|item| complete_at(items_schema, item, depth + 1)).collect())
            }
            None => Json::Array(items),
        },
        Json::Object(mut members) => {
            let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
                return Json::Object(members);
            };
            for (name, schema) in properties {
                if let Some((_, value)) = members.iter_mut().find(|(known, _)| known == name) {
                    *value = complete_at(schema, std::mem::replace(value, Json::Null), depth + 1);
                } else if let Some(default) = schema.get("default") {
                    members.push((name.clone(), default.clone()));
                }
            }
            Json::Object(members)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value,
    }
}

fn coerced(schema: &Json, text: String) -> Json {
    let mut expected = Vec::new();
    expected_types(schema, &mut expected, 0);
    if expected.is_empty() || expected.contains(&"string") {
        return Json::String(text);
    }
    let trimmed = text.trim();
    if expected.contains(&"boolean") && matches!(trimmed, "true" | "false") {
        return Json::Bool(trimmed == "true");
    }
    if expected.contains(&"null") && trimmed == "null" {
        return Json::Null;
    }
    if let Ok(integer) = trimmed.parse::<i64>()
        && (expected.contains(&"integer") || expected.contains(&"number"))
    {
        return Json::Number(Number::Integer(integer));
    }
    let looks_like_one = trimmed.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'));
    match trimmed.parse::<f64>() {
        Ok(float) if looks_like_one && float.is_finite() && expected.contains(&"number") => {
            Json::Number(Number::Float(float))
        }
        _ => Json::String(text),
    }
}

/// The types that a schema expects; nothing if it does not say. An alternative that does not say counts as text.
fn expected_types<'a>(schema: &'a Json, types: &mut Vec<&'a str>, depth: usize) {
    match schema.get("type") {
        Some(Json::String(name)) => types.push(name),
        Some(Json::Array(names)) => types.extend(names.iter().filter_map(Json::as_str)),
        _ => {}
    }
    for keyword in ["anyOf", "oneOf"] {
        for alternative in schema.get(keyword).and_then(Json::as_array).unwrap_or_default() {
            let before = types.len();
            if depth < MAX_DEPTH {
                expected_types(alternative, types, depth + 1);
            }
            if types.len() == before {
                types.push("string");
            }
        }
    }
    let listed = schema.get("enum").and_then(Json::as_array).unwrap_or_default();
    if schema.get("type").is_none() && listed.iter().any(|value| value.as_str().is_some()) {
        types.push("string");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::object(members)
    }

    fn of_type(name: &str) -> Json {
        object([("type", Json::from(name))])
    }

    #[test]
    fn later_layers_win_and_keep_the_order() {
        let first = object([("a", Json::from(1)), ("b", Json::from(1))]);
        let second = object([("b", Json::from(2)), ("c", Json::from(2))]);
        assert_eq!(merge(&[&first, &Json::Null, &second]).to_string(), r#"{"a":1,"b":2,"c":2}"#);
    }

    #[test]
    fn arguments_of_all_methods_reach_only_those_that_know_them() {
        let global = object([("region", Json::from("eu")), ("token", Json::from("t"))]);
        let named = object([("properties", object([("region", of_type("string"))]))]);
        assert_eq!(known_to(&named, &global).to_string(), r#"{"region":"eu"}"#);
        assert_eq!(known_to(&object([]), &global), global);
        let open = object([("properties", object([])), ("additionalProperties", object([]))]);
        assert_eq!(known_to(&open, &global), global);
        let closed = object([("properties", object([])), ("additionalProperties", Json::Bool(false))]);
        assert_eq!(known_to(&closed, &global), object([]));
    }

    #[test]
    fn texts_become_what_the_schema_expects_and_defaults_are_filled() {
        let optional = object([("anyOf", Json::Array(vec![of_type("integer"), of_type("null")]))]);
        let schema = object([(
            "properties",
            object([
                ("size", of_type("number")),
                ("count", of_type("integer")),
                ("on", of_type("boolean")),
                ("name", of_type("string")),
                ("limit", optional),
                ("free", object([])),
                ("zone", object([("type", Json::from("string")), ("default", Json::from("a"))])),
                ("list", object([("type", Json::from("array")), ("items", of_type("integer"))])),
            ]),
        )]);
        let text = |text: &str| Json::from(text);
        let value = object([
            ("size", text("1.5")),
            ("count", text("1.5")),
            ("on", text("true")),
            ("name", text("3")),
            ("limit", text("7")),
            ("free", text("8")),
            ("list", Json::Array(vec![text("1"), text("x")])),
        ]);
        assert_eq!(
            complete(&schema, value).to_string(),
            r#"{"size":1.5,"count":"1.5","on":true,"name":"3","limit":7,"free":"8","list":[1,"x"],"zone":"a"}"#
        );
        assert_eq!(complete(&of_type("number"), text("nan")), text("nan"));
        assert_eq!(complete(&of_type("number"), text("inf")), text("inf"));
    }
}
