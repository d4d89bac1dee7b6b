//! Schedules as documents.

use mangrove_documents::{
    LastRunDocument, LeftOutDocument, Moment, QueueDocument, ScheduleDocument, ScheduledRunDocument, SchedulesDocument,
    UpcomingDocument, WaitingDocument, problems,
};

use crate::schedule::{FireOutcome, Last, ScheduledView, SchedulerView};

/// All schedules.
pub(crate) fn schedules(view: &SchedulerView) -> SchedulesDocument {
    let waiting = view.queue.waiting.iter();
    let waiting = waiting.map(|(name, due)| WaitingDocument { name: name.clone(), due: Moment(*due) });
    SchedulesDocument {
        schema: "mangrove.schedules/1".to_owned(),
        schedules: view.schedules.iter().map(schedule).collect(),
        broken: problems(&view.broken),
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

fn last(last: &Last) -> LastRunDocument {
    let (status, problem) = match &last.outcome {
        FireOutcome::Ran(status) => (status.as_str(), None),
        FireOutcome::Refused(problem) => ("refused", Some(problem.into())),
        FireOutcome::Elsewhere => ("elsewhere", None),
    };
    LastRunDocument { run_id: last.run.clone(), due: Moment(last.due), status: status.to_owned(), problem }
}
