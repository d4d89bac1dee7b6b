//! Global arguments that were written for an older version of their type: what its author does with them, in memory and for
//! one call. The file of the definition stays as it is.

use std::sync::Arc;

use mangrove_domain::{
    definition::Definition,
    description::Description,
    json::Json,
    ports::{Call, MethodHost, RunError, Session, Takes},
    version::CalendarVersion,
};

/// The upgrades that a definition has not seen, by their place in the list of the type, each with the version that it leads
/// to.
pub(crate) fn pending(description: &Description, definition: &Definition) -> Vec<(usize, String)> {
    let listed = description.details.get("upgrades").and_then(Json::as_array).unwrap_or_default();
    let written_for = definition.type_version.as_deref().and_then(|text| CalendarVersion::parse(text).ok());
    let upgrades = listed.iter().enumerate().filter_map(|(at, upgrade)| {
        let text = upgrade.get("toVersion")?.as_str()?;
        let version = CalendarVersion::parse(text).ok()?;
        written_for.is_none_or(|written_for| version > written_for).then(|| (at, text.to_owned()))
    });
    upgrades.collect()
}

/// What the upgrades make of global arguments, one after the other.
///
/// # Errors
/// The version to which an upgrade failed to lead, and why.
pub(super) async fn apply(
    session: &mut dyn Session,
    host: &Arc<dyn MethodHost>,
    upgrades: &[(usize, String)],
    mut global: Json,
) -> Result<Json, (String, RunError)> {
    for (at, version) in upgrades {
        let call = Call {
            path: vec!["upgrades".to_owned(), at.to_string(), "upgradeAttributes".to_owned()],
            arguments: global,
            schema: Vec::new(),
            context: Json::Object(Vec::new()),
            global_schema: Vec::new(),
            takes: Takes::ArgumentsAndContext,
        };
        let made = session.call(call, Arc::clone(host)).await.map_err(|error| (version.clone(), error))?;
        if made.as_object().is_none() {
            let message = format!("it gave {}, and no object of global arguments", made.type_name());
            return Err((version.clone(), RunError::Threw { message, stack: None }));
        }
        global = made;
    }
    Ok(global)
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{form::Located, json_text, type_name::TypeName};

    use super::*;

    #[test]
    fn upgrades_lead_on_from_the_version_that_a_definition_was_written_for() {
        let upgrades =
            r#"[{"toVersion": "2026.01.02.1"}, {"toVersion": "2026.02.01.1"}, {"toVersion": "2026.02.01.2"}]"#;
        let name = TypeName::stored("@t/echo");
        let details = Json::object([("upgrades", json_text::parse(upgrades).expect("JSON"))]);
        let description = Description { details, ..Description::new(name.clone()) };
        let at = |value: &str| Located { value: value.to_owned(), line: 1, column: 1 };
        let type_name = Located { value: name, line: 1, column: 1 };
        for (version, expected) in [
            (None, "0 1 2"),
            (Some("2026.01.01.1"), "0 1 2"),
            (Some("2026.01.02.1"), "1 2"),
            (Some("2026.02.01.1"), "2"),
            (Some("2026.02.01.2"), ""),
            (Some("2027.01.01.1"), ""),
        ] {
            let definition = Definition::new("a.yaml", String::new(), at("a"), type_name.clone());
            let definition = Definition { type_version: version.map(str::to_owned), ..definition };
            let found: Vec<String> = pending(&description, &definition).iter().map(|(at, _)| at.to_string()).collect();
            assert_eq!(found.join(" "), expected, "{version:?}");
        }
    }
}
