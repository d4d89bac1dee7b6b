//! `mangrove model list` and `mangrove model run`

use mangrove_app::service::Runnable;
use mangrove_documents::{ProblemDocument, problems};
use serde::Serialize;

use super::{Context, running};
use crate::{args, errors::CommandError, exit::Exit, printer::table};

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
    for line in table(&cells) {
        context.printer.line(line);
    }
    for problem in library.problems_of_definitions() {
        context.printer.problem(problem);
    }
    if cells.is_empty() {
        context.printer.note("no definitions in models/");
    }
    Ok(Exit::Done)
}

pub(crate) async fn run(
    context: &Context,
    name: &str,
    method: &str,
    given: &args::Inputs,
) -> Result<Exit, CommandError> {
    let what = Runnable::Method { definition: name.to_owned(), method: method.to_owned() };
    running::run(context, what, running::inputs(given)?, &args::Wanted::default()).await
}
