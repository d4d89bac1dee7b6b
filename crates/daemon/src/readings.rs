//! Reading the workflows again and again: one reading at a time, and which of them count.

use mangrove_app::service::{Service, ServiceError};
use mangrove_domain::plan::SECOND_LOOK_AFTER;
use tokio::{sync::mpsc, time::Instant};

use crate::{event::Event, log::Said, read_schedules};

/// The readings of one daemon.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    is_under_way: bool,
    /// One has ended and gave something.
    has_read: bool,
    /// Something changed meanwhile.
    is_wanted_again: bool,
    /// From when on a reading counts that misses workflows which were there: one before it missed some, too.
    second: Option<Instant>,
    said: Said,
}

impl Readings {
    /// Begins a reading, which ends with an event; once more afterwards if one is under way.
    pub(crate) fn begin(&mut self, service: &Service, sender: &mpsc::Sender<Event>) {
        if self.is_under_way {
            self.is_wanted_again = true;
            return;
        }
        self.is_under_way = true;
        let (service, sender) = (service.clone(), sender.clone());
        let is_first = !self.has_read;
        tokio::spawn(async move {
            let read = read_schedules::read(service, is_first).await;
            // The owner may have ended.
            let _ = sender.send(Event::SchedulesRead(Box::new(read))).await;
        });
    }

    /// A reading ended. True if another one is to begin.
    pub(crate) fn ended(&mut self, gave_something: bool) -> bool {
        self.is_under_way = false;
        self.has_read |= gave_something;
        std::mem::take(&mut self.is_wanted_again)
    }

    /// True if what was read counts. What misses workflows that were there does so after a while only: a list of mounts
    /// is empty for a moment while it is replaced.
    pub(crate) fn counts(&mut self, misses_some: bool) -> bool {
        let now = Instant::now();
        if misses_some && now < *self.second.get_or_insert(now + SECOND_LOOK_AFTER) {
            return false;
        }
        self.second = None;
        self.said.forget();
        true
    }

    /// Nothing could be read.
    pub(crate) fn failed(&mut self, error: &ServiceError) {
        if self.said.is_new(error) {
            tracing::error!(%error, "schedules go on as they were, for they cannot be read");
        }
    }

    /// When a reading is to begin although nothing changed.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.second.filter(|_| !self.is_under_way)
    }
}
