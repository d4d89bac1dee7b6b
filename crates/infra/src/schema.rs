//! JSON Schema (port `SchemaValidator`).
//!
//! Nothing that a schema refers to is fetched: a reference outside of the schema makes it unusable.

use jsonschema::{Validator, error::ValidationErrorKind, paths::LocationSegment};
use mangrove_domain::{
    description::Violation,
    json::{Json, Number},
    ports::{SchemaError, SchemaValidator},
};

/// The longest message of one violation, in characters.
const MAX_MESSAGE: usize = 300;

/// Validates with the drafts 4 to 2020-12; `format` is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonSchemas;

impl SchemaValidator for JsonSchemas {
    fn validate(&self, schema: &Json, value: &Json) -> Result<Vec<Violation>, SchemaError> {
        let validator = Validator::options()
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&to_serde(schema))
            .map_err(|error| SchemaError { message: shortened(error.to_string()) })?;
        let instance = to_serde(value);
        let mut violations: Vec<Violation> =
            validator.iter_errors(&instance).flat_map(|error| self::violations(&error)).collect();
        violations.sort_by(|left, right| (&left.path, &left.message).cmp(&(&right.path, &right.message)));
        violations.dedup();
        Ok(violations)
    }
}

/// What one error tells of: several members that are not known stand in one.
fn violations(error: &jsonschema::ValidationError<'_>) -> Vec<Violation> {
    let mut path = String::new();
    for segment in error.instance_path() {
        match segment {
            LocationSegment::Property(name) => push_member(&mut path, &name),
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    let message = match error.kind() {
        ValidationErrorKind::Required { property } => {
            push_member(&mut path, property.as_str().unwrap_or_default());
            "is required".to_owned()
        }
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                jsonschema::error::TypeKind::Single(one) => one.to_string(),
                jsonschema::error::TypeKind::Multiple(many) => {
                    many.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
                }
            };
            format!("expected {expected}, found {}", error.instance())
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let member = |name: &String| {
                let mut path = path.clone();
                push_member(&mut path, name);
                Violation { path, message: "is not known".to_owned() }
            };
            return unexpected.iter().map(member).collect();
        }
        _ => error.to_string(),
    };
    vec![Violation { path, message: shortened(message) }]
}

fn push_member(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

fn to_serde(value: &Json) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(value) => (*value).into(),
        Json::Number(Number::Integer(value)) => (*value).into(),
        Json::Number(Number::Float(value)) => (*value).into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => serde_json::Value::Array(items.iter().map(to_serde).collect()),
        Json::Object(members) => {
            serde_json::Value::Object(members.iter().map(|(key, value)| (key.clone(), to_serde(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        mangrove_testkit::contract::schema_validator(&JsonSchemas);
    }

    #[test]
    fn says_where_and_what() {
        let string = Json::object([("type", Json::from("string")), ("format", Json::from("email"))]);
        let list = Json::object([("type", Json::from("array")), ("items", string)]);
        let schema = Json::object([
            ("type", Json::from("object")),
            ("properties", Json::object([("to", list)])),
            ("additionalProperties", Json::Bool(false)),
        ]);
        let value = Json::object([
            ("to", Json::Array(vec![Json::from("a@example.org"), Json::from("b"), Json::from(3)])),
            ("form", Json::Null),
        ]);
        let violations: Vec<String> =
            JsonSchemas.validate(&schema, &value).expect("a schema").iter().map(Violation::to_string).collect();
        assert_eq!(
            violations,
            ["form: is not known", "to[1]: \"b\" is not a \"email\"", "to[2]: expected string, found 3"]
        );
    }

    #[test]
    fn names_with_slashes_stay_whole() {
        let inner = Json::object([("a/b~c", Json::object([("type", Json::from("string"))]))]);
        let schema = Json::object([("properties", inner)]);
        let violations = JsonSchemas.validate(&schema, &Json::object([("a/b~c", Json::from(1))])).expect("a schema");
        assert_eq!(violations[0].path, "a/b~c");
    }
}
