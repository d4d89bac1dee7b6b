//! What models and their add-ons have in common: methods, and the sections of resources, files and checks.

use mangrove_domain::{
    description::MethodDescription,
    json::{Json, Number},
    judge::{Field, Judge},
    shape::Shape,
};

const METHOD_KINDS: [&str; 6] = ["create", "read", "update", "delete", "list", "action"];

pub(super) fn methods(judge: &mut Judge, field: &Field<'_>) -> Vec<MethodDescription> {
    let mut methods = Vec::new();
    for (name, method) in judge.record(field).unwrap_or_default() {
        if judge.record(&method).is_none() {
            continue;
        }
        let description = judge.string(&method.member("description"));
        let arguments = judge.schema(&method.member("arguments"));
        judge.function(&method.member("execute"));
        let kind_field = method.member("kind");
        let kind = if kind_field.is_present() { judge.choice(&kind_field, &METHOD_KINDS) } else { None };
        if let (Some(description), Some(arguments)) = (description, arguments) {
            methods.push(MethodDescription {
                name: name.to_owned(),
                description: description.to_owned(),
                kind: kind.map(str::to_owned),
                arguments: arguments.clone(),
            });
        }
    }
    methods
}

/// Checks one member of a record and gives what the description keeps of it.
pub(super) type Section = fn(&mut Judge, &Field<'_>) -> Vec<(&'static str, Json)>;

pub(super) fn record_of(judge: &mut Judge, field: &Field<'_>, section: Section) -> Json {
    let mut members = Vec::new();
    for (name, member) in judge.record(field).unwrap_or_default() {
        if judge.record(&member).is_some() {
            members.push((name, Json::object(section(judge, &member))));
        }
    }
    Json::object(members)
}

pub(super) fn resource(judge: &mut Judge, field: &Field<'_>) -> Vec<(&'static str, Json)> {
    let mut kept = Vec::new();
    if let Some(schema) = judge.schema(&field.member("schema")) {
        kept.push(("schema", schema.clone()));
    }
    kept.extend(retention(judge, field));
    kept.extend(optional_texts(judge, field, &["description", "vaultName"]));
    kept.extend(optional_flag(judge, field, "sensitiveOutput"));
    kept.extend(optional_tags(judge, field));
    kept
}

pub(super) fn file(judge: &mut Judge, field: &Field<'_>) -> Vec<(&'static str, Json)> {
    let mut kept = Vec::new();
    if let Some(content_type) = judge.string(&field.member("contentType")) {
        kept.push(("contentType", Json::from(content_type)));
    }
    kept.extend(retention(judge, field));
    kept.extend(optional_texts(judge, field, &["description"]));
    kept.extend(optional_flag(judge, field, "streaming"));
    kept.extend(optional_tags(judge, field));
    kept
}

pub(super) fn check(judge: &mut Judge, field: &Field<'_>) -> Vec<(&'static str, Json)> {
    let mut kept = Vec::new();
    if let Some(description) = judge.string(&field.member("description")) {
        kept.push(("description", Json::from(description)));
    }
    judge.function(&field.member("execute"));
    for name in ["labels", "appliesTo"] {
        let list = field.member(name);
        if list.is_present()
            && let Some(texts) = judge.strings(&list)
        {
            kept.push((name, Json::Array(texts.into_iter().map(Json::from).collect())));
        }
    }
    kept
}

/// `lifetime` and `garbageCollection`, which resources and files share.
fn retention(judge: &mut Judge, field: &Field<'_>) -> Vec<(&'static str, Json)> {
    let mut kept = Vec::new();
    let lifetime = field.member("lifetime");
    if let Some(text) = judge.string(&lifetime) {
        if is_lifetime(text) {
            kept.push(("lifetime", Json::from(text)));
        } else {
            judge.reject(
                &lifetime,
                format!("expected a duration such as `30d`, or ephemeral, infinite, job, workflow; found {text:?}"),
            );
        }
    }
    let collection = field.member("garbageCollection");
    match collection.shape() {
        Some(Shape::Number(Number::Integer(count))) if *count > 0 => {
            kept.push(("garbageCollection", Json::from(*count)));
        }
        Some(Shape::String(text)) if is_duration(text) => kept.push(("garbageCollection", Json::from(text.as_str()))),
        found => {
            let found = match found {
                None => "nothing".to_owned(),
                Some(shape) => shape.to_json().map_or_else(|| shape.type_name().to_owned(), |json| json.to_string()),
            };
            judge.reject(
                &collection,
                format!("expected a positive number of versions or a duration such as `30d`, found {found}"),
            );
        }
    }
    kept
}

fn optional_texts(judge: &mut Judge, field: &Field<'_>, names: &[&'static str]) -> Vec<(&'static str, Json)> {
    let mut kept = Vec::new();
    for name in names {
        let member = field.member(name);
        if member.is_present()
            && let Some(text) = judge.string(&member)
        {
            kept.push((*name, Json::from(text)));
        }
    }
    kept
}

fn optional_flag(judge: &mut Judge, field: &Field<'_>, name: &'static str) -> Option<(&'static str, Json)> {
    let member = field.member(name);
    let value = if member.is_present() { judge.boolean(&member)? } else { return None };
    Some((name, Json::Bool(value)))
}

fn optional_tags(judge: &mut Judge, field: &Field<'_>) -> Option<(&'static str, Json)> {
    let member = field.member("tags");
    if !member.is_present() {
        return None;
    }
    judge.string_record(&member).map(|tags| ("tags", tags))
}

fn is_lifetime(text: &str) -> bool {
    matches!(text, "ephemeral" | "infinite" | "job" | "workflow") || is_duration(text)
}

/// `\d+(mo|y|h|m|d|w)`
fn is_duration(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && matches!(&text[digits..], "mo" | "y" | "h" | "m" | "d" | "w")
}
