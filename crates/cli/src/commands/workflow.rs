//! `mangrove workflow list`, `validate` and `run`

use mangrove_app::service::{Runnable, ValidateError};
use mangrove_domain::{ports::Recurrence, problem::Problem, time::Timestamp, workflow::Workflow};
use serde::Serialize;

use super::{Context, running};
use crate::{
    args,
    documents::ProblemDocument,
    errors::CommandError,
    exit::Exit,
    human::{duration, rfc3339},
    printer::table,
};

#[derive(Serialize)]
struct WorkflowListDocument {
    schema: &'static str,
    workflows: Vec<ListedWorkflowDocument>,
    problems: Vec<ProblemDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedWorkflowDocument {
    name: String,
    id: String,
    path: String,
    origin: &'static str,
    /// The file of the workflow that has its name or identifier and comes before it.
    shadowed_by: Option<String>,
    description: Option<String>,
    schedule: Option<String>,
    /// The zone that the schedule is in.
    timezone: Option<String>,
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
    let service = context.look()?;
    let library = service.library().await?;
    let schedules = service.schedules(&library)?;
    let now = service.clock().now();
    let problems_of = |file: &str| {
        let broken = schedules.broken.get(file).filter(|broken| !library.problems.contains(broken));
        library.problems_of(file).chain(broken).map(ProblemDocument::from).collect()
    };
    let problems: Vec<&Problem> = {
        let of_schedules = schedules.broken.values().filter(|broken| !library.problems.contains(broken));
        library.problems.iter().chain(of_schedules).collect()
    };
    if context.printer.is_json() {
        let workflows = library
            .workflows
            .iter()
            .map(|workflow| (workflow, schedules.recurrence(workflow)))
            .map(|(workflow, recurrence)| ListedWorkflowDocument {
                name: workflow.name.value.clone(),
                id: workflow.id.clone(),
                path: workflow.file.clone(),
                origin: workflow.origin.as_str(),
                shadowed_by: library.shadowing(workflow).map(|winner| winner.file.clone()),
                description: workflow.description.clone(),
                schedule: pattern(workflow).map(str::to_owned),
                timezone: recurrence.map(|recurrence| recurrence.zone().to_owned()),
                next_run: recurrence.and_then(|recurrence| recurrence.next_after(now)).map(rfc3339),
                problems: problems_of(&workflow.file),
            })
            .collect();
        context.printer.document(&WorkflowListDocument {
            schema: "mangrove.workflow-list/1",
            workflows,
            problems: problems.into_iter().map(ProblemDocument::from).collect(),
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
                    None => schedule(workflow, schedules.recurrence(workflow).map(AsRef::as_ref), now),
                },
                workflow.file.clone(),
                workflow.description.as_deref().and_then(|text| text.lines().next()).unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    for line in table(&cells) {
        context.printer.line(line);
    }
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

fn pattern(workflow: &Workflow) -> Option<&str> {
    Some(&workflow.trigger.as_ref()?.schedule.as_ref()?.value)
}

/// `0 3 * * *, next 2026-11-29 03:00 CET (in 4 h)`
fn schedule(workflow: &Workflow, recurrence: Option<&dyn Recurrence>, now: Timestamp) -> String {
    let Some(pattern) = pattern(workflow) else { return "no schedule".to_owned() };
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
            problems: validation.problems.iter().map(ProblemDocument::from).collect(),
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
    running::run(context, Runnable::Workflow(name.to_owned()), inputs).await
}
