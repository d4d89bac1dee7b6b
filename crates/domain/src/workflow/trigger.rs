//! What starts a workflow by itself.

use std::time::Duration;

use super::{
    duration,
    webhook::{self, Webhook},
};
use crate::{
    document::Node,
    form::{Form, Located, Members},
    problem::{Code, Severity},
};

const KEYS: [&str; 7] = ["schedule", "timezone", "overlap", "misfire", "jitter", "inputs", "webhook"];

/// Keys that say something of a schedule.
const KEYS_OF_SCHEDULES: [&str; 4] = ["timezone", "overlap", "misfire", "jitter"];

/// When a workflow runs by itself. What is no cron pattern or no time zone is not found out here but where the time is
/// reckoned, by the port [`Calendar`](crate::ports::Calendar).
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// 5 or 6 fields of cron, or `@daily` and its like.
    pub schedule: Option<Located<String>>,
    /// An IANA time zone; without one, that of the daemon.
    pub timezone: Option<Located<String>>,
    /// What happens when it is due while it still runs or waits.
    pub overlap: Overlap,
    /// What happens when nobody was there at the time.
    pub misfire: Misfire,
    /// How much later than the schedule says it may begin, at most; zero if the file says nothing.
    pub jitter: Duration,
    /// The request from outside that starts it.
    pub webhook: Option<Webhook>,
    /// The inputs of such a run, a mapping; may contain expressions.
    pub inputs: Option<Node>,
}

/// What happens to a scheduled run that is due while another one of its workflow runs or waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It begins when the other one has ended. One may wait like that; further ones are left out.
    Queue,
    /// Both run.
    Allow,
}

impl Overlap {
    const WORDS: [(&'static str, Self); 3] = [("skip", Self::Skip), ("queue", Self::Queue), ("allow", Self::Allow)];

    /// As a file writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Overlap::Skip => "skip",
            Overlap::Queue => "queue",
            Overlap::Allow => "allow",
        }
    }
}

/// What happens to runs that were due while no daemon was there, while the machine slept, or in a time that the clock
/// left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Misfire {
    /// They are left out.
    #[default]
    Skip,
    /// One run makes up for all of them.
    RunOnce,
}

impl Misfire {
    const WORDS: [(&'static str, Self); 2] = [("skip", Self::Skip), ("run-once", Self::RunOnce)];

    /// As a file writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Misfire::Skip => "skip",
            Misfire::RunOnce => "run-once",
        }
    }
}

/// Reads the member `trigger` of a workflow.
pub(super) fn read(form: &mut Form<'_>, workflow: Members<'_>) -> Option<Trigger> {
    let node = form.optional(workflow, "trigger")?;
    let members = form.open_members(node, "trigger", &KEYS)?;
    let schedule = form.optional_text(members, "schedule");
    if schedule.is_none() && node.get("schedule").is_none() {
        for key in KEYS_OF_SCHEDULES {
            if let Some(node) = form.optional(members, key) {
                let message = format!("`{key}` says something of a schedule, and this trigger has none");
                let hint = Some("add `schedule`, such as `schedule: '@daily'`".to_owned());
                form.report(Severity::Warning, Code::INVALID_DOCUMENT, node, message, hint);
            }
        }
    }
    Some(Trigger {
        schedule,
        timezone: form.optional_text(members, "timezone"),
        overlap: form.choice(members, "overlap", &Overlap::WORDS).unwrap_or_default(),
        misfire: form.choice(members, "misfire", &Misfire::WORDS).unwrap_or_default(),
        jitter: duration::optional(form, members, "jitter").unwrap_or_default(),
        webhook: webhook::read(form, members),
        inputs: form.mapping(members, "inputs").cloned(),
    })
}
