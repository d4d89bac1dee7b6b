//! Streams of server-sent events: what happens in one run, and what happens at all.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse as _, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt as _, stream};
use mangrove_app::{
    service::{RunEvents, Service},
    workflow::{RunChange, RunEvent, replay},
};
use mangrove_documents::{EventDocument, GapDocument, RunEventDocument};
use mangrove_domain::run::{RunLookup, RunRecord};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::event_log::{EventLog, LoggedEvent, Position};

/// A sign of life on a stream that has nothing to tell.
const BETWEEN_SIGNS_OF_LIFE: Duration = Duration::from_secs(15);

/// How often a run of another process is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Where the events of a run come from.
pub(super) enum Source {
    /// From the run, which goes on in this process.
    Live(Box<RunEvents>),
    /// From its record. If it goes on, it does so in another process, and its end is told at once.
    Recorded { service: Box<Service>, record: Arc<RunRecord> },
}

struct Following {
    source: Source,
    /// What is told next.
    ready: VecDeque<RunEvent>,
    has_begun: bool,
    _permit: OwnedSemaphorePermit,
}

/// Everything that happens in a run, from its beginning to its end.
pub(super) fn run(source: Source, stopping: CancellationToken, permit: OwnedSemaphorePermit) -> Response {
    let following = Following { source, ready: VecDeque::new(), has_begun: false, _permit: permit };
    let events = stream::unfold(following, async |mut following| {
        let event = following.next().await?;
        let document = RunEventDocument::from(&event);
        Some((to_sse(Event::default().event(document.reason()), serde_json::to_string(&document)), following))
    });
    respond(events, stopping)
}

impl Following {
    /// `None` once the run has ended and everything is told.
    async fn next(&mut self) -> Option<RunEvent> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        match &mut self.source {
            Source::Live(events) => {
                let event = events.next().await?;
                if let (RunChange::Started(record) | RunChange::Finished(record), false) = (&event.change, has_begun) {
                    // What has happened until now is in its record.
                    self.ready.extend(replay(record));
                    return self.ready.pop_front();
                }
                Some(event)
            }
            Source::Recorded { record, .. } if !has_begun => {
                let mut events = replay(record);
                if record.is_open() {
                    // Its end tells the rest.
                    events.truncate(1);
                }
                self.ready.extend(events);
                self.ready.pop_front()
            }
            Source::Recorded { service, record } => {
                if !record.is_open() {
                    return None;
                }
                *record = end_of(service, &record.id).await?;
                self.ready.extend(replay(record).into_iter().skip(1));
                self.ready.pop_front()
            }
        }
    }
}

/// Waits for the end of a run of another process.
async fn end_of(service: &Service, id: &str) -> Option<Arc<RunRecord>> {
    loop {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        match service.run(id).await {
            Ok(RunLookup::Found(found)) if found.is_open() => {}
            Ok(RunLookup::Found(found)) => return Some(Arc::new(*found)),
            Ok(RunLookup::Unknown | RunLookup::Ambiguous) | Err(_) => return None,
        }
    }
}

struct Listening {
    log: Arc<EventLog>,
    changes: watch::Receiver<u64>,
    position: Position,
    /// A gap that is to be told first.
    gap: Option<GapDocument>,
    ready: VecDeque<LoggedEvent>,
    /// Only events of these names; all of them if there is none.
    names: Vec<String>,
    _permit: OwnedSemaphorePermit,
}

/// Everything that happens, from now on or after the event of this identifier.
pub(super) fn all(
    log: &Arc<EventLog>,
    last: Option<&str>,
    names: Vec<String>,
    stopping: CancellationToken,
    permit: OwnedSemaphorePermit,
) -> Response {
    let changes = log.changes();
    let (position, gap) = log.begin(last);
    let (log, ready) = (Arc::clone(log), VecDeque::new());
    let listening = Listening { log, changes, position, gap, ready, names, _permit: permit };
    let events = stream::unfold(listening, async |mut listening| {
        let event = listening.next().await?;
        Some((event, listening))
    });
    respond(events, stopping)
}

impl Listening {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(gap) = self.gap.take() {
                let gap = EventDocument::Gap(gap);
                return Some(to_sse(Event::default().event(gap.name()), serde_json::to_string(&gap)));
            }
            while let Some(event) = self.ready.pop_front() {
                if event.name == "gap" || self.names.is_empty() || self.names.iter().any(|name| name == event.name) {
                    let named = Event::default().event(event.name).id(self.log.identifier(&event));
                    return Some(named.data(event.data.as_ref()));
                }
            }
            self.changes.borrow_and_update();
            let (position, gap, events) = self.log.after(self.position);
            let is_new = gap.is_some() || !events.is_empty();
            (self.position, self.gap, self.ready) = (position, gap, events.into());
            if !is_new {
                // The log lives as long as this.
                self.changes.changed().await.ok()?;
            }
        }
    }
}

fn to_sse(event: Event, data: Result<String, serde_json::Error>) -> Event {
    match data {
        Ok(data) => event.data(data),
        Err(error) => event.comment(format!("an event cannot be written: {error}")),
    }
}

fn respond(events: impl Stream<Item = Event> + Send + 'static, stopping: CancellationToken) -> Response {
    let events = events.map(Ok::<_, Infallible>).take_until(stopping.cancelled_owned());
    let alive = KeepAlive::new().interval(BETWEEN_SIGNS_OF_LIFE);
    Sse::new(events).keep_alive(alive).into_response()
}
