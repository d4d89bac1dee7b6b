//! Arguments: merged, routed, coerced. Pure. Whether they fit is for the extension's own schema to say: its JSON Schema knows
//! the names of arguments, and what a text may have been meant for.

use mangrove_domain::{
    document::{Node, NodeValue},
    form, inputs,
    json::{Json, Number},
    json_text, nearest,
};

/// How deep values are coerced; deeper ones stay as they are.
const MAX_DEPTH: usize = 32;

/// The members of all layers; a later layer replaces members of an earlier one.
#[must_use]
pub fn merge(layers: &[&Json]) -> Json {
    let members = layers.iter().filter_map(|layer| layer.as_object()).flatten().cloned();
    Json::object(members)
}

/// The members that a method's schema knows, of arguments that are meant for all methods. A schema that takes anything and
/// names nothing knows none of them, unless it says nothing at all.
#[must_use]
pub fn known_to(schema: &Json, arguments: &Json) -> Json {
    if is_record(schema) {
        return Json::Object(Vec::new());
    }
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

/// True for the schema of a record: members of any names.
fn is_record(schema: &Json) -> bool {
    inputs::properties(schema).is_empty() && allows_others(schema)
}

/// True if a schema names its members and takes no others.
#[must_use]
pub fn is_listing(schema: &Json) -> bool {
    schema.get("properties").is_some() && !allows_others(schema)
}

/// Members that a schema does not name although it lists its members, each with a name that may have been meant.
#[must_use]
pub fn unknown(schema: &Json, arguments: &Json) -> Vec<(String, Option<String>)> {
    if !is_listing(schema) {
        return Vec::new();
    }
    let known = || inputs::properties(schema).iter().map(|(name, _)| name.as_str());
    let names = arguments.as_object().unwrap_or_default().iter().map(|(name, _)| name);
    let unknown = names.filter(|name| !known().any(|known| known == *name));
    unknown.map(|name| (name.clone(), nearest::hint(name, known()))).collect()
}

/// Inputs of a call that names a type: arguments of the method, and global arguments of the instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// For the method.
    pub arguments: Json,
    /// For the instance.
    pub global_arguments: Json,
}

/// Where each input belongs: to the method if its schema names it, else to the global arguments if theirs does, else to the
/// method if it takes any name.
///
/// # Errors
/// The names that belong nowhere.
pub fn route(inputs: &Json, method: &Json, global: Option<&Json>) -> Result<Routed, Vec<String>> {
    let (mut arguments, mut global_arguments, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let names = |schema: &Json, name: &str| inputs::properties(schema).iter().any(|(known, _)| known == name);
    for (name, value) in inputs.as_object().unwrap_or_default() {
        let member = (name.clone(), value.clone());
        if names(method, name) {
            arguments.push(member);
        } else if global.is_some_and(|global| names(global, name)) {
            global_arguments.push(member);
        } else if !is_listing(method) {
            arguments.push(member);
        } else {
            unknown.push(name.clone());
        }
    }
    if unknown.is_empty() {
        Ok(Routed { arguments: Json::Object(arguments), global_arguments: Json::Object(global_arguments) })
    } else {
        Err(unknown)
    }
}

/// The value with texts read as numbers, booleans, lists or objects where the schema expects those and takes no text:
/// `--input size=3` and YAML in quotes.
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
            Some(items_schema) => {
                Json::Array(items.into_iter().map(|item| coerced_at(items_schema, item, depth + 1)).collect())
            }
            None => Json::Array(items),
        },
        Json::Object(members) => {
            let known = inputs::properties(schema);
            let member = |(name, value): (String, Json)| match known.iter().find(|(known, _)| *known == name) {
                Some((_, schema)) => (name, coerced_at(schema, value, depth + 1)),
                None => (name, value),
            };
            Json::Object(members.into_iter().map(member).collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value,
    }
}

/// The value with its numbers as they are written in the document that it was made of, where the schema takes texts and no
/// numbers: `012` and `1.20` are names and versions there. What expressions gave stays as it is, and so does what was made of no
/// document.
#[must_use]
pub fn as_written(schema: &Json, value: Json, written: Option<&Node>) -> Json {
    match written {
        Some(written) => as_written_at(schema, value, written, 0),
        None => value,
    }
}

fn as_written_at(schema: &Json, value: Json, written: &Node, depth: usize) -> Json {
    if depth > MAX_DEPTH {
        return value;
    }
    match (value, &written.value) {
        (Json::Number(number), NodeValue::Number(of_document))
            if number == *of_document && wants_text(schema, depth) =>
        {
            form::scalar_text(written).map_or(Json::Number(number), Json::String)
        }
        (Json::Array(items), NodeValue::List(nodes)) if items.len() == nodes.len() => match schema.get("items") {
            Some(schema) => {
                let item = |(item, node)| as_written_at(schema, item, node, depth + 1);
                Json::Array(items.into_iter().zip(nodes).map(item).collect())
            }
            None => Json::Array(items),
        },
        (Json::Object(members), NodeValue::Map(_)) => {
            let member = |(name, value): (String, Json)| {
                let known =
                    inputs::properties(schema).iter().find(|(known, _)| *known == name).map(|(_, schema)| schema);
                let schema = known.or_else(|| schema.get("additionalProperties"));
                let value = match (schema, written.get(&name)) {
                    (Some(schema), Some(node)) => as_written_at(schema, value, node, depth + 1),
                    (_, None) | (None, _) => value,
                };
                (name, value)
            };
            Json::Object(members.into_iter().map(member).collect())
        }
        (value, _) => value,
    }
}

/// True if a schema says that it takes texts, and nothing else but `null`.
fn wants_text(schema: &Json, depth: usize) -> bool {
    let is_text = |name: &str| name == "string";
    let fits = |name: &str| is_text(name) || name == "null";
    match schema.get("type") {
        Some(Json::String(name)) => return is_text(name),
        Some(Json::Array(names)) => {
            let mut names = names.iter().map(|name| name.as_str().unwrap_or_default());
            return names.clone().all(fits) && names.any(is_text);
        }
        _ => {}
    }
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array());
    let is_null = |schema: &Json| schema.get("type").and_then(Json::as_str) == Some("null");
    depth <= MAX_DEPTH
        && alternatives.is_some_and(|alternatives| {
            let mut texts = alternatives.iter().filter(|schema| !is_null(schema)).peekable();
            texts.peek().is_some() && texts.all(|schema| wants_text(schema, depth + 1))
        })
}

fn of_text(schema: &Json, text: String) -> Json {
    let mut expected = Vec::new();
    expected_types(schema, &mut expected, 0);
    if expected.is_empty() || expected.contains(&"string") {
        return Json::String(text);
    }
    let trimmed = text.trim();
    if expected.contains(&"boolean") && matches!(trimmed, "true" | "false") {
        return Json::Bool(trimmed == "true");
    }
    let parsed = || json_text::parse(trimmed);
    if expected.contains(&"array")
        && let Some(list) = parsed().filter(|value| value.as_array().is_some())
    {
        return coerced(schema, list);
    }
    if expected.contains(&"object")
        && let Some(object) = parsed().filter(|value| value.as_object().is_some())
    {
        return coerced(schema, object);
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
        let open = object([("properties", object([("a", object([]))])), ("additionalProperties", object([]))]);
        assert_eq!(known_to(&open, &global), global);
        let closed = object([("properties", object([])), ("additionalProperties", Json::Bool(false))]);
        assert_eq!(known_to(&closed, &global), object([]));
        let record = object([("type", Json::from("object")), ("additionalProperties", object([]))]);
        assert_eq!(known_to(&record, &global), object([]), "a record gets the arguments of its method only");
    }

    #[test]
    fn inputs_go_to_the_method_before_the_instance() {
        let method = object([("properties", object([("text", of_type("string")), ("both", of_type("string"))]))]);
        let global = object([("properties", object([("host", of_type("string")), ("both", of_type("string"))]))]);
        let record = object([("additionalProperties", object([]))]);
        let routed = |inputs: &[&str], method: &Json| {
            let inputs = Json::object(inputs.iter().map(|name| (*name, Json::from(1))));
            match route(&inputs, method, Some(&global)) {
                Ok(Routed { arguments, global_arguments }) => format!("{arguments} {global_arguments}"),
                Err(unknown) => unknown.join(" "),
            }
        };
        for (number, inputs, schema, expected) in [
            ("R1", &["text", "host"] as &[&str], &method, r#"{"text":1} {"host":1}"#),
            ("R1", &["both"], &method, r#"{"both":1} {}"#),
            ("R3", &["text", "zzz"], &method, "zzz"),
            ("R4", &["a", "host"], &record, r#"{"a":1} {"host":1}"#),
        ] {
            assert_eq!(routed(inputs, schema), expected, "{number}");
        }
    }

    #[test]
    fn numbers_stay_as_they_are_written_where_only_texts_are_taken() {
        let number = |value: i64, written: Option<&str>| Node {
            written: written.map(str::to_owned),
            ..Node::new(1, 1, NodeValue::Number(Number::Integer(value)))
        };
        let key = |name: &str| Node::new(1, 1, NodeValue::String(name.to_owned()));
        let map = |members: Vec<(&str, Node)>| {
            let members = members.into_iter().map(|(name, node)| (key(name), node)).collect();
            Node::new(1, 1, NodeValue::Map(members))
        };
        let one_of =
            |types: &[&str]| object([("anyOf", Json::Array(types.iter().map(|name| of_type(name)).collect()))]);
        let schema = object([
            (
                "properties",
                object([
                    ("account", of_type("string")),
                    ("size", of_type("number")),
                    ("either", one_of(&["string", "number"])),
                    ("optional", one_of(&["string", "null"])),
                    ("any", object([])),
                    ("list", object([("items", of_type("string"))])),
                    ("expression", of_type("string")),
                ]),
            ),
            ("additionalProperties", of_type("string")),
        ]);
        let zero = || number(12, Some("012"));
        let mut expression = key("${{ inputs.n }}");
        expression.line = 9;
        let written = map(vec![
            ("account", zero()),
            ("size", zero()),
            ("either", zero()),
            ("optional", zero()),
            ("any", zero()),
            ("list", Node::new(1, 1, NodeValue::List(vec![zero(), number(7, None)]))),
            ("other", zero()),
            ("expression", expression),
        ]);
        let Json::Object(mut value) = written.to_json() else { unreachable!("it is a mapping") };
        for (name, value) in &mut value {
            if name == "expression" {
                *value = Json::from(12);
            }
        }
        assert_eq!(
            as_written(&schema, Json::Object(value), Some(&written)).to_string(),
            r#"{"account":"012","size":12,"either":12,"optional":"012","any":12,"list":["012","7"],"other":"012","expression":12}"#
        );
    }

    #[test]
    fn texts_become_what_the_schema_expects() {
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
                ("list", object([("type", Json::from("array")), ("items", of_type("integer"))])),
                ("text", object([("type", Json::from("array")), ("items", of_type("integer"))])),
                ("map", of_type("object")),
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
            ("text", text("[1, \"2\"]")),
            ("map", text("[1]")),
        ]);
        assert_eq!(
            coerced(&schema, value).to_string(),
            r#"{"size":1.5,"count":"1.5","on":true,"name":"3","limit":7,"free":"8","list":[1,"x"],"text":[1,2],"map":"[1]"}"#
        );
        assert_eq!(coerced(&of_type("number"), text("nan")), text("nan"));
        assert_eq!(coerced(&of_type("number"), text("inf")), text("inf"));
    }
}
