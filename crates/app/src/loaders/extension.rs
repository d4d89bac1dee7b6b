//! Add-ons: `export const extension = …` adds methods, checks and resources to the model that its `type` names.
//!
//! Methods and checks are lists of records, so that a file can group them. What of an add-on takes effect is
//! decided by [`attachment`](mangrove_domain::attachment), which knows the model; here only the form counts.

use mangrove_domain::{
    attachment::{CHECK_RECORDS, RECORDS},
    description::{Description, MethodDescription, Violation},
    json::Json,
    judge::{Field, Judge},
    shape::{Shape, Site},
    type_name::TypeName,
};

use super::sections;

/// The name under which an add-on is exported.
pub(super) const EXPORT_NAME: &str = "extension";

pub(super) fn describe(shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
    Judge::export(shape, site, |judge, root| {
        let type_name = judge.type_name(&root.member("type"), TypeName::model);
        let mut notes = Vec::new();
        let (methods, records) = methods(judge, &root.member("methods"), &mut notes);
        let mut details = vec![(RECORDS, records)];
        let checks_field = root.member("checks");
        if checks_field.is_present() {
            let (checks, records) = checks(judge, &checks_field, &mut notes);
            details.extend([("checks", checks), (CHECK_RECORDS, records)]);
        }
        let resources = root.member("resources");
        if resources.is_present() {
            details.push(("resources", sections::record_of(judge, &resources, sections::resource)));
        }
        let details = Json::object(details);
        Some(Description { is_add_on: true, methods, details, notes, ..Description::new(type_name?) })
    })
}

/// The methods of all records, and in which record each stands. A name that comes again loses to the earlier one.
fn methods(judge: &mut Judge, field: &Field<'_>, notes: &mut Vec<String>) -> (Vec<MethodDescription>, Json) {
    let mut methods: Vec<MethodDescription> = Vec::new();
    let mut records = Vec::new();
    for (index, record) in judge.list(field).unwrap_or_default().iter().enumerate() {
        for method in sections::methods(judge, record) {
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

/// The checks of all records, and in which record each stands.
fn checks(judge: &mut Judge, field: &Field<'_>, notes: &mut Vec<String>) -> (Json, Json) {
    let mut checks: Vec<(String, Json)> = Vec::new();
    let mut records = Vec::new();
    for (index, record) in judge.list(field).unwrap_or_default().iter().enumerate() {
        let Json::Object(members) = sections::record_of(judge, record, sections::check) else { continue };
        for (name, check) in members {
            if checks.iter().any(|(known, _)| *known == name) {
                notes.push(format!("the check `{name}` is there more than once; the first one counts"));
            } else {
                records.push((name.clone(), Json::from(i64::try_from(index).unwrap_or(i64::MAX))));
                checks.push((name, check));
            }
        }
    }
    (Json::Object(checks), Json::Object(records))
}
