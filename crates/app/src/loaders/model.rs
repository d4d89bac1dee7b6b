//! The kind `model`: things with methods. The rules are the table of `design/loaders.md`.
//!
//! An `extension` export adds to a model and is judged in the module `extension`.

use std::sync::Arc;

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    judge::{Field, Judge},
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
    type_name::TypeName,
    version::CalendarVersion,
};

use super::{
    extension,
    sections::{self, Section},
};

/// The loader of `export const model = …` and `export const extension = …`; a file with both is a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Model;

impl Loader for Model {
    fn layout(&self) -> KindLayout {
        KindLayout {
            export_names: vec!["model".into(), extension::EXPORT_NAME.into()],
            add_on_export_names: vec![extension::EXPORT_NAME.into()],
            normalise: TypeName::model,
            ..KindLayout::of("model", "models")
        }
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        if site.export_name == extension::EXPORT_NAME {
            return extension::describe(shape, site);
        }
        Judge::export(shape, site, describe)
    }
}

fn describe(judge: &mut Judge, root: &Field<'_>) -> Option<Description> {
    let type_name = judge.type_name(&root.member("type"), TypeName::model);
    let version = version(judge, &root.member("version"));
    let methods = sections::methods(judge, &root.member("methods"));
    let mut details: Vec<(&str, Json)> = Vec::new();
    if let Some(schema) = judge.optional(&root.member("globalArguments"), Judge::schema) {
        details.push(("globalArguments", schema.clone()));
    }
    let sections: [(&str, Section); 3] =
        [("resources", sections::resource), ("files", sections::file), ("checks", sections::check)];
    for (name, section) in sections {
        let field = root.member(name);
        if field.is_present() {
            details.push((name, sections::record_of(judge, &field, section)));
        }
    }
    let upgrades_field = root.member("upgrades");
    if upgrades_field.is_present() {
        details.push(("upgrades", upgrades(judge, &upgrades_field, version.map(|(_, parsed)| parsed))));
    }
    if let Some(names) = judge.optional(&root.member("reports"), Judge::strings) {
        details.push(("reports", Json::Array(names.into_iter().map(Json::from).collect())));
    }
    let (text, _) = version?;
    let version = Some(Arc::from(text));
    Some(Description { version, methods, details: Json::object(details), ..Description::new(type_name?) })
}

fn version<'a>(judge: &mut Judge, field: &Field<'a>) -> Option<(&'a str, CalendarVersion)> {
    let text = judge.string(field)?;
    let parsed = CalendarVersion::parse(text).map_err(|error| judge.reject(field, error.to_string())).ok()?;
    Some((text, parsed))
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
