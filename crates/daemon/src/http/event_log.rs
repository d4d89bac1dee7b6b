//! What has happened lately, for those who follow it. Bounded: whoever is too far behind is told what was missed and looks
//! at the lists instead. Nothing is kept for a subscriber, so that one that never reads costs nothing.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mangrove_app::service::Service;
use mangrove_documents::{EventDocument, GapDocument};
use mangrove_domain::time::Timestamp;
use tokio::sync::{broadcast::error::RecvError, watch};
use tokio_util::sync::CancellationToken;

/// How many events are kept at most, and how many bytes of them.
const KEPT_EVENTS: usize = 4_096;
const KEPT_BYTES: usize = 4 << 20;

/// The latest events of this daemon.
#[derive(Debug)]
pub struct EventLog {
    /// Tells the events of this daemon from those of another one, or of the same before a restart.
    epoch: i64,
    content: Mutex<Content>,
    /// The number of the latest event.
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Content {
    /// The number of the latest event, from 1; 0 if there was none.
    latest: u64,
    events: VecDeque<LoggedEvent>,
    bytes: usize,
}

/// One event as it is sent.
#[derive(Clone, Debug)]
pub(super) struct LoggedEvent {
    number: u64,
    pub(super) name: &'static str,
    /// The document as JSON.
    pub(super) data: Arc<str>,
}

/// Where a subscriber is: it has everything up to this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position(u64);

impl EventLog {
    /// The log of a daemon that begins at this moment.
    #[must_use]
    pub fn new(started_at: Timestamp) -> Self {
        Self { epoch: started_at.as_millis(), content: Mutex::default(), latest: watch::Sender::new(0) }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what happened.
    pub fn add(&self, event: &EventDocument) {
        let data = match serde_json::to_string(event) {
            Ok(data) => Arc::<str>::from(data),
            Err(error) => return tracing::error!(%error, "an event cannot be written"),
        };
        let mut content = self.content();
        content.latest += 1;
        let number = content.latest;
        content.bytes += data.len();
        content.events.push_back(LoggedEvent { number, name: event.name(), data });
        while content.events.len() > KEPT_EVENTS || content.bytes > KEPT_BYTES {
            let Some(oldest) = content.events.pop_front() else { break };
            content.bytes -= oldest.data.len();
        }
        // Within the lock, so that the numbers that subscribers see only grow.
        self.latest.send_replace(number);
    }

    /// Adds transitions and the beginnings and ends of runs as they happen, until it is cancelled.
    pub(super) fn follow(self: &Arc<Self>, service: &Service, until: &CancellationToken) {
        let (mut publications, mut runs) = (service.publications(), service.run_events());
        let log = Arc::clone(self);
        let following = async move {
            loop {
                let missed = tokio::select! {
                    publication = publications.recv() => match publication {
                        Ok(publication) => {
                            for record in &publication.transitions {
                                log.add(&EventDocument::Transition(record.into()));
                            }
                            continue;
                        }
                        Err(error) => error,
                    },
                    event = runs.recv() => match event {
                        Ok(event) => {
                            if let Some(event) = EventDocument::of_run(&event) {
                                log.add(&event);
                            }
                            continue;
                        }
                        Err(error) => error,
                    },
                };
                match missed {
                    // How many events they would have become, nobody knows.
                    RecvError::Lagged(_) => log.add(&EventDocument::Gap(GapDocument { missed: None })),
                    RecvError::Closed => return,
                }
            }
        };
        tokio::spawn(until.clone().run_until_cancelled_owned(following));
    }

    /// The identifier of an event, by which a client can go on after it.
    pub(super) fn identifier(&self, event: &LoggedEvent) -> String {
        format!("{}-{}", self.epoch, event.number)
    }

    /// Where a new subscriber begins: now, or after the event of this identifier. Also how many events it has missed
    /// for good; `None` inside if nobody knows.
    pub(super) fn begin(&self, last: Option<&str>) -> (Position, Option<GapDocument>) {
        let content = self.content();
        let now = Position(content.latest);
        let Some(last) = last else { return (now, None) };
        let known = last.rsplit_once('-').and_then(|(epoch, number)| {
            let (epoch, number): (i64, u64) = (epoch.parse().ok()?, number.parse().ok()?);
            (epoch == self.epoch && number <= content.latest).then_some(number)
        });
        match known {
            Some(number) => (Position(number), None),
            // Of another daemon, or of none: what it saw last says nothing here.
            None => (Position(content.first().saturating_sub(1)), Some(GapDocument { missed: None })),
        }
    }

    /// The next events after a position, at most a hundred, and where one is then. A gap if some are gone.
    pub(super) fn after(&self, position: Position) -> (Position, Option<GapDocument>, Vec<LoggedEvent>) {
        let content = self.content();
        let first = content.first();
        let missed = first.saturating_sub(position.0 + 1);
        let gap = (missed > 0).then_some(GapDocument { missed: Some(missed) });
        let start = usize::try_from((position.0 + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let events: Vec<LoggedEvent> = content.events.iter().skip(start).take(100).cloned().collect();
        let position = events.last().map_or(position.0.max(first.saturating_sub(1)), |event| event.number);
        (Position(position), gap, events)
    }

    /// Wakes up when something is added.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

impl Content {
    /// The number of the oldest event that is kept; that of the next one if none is.
    fn first(&self) -> u64 {
        self.events.front().map_or(self.latest + 1, |event| event.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(missed: u64) -> EventDocument {
        EventDocument::Gap(GapDocument { missed: Some(missed) })
    }

    fn log(events: u64) -> EventLog {
        let log = EventLog::new(Timestamp::from_millis(1_000));
        for number in 1..=events {
            log.add(&gap(number));
        }
        log
    }

    fn numbers(events: &[LoggedEvent]) -> Vec<u64> {
        events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn a_client_goes_on_where_it_was() {
        let log = log(5);
        let (now, missed) = log.begin(None);
        assert_eq!((now, missed), (Position(5), None));
        let (position, missed) = log.begin(Some("1000-3"));
        assert_eq!((position, missed), (Position(3), None));
        let (position, missed, events) = log.after(position);
        assert_eq!((position, missed, numbers(&events)), (Position(5), None, vec![4, 5]));
        assert_eq!(log.identifier(&events[0]), "1000-4");
        let (position, missed, events) = log.after(position);
        assert_eq!((position, missed, events.len()), (Position(5), None, 0));
    }

    #[test]
    fn what_another_daemon_told_says_nothing_here_and_that_is_said() {
        let log = log(2);
        for last in ["999-1", "1000-3", "nonsense", ""] {
            let (position, missed) = log.begin(Some(last));
            assert_eq!((position, missed), (Position(0), Some(GapDocument { missed: None })), "{last}");
        }
    }

    #[test]
    fn the_log_is_bounded_and_whoever_is_too_far_behind_is_told_how_much_is_gone() {
        let total = KEPT_EVENTS as u64 + 7;
        let log = log(total);
        let (position, missed, events) = log.after(Position(2));
        assert_eq!(missed, Some(GapDocument { missed: Some(5) }));
        assert_eq!((numbers(&events)[0], events.len()), (8, 100));
        assert_eq!(position, Position(107));
        assert_eq!(log.content().events.len(), KEPT_EVENTS);

        let large = EventLog::new(Timestamp::from_millis(0));
        let event = EventDocument::Schedule(mangrove_documents::ScheduleEventDocument {
            workflow: "w".repeat(KEPT_BYTES / 2),
            at: Timestamp::from_millis(0).into(),
            what: "fired".to_owned(),
            due: None,
            run_id: None,
            reason: None,
        });
        for _ in 0..3 {
            large.add(&event);
        }
        let (_, missed, events) = large.after(Position(0));
        assert_eq!((missed, numbers(&events)), (Some(GapDocument { missed: Some(2) }), vec![3]));
        // One that is larger than everything is not kept, and missed like any other.
        large.add(&EventDocument::Schedule(mangrove_documents::ScheduleEventDocument {
            workflow: "w".repeat(KEPT_BYTES + 1),
            at: Timestamp::from_millis(0).into(),
            what: "fired".to_owned(),
            due: None,
            run_id: None,
            reason: None,
        }));
        let (position, missed, events) = large.after(Position(3));
        assert_eq!((position, missed, events.len()), (Position(4), Some(GapDocument { missed: Some(1) }), 0));
        assert_eq!(large.after(position).1, None, "it is told once");
    }
}
