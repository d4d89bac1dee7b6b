//! Reports that a definition or a workflow names.

use mangrove_domain::{
    advice::Advice,
    form::Located,
    json::Json,
    nearest,
    problem::{Code, Severity},
    report::{Occasion, ReportScope},
    selection::Selection,
    source::Kind,
    type_name::TypeName,
};

use super::Findings;
use crate::{
    method::reports::{built_in, built_in_names},
    workflow::catalogue::{Claim, TypeCatalogue},
};

/// Reports the names that nothing has: what a file requires is an error, what it leaves out is not made anyway. A report that is
/// never made where it is named is a warning.
pub(super) fn check(findings: &mut Findings<'_>, selection: &Selection, occasion: Occasion, types: &dyn TypeCatalogue) {
    for name in &selection.require {
        if let Some(scope) = scope_of(findings, name, Severity::Error, types)
            && !occasion.may_suit(scope)
        {
            let (place, scope) = (findings.at(name), scope.as_str());
            let message = format!("the report `{}` is about a {scope} and is never made where it is named", name.value);
            findings.report(Severity::Warning, Code::INVALID_DOCUMENT, place, message, None);
        }
    }
    for name in &selection.skip {
        scope_of(findings, name, Severity::Warning, types);
    }
}

/// What a report is about, as far as that is known; a problem if nothing has the name.
fn scope_of(
    findings: &mut Findings<'_>,
    name: &Located<String>,
    severity: Severity,
    types: &dyn TypeCatalogue,
) -> Option<ReportScope> {
    if let Some(scope) = built_in(&name.value) {
        return Some(scope);
    }
    let kind = Kind::new("report");
    let place = findings.at(name);
    let type_name = match TypeName::report(&name.value) {
        Ok(type_name) => type_name,
        Err(error) => {
            findings.report(severity, Code::UNKNOWN_NAME, place, error.to_string(), None);
            return None;
        }
    };
    if let Some(description) = types.describe(&kind, &type_name) {
        return description.details.get("scope").and_then(Json::as_str).and_then(ReportScope::parse);
    }
    if let Some(Claim { reason, advice, is_unscanned }) = types.claim(&kind, &type_name) {
        let severity = if is_unscanned { Severity::Warning } else { severity };
        let message = format!("the report `{type_name}` cannot be made: {reason}");
        findings.report(severity, Code::UNKNOWN_NAME, place, message, Some(advice));
        return None;
    }
    let known = types.names(&kind);
    let known = known.iter().map(TypeName::as_str).chain(built_in_names());
    let hint = nearest::hint(type_name.as_str(), known);
    let message = format!("there is no report `{type_name}`");
    findings.report(severity, Code::UNKNOWN_NAME, place, message, hint.map(Advice::from));
    None
}
