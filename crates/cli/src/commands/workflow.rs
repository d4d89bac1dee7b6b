//! `mangrove workflow list`, `validate` and `run`

use std::{collections::BTreeSet, sync::Arc};

use mangrove_app::{
    on_demand,
    secrets::Environment,
    types::Unclaimed,
    workflow::{CatalogTypes, Library, Observer, Request, Silent, StartError, validate as validation},
};
use mangrove_domain::{
    failure::FailureClass,
    json::Json,
    problem::{Code, Problem, Severity},
    run::{RunRecord, RunStatus},
    source::Kind,
    type_name::TypeName,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::{
    advice, args,
    compose::Workspace,
    documents::ProblemDocument,
    errors::CommandError,
    exit::Exit,
    live::{JsonLines, LiveView},
    printer::table,
};

#[derive(Serialize)]
struct ListDocument {
    schema: &'static str,
    workflows: Vec<ListedDocument>,
    problems: Vec<ProblemDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedDocument {
    name: String,
    id: String,
    path: String,
    origin: &'static str,
    /// The file of the workflow that has its name or identifier and comes before it.
    shadowed_by: Option<String>,
    description: Option<String>,
    schedule: Option<String>,
    next_run: Option<String>,
    problems: Vec<ProblemDocument>,
}

#[derive(Serialize)]
struct ValidateDocument {
    schema: &'static str,
    valid: bool,
    problems: Vec<ProblemDocument>,
}

pub(crate) async fn list(context: &Context) -> Result<Exit, CommandError> {
    let workspace = context.look().await?;
    let library = workspace.library().await?;
    let schedule = |workflow: &mangrove_domain::workflow::Workflow| {
        workflow.trigger.as_ref().and_then(|trigger| trigger.schedule.as_ref()).map(|schedule| schedule.value.clone())
    };
    if context.printer.is_json() {
        let workflows = library
            .workflows
            .iter()
            .map(|workflow| ListedDocument {
                name: workflow.name.value.clone(),
                id: workflow.id.clone(),
                path: workflow.file.clone(),
                origin: workflow.origin.as_str(),
                shadowed_by: library.shadowing(workflow).map(|winner| winner.file.clone()),
                description: workflow.description.clone(),
                schedule: schedule(workflow),
                next_run: None,
                problems: library.problems_of(&workflow.file).map(ProblemDocument::from).collect(),
            })
            .collect();
        context.printer.document(&ListDocument {
            schema: "mangrove.workflow-list/1",
            workflows,
            problems: library.problems.iter().map(ProblemDocument::from).collect(),
        });
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<String>> = library
        .workflows
        .iter()
        .map(|workflow| {
            vec![
                workflow.name.value.clone(),
                match library.shadowing(workflow) {
                    Some(winner) => format!("shadowed by {}", winner.file),
                    None => schedule(workflow).unwrap_or_else(|| "by hand".to_owned()),
                },
                workflow.file.clone(),
                workflow.description.as_deref().and_then(|text| text.lines().next()).unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    for line in table(&cells) {
        context.printer.line(line);
    }
    for problem in &library.problems {
        context.printer.problem(problem);
    }
    if cells.is_empty() {
        context
            .printer
            .note("no workflows in workflows/ or extensions/workflows/, nor in mounts and pulled extensions");
    }
    Ok(Exit::Done)
}

pub(crate) async fn validate(context: &Context, name: Option<&str>) -> Result<Exit, CommandError> {
    let workspace = context.open(None).await?;
    let library = workspace.library().await?;
    let workflow = name.map(|name| library.workflow(name).map_err(|wrong| unknown(&wrong))).transpose()?;
    // Whether methods and arguments fit can only be told of types that are built.
    let named: BTreeSet<TypeName> = workflow.map_or_else(|| library.types(), |workflow| library.types_of(workflow));
    let request = workspace.scan_request(CancellationToken::new());
    let unobservable = on_demand::refresh_all(&workspace.scanner, &Kind::new("model"), &named, &request).await?;
    let index = workspace.scanner.load().await?;
    // What claims them has a row by now.
    let unclaimed =
        move |_: &Kind, _: &TypeName| Unclaimed { unobservable: unobservable.clone(), ..Unclaimed::default() };
    let types = CatalogTypes::of(workspace.scanner.ports().catalog.as_ref(), index, unclaimed).await?;
    let tools = validation::Tools {
        types: &types,
        expressions: workspace.expressions.as_ref(),
        schemas: workspace.schemas.as_ref(),
    };
    let problems = match workflow {
        None => validation::validate(&library, tools),
        Some(workflow) => validation::validate_workflow(&library, workflow, tools),
    };
    let is_valid = problems.iter().all(|problem| problem.severity == Severity::Warning);
    if context.printer.is_json() {
        context.printer.document(&ValidateDocument {
            schema: "mangrove.workflow-validate/1",
            valid: is_valid,
            problems: problems.iter().map(ProblemDocument::from).collect(),
        });
    } else {
        for problem in &problems {
            context.printer.problem(problem);
        }
        if is_valid {
            context.printer.line("valid");
        }
    }
    Ok(if is_valid { Exit::Done } else { Exit::No })
}

pub(crate) async fn run(context: &Context, name: &str, inputs: &args::Inputs) -> Result<Exit, CommandError> {
    let workspace = context.open(None).await?;
    let library = workspace.library().await?;
    let workflow = library.workflow(name).map_err(|wrong| lost(context, &library, &wrong))?;
    for problem in library.problems_of(&workflow.file) {
        context.printer.problem(problem);
    }
    elsewhere(context, &library, &workflow.file);
    let request = Request {
        workflow: Arc::clone(workflow),
        inputs: self::inputs(&workspace, inputs)?,
        trigger: "command-line".to_owned(),
    };
    let engine = workspace.engine(context.interrupts.cancellation()).await?;
    let outcome = engine.run(&library, request, environment(), observer(context)).await;
    finish(outcome)
}

/// Follows a run as the printer wants it.
pub(super) fn observer(context: &Context) -> Arc<dyn Observer> {
    if context.printer.is_json() {
        Arc::new(JsonLines::new(context.printer.clone()))
    } else if context.printer.is_quiet() {
        Arc::new(Silent)
    } else {
        Arc::new(LiveView::new(context.printer.clone()))
    }
}

/// The variables that `env` in expressions can name.
pub(super) fn environment() -> Environment {
    let variables = std::env::vars_os();
    Environment::new(
        variables.filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect(),
    )
}

/// Turns the end of a run into an exit code.
pub(super) fn finish(outcome: Result<RunRecord, StartError>) -> Result<Exit, CommandError> {
    let record = match outcome {
        Ok(record) => record,
        Err(StartError::Problems(problems)) => {
            let [first, ..] = problems.as_slice() else {
                return Err(CommandError::usage(Some(Code::INVALID_INPUT), "the run cannot begin", None));
            };
            let mut error = unknown(first);
            error.details.extend(problems.iter().skip(1).map(|problem| match &problem.advice {
                Some(advice) => format!("{}; {}", problem.message, advice::text(advice)),
                None => problem.message.clone(),
            }));
            return Err(error);
        }
        Err(StartError::NotRecorded { source, .. }) => {
            return Err(CommandError::fault("the run cannot be recorded", &source.fault));
        }
    };
    Ok(match record.status {
        RunStatus::Succeeded => Exit::Done,
        RunStatus::Blocked => {
            let class = record.error.as_ref().and_then(|error| error.failure.as_ref()).map(|failure| failure.class);
            if class == Some(FailureClass::Transient) { Exit::TryAgain } else { Exit::No }
        }
        RunStatus::Failed | RunStatus::Cancelled | RunStatus::Skipped | RunStatus::Pending | RunStatus::Running => {
            Exit::No
        }
    })
}

/// An unknown name or a broken input, as an error that ends the command.
pub(super) fn unknown(problem: &Problem) -> CommandError {
    let place = problem.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
    let (code, message, hint) =
        (Some(problem.code), format!("{place}{}", problem.message), problem.advice.as_ref().map(advice::text));
    // Which one is meant cannot be told: a mistake in the repository, not an answer.
    if problem.code == Code::AMBIGUOUS_NAME {
        CommandError::usage(code, message, hint.as_deref())
    } else {
        CommandError::no(code, message, hint.as_deref())
    }
}

/// The error that a name leads nowhere, after what is wrong with the files of which one may have it.
pub(super) fn lost(context: &Context, library: &Library, wrong: &Problem) -> CommandError {
    if wrong.code == Code::UNKNOWN_NAME {
        for problem in library.hiding_problems() {
            context.printer.problem(problem);
        }
    }
    unknown(wrong)
}

/// Says that there are mistakes in files that this run was not asked for.
pub(super) fn elsewhere(context: &Context, library: &Library, file: &str) {
    let errors = library.own_problems().filter(|problem| problem.severity == Severity::Error);
    let files: BTreeSet<&str> =
        errors.map(|problem| problem.subject.as_str()).filter(|subject| *subject != file).collect();
    if let Some(first) = files.first() {
        let others = if files.len() == 1 { String::new() } else { format!(" and {} more", files.len() - 1) };
        context.printer.note(format!("{first}{others} cannot be used; `mangrove workflow validate` says why"));
    }
}

/// The inputs of the command line over those of the file. Values stay text here; the schema of the workflow or
/// method turns them into what it wants.
pub(super) fn inputs(workspace: &Workspace, inputs: &args::Inputs) -> Result<Json, CommandError> {
    let mut members: Vec<(String, Json)> = Vec::new();
    if let Some(path) = &inputs.input_file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            CommandError::usage(Some(Code::UNREADABLE), format!("{name} cannot be read: {error}"), None)
        })?;
        let document = workspace
            .documents
            .parse(&name, &text)
            .map_err(|error| CommandError::usage(Some(Code::MALFORMED_DOCUMENT), error.to_string(), None))?;
        let Json::Object(read) = document.root.to_json() else {
            let message = format!("{name}: expected a mapping of inputs, found {}", document.root.type_name());
            return Err(CommandError::usage(Some(Code::INVALID_DOCUMENT), message, None));
        };
        members = read;
    }
    members.extend(inputs.input.iter().map(|(key, value)| (key.clone(), Json::from(value.as_str()))));
    Ok(Json::object(members))
}
