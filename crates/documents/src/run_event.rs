//! What happens in a run: the lines of `workflow run --json`, and the events of a run that is followed.

use mangrove_app::workflow::{RunChange, RunEvent};
use mangrove_domain::run::{RunRecord, RunStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    moment::{Moment, elapsed},
    run::{JobDocument, ReportDocument, RunProblemDocument, StepDocument},
};

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RunEventDocument {
    /// The last one of a run, `run-finished`.
    Finished(FinishedDocument),
    /// Any other.
    Line(LineDocument),
}

/// Something that happened in a run before its end. Only the keys that its reason needs are there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LineDocument {
    /// `run-started`, `job-started`, `step-started`, `log`, `log-lines-dropped`, `step-finished` or `job-finished`.
    pub reason: String,
    /// The name of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The name of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The run that began, or whose lines were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The name of the run that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the step runs: `definition.method`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// How the step or job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When the line was logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// The level of the logged line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The text of the logged line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many lines were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// The step that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<StepDocument>>,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinishedDocument {
    /// `run-finished`.
    pub reason: String,
    /// The run.
    pub run_id: String,
    /// The workflow's name, or `definition.method` for a single method.
    pub name: String,
    /// `succeeded`, `failed`, `cancelled` or `blocked`.
    pub status: String,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The jobs in the order of the workflow.
    pub jobs: Vec<JobDocument>,
    /// Why it failed or is blocked.
    pub error: Option<RunProblemDocument>,
    /// The reports that were made of it as a whole; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportDocument>,
}

impl FinishedDocument {
    /// How it ended; `None` if a newer version has another word for it.
    #[must_use]
    pub fn status(&self) -> Option<RunStatus> {
        RunStatus::parse(&self.status)
    }
}

impl From<&RunRecord> for FinishedDocument {
    fn from(record: &RunRecord) -> Self {
        Self {
            reason: "run-finished".to_owned(),
            run_id: record.id.clone(),
            name: record.name.clone(),
            status: record.status.as_str().to_owned(),
            finished_at: record.finished_at.map(Moment),
            duration_ms: elapsed(Some(record.started_at), record.finished_at),
            jobs: record.jobs.iter().map(JobDocument::from).collect(),
            error: record.error.as_ref().map(RunProblemDocument::from),
            reports: record.reports.iter().map(ReportDocument::from).collect(),
        }
    }
}

impl LineDocument {
    fn new(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::default() }
    }

    fn at(reason: &str, job: &str, step: Option<&str>) -> Self {
        Self { job: Some(job.to_owned()), step: step.map(str::to_owned), ..Self::new(reason) }
    }
}

impl RunEventDocument {
    /// What happened, in one word: `run-started`, `log`, `run-finished`, ….
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            RunEventDocument::Finished(finished) => &finished.reason,
            RunEventDocument::Line(line) => &line.reason,
        }
    }
}

impl From<&RunEvent> for RunEventDocument {
    fn from(event: &RunEvent) -> Self {
        let line = match &event.change {
            RunChange::Started(record) => LineDocument {
                run_id: Some(record.id.clone()),
                name: Some(record.name.clone()),
                ..LineDocument::new("run-started")
            },
            RunChange::JobStarted { job } => LineDocument::at("job-started", job, None),
            RunChange::StepStarted { job, step, task } => {
                LineDocument { task: Some(task.clone()), ..LineDocument::at("step-started", job, Some(step)) }
            }
            RunChange::Log { job, step, line } => LineDocument {
                at: Some(Moment(line.at)),
                level: Some(line.level.clone()),
                text: Some(line.text.clone()),
                ..LineDocument::at("log", job, Some(step))
            },
            RunChange::LinesDropped { lines } => LineDocument {
                run_id: Some(event.run_id.to_string()),
                lines: Some(*lines),
                ..LineDocument::new("log-lines-dropped")
            },
            RunChange::StepFinished { job, step } => LineDocument {
                status: Some(step.status.as_str().to_owned()),
                detail: Some(Box::new(StepDocument::from(step.as_ref()))),
                ..LineDocument::at("step-finished", job, Some(&step.name))
            },
            RunChange::JobFinished { job, status } => {
                LineDocument { status: Some(status.as_str().to_owned()), ..LineDocument::at("job-finished", job, None) }
            }
            RunChange::Finished(record) => return RunEventDocument::Finished(FinishedDocument::from(record.as_ref())),
        };
        RunEventDocument::Line(line)
    }
}
