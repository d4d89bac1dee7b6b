//! `mangrove workflow approvals`, `approve`, `reject` and `resume`

use mangrove_app::service::{DecideRun, ResumeRun, WaitingStep};
use mangrove_documents::ApprovalListDocument;
use serde::Serialize;

use super::{Context, running};
use crate::{args, errors::CommandError, exit::Exit, human, line::Line, printer::table};

/// How many characters of a prompt stand in a row of the table.
const LONGEST_CELL: usize = 60;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecidedDocument {
    schema: &'static str,
    run_id: String,
    workflow_name: String,
    step_name: String,
    approved: bool,
    decided_by: String,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_status: Option<&'static str>,
}

pub(crate) async fn list(context: &Context) -> Result<Exit, CommandError> {
    let waiting = context.look()?.approvals().await?;
    if context.printer.is_json() {
        context.printer.document(&ApprovalListDocument::from(waiting.as_slice()));
        return Ok(Exit::Done);
    }
    let now = context.now();
    let cell = |step: &WaitingStep| {
        let since = step.since.map(|since| human::ago(since, now)).unwrap_or_default();
        let prompt = Some(&step.prompt).filter(|prompt| is_short(prompt));
        vec![step.workflow.clone(), step.step.clone(), step.run_id.clone(), since, prompt.cloned().unwrap_or_default()]
    };
    for (line, step) in table(&waiting.iter().map(cell).collect::<Vec<_>>()).into_iter().zip(&waiting) {
        context.printer.line(line);
        if !is_short(&step.prompt) {
            for line in step.prompt.lines() {
                context.printer.line(format!("    {line}"));
            }
        }
    }
    if waiting.is_empty() {
        context.printer.note("no step waits for an approval");
    }
    Ok(Exit::Done)
}

/// True for what is asked in so few words that they stand in a row of a table.
fn is_short(prompt: &str) -> bool {
    prompt.chars().count() <= LONGEST_CELL && !prompt.contains('\n')
}

pub(crate) async fn decide(context: &Context, given: args::Decision, approved: bool) -> Result<Exit, CommandError> {
    let args::Decision { name, step, run, reason } = given;
    let environment = context.environment();
    let who = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|variable| environment.get(*variable));
    let decided_by = who.filter(|who| !who.is_empty()).map_or_else(user_of_the_process, Clone::clone);
    let decide = DecideRun {
        workflow: name,
        step: step.clone(),
        run,
        approved,
        reason: reason.clone(),
        decided_by: decided_by.clone(),
    };
    let record = context.open(None)?.decide(decide).await.map_err(|error| running::not_started(context, &error))?;
    if context.printer.is_json() {
        context.printer.document(&DecidedDocument {
            schema: "mangrove.workflow-decision/1",
            run_id: record.id,
            workflow_name: record.name,
            step_name: step,
            approved,
            decided_by,
            reason,
            run_status: (!approved).then(|| record.status.as_str()),
        });
        return Ok(Exit::Done);
    }
    let word = if approved { "approved" } else { "rejected" };
    context.printer.line(Line::name(&step) + format!(" {word} by {decided_by}  (run {})", record.id));
    if let Some((_, next)) = record.waiting().next() {
        context.printer.hint(&format!("`{}` waits as well", next.name));
    } else if approved {
        context.printer.hint(&format!("`mangrove workflow resume {} --run {}` goes on", record.name, record.id));
    }
    Ok(Exit::Done)
}

/// What the system knows of who runs the command, where no variable has a name: a number.
fn user_of_the_process() -> String {
    #[cfg(unix)]
    return format!("user {}", rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    "unknown".to_owned()
}

pub(crate) async fn resume(
    context: &Context,
    name: String,
    run: Option<String>,
    from: Option<String>,
    (given, wanted): (&args::Inputs, &args::Wanted),
) -> Result<Exit, CommandError> {
    running::refuse_copies(wanted)?;
    let service = context.open(None)?;
    let inputs = running::inputs(context, given)?;
    let resume = ResumeRun {
        workflow: name,
        run,
        from,
        inputs: inputs.to_json(),
        inputs_written: Some(inputs),
        options: running::options(wanted),
    };
    let started = service.resume_run(resume).await.map_err(|error| running::not_started(context, &error))?;
    running::follow(context, started, wanted).await
}
