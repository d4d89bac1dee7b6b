//! Which values of a resource are sensitive, by what its model declares.

use crate::json::Json;

/// How deep a schema is looked at.
const MAXIMUM_DEPTH: usize = 32;

/// A value of a resource that a vault keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensitiveField {
    /// The members that lead to it.
    pub path: Vec<String>,
    /// The vault that its schema names.
    pub vault: Option<String>,
    /// The key that its schema names.
    pub key: Option<String>,
}

/// The sensitive values of a resource with this content, by what its model declares of it: `schema`, and `sensitiveOutput` if
/// every member is one. Values that are absent or null are none.
#[must_use]
pub fn sensitive_fields(declared: &Json, content: &Json) -> Vec<SensitiveField> {
    let mut fields = Vec::new();
    if let Some(schema) = declared.get("schema") {
        collect(schema, &mut Vec::new(), &mut fields, 0);
    }
    if declared.get("sensitiveOutput").and_then(Json::as_bool) == Some(true) {
        for (name, _) in content.as_object().unwrap_or_default() {
            let path = vec![name.clone()];
            let named = fields.iter().find(|field| field.path == path).cloned();
            fields.retain(|field| field.path.first() != Some(name));
            fields.push(named.unwrap_or(SensitiveField { path, vault: None, key: None }));
        }
    }
    fields.retain(|field| at(content, &field.path).is_some_and(|value| *value != Json::Null));
    fields
}

/// True if a resource may have sensitive values, by what its model declares of it.
#[must_use]
pub fn may_be_sensitive(declared: &Json) -> bool {
    let mut fields = Vec::new();
    if let Some(schema) = declared.get("schema") {
        collect(schema, &mut Vec::new(), &mut fields, 0);
    }
    !fields.is_empty() || declared.get("sensitiveOutput").and_then(Json::as_bool) == Some(true)
}

/// The members that a schema calls sensitive, by the paths to them.
#[must_use]
pub fn sensitive_paths(schema: &Json) -> Vec<Vec<String>> {
    let mut fields = Vec::new();
    collect(schema, &mut Vec::new(), &mut fields, 0);
    fields.into_iter().map(|field| field.path).collect()
}

/// The value with `mask` in place of what stands at these paths. What is absent or null stays so.
#[must_use]
pub fn redacted(value: &Json, paths: &[Vec<String>], mask: &str) -> Json {
    let is_there = |path: &&Vec<String>| at(value, path).is_some_and(|found| *found != Json::Null);
    let there = paths.iter().filter(is_there);
    there.fold(value.clone(), |value, path| replaced(&value, path, Json::from(mask)))
}

/// The value at a path of members.
#[must_use]
pub fn at<'a>(value: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// The value with another one at a path of members that is there.
#[must_use]
pub fn replaced(value: &Json, path: &[String], replacement: Json) -> Json {
    let Some((first, rest)) = path.split_first() else { return replacement };
    let Json::Object(members) = value else { return value.clone() };
    let mut replacement = Some(replacement);
    let members = members.iter().map(|(name, value)| {
        let value = match replacement.take_if(|_| name == first) {
            Some(replacement) => replaced(value, rest, replacement),
            None => value.clone(),
        };
        (name.clone(), value)
    });
    Json::Object(members.collect())
}

fn collect(schema: &Json, path: &mut Vec<String>, fields: &mut Vec<SensitiveField>, depth: usize) {
    if depth > MAXIMUM_DEPTH {
        return;
    }
    if !path.is_empty() && schema.get("sensitive").and_then(Json::as_bool) == Some(true) {
        let text = |name: &str| schema.get(name).and_then(Json::as_str).map(str::to_owned);
        if !fields.iter().any(|field| field.path == *path) {
            fields.push(SensitiveField { path: path.clone(), vault: text("vaultName"), key: text("vaultKey") });
        }
        // What lies below is kept with it.
        return;
    }
    for (name, member) in schema.get("properties").and_then(Json::as_object).unwrap_or_default() {
        path.push(name.clone());
        collect(member, path, fields, depth + 1);
        path.pop();
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for alternative in schema.get(keyword).and_then(Json::as_array).unwrap_or_default() {
            collect(alternative, path, fields, depth + 1);
        }
    }
}
