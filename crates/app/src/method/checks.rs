//! Checks before a method that changes something: which of them run, and what they say.

use std::sync::Arc;

use mangrove_domain::{
    definition::Definition,
    description::{Description, MethodDescription},
    failure::Fault,
    form::Located,
    json::Json,
    nearest,
    ports::{Call, MethodHost, MethodRunner, OpenRequest, RunError, Session, Takes},
};

use crate::types::{MethodCode, ReadyType};

/// Which checks whoever runs something does not want. Those that a definition insists on run all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// None at all.
    pub skip_all: bool,
    /// Not these.
    pub skip: Vec<String>,
    /// None with one of these labels.
    pub skip_labels: Vec<String>,
}

/// What a method does with its resources: as its author says, else as its name says.
#[must_use]
pub fn kind(method: &MethodDescription) -> Option<&str> {
    method.kind.as_deref().or(match method.name.as_str() {
        "create" => Some("create"),
        "get" | "read" | "describe" | "show" => Some("read"),
        "update" | "patch" => Some("update"),
        "delete" | "destroy" | "remove" => Some("delete"),
        "list" | "search" | "find" => Some("list"),
        _ => None,
    })
}

/// True if a method may change something: whatever does not say that it only looks.
#[must_use]
pub fn is_mutating(method: &MethodDescription) -> bool {
    !matches!(kind(method), Some("read" | "list"))
}

/// The checks of a type, with what its author says of each.
fn declared(description: &Description) -> &[(String, Json)] {
    description.details.get("checks").and_then(Json::as_object).unwrap_or_default()
}

/// The names of the checks of a type.
pub fn names(description: &Description) -> impl Iterator<Item = &str> + Clone {
    declared(description).iter().map(|(name, _)| name.as_str())
}

/// A name under the `checks` of a definition that no check of its type has.
pub(crate) struct UnknownCheck<'a> {
    pub(crate) name: &'a Located<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The names that no check has: what was to be insisted on would not be, and nobody would know.
pub(crate) fn unknown<'a>(description: &Description, definition: &'a Definition) -> Vec<UnknownCheck<'a>> {
    let is_unknown = |name: &&Located<String>| !names(description).any(|known| known == name.value);
    let named = definition.checks.require.iter().chain(&definition.checks.skip).filter(is_unknown);
    named
        .map(|name| UnknownCheck {
            name,
            message: format!("`{}` has no check `{}`", description.type_name, name.value),
            hint: nearest::hint(&name.value, names(description)),
        })
        .collect()
}

/// The checks to run before a method, in the order of the type.
#[must_use]
pub fn selected<'a>(
    description: &'a Description,
    definition: &Definition,
    method: &MethodDescription,
    options: &CheckOptions,
) -> Vec<&'a str> {
    if !is_mutating(method) {
        return Vec::new();
    }
    let texts = |check: &Json, key: &str| -> Option<Vec<String>> {
        let items = check.get(key)?.as_array()?;
        Some(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
    };
    let is_selected = |(name, check): &&(String, Json)| {
        let is_named = |names: &[Located<String>]| names.iter().any(|it| it.value == *name);
        if texts(check, "appliesTo").is_some_and(|methods| !methods.contains(&method.name))
            || is_named(&definition.checks.skip)
        {
            return false;
        }
        let is_unwanted = options.skip_all
            || options.skip.contains(name)
            || texts(check, "labels").unwrap_or_default().iter().any(|label| options.skip_labels.contains(label));
        !is_unwanted || is_named(&definition.checks.require)
    };
    declared(description).iter().filter(is_selected).map(|(name, _)| name.as_str()).collect()
}

/// What checks run with.
pub(super) struct Tools<'a> {
    pub(super) runner: &'a dyn MethodRunner,
    /// What opens the code of a check.
    pub(super) open: &'a (dyn Fn(&MethodCode<'_>) -> OpenRequest + Sync),
    pub(super) host: &'a Arc<dyn MethodHost>,
    /// The data of the context of each.
    pub(super) context: &'a Json,
    /// Where the schema of the global arguments stands; empty if they stay as they are.
    pub(super) global_schema: &'a [String],
}

/// Runs checks, all of them. Gives a line for each objection, none if all are content.
///
/// # Errors
/// A check cannot run: its name, and why.
pub(super) async fn run(tools: &Tools<'_>, ready: &ReadyType, checks: &[&str]) -> Result<Vec<String>, (String, Fault)> {
    let mut objections = Vec::new();
    // One for each file that has checks, however many it has.
    let mut sessions: Vec<(String, Box<dyn Session>)> = Vec::new();
    for name in checks {
        let failed = |fault: Fault| ((*name).to_owned(), fault);
        let code = ready.check_code(name);
        let source = code.row.source.to_string();
        if !sessions.iter().any(|(opened, _)| *opened == source) {
            match tools.runner.open((tools.open)(&code)).await {
                Ok(session) => sessions.push((source.clone(), session)),
                Err(RunError::Fault(fault)) => return Err(failed(fault)),
                Err(error) => {
                    objections.push(format!("check `{name}`: {error}"));
                    continue;
                }
            }
        }
        let Some((_, session)) = sessions.iter_mut().find(|(opened, _)| *opened == source) else { continue };
        let call = Call {
            path: [code.path.clone(), vec!["execute".to_owned()]].concat(),
            arguments: Json::Null,
            schema: Vec::new(),
            context: tools.context.clone(),
            global_schema: tools.global_schema.to_vec(),
            takes: Takes::ContextToRead,
        };
        match session.call(call, Arc::clone(tools.host)).await {
            Ok(outcome) => objections.extend(objections_of(name, &outcome)),
            Err(RunError::Fault(fault)) => return Err(failed(fault)),
            Err(RunError::Threw { message, .. }) => objections.push(format!("check `{name}`: {message}")),
            Err(RunError::Rejected { checked, violations }) => {
                let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
                objections.push(format!("check `{name}`: {checked} break their schema: {}", list.join("; ")));
            }
        }
    }
    Ok(objections)
}

/// What a check objects to, by what it returned: `{ pass, errors? }`.
fn objections_of(name: &str, outcome: &Json) -> Vec<String> {
    let errors = outcome.get("errors").and_then(Json::as_array).unwrap_or_default();
    match outcome.get("pass").and_then(Json::as_bool) {
        Some(true) => Vec::new(),
        Some(false) if errors.is_empty() => vec![format!("check `{name}`: not passed")],
        Some(false) => {
            let text = |error: &Json| error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            errors.iter().map(|error| format!("check `{name}`: {}", text(error))).collect()
        }
        None => vec![format!("check `{name}`: expected `{{ pass, errors }}`, found {}", outcome.type_name())],
    }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{definition::Selection, json_text, type_name::TypeName};

    use super::*;

    fn at<T>(value: T) -> Located<T> {
        Located { value, line: 1, column: 1 }
    }

    fn method(name: &str, kind: Option<&str>) -> MethodDescription {
        let (name, kind) = (name.to_owned(), kind.map(str::to_owned));
        MethodDescription { name, description: String::new(), kind, arguments: Json::Null }
    }

    #[test]
    fn a_method_changes_something_unless_it_says_that_it_looks() {
        for (name, declared, expected) in [
            ("create", None, true),
            ("get", None, false),
            ("find", None, false),
            ("patch", None, true),
            ("destroy", None, true),
            ("sync", None, true),
            ("sync", Some("read"), false),
            ("get", Some("action"), true),
        ] {
            assert_eq!(is_mutating(&method(name, declared)), expected, "{name} {declared:?}");
        }
    }

    #[test]
    fn what_is_required_cannot_be_skipped_from_outside_and_what_is_skipped_never_runs() {
        let checks = r#"{"a": {"labels": ["slow"]}, "b": {"appliesTo": ["create"]}, "c": {"appliesTo": []}, "d": {}}"#;
        let checks = json_text::parse(checks).expect("JSON");
        let name = TypeName::stored("@t/echo");
        let description = Description { details: Json::object([("checks", checks)]), ..Description::new(name.clone()) };
        let definition = |require: &[&str], skip: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|name| at((*name).to_owned())).collect();
            let new = Definition::new("a.yaml", String::new(), at("a".to_owned()), at(name.clone()));
            Definition {
                checks: Selection { require: names(require), skip: names(skip), ..Selection::default() },
                ..new
            }
        };
        let options = |skip_all: bool, skip: &[&str], labels: &[&str]| CheckOptions {
            skip_all,
            skip: skip.iter().map(|name| (*name).to_owned()).collect(),
            skip_labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        };
        let none = options(false, &[], &[]);
        for (definition, name, options, expected) in [
            (definition(&[], &[]), "create", &none, "a b d"),
            (definition(&[], &[]), "sync", &none, "a d"),
            (definition(&[], &[]), "list", &none, ""),
            (definition(&[], &["a"]), "sync", &none, "d"),
            (definition(&["a"], &["a"]), "sync", &none, "d"),
            (definition(&["d"], &[]), "create", &options(true, &[], &[]), "d"),
            (definition(&["d"], &[]), "create", &options(false, &["b", "d"], &["slow"]), "d"),
        ] {
            let found = selected(&description, &definition, &method(name, None), options).join(" ");
            assert_eq!(found, expected, "{name} {options:?}");
        }
    }

    #[test]
    fn only_a_plain_yes_passes() {
        let objections = |outcome: &str| objections_of("c", &json_text::parse(outcome).expect("JSON")).join(" | ");
        assert_eq!(objections(r#"{"pass": true, "errors": ["ignored"]}"#), "");
        assert_eq!(
            objections(r#"{"pass": false, "errors": ["no", "nor this"]}"#),
            "check `c`: no | check `c`: nor this"
        );
        assert_eq!(objections(r#"{"pass": false}"#), "check `c`: not passed");
        assert_eq!(objections("null"), "check `c`: expected `{ pass, errors }`, found null");
        assert_eq!(objections(r#"{"pass": "yes"}"#), "check `c`: expected `{ pass, errors }`, found object");
    }
}
