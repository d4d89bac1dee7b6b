//! The kind `model`: things with methods. The rules are the table of `design/loaders.md`.
//!
//! An `extension` export adds to a model and is judged in the module `extension`.

use std::sync::Arc;

use mangrove_domain::{
    description::{Description, MethodDescription, Violation},
    json::Json,
    judge::{Field, Judge},
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
    source::Kind,
    type_name::TypeName,
    version::CalendarVersion,
};

use super::extension;

/// The loader of `export const model = …` and `export const extension = …`; a file with both is a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model;

const METHOD_KINDS: [&str; 6] = ["create", "read", "update", "delete", "list", "action"];

impl Loader for Model {
    fn layout(&self) -> KindLayout {
        KindLayout {
            kind: Kind::new("model"),
            directory: "models".into(),
            export_names: vec!["model".into(), extension::EXPORT_NAME.into()],
            add_on_export_names: vec![extension::EXPORT_NAME.into()],
            type_key: "type".into(),
            normalise: TypeName::model,
        }
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        if site.export_name == extension::EXPORT_NAME {
            return extension::describe(shape, site);
        }
        let mut judge = Judge::default();
        let root = Field::root(shape);
        if judge.record(&root).is_none() {
            return Err(judge.into_violations());
        }
        let type_name = judge.type_name(&root.member("type"), TypeName::model);
        let version = version(&mut judge, &root.member("version"));
        let methods = methods(&mut judge, &root.member("methods"));
        let mut details: Vec<(&str, Json)> = Vec::new();
        let global_arguments = root.member("globalArguments");
        if global_arguments.is_present()
            && let Some(schema) = judge.schema(&global_arguments)
        {
            details.push(("globalArguments", schema.clone()));
        }
        let sections: [(&str, Section); 3] = [("resources", resource), ("files", file), ("checks", check)];
        for (name, section) in sections {
            let field = root.member(name);
            if field.is_present() {
                details.push((name, record_of(&mut judge, &field, section)));
            }
        }
        let upgrades_field = root.member("upgrades");
        if upgrades_field.is_present() {
            details.push(("upgrades", upgrades(&mut judge, &upgrades_field, version.map(|(_, parsed)| parsed))));
        }
        let reports = root.member("reports");
        if reports.is_present()
            && let Some(names) = judge.strings(&reports)
        {
            details.push(("reports", Json::Array(names.into_iter().map(Json::from).collect())));
        }
        match (type_name, version) {
            (Some(type_name), Some((version, _))) if judge.is_content() => Ok(Description {
                type_name,
                version: Some(Arc::from(version)),
                is_add_on: false,
                methods,
                details: Json::object(details),
                requirements: site.requirements.clone(),
                notes: site.notes.clone(),
            }),
            _ => Err(judge.into_violations()),
        }
    }
}

fn version<'a>(judge: &mut Judge, field: &Field<'a>) -> Option<(&'a str, CalendarVersion)> {
    let text = judge.string(field)?;
    let parsed = CalendarVersion::parse(text).map_err(|error| judge.reject(field, error.to_string())).ok()?;
    Some((text, parsed))
}

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

fn file(judge: &mut Judge, field: &Field<'_>) -> Vec<(&'static str, Json)> {
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
        Some(Shape::Number(mangrove_domain::json::Number::Integer(count))) if *count > 0 => {
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

/// Upgrades ascend strictly and end at the model's own version: checked here, so that an accepted model
/// does not fail when it is used (fault 27).
fn upgrades(judge: &mut Judge, field: &Field<'_>, current: Option<CalendarVersion>) -> Json {
    let mut kept = Vec::new();
    let mut previous: Option<CalendarVersion> = None;
    let items = judge.list(field).unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        if judge.record(item).is_none() {
            continue;
        }
        let to_version = item.member("toVersion");
        let description = judge.string(&item.member("description"));
        judge.function(&item.member("upgradeAttributes"));
        let Some((text, parsed)) = version(judge, &to_version) else {
            continue;
        };
        if previous.is_some_and(|previous| parsed <= previous) {
            judge.reject(&to_version, format!("expected a version after the one before it, found {text:?}"));
        }
        if let Some(current) = current
            && index + 1 == items.len()
            && parsed != current
        {
            judge.reject(&to_version, format!("expected the last upgrade to lead to {current}, found {text:?}"));
        }
        previous = Some(parsed);
        kept.push(Json::object([
            ("toVersion", Json::from(text)),
            ("description", description.map_or(Json::Null, Json::from)),
        ]));
    }
    Json::Array(kept)
}

fn is_lifetime(text: &str) -> bool {
    matches!(text, "ephemeral" | "infinite" | "job" | "workflow") || is_duration(text)
}

/// `\d+(mo|y|h|m|d|w)`
fn is_duration(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && matches!(&text[digits..], "mo" | "y" | "h" | "m" | "d" | "w")
}
