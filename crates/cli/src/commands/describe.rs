//! `mangrove describe`

use std::collections::BTreeMap;

use mangrove_app::{attachment::Composed, catalogue::Lookup, health};
use mangrove_documents::{DescribeDocument, ErrorReport};
use mangrove_domain::{attachment::Added, description::Description, json::Json, problem::Code};

use super::Context;
use crate::{
    errors::CommandError,
    exit::Exit,
    line::{Line, Style},
};

pub(crate) async fn run(
    context: &Context,
    query: &str,
    method: Option<&str>,
    kind: Option<&str>,
) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let kind = kind.map(|name| Context::kind(&service, name)).transpose()?;
    match service.describe(query, kind.as_ref()).await? {
        Lookup::Found(composed) => show(context, *composed, method),
        Lookup::BuiltIn(description) => show_built_in(context, description.as_ref().clone(), method),
        Lookup::Unknown(not_ready) => Err(CommandError::not_ready(&not_ready, service.clock().now())),
        Lookup::Ambiguous(kinds) => Err(CommandError::mistake(ErrorReport::ambiguous_type(query, &kinds))),
        Lookup::NoName(nearest) => Err(CommandError::mistake(ErrorReport::no_type_name(query, &nearest))),
    }
}

fn show(context: &Context, mut composed: Composed, method: Option<&str>) -> Result<Exit, CommandError> {
    for left_out in &composed.undescribed {
        context.printer.problem(&left_out.undescribed());
    }
    keep_method(&mut composed.attachment.description, method)?;
    if context.printer.is_json() {
        context.printer.document(&DescribeDocument::from(&composed));
    } else {
        if method.is_none() {
            print_origin(context, &composed);
        }
        print(context, &composed.attachment.description, &composed.attachment.methods, method.is_some());
    }
    Ok(Exit::Done)
}

/// Shows a type that comes with the program.
fn show_built_in(context: &Context, mut description: Description, method: Option<&str>) -> Result<Exit, CommandError> {
    keep_method(&mut description, method)?;
    if context.printer.is_json() {
        context.printer.document(&DescribeDocument::built_in(&description));
    } else {
        if method.is_none() {
            print_name(context, &description);
            context.printer.line("  model, built in");
        }
        print(context, &description, &BTreeMap::new(), method.is_some());
    }
    Ok(Exit::Done)
}

/// Takes all methods out of a description but the one that is asked for.
fn keep_method(description: &mut Description, method: Option<&str>) -> Result<(), CommandError> {
    if let Some(name) = method {
        if description.method(name).is_none() {
            let known: Vec<&str> = description.methods.iter().map(|method| method.name.as_str()).collect();
            let hint =
                if known.is_empty() { "it has no methods".to_owned() } else { format!("it has {}", known.join(", ")) };
            return Err(CommandError::no(
                Some(Code::UNKNOWN_METHOD),
                format!("`{}` has no method `{name}`", description.type_name),
                Some(&hint),
            ));
        }
        description.methods.retain(|method| method.name == name);
    }
    Ok(())
}

fn print_name(context: &Context, description: &Description) {
    // Only models have a version of their own.
    let version = description.version.as_deref().unwrap_or_default();
    context.printer.line(Style::Bold.of(description.type_name.as_str()) + format!(" {version}"));
}

/// Where a type comes from.
fn print_origin(context: &Context, composed: &Composed) {
    let Composed { row, attachment, add_ons, .. } = composed;
    let printer = &context.printer;
    print_name(context, &attachment.description);
    printer.line(format!("  {} from {} ({})", row.kind, row.source, row.origin.as_str()));
    printer.line(format!("  extension {} {}", row.extension.name, row.extension.version));
    if let Some(failure) = &row.degraded {
        printer.line(format!("  degraded: {}", failure.latest_message));
    }
    if let Some(remark) = health::shipped(row) {
        printer.line(format!("  shipped: {}", remark.message));
    }
    for add_on in add_ons {
        printer.line(format!("  with {} ({})", add_on.source, add_on.origin.as_str()));
    }
}

/// What a type offers.
fn print(context: &Context, description: &Description, added_methods: &BTreeMap<String, Added>, is_one_method: bool) {
    let printer = &context.printer;
    if !is_one_method {
        for (key, title) in [("name", "name"), ("description", "about"), ("scope", "scope")] {
            if let Some(text) = description.details.get(key).and_then(Json::as_str) {
                printer.line(format!("  {title} {text}"));
            }
        }
        if let Some(labels) = description.details.get("labels").and_then(Json::as_array) {
            let labels: Vec<&str> = labels.iter().filter_map(Json::as_str).collect();
            printer.line(format!("  labels {}", labels.join(", ")));
        }
        for (key, title) in [("globalArguments", "global arguments"), ("configSchema", "configuration")] {
            if let Some(schema) = description.details.get(key) {
                printer.line(format!("  {title}"));
                properties(context, schema, "    ");
            }
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
        if !description.methods.is_empty() {
            printer.line("  methods");
        }
    }
    for method in &description.methods {
        let kind = method.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
        let added = added_methods.get(&method.name);
        let added = added.map(|added| format!("  (from {})", added.add_on)).unwrap_or_default();
        let name = Line::from("    ") + Style::Bold.of(&method.name);
        printer.line(name + format!("{kind}  {}{added}", method.description));
        properties(context, &method.arguments, "      ");
    }
    for note in &description.notes {
        printer.note(format!("note: {note}"));
    }
}

/// How deep members of members are shown.
const DEEPEST: usize = 4;

/// The properties of an object schema, one a line, and below each those of its members.
fn properties(context: &Context, schema: &Json, indent: &str) {
    for line in property_lines(schema, indent, DEEPEST) {
        context.printer.line(line);
    }
}

fn property_lines(schema: &Json, indent: &str, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Json::as_array)
        .map(|names| names.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    for (name, property) in schema.get("properties").and_then(Json::as_object).unwrap_or_default() {
        let kind = property.get("enum").and_then(Json::as_array).map(choices);
        let kind = kind.unwrap_or_else(|| kind_of(property));
        let mark = if required.contains(&name.as_str()) { "" } else { ", optional" };
        let text = property.get("description").and_then(Json::as_str).unwrap_or_default();
        lines.push(format!("{indent}{name} ({kind}{mark})  {text}").trim_end().to_owned());
        if depth > 1 {
            lines.extend(property_lines(innermost(property), &format!("{indent}  "), depth - 1));
        }
    }
    lines
}

/// The schema of what lies in a list, in lists of lists too; of anything else its own.
fn innermost(schema: &Json) -> &Json {
    let mut innermost = schema;
    for _ in 0..DEEPEST {
        match innermost.get("items").filter(|items| items.as_object().is_some()) {
            Some(items) => innermost = items,
            None => break,
        }
    }
    innermost
}

/// `string`, `array of string | null`; `any` where a schema does not say.
fn kind_of(schema: &Json) -> String {
    let of = |schema: &Json| {
        let choices = schema.get("enum").and_then(Json::as_array).map(choices);
        choices.unwrap_or_else(|| schema.get("type").map_or_else(|| "any".to_owned(), type_text))
    };
    let own = of(schema);
    match innermost(schema) {
        items if std::ptr::eq(items, schema) => own,
        items => format!("{own} of {}", of(items)),
    }
}

/// `"a" | "b"`
fn choices(values: &[Json]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

/// `string`, or `string | null` for a list of types.
fn type_text(json: &Json) -> String {
    match json {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" | "),
        other => other.as_str().unwrap_or("any").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_lists_and_objects_are_told() {
        let schema = mangrove_domain::json_text::parse(
            r#"{"properties": {
                "tags": {"type": "array", "items": {"type": "string"}},
                "sizes": {"type": "array", "items": {"enum": ["s", "l"]}},
                "any": {"type": "array"},
                "zones": {"type": "array", "description": "Zones.", "items": {"type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string", "description": "Its name."},
                        "records": {"type": "array", "items": {"type": "array", "items": {"properties": {"ttl": {"type": "integer"}}}}}}}},
                "at": {"type": "object", "properties": {"x": {"type": "number"}}}
            }, "required": ["tags"]}"#,
        );
        let lines = property_lines(&schema.expect("JSON"), "", DEEPEST).join("\n");
        assert_eq!(
            lines,
            "tags (array of string)\n\
             sizes (array of \"s\" | \"l\", optional)\n\
             any (array, optional)\n\
             zones (array of object, optional)  Zones.\n\
             \x20 name (string)  Its name.\n\
             \x20 records (array of any, optional)\n\
             \x20   ttl (integer, optional)\n\
             at (object, optional)\n\
             \x20 x (number, optional)"
        );
    }

    #[test]
    fn a_schema_that_lies_in_itself_again_and_again_is_cut() {
        let mut schema = Json::object([("properties", Json::object([("x", Json::from(1))]))]);
        for _ in 0..20 {
            schema = Json::object([("properties", Json::object([("a", schema)]))]);
        }
        assert_eq!(property_lines(&schema, "", DEEPEST).len(), DEEPEST);
    }

    #[test]
    fn what_may_be_chosen_is_told_instead_of_its_type() {
        assert_eq!(choices(&[Json::from("low"), Json::from("high"), Json::from(3)]), r#""low" | "high" | 3"#);
    }
}
