//! Schedules as documents.

use mangrove_documents::{
    LastRunDocument, LeftOutDocument, Moment, NotEnabledDocument, QueueDocument, RouteDocument, ScheduleDocument,
    ScheduleEventDocument, ScheduledRunDocument, SchedulesDocument, UpcomingDocument, WaitingDocument, enabling_hint,
    problems,
};
use mangrove_domain::time::Timestamp;

use crate::{
    schedule::{FireOutcome, Happening, Last, LeftOutReason, NotEnabled, ScheduledView, SchedulerView, What},
    webhook::{RouteState, Webhooks},
};

/// All schedules.
pub(crate) fn schedules(view: &SchedulerView, webhooks: &Webhooks) -> SchedulesDocument {
    let waiting = view.queue.waiting.iter();
    let waiting = waiting.map(|(name, due)| WaitingDocument { name: name.clone(), due: Moment(*due) });
    SchedulesDocument {
        schema: "mangrove.schedules/1".to_owned(),
        schedules: view.schedules.iter().map(schedule).collect(),
        broken: problems(&view.broken),
        not_enabled: view.not_enabled.iter().map(not_enabled).collect(),
        webhooks: webhooks.states().into_iter().map(route).collect(),
        queue: QueueDocument {
            running: view.queue.running as u64,
            limit: view.queue.limit as u64,
            waiting: waiting.collect(),
        },
    }
}

fn schedule(view: &ScheduledView) -> ScheduleDocument {
    let upcoming = view.upcoming.iter();
    let running = view.running.iter();
    ScheduleDocument {
        name: view.name.clone(),
        id: view.workflow.to_string(),
        path: view.file.clone(),
        origin: view.origin.as_str().to_owned(),
        schedule: view.pattern.clone(),
        timezone: view.zone.clone(),
        overlap: view.overlap.as_str().to_owned(),
        misfire: view.misfire.as_str().to_owned(),
        next_run: view.next.map(Moment),
        upcoming: upcoming.map(|(at, clock)| UpcomingDocument { at: Moment(*at), wall_clock: clock.clone() }).collect(),
        running: running.map(|(run, due)| ScheduledRunDocument { run_id: run.clone(), due: Moment(*due) }).collect(),
        waiting: view.waiting as u64,
        last: view.last.as_ref().map(last),
        left_out: view.left_out.map(|left_out| LeftOutDocument {
            due: Moment(left_out.due),
            reason: left_out.reason.as_str().to_owned(),
            count: left_out.count,
        }),
        problem: view.problem.as_ref().map(Into::into),
    }
}

fn not_enabled(schedule: &NotEnabled) -> NotEnabledDocument {
    let NotEnabled { workflow, name, file, pattern } = schedule.clone();
    NotEnabledDocument { hint: enabling_hint(&name), name, id: workflow, path: file, schedule: pattern }
}

fn route(state: RouteState) -> RouteDocument {
    let RouteState { route, workflow, problem, running, waiting } = state;
    RouteDocument {
        route,
        name: workflow.name.value.clone(),
        id: workflow.id.clone(),
        path: workflow.file.clone(),
        running,
        waiting,
        problem: problem.as_ref().map(Into::into),
    }
}

/// Something that happened to a schedule, as those who follow are told.
pub(crate) fn happening(happening: &Happening, at: Timestamp) -> ScheduleEventDocument {
    let Happening { name, due, what, .. } = happening;
    let (word, run_id, reason) = match what {
        What::Fired => ("fired", None, None),
        What::Queued => ("queued", None, None),
        What::LeftOut(reason) => ("skipped", None, Some(why(*reason).to_owned())),
        What::Ended(run, outcome) => {
            let reason = match outcome {
                FireOutcome::Ran(status) => status.as_str().to_owned(),
                FireOutcome::Refused(problem) => problem.message.clone(),
                FireOutcome::Elsewhere => "another daemon has started it".to_owned(),
                FireOutcome::Overlaps => why(LeftOutReason::Runs).to_owned(),
                FireOutcome::Full => "as many scheduled runs go on as may at once".to_owned(),
            };
            ("ended", run.clone(), Some(reason))
        }
        What::Added => ("added", None, None),
        What::Changed => ("changed", None, None),
        What::Removed => ("removed", None, None),
        What::Broken(problem) => ("broken", None, Some(problem.message.clone())),
    };
    let due = due.map(Moment);
    ScheduleEventDocument { workflow: name.clone(), at: Moment(at), what: word.to_owned(), due, run_id, reason }
}

const fn why(reason: LeftOutReason) -> &'static str {
    match reason {
        LeftOutReason::Runs => "a run of the workflow goes on",
        LeftOutReason::Waits => "a run of the workflow waits already",
        LeftOutReason::QueueFull => "as many runs of the workflow wait as may",
        LeftOutReason::Missed => "nobody was there at the time",
    }
}

fn last(last: &Last) -> LastRunDocument {
    let (status, problem) = match &last.outcome {
        FireOutcome::Ran(status) => (status.as_str(), None),
        FireOutcome::Refused(problem) => ("refused", Some(problem.into())),
        FireOutcome::Elsewhere => ("elsewhere", None),
        FireOutcome::Overlaps => (LeftOutReason::Runs.as_str(), None),
        FireOutcome::Full => (LeftOutReason::QueueFull.as_str(), None),
    };
    LastRunDocument { run_id: last.run.clone(), due: Moment(last.due), status: status.to_owned(), problem }
}
