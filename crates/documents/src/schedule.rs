//! Schedules of a daemon.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{moment::Moment, problem::ProblemDocument};

/// The schedules of a daemon at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulesDocument {
    /// `mangrove.schedules/1`.
    pub schema: String,
    /// The schedules, by the names of their workflows.
    pub schedules: Vec<ScheduleDocument>,
    /// Files and directories of workflows that cannot be used, and of which nothing is known from before. Nothing of them is
    /// started by itself.
    pub broken: Vec<ProblemDocument>,
    /// Schedules that came with pulled extensions and are not in force, because `schedules.allow` does not name their workflows.
    pub not_enabled: Vec<NotEnabledDocument>,
    /// The requests from outside that start workflows.
    pub webhooks: Vec<RouteDocument>,
    /// What runs and waits altogether.
    pub queue: QueueDocument,
}

/// What runs and waits of all schedules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueDocument {
    /// How many scheduled runs go on.
    pub running: u64,
    /// How many may.
    pub limit: u64,
    /// What waits, first come first.
    pub waiting: Vec<WaitingDocument>,
}

/// A schedule that is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotEnabledDocument {
    /// The name of the workflow.
    pub name: String,
    /// The identifier of the workflow.
    pub id: String,
    /// Its file.
    pub path: String,
    /// The pattern as the file has it.
    pub schedule: String,
    /// What to write so that it is in force.
    pub hint: String,
}

/// What to write so that the schedule of this workflow is in force.
#[must_use]
pub fn enabling_hint(workflow: &str) -> String {
    format!("write `schedules: {{ allow: ['{workflow}'] }}` into mangrove.yaml")
}

/// A route of requests from outside, with the runs that they started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteDocument {
    /// The route: `POST /hooks/` and this.
    pub route: String,
    /// The name of the workflow.
    pub name: String,
    /// The identifier of the workflow.
    pub id: String,
    /// Its file.
    pub path: String,
    /// The runs that go on; `null` for one that has no identifier yet.
    pub running: Vec<Option<String>>,
    /// How many runs wait for their turn.
    pub waiting: u64,
    /// Why nothing is known of the webhook that its file has now: it starts the workflow as it was last in order.
    pub problem: Option<ProblemDocument>,
}

/// A scheduled run that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingDocument {
    /// The name of the workflow.
    pub name: String,
    /// The instant of the schedule that it is for.
    pub due: Moment,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleDocument {
    /// The name of the workflow.
    pub name: String,
    /// The identifier of the workflow.
    pub id: String,
    /// Its file.
    pub path: String,
    /// `local`, `mounted` or `pulled`.
    pub origin: String,
    /// The pattern as the file has it.
    pub schedule: String,
    /// The time zone that it is in.
    pub timezone: String,
    /// What happens when it is due while it still runs or waits: `skip`, `queue` or `allow`.
    pub overlap: String,
    /// What happens when nobody was there at the time: `skip` or `run-once`.
    pub misfire: String,
    /// When the next run begins, with its jitter; `null` if none is due any more.
    pub next_run: Option<Moment>,
    /// The next instants of the schedule, five at most.
    pub upcoming: Vec<UpcomingDocument>,
    /// The runs that go on.
    pub running: Vec<ScheduledRunDocument>,
    /// How many runs wait.
    pub waiting: u64,
    /// The run that ended last.
    pub last: Option<LastRunDocument>,
    /// The latest instant of which no run came.
    pub left_out: Option<LeftOutDocument>,
    /// Why nothing is known of the schedule that its file has now: it goes on with the one that it had, and starts the
    /// workflow as it was last in order.
    pub problem: Option<ProblemDocument>,
}

/// An instant of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpcomingDocument {
    /// When.
    pub at: Moment,
    /// What clocks of its time zone show then.
    pub wall_clock: String,
}

/// A scheduled run that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledRunDocument {
    /// The run; `null` until it is on record.
    pub run_id: Option<String>,
    /// The instant of the schedule that it is for.
    pub due: Moment,
}

/// A scheduled run that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRunDocument {
    /// The run; `null` if it did not run here.
    pub run_id: Option<String>,
    /// The instant of the schedule that it was for.
    pub due: Moment,
    /// How it ended, as runs do; `refused` if it could not be started, `elsewhere` if another daemon has started it.
    pub status: String,
    /// Why it could not be started.
    pub problem: Option<ProblemDocument>,
}

/// An instant of which no run came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOutDocument {
    /// The instant.
    pub due: Moment,
    /// Why: `runs`, `waits`, `queue-full` or `missed`.
    pub reason: String,
    /// How often that happened since the schedule is known.
    pub count: u64,
}
