//! `/`: what is unhealthy first, then what runs, what comes next, and how the daemon is.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use mangrove_daemon::{Status, http::ApiError};
use mangrove_documents::{ProblemDocument, ScheduleDocument, human, problems};
use mangrove_domain::{ports::RunFilter, source::Kind};

use crate::{
    failures::{self, Group},
    frame::{Frame, Section, Visitor, page},
    parts::{
        address,
        badge::{Badge, Tone},
        moment::When,
        run_line::RunLine,
    },
};

/// How many groups are shown.
const SHOWN_GROUPS: usize = 10;

const SHOWN_RUNS: u32 = 8;

const SHOWN_SCHEDULES: usize = 6;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    groups: Vec<Group>,
    /// How many groups are not shown.
    further_groups: usize,
    kinds: Vec<KindCount>,
    runs: Result<Vec<RunLine>, String>,
    schedules: Option<Vec<ScheduleLine>>,
    queue: String,
    daemon: DaemonCard,
}

struct KindCount {
    name: String,
    address: String,
    usable: u64,
    unhealthy: u64,
}

struct ScheduleLine {
    name: String,
    address: String,
    next: Option<When>,
    exact: String,
    remark: Option<String>,
}

struct DaemonCard {
    badge: Badge,
    since: When,
    look: Option<Look>,
    failing: Option<String>,
    coverage: String,
    in_progress: usize,
}

struct Look {
    at: When,
    took: String,
    has_failed: bool,
    problems: Vec<ProblemDocument>,
}

impl Overview {
    fn is_healthy(&self) -> bool {
        self.groups.is_empty()
    }

    fn unhealthy_sources(&self) -> usize {
        self.groups.iter().map(|group| group.sources.len()).sum()
    }
}

/// The page.
pub(crate) async fn show(visitor: Visitor) -> Result<Response, ApiError> {
    let frame = visitor.frame(Section::Overview, "Overview");
    let service = visitor.state.service();
    let index = service.published();
    let mut groups = failures::groups_of(index.rows().map(AsRef::as_ref), visitor.now);
    let further_groups = groups.len().saturating_sub(SHOWN_GROUPS);
    groups.truncate(SHOWN_GROUPS);
    let runs = service.runs(&RunFilter { limit: Some(SHOWN_RUNS), ..RunFilter::default() }).await;
    let runs = runs.map(|runs| runs.iter().map(|run| RunLine::new(&frame, &run.into())).collect());
    let schedules = visitor.state.backend().schedules().await;
    let queue = schedules.as_ref().map_or_else(String::new, |schedules| {
        let queue = &schedules.queue;
        format!("{} of {} run, {} wait", queue.running, queue.limit, queue.waiting.len())
    });
    let schedules = schedules.map(|document| {
        let mut schedules = document.schedules;
        schedules.sort_by_key(|schedule| (schedule.next_run.is_none(), schedule.next_run));
        schedules.iter().take(SHOWN_SCHEDULES).map(|schedule| ScheduleLine::new(&frame, schedule)).collect()
    });
    let daemon = DaemonCard::new(&frame, &visitor.state.backend().status());
    let kinds = kinds(index.rows().map(AsRef::as_ref));
    let runs = runs.map_err(|error| error.to_string());
    page(&Overview { frame, groups, further_groups, kinds, runs, schedules, queue, daemon })
}

fn kinds<'a>(rows: impl Iterator<Item = &'a mangrove_domain::row::Row>) -> Vec<KindCount> {
    let mut counts: BTreeMap<Kind, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let (usable, unhealthy) = counts.entry(row.kind.clone()).or_default();
        *usable += u64::from(row.is_resolvable());
        *unhealthy += u64::from(mangrove_app::health::problem(row).is_some());
    }
    let count = |(kind, (usable, unhealthy)): (Kind, (u64, u64))| KindCount {
        address: format!("/types?kind={}", address::segment(kind.as_str())),
        name: kind.to_string(),
        usable,
        unhealthy,
    };
    counts.into_iter().map(count).collect()
}

impl ScheduleLine {
    fn new(frame: &Frame, schedule: &ScheduleDocument) -> Self {
        let running = schedule.running.len();
        let remark = if schedule.problem.is_some() {
            Some("its file cannot be used now".to_owned())
        } else if running > 0 {
            Some(format!("{running} under way"))
        } else if schedule.waiting > 0 {
            Some(format!("{} waiting", schedule.waiting))
        } else {
            None
        };
        Self {
            name: schedule.name.clone(),
            address: address::of_workflow(&schedule.name),
            next: schedule.next_run.map(|next| frame.due(next.0)),
            exact: schedule
                .upcoming
                .first()
                .map_or_else(String::new, |next| format!("{} {}", next.wall_clock, schedule.timezone)),
            remark,
        }
    }
}

impl DaemonCard {
    fn new(frame: &Frame, status: &Status) -> Self {
        let look = status.last_look.as_ref().map(|look| Look {
            at: frame.ago(look.at),
            took: human::duration(look.duration),
            has_failed: look.has_failed,
            problems: problems(status.checkouts.iter().chain(look.problems.iter())),
        });
        let coverage = status.coverage.as_ref().map_or_else(
            || "nothing is watched yet".to_owned(),
            |coverage| {
                let watched = format!("{} watched directories", coverage.watched);
                match &coverage.reason {
                    None => format!("{watched}, all that matter"),
                    Some(reason) => format!(
                        "{watched}; {} are not: {reason}. Their changes are found by the regular look",
                        coverage.unwatched.len()
                    ),
                }
            },
        );
        Self {
            badge: frame.phase().unwrap_or_else(|| Badge::new(Tone::Idle, status.phase.as_str())),
            since: frame.ago(status.started_at),
            look,
            failing: status.failing.clone(),
            coverage,
            in_progress: status.in_progress,
        }
    }
}
