//! A run while it goes on: lines for people, JSON lines for machines.

use mangrove_app::workflow::{Event, Observer};
use mangrove_domain::{
    run::{RunProblem, RunRecord, RunStatus, StepRecord},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    advice,
    commands::run::{handle_text, status},
    errors::retry_line,
    human,
    printer::{Printer, Style},
    run_document::{JobDocument, RunProblemDocument, StepDocument},
};

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
        let head = format!("  {job} › {}  {}  {elapsed}", step.name, status(&self.printer, step.status));
        self.printer.line(head.trim_end());
        for handle in &step.data_handles {
            self.printer.line(format!("      wrote {}", handle_text(handle)));
        }
        if let Some(error) = &step.error {
            self.problem(error, step.finished_at);
        }
    }

    fn problem(&self, problem: &RunProblem, at: Option<Timestamp>) {
        for (index, line) in advice::message(&problem.message).lines().enumerate() {
            let head = if index == 0 { format!("error[{}]: ", problem.code) } else { String::new() };
            self.printer.line(format!("      {}{line}", self.printer.styled(Style::Red, &head)));
        }
        if let (Some(failure), Some(now)) = (&problem.failure, at) {
            self.printer.line(format!("      {}", retry_line(failure, now)));
        }
    }

    fn finished(&self, record: &RunRecord) {
        if let Some(error) = &record.error
            && !record.jobs.iter().flat_map(|job| &job.steps).any(|step| step.error.is_some())
        {
            self.problem(error, record.finished_at);
        }
        let elapsed = human::elapsed(Some(record.started_at), record.finished_at);
        self.printer.line(format!(
            "{} {} in {elapsed}  (run {})",
            self.printer.styled(Style::Bold, &record.name),
            status(&self.printer, record.status),
            record.id
        ));
        match record.status {
            RunStatus::Succeeded => {}
            RunStatus::Blocked => {
                let blocked_by = record.error.as_ref().and_then(|error| error.blocked_by.as_deref());
                if let Some(type_name) = blocked_by {
                    self.printer.hint(&format!("run `mangrove why {type_name}`"));
                }
            }
            RunStatus::Failed | RunStatus::Cancelled | RunStatus::Skipped | RunStatus::Pending | RunStatus::Running => {
                self.printer.hint(&format!("`mangrove run show {}` shows all of it", record.id));
            }
        }
    }
}

impl Observer for LiveView {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted(record) => {
                self.printer.line(format!("{} started", self.printer.styled(Style::Bold, &record.name)));
            }
            Event::JobStarted { .. } | Event::JobFinished { .. } | Event::StepStarted { .. } => {}
            Event::Log { job, step, line } => {
                let level = match line.level.as_str() {
                    "warn" => self.printer.styled(Style::Yellow, "warn"),
                    "error" => self.printer.styled(Style::Red, "error"),
                    other => self.printer.styled(Style::Dim, other),
                };
                self.printer.line(format!("  {job} › {step}  {level}  {}", line.text));
            }
            Event::StepFinished { job, step } => self.step(job, step),
            Event::RunFinished(record) => self.finished(record),
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

impl Observer for JsonLines {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::RunStarted(record) => LineDocument { run_id: Some(&record.id), ..LineDocument::new("run-started") },
            Event::JobStarted { job } => LineDocument::at("job-started", job, None),
            Event::StepStarted { job, step, task } => {
                LineDocument { task: Some(task), ..LineDocument::at("step-started", job, Some(step)) }
            }
            Event::Log { job, step, line } => LineDocument {
                level: Some(&line.level),
                text: Some(&line.text),
                ..LineDocument::at("log", job, Some(step))
            },
            Event::StepFinished { job, step } => LineDocument {
                status: Some(step.status.as_str()),
                detail: Some(StepDocument::from(*step)),
                ..LineDocument::at("step-finished", job, Some(&step.name))
            },
            Event::JobFinished { job, status } => {
                LineDocument { status: Some(status.as_str()), ..LineDocument::at("job-finished", job, None) }
            }
            Event::RunFinished(record) => {
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
