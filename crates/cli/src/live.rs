//! A run while it goes on: lines for people, JSON lines for machines.

use mangrove_app::workflow::{RunChange, RunEvent};
use mangrove_domain::{
    run::{RunProblem, RunRecord, RunStatus, StepRecord},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    commands::run::{handle_text, print_hint, status},
    errors::{hint_for, retry_line},
    human,
    line::{Line, Style},
    printer::Printer,
    run_document::{JobDocument, RunProblemDocument, StepDocument},
};

/// Shows what happens in a run.
pub(crate) trait View: Send + Sync {
    /// Shows one event.
    fn show(&self, event: &RunEvent);
}

/// Prints jobs and steps as they come and go.
pub(crate) struct LiveView {
    printer: Printer,
}

impl LiveView {
    pub(crate) const fn new(printer: Printer) -> Self {
        Self { printer }
    }

    fn step(&self, job: &str, step: &StepRecord) {
        let elapsed = human::elapsed(step.started_at, step.finished_at);
        let head = Line::from("  ") + Line::name(job) + " › " + Line::name(&step.name) + "  ";
        self.printer.line(head + status(step.status) + format!("  {elapsed}"));
        for handle in &step.data_handles {
            self.printer.line(format!("      wrote {}", handle_text(handle)));
        }
        if let Some(error) = &step.error {
            self.problem(error, step.finished_at);
        }
    }

    fn problem(&self, problem: &RunProblem, at: Option<Timestamp>) {
        let head = Style::Red.of(format!("error[{}]", problem.code));
        self.printer.line(Line::from("      ") + head + format!(": {}", problem.message));
        if let (Some(failure), Some(now)) = (&problem.failure, at) {
            self.printer.line(format!("      {}", retry_line(failure, now)));
        }
        print_hint(&self.printer, problem, "      ");
    }

    fn finished(&self, record: &RunRecord) {
        if let Some(error) = &record.error
            && !record.jobs.iter().flat_map(|job| &job.steps).any(|step| step.error.is_some())
        {
            self.problem(error, record.finished_at);
        }
        let elapsed = human::elapsed(Some(record.started_at), record.finished_at);
        let name = Style::Bold.of(&record.name);
        self.printer.line(name + " " + status(record.status) + format!(" in {elapsed}  (run {})", record.id));
        match record.status {
            RunStatus::Succeeded => {}
            RunStatus::Blocked => {
                let Some(error) = &record.error else { return };
                match (&error.failure, &error.blocked_by) {
                    (Some(failure), _) if failure.code == error.code => {
                        self.printer.hint(&hint_for(failure.code, failure.class));
                    }
                    (_, Some(type_name)) => self.printer.hint(&format!("see `mangrove why {type_name}`")),
                    (_, None) => {}
                }
            }
            RunStatus::Failed | RunStatus::Cancelled | RunStatus::Skipped | RunStatus::Pending | RunStatus::Running => {
                self.printer.hint(&format!("`mangrove run show {}` shows the details", record.id));
            }
        }
    }
}

impl View for LiveView {
    fn show(&self, event: &RunEvent) {
        match &event.change {
            RunChange::Started(record) => {
                self.printer.line(Style::Bold.of(&record.name) + " started");
            }
            RunChange::JobStarted { .. } | RunChange::JobFinished { .. } | RunChange::StepStarted { .. } => {}
            RunChange::Log { job, step, line } => {
                let level = match line.level.as_str() {
                    "warn" => Style::Yellow.of("warn"),
                    "error" => Style::Red.of("error"),
                    other => Style::Dim.of(other),
                };
                let place = Line::from("  ") + Line::name(job) + " › " + Line::name(step) + "  ";
                self.printer.line(place + level + format!("  {}", line.text));
            }
            RunChange::LinesDropped { lines } => {
                let lines = human::count(*lines, "log line");
                self.printer.line(format!("  {lines} left out; `mangrove run show {}` shows them", event.run_id));
            }
            RunChange::StepFinished { job, step } => self.step(job, step),
            RunChange::Finished(record) => self.finished(record),
        }
    }
}

/// One JSON document a line, the last one `run-finished`.
pub(crate) struct JsonLines {
    printer: Printer,
}

impl JsonLines {
    pub(crate) const fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineDocument<'a> {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<StepDocument>,
}

impl<'a> LineDocument<'a> {
    fn new(reason: &'static str) -> Self {
        Self {
            reason,
            job: None,
            step: None,
            run_id: None,
            task: None,
            status: None,
            level: None,
            text: None,
            lines: None,
            detail: None,
        }
    }

    fn at(reason: &'static str, job: &'a str, step: Option<&'a str>) -> Self {
        Self { job: Some(job), step, ..Self::new(reason) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FinishedDocument<'a> {
    reason: &'static str,
    run_id: &'a str,
    name: &'a str,
    status: &'static str,
    duration_ms: Option<u64>,
    jobs: Vec<JobDocument>,
    error: Option<RunProblemDocument>,
}

impl View for JsonLines {
    fn show(&self, event: &RunEvent) {
        let line = match &event.change {
            RunChange::Started(record) => LineDocument { run_id: Some(&record.id), ..LineDocument::new("run-started") },
            RunChange::JobStarted { job } => LineDocument::at("job-started", job, None),
            RunChange::StepStarted { job, step, task } => {
                LineDocument { task: Some(task), ..LineDocument::at("step-started", job, Some(step)) }
            }
            RunChange::Log { job, step, line } => LineDocument {
                level: Some(&line.level),
                text: Some(&line.text),
                ..LineDocument::at("log", job, Some(step))
            },
            RunChange::LinesDropped { lines } => {
                LineDocument { lines: Some(*lines), ..LineDocument::new("log-lines-dropped") }
            }
            RunChange::StepFinished { job, step } => LineDocument {
                status: Some(step.status.as_str()),
                detail: Some(StepDocument::from(step.as_ref())),
                ..LineDocument::at("step-finished", job, Some(&step.name))
            },
            RunChange::JobFinished { job, status } => {
                LineDocument { status: Some(status.as_str()), ..LineDocument::at("job-finished", job, None) }
            }
            RunChange::Finished(record) => {
                self.printer.document(&FinishedDocument {
                    reason: "run-finished",
                    run_id: &record.id,
                    name: &record.name,
                    status: record.status.as_str(),
                    duration_ms: human::elapsed_ms(Some(record.started_at), record.finished_at),
                    jobs: record.jobs.iter().map(JobDocument::from).collect(),
                    error: record.error.as_ref().map(RunProblemDocument::from),
                });
                return;
            }
        };
        self.printer.document(&line);
    }
}
