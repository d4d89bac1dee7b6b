//! `mangrove describe`

use mangrove_app::{catalogue, types::NotReady};
use mangrove_domain::{
    description::{Description, MethodDescription},
    json::Json,
    problem::Code,
    row::Row,
};
use serde::Serialize;

use super::Context;
use crate::{documents::json_value, errors::CommandError, exit::Exit, printer::Style};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeDocument {
    schema: &'static str,
    kind: String,
    #[serde(rename = "type")]
    type_name: String,
    version: Option<String>,
    origin: &'static str,
    extension: String,
    extension_version: String,
    path: String,
    degraded: bool,
    methods: Vec<MethodDocument>,
    details: serde_json::Value,
    requirements: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MethodDocument {
    name: String,
    description: String,
    kind: Option<String>,
    arguments: serde_json::Value,
}

pub(crate) async fn run(context: &Context, query: &str, method: Option<&str>) -> Result<Exit, CommandError> {
    let workspace = context.look().await?;
    let now = workspace.scanner.ports().clock.now();
    let mut unknown: Option<NotReady> = None;
    for layout in context.loaders.layouts() {
        let Ok(type_name) = (layout.normalise)(query) else { continue };
        match catalogue::describe(&workspace.scanner, &layout.kind, &type_name).await? {
            Ok((row, description)) => return show(context, &row, description, method),
            Err(not_ready) if unknown.as_ref().is_none_or(|known| known.claimed_by.is_empty()) => {
                unknown = Some(not_ready);
            }
            Err(_) => {}
        }
    }
    Err(match unknown {
        Some(not_ready) => CommandError::not_ready(&not_ready, now),
        None => CommandError::usage(
            Some(Code::UNKNOWN_TYPE),
            format!("`{query}` is no type name"),
            Some("type names have at least two segments, such as `@acme/dns`"),
        ),
    })
}

fn show(
    context: &Context,
    row: &Row,
    mut description: Description,
    method: Option<&str>,
) -> Result<Exit, CommandError> {
    if let Some(name) = method {
        if description.method(name).is_none() {
            let known: Vec<&str> = description.methods.iter().map(|method| method.name.as_str()).collect();
            let hint = format!("it has {}", known.join(", "));
            return Err(CommandError::no(
                Some(Code::UNKNOWN_METHOD),
                format!("`{}` has no method `{name}`", description.type_name),
                Some(&hint),
            ));
        }
        description.methods.retain(|method| method.name == name);
    }
    if context.printer.is_json() {
        context.printer.document(&document(row, &description));
    } else {
        print(context, row, &description, method.is_some());
    }
    Ok(Exit::Done)
}

fn document(row: &Row, description: &Description) -> DescribeDocument {
    let method = |method: &MethodDescription| MethodDocument {
        name: method.name.clone(),
        description: method.description.clone(),
        kind: method.kind.clone(),
        arguments: json_value(&method.arguments),
    };
    DescribeDocument {
        schema: "mangrove.describe/1",
        kind: row.kind.to_string(),
        type_name: description.type_name.to_string(),
        version: description.version.as_ref().map(ToString::to_string),
        origin: row.origin.as_str(),
        extension: row.extension.name.to_string(),
        extension_version: row.extension.version.to_string(),
        path: row.source.to_string(),
        degraded: row.degraded.is_some(),
        methods: description.methods.iter().map(method).collect(),
        details: json_value(&description.details),
        requirements: description.requirements.clone(),
        notes: description.notes.clone(),
    }
}

fn print(context: &Context, row: &Row, description: &Description, is_one_method: bool) {
    let printer = &context.printer;
    if !is_one_method {
        let version = description.version.as_deref().unwrap_or("without version");
        printer.line(format!("{} {version}", printer.styled(Style::Bold, description.type_name.as_str())));
        printer.line(format!("  {} from {} ({})", row.kind, row.source, row.origin.as_str()));
        printer.line(format!("  extension {} {}", row.extension.name, row.extension.version));
        if let Some(failure) = &row.degraded {
            printer.line(format!("  degraded: {}", failure.latest_message));
        }
        if let Some(schema) = description.details.get("globalArguments") {
            printer.line("  global arguments");
            properties(context, schema, "    ");
        }
        for section in ["resources", "files", "checks"] {
            let Some(members) = description.details.get(section).and_then(Json::as_object) else { continue };
            printer.line(format!("  {section}"));
            for (name, member) in members {
                let text = member.get("description").and_then(Json::as_str).unwrap_or_default();
                printer.line(format!("    {name}  {text}").trim_end());
            }
        }
        if !description.requirements.is_empty() {
            printer.line(format!("  needs {}", description.requirements.join(", ")));
        }
        printer.line("  methods");
    }
    for method in &description.methods {
        let kind = method.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
        printer.line(format!("    {}{kind}  {}", printer.styled(Style::Bold, &method.name), method.description));
        properties(context, &method.arguments, "      ");
    }
    for note in &description.notes {
        printer.note(format!("note: {note}"));
    }
}

/// The properties of an object schema, one a line.
fn properties(context: &Context, schema: &Json, indent: &str) {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Json::as_array)
        .map(|names| names.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    for (name, property) in schema.get("properties").and_then(Json::as_object).unwrap_or_default() {
        let kind = property.get("type").map_or_else(|| "any".to_owned(), type_text);
        let mark = if required.contains(&name.as_str()) { "" } else { ", optional" };
        let text = property.get("description").and_then(Json::as_str).unwrap_or_default();
        context.printer.line(format!("{indent}{name} ({kind}{mark})  {text}").trim_end());
    }
}

/// `string`, or `string | null` for a list of types.
fn type_text(json: &Json) -> String {
    match json {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" | "),
        other => other.as_str().unwrap_or("any").to_owned(),
    }
}
