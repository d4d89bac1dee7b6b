//! Documents that only a daemon answers with.

use std::collections::BTreeMap;

use mangrove_app::workflow::{RunChange, RunEvent};
use mangrove_domain::{
    permission::{Grant, Permissions},
    ports::NumberedRecord,
    run::{RunHeader, RunRecord},
    settle::AuditRecord,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    moment::Moment,
    problem::ProblemDocument,
    run::{ListedRunDocument, RunDocument},
    source::SourceDocument,
};

/// Sources as the catalog has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourcesDocument {
    /// `mangrove.sources/1`.
    pub schema: String,
    /// The sources, sorted by root and path.
    pub sources: Vec<SourceDocument>,
    /// The cursor of the next page; `null` if this is the last one.
    pub next: Option<String>,
}

impl SourcesDocument {
    /// A page of sources.
    #[must_use]
    pub fn new(sources: Vec<SourceDocument>, next: Option<String>) -> Self {
        Self { schema: "mangrove.sources/1".to_owned(), sources, next }
    }
}

/// Transitions of all sources, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransitionsDocument {
    /// `mangrove.transitions/1`.
    pub schema: String,
    /// The transitions, newest first.
    pub transitions: Vec<TransitionDocument>,
    /// The cursor of the next page; `null` if this is the last one.
    pub next: Option<String>,
}

impl TransitionsDocument {
    /// A page of transitions.
    #[must_use]
    pub fn new(transitions: &[NumberedRecord], next: Option<String>) -> Self {
        let transitions = transitions.iter().map(|line| (&line.record).into()).collect();
        Self { schema: "mangrove.transitions/1".to_owned(), transitions, next }
    }
}

/// A source that came into another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransitionDocument {
    /// The root that the source lies in.
    pub root: String,
    /// Its path below that root.
    pub path: String,
    /// When.
    pub at: Moment,
    /// The state before; `null` if it is new.
    pub from: Option<String>,
    /// The state after.
    pub to: String,
    /// Why, in one sentence.
    pub reason: String,
}

impl From<&AuditRecord> for TransitionDocument {
    fn from(record: &AuditRecord) -> Self {
        Self {
            root: record.source.root.to_string(),
            path: record.source.path.to_string(),
            at: record.transition.at.into(),
            from: record.transition.from.map(|state| state.as_str().to_owned()),
            to: record.transition.to.as_str().to_owned(),
            reason: record.transition.reason.clone(),
        }
    }
}

/// A run that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedRunDocument {
    /// The run as it is now.
    #[serde(flatten)]
    pub run: RunDocument,
    /// What is wrong with the file of the workflow, short of keeping it from running.
    #[serde(default)]
    pub problems: Vec<ProblemDocument>,
    /// Other files of the repository that are in error.
    #[serde(default)]
    pub broken_files: Vec<String>,
}

/// What the methods of a run have logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunLogsDocument {
    /// `mangrove.run-logs/1`.
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// How far it is. The lines of steps that go on are not here, but come with `follow`.
    pub status: String,
    /// The lines, in the order of jobs and steps.
    pub lines: Vec<RunLogLineDocument>,
}

/// A line with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunLogLineDocument {
    /// The name of the job.
    pub job: String,
    /// The name of the step.
    pub step: String,
    /// When.
    pub at: Moment,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text, secrets masked.
    pub text: String,
}

impl From<&RunRecord> for RunLogsDocument {
    fn from(record: &RunRecord) -> Self {
        let steps = record.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
        let lines = steps.flat_map(|(job, step)| {
            step.logs.iter().map(|line| RunLogLineDocument {
                job: job.name.clone(),
                step: step.name.clone(),
                at: line.at.into(),
                level: line.level.clone(),
                text: line.text.clone(),
            })
        });
        Self {
            schema: "mangrove.run-logs/1".to_owned(),
            run_id: record.id.clone(),
            status: record.status.as_str().to_owned(),
            lines: lines.collect(),
        }
    }
}

/// What the repository grants to code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionsDocument {
    /// `mangrove.permissions/1`.
    pub schema: String,
    /// By the name of a type or an extension, or `*` for everything else; of these the most specific counts. By
    /// permission: true for everything, else the list.
    pub entries: BTreeMap<String, BTreeMap<String, Value>>,
}

impl From<&Permissions> for PermissionsDocument {
    fn from(permissions: &Permissions) -> Self {
        let entries = permissions.entries.iter().map(|(name, grants)| {
            let grants = grants.iter().map(|(permission, grant)| (permission.as_str().to_owned(), grant_value(grant)));
            (name.clone(), grants.collect())
        });
        Self { schema: "mangrove.permissions/1".to_owned(), entries: entries.collect() }
    }
}

/// True for everything, else the list.
pub(crate) fn grant_value(grant: &Grant) -> Value {
    match grant {
        Grant::All => true.into(),
        Grant::Only(names) => names.clone().into(),
    }
}

/// Work that was accepted and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedDocument {
    /// `mangrove.accepted/1`.
    pub schema: String,
    /// What goes on, in one sentence.
    pub message: String,
}

impl AcceptedDocument {
    /// What goes on.
    pub fn new(message: impl Into<String>) -> Self {
        Self { schema: "mangrove.accepted/1".to_owned(), message: message.into() }
    }
}

/// Whether a daemon can do its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessDocument {
    /// `mangrove.readiness/1`.
    pub schema: String,
    /// True if all checks are passed.
    pub ready: bool,
    /// What was checked; left out unless it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckDocument>,
}

/// One thing that a daemon needs for its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckDocument {
    /// What was checked, in one word.
    pub name: String,
    /// True if it is as it has to be.
    pub ok: bool,
    /// How it is, in one sentence.
    pub message: String,
}

/// What came of a request to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDocument {
    /// `mangrove.webhook/1`.
    pub schema: String,
    /// The run that has begun; `null` if it waits for its turn.
    pub run_id: Option<String>,
}

/// Something that happened, as the event stream of a daemon tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventDocument {
    /// A source came into another state.
    Transition(TransitionDocument),
    /// A run began.
    RunStarted(ListedRunDocument),
    /// A run ended.
    RunFinished(ListedRunDocument),
    /// Something happened to a schedule: a run of it was started, waits or ended, none came, or it is another one.
    Schedule(ScheduleEventDocument),
    /// Events were missed: the lists have what happened meanwhile.
    Gap(GapDocument),
}

/// What happened to a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleEventDocument {
    /// The name of the workflow.
    pub workflow: String,
    /// When it happened.
    pub at: Moment,
    /// What happened: `fired`, `queued`, `skipped`, `ended`, `added`, `changed`, `removed` or `broken`.
    pub what: String,
    /// The instant of the schedule that it is about, if it is about one.
    #[serde(default)]
    pub due: Option<Moment>,
    /// The run that ended, if one did.
    pub run_id: Option<String>,
    /// Why, in one sentence; `null` where nothing needs to be said.
    pub reason: Option<String>,
}

/// Events that are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GapDocument {
    /// How many; `null` if nobody knows, as after a restart.
    pub missed: Option<u64>,
}

impl EventDocument {
    /// What happened, in one word, as `event` has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            EventDocument::Transition(_) => "transition",
            EventDocument::RunStarted(_) => "run-started",
            EventDocument::RunFinished(_) => "run-finished",
            EventDocument::Schedule(_) => "schedule",
            EventDocument::Gap(_) => "gap",
        }
    }

    /// The beginning or the end of a run; `None` for whatever happens between.
    #[must_use]
    pub fn of_run(event: &RunEvent) -> Option<Self> {
        let listed = |record: &RunRecord| ListedRunDocument::from(&RunHeader::from(record));
        match &event.change {
            RunChange::Started(record) => Some(EventDocument::RunStarted(listed(record))),
            RunChange::Finished(record) => Some(EventDocument::RunFinished(listed(record))),
            RunChange::JobStarted { .. }
            | RunChange::StepStarted { .. }
            | RunChange::Log { .. }
            | RunChange::LinesDropped { .. }
            | RunChange::StepFinished { .. }
            | RunChange::JobFinished { .. } => None,
        }
    }
}
