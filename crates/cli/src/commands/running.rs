//! Running a workflow or a method, and following it.

use mangrove_app::{
    service::{RunError, RunOutcome, Runnable, Service, StartRun, StartedRun},
    workflow::{NotRecorded, StartError},
};
use mangrove_domain::{
    advice::Advice,
    failure::FailureClass,
    json::Json,
    problem::{Code, Problem},
    run::RunStatus,
};

use mangrove_fs::read::{self, FileKind, Within};

use super::Context;
use crate::{
    advice, args,
    errors::{CommandError, exit_for},
    exit::Exit,
    live::{JsonLines, LiveView, View},
};

/// Runs something and follows it to its end.
pub(super) async fn run(context: &Context, what: Runnable, given: &args::Inputs) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let inputs = inputs(&service, given)?;
    let start = StartRun { what, inputs, trigger: "command-line".to_owned() };
    let started = service.start_run(start).await.map_err(|error| not_started(context, error))?;
    let StartedRun { run, mut events, problems, broken_files } = started;
    context.print_notices();
    for problem in &problems {
        context.printer.problem(problem);
    }
    print_broken_files(context, &broken_files);
    let cancellation = context.interrupts.cancellation();
    let view = view(context);
    let mut is_asked_to_end = false;
    loop {
        tokio::select! {
            event = events.next() => match (event, &view) {
                (Some(event), Some(view)) => view.show(&event),
                (Some(_), None) => {}
                (None, _) => break,
            },
            () = cancellation.cancelled(), if !is_asked_to_end => {
                is_asked_to_end = true;
                run.cancel();
            }
        }
    }
    exit_of(run.wait().await)
}

/// How a run is shown; `None` if it is not.
fn view(context: &Context) -> Option<Box<dyn View>> {
    if context.printer.is_json() {
        Some(Box::new(JsonLines::new(context.printer.clone())))
    } else if context.printer.is_quiet() {
        None
    } else {
        Some(Box::new(LiveView::new(context.printer.clone())))
    }
}

/// The error that nothing began.
fn not_started(context: &Context, error: RunError) -> CommandError {
    match error {
        RunError::Unknown { problem, hiding } => {
            for problem in &hiding {
                context.printer.problem(problem);
            }
            unknown(&problem)
        }
        RunError::Start(StartError::Problems(problems)) => {
            let [first, more @ ..] = problems.as_slice() else {
                return CommandError::usage(Some(Code::INVALID_INPUT), "the run cannot start", None);
            };
            let mut error = unknown(first);
            error.details.extend(more.iter().map(|problem| match &problem.advice {
                Some(advice) => format!("{}; {}", problem.message, advice::text(advice)),
                None => problem.message.clone(),
            }));
            error
        }
        RunError::Start(StartError::NotRecorded(error)) => not_recorded(&error),
        RunError::Service(error) => error.into(),
    }
}

fn not_recorded(error: &NotRecorded) -> CommandError {
    CommandError::run_history("the run cannot be recorded", &error.source)
}

/// Turns the end of a run into an exit code.
fn exit_of(outcome: RunOutcome) -> Result<Exit, CommandError> {
    let record = outcome.map_err(|error| not_recorded(&error))?;
    Ok(match record.status {
        RunStatus::Succeeded => Exit::Done,
        RunStatus::Blocked => match record.error.as_ref().and_then(|error| Some((error.code, error.failure.as_ref()?)))
        {
            // Not the type failed, but Mangrove.
            Some((code, failure)) if code == failure.code => exit_for(code, failure.class),
            Some((_, failure)) if failure.class == FailureClass::Transient => Exit::TryAgain,
            Some(_) | None => Exit::No,
        },
        RunStatus::Failed | RunStatus::Cancelled | RunStatus::Skipped | RunStatus::Pending | RunStatus::Running => {
            Exit::No
        }
    })
}

/// An unknown name or a broken input, as an error that ends the command.
pub(super) fn unknown(problem: &Problem) -> CommandError {
    let place = problem.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
    let hint = problem.advice.as_ref().map(advice::text);
    let (code, message, hint) = (Some(problem.code), format!("{place}{}", problem.message), hint.as_deref());
    // Which one is meant is not clear: a mistake in the repository, not an answer.
    if problem.code == Code::AMBIGUOUS_NAME {
        CommandError::usage(code, message, hint)
    } else {
        CommandError::no(code, message, hint)
    }
}

/// Says that there are mistakes in files that this run was not asked for.
fn print_broken_files(context: &Context, files: &[String]) {
    if let Some(first) = files.first() {
        let others = if files.len() == 1 { String::new() } else { format!(" and {} more", files.len() - 1) };
        context.printer.note(format!("{first}{others} cannot be used; `mangrove workflow validate` shows why"));
    }
}

/// The inputs of the command line over those of the file. Values stay text here; the schema of the workflow or
/// method turns them into what it wants.
fn inputs(service: &Service, inputs: &args::Inputs) -> Result<Json, CommandError> {
    let mut members: Vec<(String, Json)> = Vec::new();
    if let Some(path) = &inputs.input_file {
        let name = path.display().to_string();
        let text = read::text(path, Within::Anywhere, FileKind::Document).map_err(|error| {
            let message = format!("{name} cannot be read: {}", error.reason);
            let code = error.into_fault().code;
            let hint = Advice::for_code(code).as_ref().map(advice::text);
            CommandError::usage(Some(code), message, hint.as_deref())
        })?;
        let value = service
            .parse(&name, &text)
            .map_err(|error| CommandError::usage(Some(Code::MALFORMED_DOCUMENT), error.to_string(), None))?;
        let Json::Object(read) = value else {
            let message = format!("{name}: expected a mapping of inputs, found {}", value.type_name());
            return Err(CommandError::usage(Some(Code::INVALID_DOCUMENT), message, None));
        };
        members = read;
    }
    members.extend(inputs.input.iter().map(|(key, value)| (key.clone(), Json::from(value.as_str()))));
    Ok(Json::object(members))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mangrove_domain::{
        failure::{Failure, Fault},
        run::{RunProblem, RunRecord},
        time::Timestamp,
    };

    use super::*;

    /// How a command ends whose run is blocked for a reason of this code, over a failure of this class and code.
    fn blocked(code: Code, class: FailureClass, failed: Code) -> Exit {
        let at = Timestamp::from_millis(0);
        let failure = Failure::record(None, Fault::new(class, failed, "test", "no"), at, 0.0);
        let error = RunProblem { code, message: String::new(), blocked_by: None, failure: Some(failure) };
        let record = RunRecord {
            id: String::new(),
            name: String::new(),
            trigger: String::new(),
            status: RunStatus::Blocked,
            started_at: at,
            finished_at: None,
            inputs: Json::Null,
            jobs: Vec::new(),
            error: Some(error),
        };
        exit_of(Ok(Arc::new(record))).expect("a record")
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
