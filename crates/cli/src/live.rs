//! A run while it goes on: lines for people, JSON lines for machines.

use mangrove_documents::{
    ApprovalDocument, FinishedDocument, LineDocument, RunEventDocument, RunProblemDocument, StepDocument, hint_for,
};
use mangrove_domain::{run::RunStatus, time::Timestamp};

use crate::{
    errors::retry_line,
    human,
    line::{Line, Style},
    printer::Printer,
    run_text::{driver, handle_text, print_hint, reason, reports_of, status, told_reports},
};

/// Shows what happens in a run.
pub(crate) trait View: Send + Sync {
    /// Shows one event.
    fn show(&self, event: &RunEventDocument);
}

/// Prints jobs and steps as they come and go.
pub(crate) struct LiveView {
    printer: Printer,
}

impl LiveView {
    pub(crate) const fn new(printer: Printer) -> Self {
        Self { printer }
    }

    fn step(&self, job: &str, step: &StepDocument) {
        let elapsed = human::elapsed(step.duration_ms);
        let head = Line::from("  ") + Line::name(job) + " › " + Line::name(&step.name) + "  ";
        self.printer.line(head + status(&step.status) + format!("  {elapsed}"));
        if let Some(reason) = reason(step) {
            self.printer.line(format!("      {reason}"));
        }
        if let Some(driver) = driver(step) {
            self.printer.line(format!("      {driver}"));
        }
        for handle in &step.data_handles {
            self.printer.line(format!("      wrote {}", handle_text(handle)));
        }
        if let Some(error) = &step.error {
            self.problem(error, step.finished_at.map(|at| at.0));
        }
        for report in told_reports(reports_of(step)) {
            self.printer.line(format!("      {report}"));
        }
    }

    fn problem(&self, problem: &RunProblemDocument, at: Option<Timestamp>) {
        let head = Style::Red.of(format!("error[{}]", problem.code));
        let message = human::without_styles(&problem.message);
        self.printer.line(Line::from("      ") + head + format!(": {message}"));
        if let (Some(failure), Some(now)) = (&problem.failure, at) {
            self.printer.line(format!("      {}", retry_line(failure, now)));
        }
        print_hint(&self.printer, problem, "      ");
    }

    fn line(&self, line: &LineDocument) {
        let LineDocument { job, step, name, level, text, lines, detail, run_id, .. } = line;
        match (line.reason.as_str(), job, step) {
            ("run-started", _, _) => {
                self.printer.line(Style::Bold.of(name.as_deref().unwrap_or_default()) + " started");
            }
            ("log", Some(job), Some(step)) => {
                let level = match level.as_deref().unwrap_or_default() {
                    "warn" => Style::Yellow.of("warn"),
                    "error" => Style::Red.of("error"),
                    other => Style::Dim.of(other),
                };
                let place = Line::from("  ") + Line::name(job) + " › " + Line::name(step) + "  ";
                let text = human::without_styles(text.as_deref().unwrap_or_default());
                self.printer.line(place + level + format!("  {text}"));
            }
            ("log-lines-dropped", _, _) => {
                let lines = human::count(lines.unwrap_or_default(), "log line");
                let run = run_id.as_deref().unwrap_or_default();
                self.printer.line(format!("  {lines} left out; `mangrove run show {run}` shows them"));
            }
            ("step-finished", Some(job), _) => {
                if let Some(step) = detail {
                    self.step(job, step);
                }
            }
            // Jobs and the beginnings of steps are not shown; a newer daemon may have more words.
            _ => {}
        }
    }

    fn finished(&self, run: &FinishedDocument) {
        if let Some(error) = &run.error
            && !run.jobs.iter().flat_map(|job| &job.steps).any(|step| step.error.is_some())
        {
            self.problem(error, run.finished_at.map(|at| at.0));
        }
        for report in &run.reports {
            for report in told_reports([report]) {
                self.printer.line(format!("  {report}"));
            }
            // Those of a step stand in its log.
            for line in report.logs.iter().filter(|line| matches!(line.level.as_str(), "warn" | "error")) {
                self.printer.line(format!("    {:<5} {}", line.level, human::without_styles(&line.text)));
            }
        }
        // One that waits has not ended.
        let elapsed = run.duration_ms.map(|_| format!(" in {}", human::elapsed(run.duration_ms))).unwrap_or_default();
        let name = Style::Bold.of(&run.name);
        self.printer.line(name + " " + status(&run.status) + format!("{elapsed}  (run {})", run.run_id));
        match run.status() {
            Some(RunStatus::Succeeded) => {}
            Some(RunStatus::Suspended) => {
                for (step, approval) in waiting(run) {
                    self.printer.line(Line::from("      ") + Line::name(step) + format!(" asks: {}", approval.prompt));
                    let (name, id) = (&run.name, &run.run_id);
                    self.printer.hint(&format!(
                        "`mangrove workflow approve {name} {step} --run {id}` or `reject`, then `mangrove workflow resume {name} --run {id}`"
                    ));
                }
            }
            Some(RunStatus::Blocked) => {
                let Some(error) = &run.error else { return };
                let failure = error.failure.as_ref().filter(|failure| failure.code == error.code);
                match (failure.and_then(|failure| Some((failure.code()?, failure.class()?))), &error.blocked_by) {
                    (Some((code, class)), _) => self.printer.hint(&hint_for(code, class)),
                    // It says itself what helps.
                    (None, Some(_)) if error.failure.is_none() && error.hint.is_some() => {}
                    (None, Some(type_name)) => self.printer.hint(&format!("see `mangrove why {type_name}`")),
                    (None, None) => {}
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
            | None => {
                self.printer.hint(&format!("`mangrove run show {}` shows the details", run.run_id));
            }
        }
    }
}

/// The steps of a run that somebody has to approve.
fn waiting(run: &FinishedDocument) -> impl Iterator<Item = (&str, &ApprovalDocument)> {
    let steps = run.jobs.iter().flat_map(|job| &job.steps);
    let undecided = steps.filter(|step| step.status == RunStatus::WaitingApproval.as_str());
    undecided.filter_map(|step| Some((step.name.as_str(), step.approval.as_ref()?)))
}

impl View for LiveView {
    fn show(&self, event: &RunEventDocument) {
        match event {
            RunEventDocument::Line(line) => self.line(line),
            RunEventDocument::Finished(run) => self.finished(run),
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

impl View for JsonLines {
    fn show(&self, event: &RunEventDocument) {
        self.printer.document(event);
    }
}
