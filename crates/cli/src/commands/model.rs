//! `mangrove model …`

use mangrove_app::service::{
    CreateError, CreatedDefinition, ExaminedDefinition, NewDefinition, Runnable, ValidateError,
};
use mangrove_documents::{
    CreatedModelDocument, ErrorReport, ModelDocument, ModelSearchDocument, ModelTypeDocument, ModelTypeSearchDocument,
    ModelValidationDocument, ModelValidationsDocument, ProblemDocument, problems,
};
use mangrove_domain::{definition::Definition, problem::Code, type_name::TypeName};
use serde::Serialize;

use super::{Context, describe, running, types};
use crate::{
    args, compose,
    errors::CommandError,
    exit::Exit,
    inputs::{self, Input},
    line::Style,
    printer::table,
};

#[derive(Serialize)]
struct DefinitionListDocument {
    schema: &'static str,
    definitions: Vec<ListedDefinitionDocument>,
    problems: Vec<ProblemDocument>,
}

#[derive(Serialize)]
struct ListedDefinitionDocument {
    name: String,
    id: String,
    #[serde(rename = "type")]
    type_name: String,
    version: u32,
    path: String,
}

pub(crate) async fn list(context: &Context) -> Result<Exit, CommandError> {
    let library = context.look()?.library().await?;
    if context.printer.is_json() {
        let definitions = library
            .definitions
            .iter()
            .map(|definition| ListedDefinitionDocument {
                name: definition.name.value.clone(),
                id: definition.id.clone(),
                type_name: definition.type_name.value.to_string(),
                version: definition.version,
                path: definition.file.clone(),
            })
            .collect();
        context.printer.document(&DefinitionListDocument {
            schema: "mangrove.model-list/1",
            definitions,
            problems: problems(library.problems_of_definitions()),
        });
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<String>> = library
        .definitions
        .iter()
        .map(|definition| {
            vec![definition.name.value.clone(), definition.type_name.value.to_string(), definition.file.clone()]
        })
        .collect();
    context.printer.lines(table(&cells));
    for problem in library.problems_of_definitions() {
        context.printer.problem(problem);
    }
    if cells.is_empty() {
        context.printer.note("no definitions in models/");
    }
    Ok(Exit::Done)
}

/// Runs one method of a definition, or of an instance of a type.
pub(crate) async fn run(context: &Context, call: &args::MethodCall) -> Result<Exit, CommandError> {
    let args::MethodCall { target, method, instance, inputs, stdin, wanted } = call;
    let what = match instance {
        Some(name) => Runnable::Instance {
            type_name: target.clone(),
            name: name.clone(),
            method: method.clone(),
            // What comes from files and on standard input may be anybody's.
            written: if *stdin { Vec::new() } else { inputs.written() },
        },
        None => Runnable::Method { definition: target.clone(), method: method.clone() },
    };
    running::refuse_copies(wanted)?;
    // Only types have a slash in their names without a scope, and nobody means a definition by one that none has.
    if instance.is_none()
        && target.contains('/')
        && context.look()?.library().await?.definition(target).is_err_and(|wrong| wrong.code == Code::UNKNOWN_NAME)
    {
        let message = format!("`{target}` is no definition; a type needs the name of an instance as well");
        let hint = format!("`mangrove model method run {target} {method} NAME` makes the instance if it is not there");
        return Err(CommandError::no(Some(Code::UNKNOWN_NAME), message, Some(&hint)));
    }
    let mut exit = Exit::Done;
    for inputs in running::all_inputs(context, inputs, *stdin)? {
        exit = running::run(context, what.clone(), inputs, wanted).await?;
        if exit != Exit::Done {
            break;
        }
    }
    Ok(exit)
}

/// Makes a definition.
pub(crate) async fn create(
    context: &Context,
    type_name: &str,
    name: &str,
    global_arguments: &[Input],
) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let home = context.environment().get("HOME").map(String::as_str);
    let global_arguments = inputs::read(compose::parse_document, global_arguments, None, home)?.to_json();
    let new = NewDefinition { type_name: type_name.to_owned(), name: name.to_owned(), global_arguments };
    let created = service.create_definition(new).await.map_err(|error| match error {
        CreateError::Problems(problems) => {
            for problem in problems.iter().skip(1) {
                context.printer.problem(problem);
            }
            problems.first().map_or_else(
                || CommandError::no(None, "the definition was not made", None),
                |problem| CommandError::answer(ErrorReport::problem(problem)),
            )
        }
        CreateError::NotReady(not_ready) => CommandError::not_ready(&not_ready, context.now()),
        CreateError::Service(error) => error.into(),
    })?;
    if context.printer.is_json() {
        context.printer.document(&CreatedModelDocument::from(&created));
        return Ok(Exit::Done);
    }
    let CreatedDefinition { definition, description } = &created;
    context.printer.status("Created", format!("{} ({})", definition.file, definition.type_name.value));
    let methods: Vec<&str> = description.methods.iter().map(|method| method.name.as_str()).collect();
    context.printer.line(format!("{}  {}", definition.name.value, definition.id));
    context.printer.line(format!("  methods {}", methods.join(", ")));
    Ok(Exit::Done)
}

/// Shows a definition.
pub(crate) async fn get(context: &Context, name: &str) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let library = service.library().await?;
    let definition = library.definition(name).map_err(|problem| running::unknown(&problem))?;
    let description = service.model_type(&definition.type_name.value).await;
    let document = ModelDocument::new(definition, description.as_deref().ok());
    if context.printer.is_json() {
        context.printer.document(&document);
    } else {
        print(context, &document);
    }
    if let Err(not_ready) = &description {
        context.printer.note(format!("note: {}: {}", not_ready.headline(), not_ready.reason()));
    }
    Ok(Exit::Done)
}

fn print(context: &Context, document: &ModelDocument) {
    let printer = &context.printer;
    printer.line(Style::Bold.of(&document.name) + format!("  {}", document.type_name));
    let made = if document.auto_created { ", made automatically" } else { "" };
    printer.line(format!("  {} in {}{made}", document.id, document.path));
    for (key, value) in &document.tags {
        printer.line(format!("  tag {key} {}", value.as_str().unwrap_or_default()));
    }
    for (name, value) in document.global_arguments.as_object().into_iter().flatten() {
        printer.line(format!("  {name} {value}"));
    }
    for method in &document.methods {
        printer.line(format!("  method {}  {}", method.name, method.description).trim_end());
    }
}

/// Finds definitions by a part of their name, type or identifier.
pub(crate) async fn search(context: &Context, query: Option<&str>, all: bool) -> Result<Exit, CommandError> {
    let library = context.look()?.library().await?;
    let query = query.unwrap_or_default();
    let wanted = query.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let found: Vec<&Definition> = library
        .definitions
        .iter()
        .map(AsRef::as_ref)
        .filter(|known: &&Definition| all || !known.place.is_automatic())
        .filter(|known| has(&known.name.value) || has(known.type_name.value.as_str()) || has(&known.id))
        .collect();
    if context.printer.is_json() {
        context.printer.document(&ModelSearchDocument::new(query, found));
        return Ok(Exit::Done);
    }
    let cell =
        |known: &&Definition| vec![known.name.value.clone(), known.type_name.value.to_string(), known.file.clone()];
    context.printer.lines(table(&found.iter().map(cell).collect::<Vec<_>>()));
    if found.is_empty() {
        context.printer.note("no definition fits; `mangrove model create TYPE NAME` makes one");
    }
    Ok(Exit::Done)
}

/// Checks definitions without running anything. `left_out` is an option of another program.
pub(crate) async fn validate(
    context: &Context,
    name: Option<&str>,
    left_out: Option<&str>,
) -> Result<Exit, CommandError> {
    if let Some(option) = left_out {
        let message = format!("`{option}` is not supported: a definition is looked at as a whole, and no check is run");
        let hint = format!("leave out `{option}`; the checks of a method run before it does: `mangrove model run`");
        return Err(CommandError::usage(None, message, Some(&hint)));
    }
    let examined = context.open(None)?.examine_definitions(name).await.map_err(|error| match error {
        ValidateError::Unknown(problem) => running::unknown(&problem),
        ValidateError::Service(error) => error.into(),
    })?;
    let is_valid = examined.iter().all(ExaminedDefinition::is_valid);
    if context.printer.is_json() {
        match (name, examined.first()) {
            (Some(_), Some(one)) => context.printer.document(&ModelValidationDocument::from(one)),
            _ => context.printer.document(&ModelValidationsDocument::from(examined.as_slice())),
        }
    } else {
        for problem in examined.iter().flat_map(|one| &one.problems) {
            context.printer.problem(problem);
        }
        for one in examined.iter().filter(|one| one.is_valid()) {
            context.printer.line(format!("{} is valid", one.file));
        }
    }
    Ok(if is_valid { Exit::Done } else { Exit::No })
}

/// Shows what a method of a definition takes.
pub(crate) async fn describe_method(context: &Context, name: &str, method: &str) -> Result<Exit, CommandError> {
    let library = context.look()?.library().await?;
    let definition = library.definition(name).map_err(|problem| running::unknown(&problem))?;
    describe::run(context, definition.type_name.value.as_str(), Some(method), Some("model")).await
}

/// Shows what a type offers.
pub(crate) async fn describe_type(context: &Context, type_name: &str) -> Result<Exit, CommandError> {
    if !context.printer.is_json() {
        return describe::run(context, type_name, None, Some("model")).await;
    }
    let service = context.open(None)?;
    let name = TypeName::model(type_name)
        .map_err(|error| CommandError::usage(Some(Code::INVALID_INPUT), error.to_string(), None))?;
    let description = service.model_type(&name).await;
    let description = description.map_err(|not_ready| CommandError::not_ready(&not_ready, context.now()))?;
    context.printer.document(&ModelTypeDocument::new(type_name, &description));
    Ok(Exit::Done)
}

/// Finds types by a part of their name.
pub(crate) async fn search_types(context: &Context, query: Option<&str>) -> Result<Exit, CommandError> {
    if !context.printer.is_json() {
        return types::run(context, query, Some("model"), false).await;
    }
    let service = context.look()?;
    let query = query.unwrap_or_default();
    let wanted = query.to_lowercase();
    let names = service.model_type_names().await?;
    let found: Vec<String> = names.into_iter().filter(|name| name.to_lowercase().contains(&wanted)).collect();
    context.printer.document(&ModelTypeSearchDocument::new(query, &found));
    Ok(Exit::Done)
}
