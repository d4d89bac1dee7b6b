//! `mangrove workflow list`, `validate` and `run`

use mangrove_app::service::{Runnable, ValidateError};
use mangrove_documents::{
    ListedWorkflowDocument, ProblemDocument, ReferenceValidationDocument, ReferenceValidationsDocument,
    WorkflowListDocument, evaluated_workflow, json, problems, schedule,
};
use mangrove_domain::{time::Timestamp, workflow::Workflow};
use serde::Serialize;
use serde_json::Value;

use super::{Context, running};
use crate::{
    args, client,
    errors::CommandError,
    exit::Exit,
    human::duration,
    line::{Line, Style},
    printer::table,
};

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
    context.printer.lines(table(&cells));
    // What is wrong with a workflow, `validate` says; here only what is wrong with whole roots and with names.
    let listed = |problem: &&ProblemDocument| {
        document.workflows.iter().any(|workflow| !workflow.is_usable && workflow.path == problem.path)
    };
    for problem in document.problems.iter().filter(|problem| !listed(problem)).filter_map(client::problem) {
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
    if !workflow.is_usable {
        return format!("cannot be used: `mangrove workflow validate {}` shows why", workflow.name);
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

#[derive(Serialize)]
struct WorkflowDocument {
    schema: &'static str,
    id: String,
    name: String,
    description: Option<String>,
    version: u32,
    inputs: Value,
    trigger: Value,
    tags: Value,
    reports: Value,
    jobs: Value,
    path: String,
}

pub(crate) async fn get(context: &Context, name: &str) -> Result<Exit, CommandError> {
    let (workflow, said) =
        context.look()?.workflow_file(name).await.map_err(|error| running::not_started(context, &error))?;
    let member = |key: &str| said.get(key).map_or(Value::Null, json::to_value);
    if context.printer.is_json() {
        context.printer.document(&WorkflowDocument {
            schema: "mangrove.workflow/1",
            id: workflow.id.clone(),
            name: workflow.name.value.clone(),
            description: workflow.description.clone(),
            version: workflow.version,
            inputs: member("inputs"),
            trigger: member("trigger"),
            tags: member("tags"),
            reports: member("reports"),
            jobs: member("jobs"),
            path: workflow.file.clone(),
        });
        return Ok(Exit::Done);
    }
    let printer = &context.printer;
    printer.line(Style::Bold.of(&workflow.name.value) + format!("  version {}", workflow.version));
    printer.line(format!("  {}", workflow.file));
    for line in workflow.description.iter().flat_map(|text| text.lines()) {
        printer.line(format!("  {line}"));
    }
    for job in &workflow.jobs {
        printer.line(Line::from("  ") + Line::name(&job.name.value));
        for step in &job.steps {
            let (name, task) = (Line::name(&step.name.value), step.task.label());
            printer.line(Line::from("    ") + name + format!(" ({task})"));
        }
    }
    Ok(Exit::Done)
}

pub(crate) async fn evaluate(context: &Context, name: &str, given: &args::Inputs) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let evaluated = service.evaluate(name, &running::inputs(context, given)?).await;
    let evaluated = evaluated.map_err(|error| running::not_started(context, &error))?;
    let document = evaluated_workflow(&evaluated);
    if context.printer.is_json() {
        context.printer.document(&document);
    } else {
        // It is indented JSON, which is YAML as well.
        context.printer.text(&format!("{document:#}\n"));
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct SearchDocument<'a> {
    schema: &'static str,
    query: &'a str,
    results: Vec<FoundWorkflow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundWorkflow {
    id: String,
    name: String,
    description: Option<String>,
    job_count: usize,
    has_inputs: bool,
    trigger: Option<String>,
}

pub(crate) async fn search(context: &Context, query: &str) -> Result<Exit, CommandError> {
    let library = context.look()?.library().await?;
    let wanted = query.to_lowercase();
    let fits = |workflow: &Workflow| {
        let texts = [Some(&workflow.name.value), Some(&workflow.id), workflow.description.as_ref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&wanted))
    };
    let found = |workflow: &Workflow| FoundWorkflow {
        id: workflow.id.clone(),
        name: workflow.name.value.clone(),
        description: workflow.description.clone(),
        job_count: workflow.jobs.len(),
        has_inputs: workflow.inputs.is_some(),
        trigger: schedule(workflow).map(str::to_owned),
    };
    let results: Vec<FoundWorkflow> =
        library.usable_workflows().filter(|workflow| fits(workflow)).map(|workflow| found(workflow)).collect();
    if context.printer.is_json() {
        context.printer.document(&SearchDocument { schema: "mangrove.workflow-search/1", query, results });
        return Ok(Exit::Done);
    }
    let cell = |found: &FoundWorkflow| {
        let first_line = found.description.as_deref().and_then(|text| text.lines().next());
        vec![found.name.clone(), first_line.unwrap_or_default().to_owned()]
    };
    context.printer.lines(table(&results.iter().map(cell).collect::<Vec<_>>()));
    if results.is_empty() {
        context.printer.note("no workflow contains this");
    }
    Ok(Exit::Done)
}

pub(crate) async fn validate(context: &Context, name: Option<&str>) -> Result<Exit, CommandError> {
    let validation = context.open(None)?.validate(name).await.map_err(|error| match error {
        ValidateError::Unknown(problem) => running::unknown(&problem),
        ValidateError::Service(error) => error.into(),
    })?;
    let is_valid = validation.is_valid();
    if context.printer.is_json_of_swamp() {
        let library = context.look()?.library().await?;
        match name {
            Some(name) => context.printer.indented_document(&ReferenceValidationDocument::of_workflow(
                &library,
                name,
                &validation,
            )),
            None => context.printer.indented_document(&ReferenceValidationsDocument::new(&library, &validation)),
        }
    } else if context.printer.is_json() {
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
    (inputs, from_standard_input): (&args::Inputs, bool),
    wanted: &args::Wanted,
) -> Result<Exit, CommandError> {
    running::refuse_copies(wanted)?;
    let mut exit = Exit::Done;
    for inputs in running::all_inputs(context, inputs, from_standard_input)? {
        exit = match context.client()? {
            Some(_) if wanted.checks.is_any() => {
                let message = "a daemon leaves out no checks";
                let hint = "leave out `--server`, or write `checks: {skip: [...]}` into the definition";
                return Err(CommandError::usage(None, message, Some(hint)));
            }
            Some(client) => running::ask(context, &client, name, &inputs, wanted).await?,
            None => running::run(context, Runnable::Workflow(name.to_owned()), inputs, wanted).await?,
        };
        if exit != Exit::Done {
            break;
        }
    }
    Ok(exit)
}
