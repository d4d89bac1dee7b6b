//! When workflows run by themselves.

use askama::Template;
use axum::response::Response;
use mangrove_daemon::http::ApiError;
use mangrove_documents::{ProblemDocument, QueueDocument, problems};

use crate::{
    frame::{Frame, Section, Visitor, page},
    parts::{address, moment::When, schedule::ScheduleView},
};

#[derive(Template)]
#[template(path = "schedules.html")]
struct SchedulesPage {
    frame: Frame,
    schedules: Vec<ScheduleView>,
    queue: QueueDocument,
    waiting: Vec<Waiting>,
    /// Why workflows do not run by themselves.
    broken: Vec<ProblemDocument>,
}

/// A scheduled run that waits for its turn.
struct Waiting {
    name: String,
    address: String,
    due: When,
}

/// The page.
pub(crate) async fn show(visitor: Visitor) -> Result<Response, ApiError> {
    let service = visitor.state.service();
    let Some(mut document) = visitor.state.backend().schedules().await else {
        return Err(ApiError::busy("the daemon is stopping"));
    };
    let library = visitor.state.look(service.library()).await?;
    let broken = problems(service.schedules(&library)?.broken.values());
    let frame = visitor.frame(Section::Schedules, "Schedules");
    document.schedules.sort_by_key(|schedule| (schedule.next_run.is_none(), schedule.next_run, schedule.name.clone()));
    let waiting = document.queue.waiting.iter().map(|waiting| Waiting {
        name: waiting.name.clone(),
        address: address::of_workflow(&waiting.name),
        due: frame.ago(waiting.due.0),
    });
    let waiting = waiting.collect();
    let schedules = document.schedules.iter().map(|schedule| ScheduleView::new(&frame, schedule)).collect();
    page(&SchedulesPage { frame, schedules, queue: document.queue, waiting, broken })
}
