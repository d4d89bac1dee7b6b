//! `mangrove workflow list`, `validate` and `run`

use mangrove_app::service::{Runnable, ValidateError};
use mangrove_documents::{ProblemDocument, WorkflowListDocument, problems, schedule};
use mangrove_domain::{ports::Recurrence, problem::Problem, time::Timestamp, workflow::Workflow};
use serde::Serialize;

use super::{Context, running};
use crate::{args, errors::CommandError, exit::Exit, human::duration, printer::table};

#[derive(Serialize)]
struct ValidateDocument {
    schema: &'static str,
    valid: bool,
    problems: Vec<ProblemDocument>,
}

pub(crate) async fn list(context: &Context) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let library = service.library().await?;
    let schedules = service.schedules(&library)?;
    let now = service.clock().now();
    if context.printer.is_json() {
        context.printer.document(&WorkflowListDocument::new(&library, &schedules, now));
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
                    None => when(workflow, schedules.recurrence(workflow).map(AsRef::as_ref), now),
                },
                workflow.file.clone(),
                workflow.description.as_deref().and_then(|text| text.lines().next()).unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    for line in table(&cells) {
        context.printer.line(line);
    }
    let problems: Vec<&Problem> = library.problems.iter().chain(schedules.further_problems(&library)).collect();
    for problem in problems {
        context.printer.problem(problem);
    }
    if cells.is_empty() {
        context
            .printer
            .note("no workflows in workflows/ or extensions/workflows/, nor in mounts and pulled extensions");
    }
    Ok(Exit::Done)
}

/// `0 3 * * *, next 2026-11-29 03:00 CET (in 4 h)`
fn when(workflow: &Workflow, recurrence: Option<&dyn Recurrence>, now: Timestamp) -> String {
    if workflow.is_trigger_broken {
        return "trigger cannot be used".to_owned();
    }
    let Some(pattern) = schedule(workflow) else { return "no schedule".to_owned() };
    let Some(recurrence) = recurrence else { return format!("{pattern}, cannot be used") };
    match recurrence.next_after(now) {
        Some(next) => format!("{pattern}, next {} (in {})", recurrence.wall_clock(next), duration(next.since(now))),
        None => format!("{pattern}, not due any more"),
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

pub(crate) async fn run(context: &Context, name: &str, inputs: &args::Inputs) -> Result<Exit, CommandError> {
    match context.client()? {
        Some(client) => running::ask(context, &client, name, inputs).await,
        None => running::run(context, Runnable::Workflow(name.to_owned()), inputs).await,
    }
}
