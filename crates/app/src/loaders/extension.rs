//! Add-ons: `export const extension = …` adds methods, checks and resources to the model that its `type` names.
//!
//! Methods and checks are lists of records, so that a file can group them. What of an add-on takes effect is told by
//! [`attachment`](mangrove_domain::attachment), which knows the model; here only the form counts.

use mangrove_domain::{
    attachment::RECORDS,
    description::{Description, MethodDescription, Violation},
    json::Json,
    judge::{Field, Judge},
    shape::{Shape, Site},
    type_name::TypeName,
};

use super::model;

/// The name under which an add-on is exported.
pub(super) const EXPORT_NAME: &str = "extension";

pub(super) fn describe(shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
    let mut judge = Judge::default();
    let root = Field::root(shape);
    if judge.record(&root).is_none() {
        return Err(judge.into_violations());
    }
    let type_name = judge.type_name(&root.member("type"), TypeName::model);
    let mut notes = site.notes.clone();
    let (methods, records) = methods(&mut judge, &root.member("methods"), &mut notes);
    let mut details = vec![(RECORDS, records)];
    if let Some(checks) = judge.optional(&root.member("checks"), |judge, field| Some(checks(judge, field, &mut notes)))
    {
        details.push(("checks", checks));
    }
    let resources = root.member("resources");
    if resources.is_present() {
        details.push(("resources", model::record_of(&mut judge, &resources, model::resource)));
    }
    match type_name {
        Some(type_name) if judge.is_content() => Ok(Description {
            type_name,
            version: None,
            is_add_on: true,
            methods,
            details: Json::object(details),
            requirements: site.requirements.clone(),
            notes,
        }),
        _ => Err(judge.into_violations()),
    }
}

/// The methods of all records, and in which record each stands. A name that comes again loses to the earlier one.
fn methods(judge: &mut Judge, field: &Field<'_>, notes: &mut Vec<String>) -> (Vec<MethodDescription>, Json) {
    let mut methods: Vec<MethodDescription> = Vec::new();
    let mut records = Vec::new();
    for (index, record) in judge.list(field).unwrap_or_default().iter().enumerate() {
        for method in model::methods(judge, record) {
            if methods.iter().any(|known| known.name == method.name) {
                notes.push(format!("the method `{}` is there more than once; the first one counts", method.name));
                continue;
            }
            records.push((method.name.clone(), Json::from(i64::try_from(index).unwrap_or(i64::MAX))));
            methods.push(method);
        }
    }
    (methods, Json::Object(records))
}

fn checks(judge: &mut Judge, field: &Field<'_>, notes: &mut Vec<String>) -> Json {
    let mut checks: Vec<(String, Json)> = Vec::new();
    for record in judge.list(field).unwrap_or_default() {
        let Json::Object(members) = model::record_of(judge, &record, model::check) else { continue };
        for (name, check) in members {
            if checks.iter().any(|(known, _)| *known == name) {
                notes.push(format!("the check `{name}` is there more than once; the first one counts"));
            } else {
                checks.push((name, check));
            }
        }
    }
    Json::Object(checks)
}
