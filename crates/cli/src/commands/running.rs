//! Running a workflow or a method, and following it.

use std::{collections::BTreeMap, pin::pin};

use mangrove_app::{
    method::checks::CheckOptions,
    service::{RunError, Runnable, StartRun, StartedRun},
    workflow::{NotRecorded, RunOptions, StartError},
};
use mangrove_documents::{
    ErrorReport, FinishedDocument, ReferenceRunDocument, RunDocument, RunEventDocument, StartedRunDocument, human, json,
};
use mangrove_domain::{
    document::{Node, NodeValue},
    failure::FailureClass,
    problem::{Code, Problem},
    report::ReportOptions,
    run::{AssertSeverity, RunStatus},
};

pub(super) use super::given::{all_inputs, inputs, refuse_copies};
use super::{Context, junit, reference};
use crate::{
    args,
    client::{self, Client},
    errors::{CommandError, exit_for},
    exit::Exit,
    live::{JsonLines, LiveView, View},
};

/// Has a daemon run a workflow and follows it to its end.
pub(super) async fn ask(
    context: &Context,
    client: &Client,
    workflow: &str,
    inputs: &Node,
    wanted: &args::Wanted,
) -> Result<Exit, CommandError> {
    for (path, text) in rewritten_numbers(inputs) {
        let note = format!(
            "the daemon gets the number in `{path}: {text}` without its text: write it in quotes if a text is wanted"
        );
        context.printer.note(&note);
    }
    let inputs = json::to_value(&inputs.to_json());
    let tags: BTreeMap<&str, &str> = wanted.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut body = serde_json::json!({ "inputs": inputs });
    if !tags.is_empty() {
        body["tags"] = serde_json::json!(tags);
    }
    if let Some(severity) = wanted.fail_on {
        body["failOn"] = serde_json::json!(AssertSeverity::from(severity).as_str());
    }
    if let Some(driver) = &wanted.driver {
        body["driver"] = serde_json::json!(driver);
    }
    let reports = &wanted.reports;
    if ReportOptions::from(reports).is_any() {
        body["reports"] = serde_json::json!({
            "skipAll": reports.skip_all,
            "skip": reports.skip,
            "skipLabels": reports.skip_labels,
            "only": reports.only,
            "onlyLabels": reports.only_labels,
        });
    }
    let started: StartedRunDocument = client.post(&["workflows", workflow, "runs"], &body).await?;
    for problem in started.problems.iter().filter_map(client::problem) {
        context.printer.problem(&problem);
    }
    print_broken_files(context, &started.broken_files);
    let id = started.run.run_id;
    let mut events = client.follow(&["runs", &id, "logs"]).await?;
    let cancellation = context.interrupts.cancellation();
    let view = view_of(context, wanted);
    let mut limit = pin!(time_is_up(wanted));
    let mut is_asked_to_end = false;
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event? else { break };
                if let Some(view) = &view {
                    view.show(&event);
                }
                if let RunEventDocument::Finished(run) = &event
                    && run.run_id == id
                {
                    let exit = exit_of(run);
                    junit::write(context, wanted, run)?;
                    if context.printer.is_json_of_swamp() {
                        let run: RunDocument = client.get(&["runs", &id], &[]).await?;
                        context.printer.indented_document(&ReferenceRunDocument::from(&run));
                        reference::print_failure(context, &run);
                    }
                    return Ok(exit);
                }
            },
            reason = async { tokio::select! { () = cancellation.cancelled() => None, () = &mut limit => Some(time_was_up(wanted)) } },
                if !is_asked_to_end =>
            {
                is_asked_to_end = true;
                let body = reason.map_or_else(|| serde_json::json!({}), |reason| serde_json::json!({ "reason": reason }));
                let _: RunDocument = client.post(&["runs", &id, "cancel"], &body).await?;
            }
        }
    }
    let message = format!("the daemon ended the stream of events before the run {id} ended");
    let hint = format!("`mangrove run show {id}` shows what became of it");
    Err(CommandError { exit: Exit::TryAgain, report: ErrorReport::new(None, message).advise(hint) })
}

/// The numbers of a document that have another text than numbers have, with the names that lead to them.
fn rewritten_numbers(inputs: &Node) -> Vec<(String, String)> {
    let below = |name: &str, value: &Node| -> Vec<(String, String)> {
        let path = |path: String| if path.is_empty() { name.to_owned() } else { format!("{name}.{path}") };
        rewritten_numbers(value).into_iter().map(|(rest, text)| (path(rest), text)).collect()
    };
    match (&inputs.value, &inputs.written) {
        (NodeValue::Number(_), Some(text)) => vec![(String::new(), text.clone())],
        (NodeValue::List(items), _) => {
            items.iter().enumerate().flat_map(|(index, item)| below(&index.to_string(), item)).collect()
        }
        (NodeValue::Map(members), _) => {
            members.iter().flat_map(|(name, value)| below(name.as_str().unwrap_or_default(), value)).collect()
        }
        (NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_), _) => Vec::new(),
    }
}

/// Runs something and follows it to its end.
pub(super) async fn run(
    context: &Context,
    what: Runnable,
    inputs: Node,
    wanted: &args::Wanted,
) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let start = StartRun {
        what,
        inputs: inputs.to_json(),
        inputs_written: Some(inputs),
        trigger: "command-line".to_owned(),
        options: options(wanted),
    };
    let started = service.start_run(start).await.map_err(|error| not_started(context, &error))?;
    follow(context, started, wanted).await
}

/// Follows a run that has begun to its end.
pub(super) async fn follow(
    context: &Context,
    started: StartedRun,
    wanted: &args::Wanted,
) -> Result<Exit, CommandError> {
    let StartedRun { run, mut events, problems, broken_files, file_problem: _ } = started;
    context.print_notices();
    for problem in &problems {
        context.printer.problem(problem);
    }
    print_broken_files(context, &broken_files);
    let cancellation = context.interrupts.cancellation();
    let view = view_of(context, wanted);
    let mut limit = pin!(time_is_up(wanted));
    let mut is_asked_to_end = false;
    loop {
        tokio::select! {
            event = events.next() => match (event, &view) {
                (Some(event), Some(view)) => view.show(&RunEventDocument::from(&event)),
                (Some(_), None) => {}
                (None, _) => break,
            },
            () = cancellation.cancelled(), if !is_asked_to_end => {
                is_asked_to_end = true;
                run.cancel();
            }
            () = &mut limit, if !is_asked_to_end => {
                is_asked_to_end = true;
                run.cancel_because(time_was_up(wanted));
            }
        }
    }
    match run.wait().await {
        Ok(record) => {
            let finished = FinishedDocument::from(record.as_ref());
            junit::write(context, wanted, &finished)?;
            if context.printer.is_json_of_swamp() {
                let run = RunDocument::from(record.as_ref());
                reference::print(context, &context.look()?, &run).await?;
                reference::print_failure(context, &run);
            }
            Ok(exit_of(&finished))
        }
        Err(error) => Err(not_recorded(&error)),
    }
}

/// Comes back when the run must have ended.
async fn time_is_up(wanted: &args::Wanted) {
    match wanted.timeout {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Why a run ends whose time is up.
fn time_was_up(wanted: &args::Wanted) -> String {
    format!("the time limit of {} has passed (`--timeout`)", human::duration(wanted.timeout.unwrap_or_default()))
}

/// What is wanted of a run.
pub(super) fn options(wanted: &args::Wanted) -> RunOptions {
    let args::Checks { skip_checks, skip_check, skip_check_label } = wanted.checks.clone();
    RunOptions {
        tags: wanted.tags.clone(),
        fail_on: wanted.fail_on.map(AssertSeverity::from),
        checks: CheckOptions { skip_all: skip_checks, skip: skip_check, skip_labels: skip_check_label },
        reports: ReportOptions::from(&wanted.reports),
        driver: wanted.driver.clone(),
    }
}

impl From<args::Severity> for AssertSeverity {
    fn from(severity: args::Severity) -> Self {
        match severity {
            args::Severity::Low => AssertSeverity::Low,
            args::Severity::Medium => AssertSeverity::Medium,
            args::Severity::High => AssertSeverity::High,
        }
    }
}

/// How a run is shown whose report may go to standard output.
fn view_of(context: &Context, wanted: &args::Wanted) -> Option<Box<dyn View>> {
    let is_taken = context.printer.is_json_of_swamp() || (wanted.junit && wanted.out.is_none());
    if is_taken { None } else { view(context) }
}

/// How a run is shown; `None` if it is not.
pub(super) fn view(context: &Context) -> Option<Box<dyn View>> {
    if context.printer.is_json() {
        Some(Box::new(JsonLines::new(context.printer.clone())))
    } else if context.printer.is_quiet() {
        None
    } else {
        Some(Box::new(LiveView::new(context.printer.clone())))
    }
}

/// The error that nothing began.
pub(super) fn not_started(context: &Context, error: &RunError) -> CommandError {
    let report = ErrorReport::not_started(error);
    match error {
        RunError::Unknown { problem, hiding } => {
            for problem in hiding {
                context.printer.problem(problem);
            }
            unknown(problem)
        }
        RunError::State(problem) => CommandError::answer(ErrorReport::problem(problem)),
        RunError::Start(StartError::Problems(problems)) if problems.is_empty() => CommandError::mistake(report),
        RunError::Start(StartError::Problems(_)) => wrong(report),
        RunError::Start(StartError::NotRecorded(_)) | RunError::Service(_) => CommandError::failed(report),
    }
}

fn not_recorded(error: &NotRecorded) -> CommandError {
    CommandError::run_history("the run cannot be recorded", &error.source)
}

/// Turns the end of a run into an exit code.
fn exit_of(run: &FinishedDocument) -> Exit {
    match run.status() {
        // Somebody has to decide before it goes on: nothing is wrong.
        Some(RunStatus::Succeeded | RunStatus::Suspended) => Exit::Done,
        Some(RunStatus::Blocked) => {
            let error = run.error.as_ref().and_then(|error| Some((&error.code, error.failure.as_ref()?)));
            let failed =
                error.and_then(|(code, failure)| Some((code, &failure.code, failure.code()?, failure.class()?)));
            match failed {
                // Not the type failed, but Mangrove.
                Some((code, of_failure, failed, class)) if code == of_failure => exit_for(failed, class),
                Some((_, _, _, FailureClass::Transient)) => Exit::TryAgain,
                Some(_) | None => Exit::No,
            }
        }
        Some(
            RunStatus::Failed
            | RunStatus::Cancelled
            | RunStatus::Interrupted
            | RunStatus::Skipped
            | RunStatus::Pending
            | RunStatus::Running
            | RunStatus::WaitingApproval,
        )
        | None => Exit::No,
    }
}

/// An unknown name or a broken input, as an error that ends the command.
pub(super) fn unknown(problem: &Problem) -> CommandError {
    wrong(ErrorReport::problem(problem))
}

fn wrong(report: ErrorReport) -> CommandError {
    // Which one is meant is not clear: a mistake in the repository, not an answer.
    if report.code == Some(Code::AMBIGUOUS_NAME) { CommandError::mistake(report) } else { CommandError::answer(report) }
}

/// Says that there are mistakes in files that this run was not asked for.
fn print_broken_files(context: &Context, files: &[String]) {
    if let Some(first) = files.first() {
        let others = if files.len() == 1 { String::new() } else { format!(" and {} more", files.len() - 1) };
        context.printer.note(format!("{first}{others} cannot be used; `mangrove workflow validate` shows why"));
    }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{
        failure::{Failure, Fault},
        json::Json,
        run::{RunProblem, RunRecord},
        time::Timestamp,
    };

    use super::*;

    /// How a command ends whose run is blocked for a reason of this code, over a failure of this class and code.
    fn blocked(code: Code, class: FailureClass, failed: Code) -> Exit {
        let at = Timestamp::from_millis(0);
        let failure = Failure::record(None, Fault::new(class, failed, "test", "no"), at, 0.0);
        let error = RunProblem { failure: Some(failure), ..RunProblem::new(code, String::new()) };
        let record = RunRecord {
            id: String::new(),
            name: String::new(),
            workflow_id: None,
            tags: Vec::new(),
            trigger: String::new(),
            status: RunStatus::Blocked,
            started_at: at,
            finished_at: None,
            written_at: None,
            inputs: Json::Null,
            jobs: Vec::new(),
            error: Some(error),
            file_problem: None,
            reports: Vec::new(),
        };
        exit_of(&FinishedDocument::from(&record))
    }

    #[test]
    fn f05_a_blocked_run_ends_by_what_failed() {
        use FailureClass::{Deterministic, Environment, Transient};
        for (code, class, failed, exit) in [
            (Code::CATALOG_BUSY, Transient, Code::CATALOG_BUSY, Exit::TryAgain),
            (Code::CATALOG_NEWER, Environment, Code::CATALOG_NEWER, Exit::Usage),
            (Code::UNREADABLE, Environment, Code::UNREADABLE, Exit::Failed),
            (Code::DISK_FULL, Environment, Code::DISK_FULL, Exit::Failed),
            // The type failed, not Mangrove.
            (Code::RUN_BLOCKED, Transient, Code::REGISTRY_UNREACHABLE, Exit::TryAgain),
            (Code::RUN_BLOCKED, Environment, Code::DISK_FULL, Exit::No),
            (Code::RUN_BLOCKED, Deterministic, Code::SYNTAX, Exit::No),
        ] {
            assert_eq!(blocked(code, class, failed), exit, "{code} over {failed}");
        }
    }
}
