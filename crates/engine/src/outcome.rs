//! What comes of a call, in the words of every engine: they differ in how code runs, not in what is said about it.

use mangrove_domain::{
    description::Violation,
    failure::Fault,
    json::Json,
    ports::{Call, Checked, DriverRequest, HostCall, Member, RunError, Takes},
    problem::Code,
};
use mangrove_fs::json_text;

/// What a function is called in messages: `model.methods.create.execute`.
#[must_use]
pub fn location(export_name: &str, path: &[String]) -> String {
    path.iter().fold(export_name.to_owned(), |location, segment| format!("{location}.{segment}"))
}

/// What the function of a call is called in messages.
#[must_use]
pub fn location_of(export_name: &str, call: &Call) -> String {
    let location = location(export_name, &call.path);
    match &call.takes {
        Takes::Member(member) => format!("{location}().{}", member.name),
        Takes::Driver(_) => format!("{location}().execute"),
        Takes::ArgumentsAndContext | Takes::ContextToRead | Takes::ReportContext | Takes::Schemas => location,
    }
}

/// What a function is called with, as the engines are told of it.
#[must_use]
pub fn takes(takes: &Takes) -> Json {
    match takes {
        Takes::ArgumentsAndContext => Json::Null,
        Takes::ContextToRead => Json::from("context"),
        Takes::ReportContext => Json::from("report"),
        Takes::Schemas => Json::from("schemas"),
        Takes::Member(Member { name, arguments }) => {
            Json::object([("name", Json::from(name.as_str())), ("args", Json::Array(arguments.clone()))])
        }
        Takes::Driver(driver) => {
            let DriverRequest { request, bundle } = driver.as_ref();
            let bundle = bundle.as_deref().map_or(Json::Null, Json::from);
            Json::object([("driver", Json::object([("request", request.clone()), ("bundle", bundle)]))])
        }
    }
}

/// The value that a call gave as JSON text.
///
/// # Errors
/// [`RunError::Threw`] if the text is no JSON.
pub fn value(subject: &str, location: &str, text: &str) -> Result<Json, RunError> {
    json_text::parse(text).map_err(|error| RunError::Threw {
        message: format!("{location} of {subject} gives a value that cannot be used: {error}"),
        stack: None,
    })
}

/// The module lacks the export.
#[must_use]
pub fn no_such_export(subject: &str, export_name: &str) -> RunError {
    unknown(format!("{subject} exports no {export_name}"))
}

/// Something else stands where a function should: `found` is its type.
#[must_use]
pub fn no_such_function(subject: &str, location: &str, found: &str) -> RunError {
    unknown(format!("{subject} has no function {location}: found {found}"))
}

fn unknown(message: String) -> RunError {
    RunError::Fault(Fault::deterministic(Code::UNKNOWN_METHOD, "module", message))
}

/// The call waits for ever.
#[must_use]
pub fn stuck(location: &str) -> RunError {
    RunError::Threw { message: format!("{location} waits for a promise that nothing will settle"), stack: None }
}

/// The module waits for ever while it loads.
#[must_use]
pub fn stuck_while_loading(subject: &str) -> Fault {
    let message = format!("{subject} waits for a promise that nothing will settle while it loads");
    Fault::deterministic(Code::THREW_WHILE_LOADING, "module", message)
}

/// The function by which a session tells what the code was missing during a call, whether or not the call failed by it.
pub const LACKED: &str = "lacked";

/// Tells that these were missing.
#[must_use]
pub fn lacked(names: &[&str]) -> HostCall {
    HostCall { function: LACKED.to_owned(), arguments: names.iter().map(|name| Json::from(*name)).collect() }
}

/// The function by which code and sessions write into the log of a call: its level and the line.
pub const LOG: &str = "log";

/// A line for the log of the call under way.
#[must_use]
pub fn logged(level: &str, line: String) -> HostCall {
    HostCall { function: LOG.to_owned(), arguments: vec![Json::from(level), Json::from(line)] }
}

/// What code was refused and went on without, as lines of the log; what `error` tells is not told again.
#[must_use]
pub fn caught_refusals(refusals: &[Fault], error: Option<&RunError>) -> Vec<HostCall> {
    let told = match error {
        Some(RunError::Fault(fault)) => Some(&fault.cause),
        _ => None,
    };
    let untold = refusals.iter().filter(|fault| Some(&fault.cause) != told);
    untold.map(|fault| logged("warn", format!("refused, and the code went on: {}", fault.message))).collect()
}

/// A schema objects; `issues` is what the kit says of it, as JSON text.
#[must_use]
pub fn rejected(checked: Checked, issues: &str) -> RunError {
    RunError::Rejected { checked, violations: violations(issues) }
}

fn violations(issues: &str) -> Vec<Violation> {
    let issues = json_text::parse(issues).unwrap_or(Json::Null);
    let violations: Vec<Violation> = issues
        .as_array()
        .unwrap_or_default()
        .iter()
        .map(|issue| {
            let path = issue.get("path").and_then(Json::as_array).unwrap_or_default();
            let path: Vec<&str> = path.iter().filter_map(Json::as_str).collect();
            let message = issue.get("message").and_then(Json::as_str).unwrap_or("the schema refuses it");
            Violation { path: path.join("."), message: message.to_owned() }
        })
        .collect();
    if violations.is_empty() {
        return vec![Violation { path: String::new(), message: "the schema refuses it".to_owned() }];
    }
    violations
}
