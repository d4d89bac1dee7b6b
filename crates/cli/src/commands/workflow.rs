//! `mangrove workflow list`, `validate` and `run`

use mangrove_app::service::{Runnable, ValidateError};
use mangrove_documents::{ListedWorkflowDocument, ProblemDocument, WorkflowListDocument, problems};
use mangrove_domain::time::Timestamp;
use serde::Serialize;

use super::{Context, running};
use crate::{args, client, errors::CommandError, exit::Exit, human::duration, printer::table};

#[derive(Serialize)]
struct ValidateDocument {
    schema: &'static str,
    valid: bool,
    problems: Vec<ProblemDocument>,
}

pub(crate) async fn list(context: &Context) -> Result<Exit, CommandError> {
    let document: WorkflowListDocument = match context.client()? {
        Some(client) => client.get(&["workflows"], &[]).await?,
        None => {
            let service = context.look()?;
            let library = service.library().await?;
            let schedules = service.schedules(&library)?;
            WorkflowListDocument::new(&library, &schedules, service.clock().now())
        }
    };
    if context.printer.is_json() {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    let now = context.now();
    let cell = |workflow: &ListedWorkflowDocument| {
        let first_line = workflow.description.as_deref().and_then(|text| text.lines().next());
        let description = first_line.unwrap_or_default().to_owned();
        vec![workflow.name.clone(), when(workflow, now), workflow.path.clone(), description]
    };
    let cells: Vec<Vec<String>> = document.workflows.iter().map(cell).collect();
    for line in table(&cells) {
        context.printer.line(line);
    }
    for problem in document.problems.iter().filter_map(client::problem) {
        context.printer.problem(&problem);
    }
    if cells.is_empty() {
        context
            .printer
            .note("no workflows in workflows/ or extensions/workflows/, nor in mounts and pulled extensions");
    }
    Ok(Exit::Done)
}

/// `0 3 * * *, next 2026-11-29 03:00 CET (in 4 h)`
fn when(workflow: &ListedWorkflowDocument, now: Timestamp) -> String {
    if let Some(winner) = &workflow.shadowed_by {
        return format!("shadowed by {winner}");
    }
    if !workflow.is_trigger_usable {
        return "trigger cannot be used".to_owned();
    }
    let Some(pattern) = &workflow.schedule else { return "no schedule".to_owned() };
    if let Some(hint) = &workflow.enabling {
        return format!("{pattern}, not enabled: {hint}");
    }
    match (&workflow.next_run, &workflow.next_wall_clock) {
        (Some(next), Some(clock)) => format!("{pattern}, next {clock} (in {})", duration(next.0.since(now))),
        _ if workflow.timezone.is_none() => format!("{pattern}, cannot be used"),
        _ => format!("{pattern}, not due any more"),
    }
}

pub(crate) async fn validate(context: &Context, name: Option<&str>) -> Result<Exit, CommandError> {
    let validation = context.open(None)?.validate(name).await.map_err(|error| match error {
        ValidateError::Unknown(problem) => running::unknown(&problem),
        ValidateError::Service(error) => error.into(),
    })?;
    let is_valid = validation.is_valid();
    if context.printer.is_json() {
        context.printer.document(&ValidateDocument {
            schema: "mangrove.workflow-validate/1",
            valid: is_valid,
            problems: problems(&validation.problems),
        });
    } else {
        for problem in &validation.problems {
            context.printer.problem(problem);
        }
        if is_valid {
            context.printer.line("valid");
        }
    }
    Ok(if is_valid { Exit::Done } else { Exit::No })
}

pub(crate) async fn run(
    context: &Context,
    name: &str,
    inputs: &args::Inputs,
    checks: &args::Checks,
) -> Result<Exit, CommandError> {
    match context.client()? {
        Some(_) if checks.is_any() => {
            let message = "a daemon leaves out no checks";
            let hint = "leave out `--server`, or write `checks: {skip: [...]}` into the definition";
            Err(CommandError::usage(None, message, Some(hint)))
        }
        Some(client) => running::ask(context, &client, name, inputs).await,
        None => running::run(context, Runnable::Workflow(name.to_owned()), inputs, checks).await,
    }
}
