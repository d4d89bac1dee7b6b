//! A database that fails in all ways while a daemon uses it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;
use fastrand::Rng;

use crate::{Extent, engine::Database, random_below};

/// For how long the program tries again what its database fails (`design/scale.md`).
const PATIENCE: Duration = Duration::from_secs(20);
/// By then requests and runs have met that it is away.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);
/// Of so many faults one is longer than that.
const LONG_OUTAGES: usize = 6;

/// The database, and what is done to it next. The thread that made it must do all of it: its server ends with that thread.
pub(super) struct Outages {
    database: Database,
    random: Rng,
    is_quick: bool,
    is_away: bool,
    is_silent: bool,
    /// When something is done, or it comes back.
    next: Instant,
    broken_connections: usize,
    restarts: usize,
    silences: usize,
    absences: usize,
    long_absences: usize,
}

impl Outages {
    pub(super) fn new(database: Database, random: Rng, extent: Extent) -> Self {
        let mut outages = Self {
            database,
            random,
            is_quick: extent.is_quick(),
            is_away: false,
            is_silent: false,
            next: Instant::now(),
            broken_connections: 0,
            restarts: 0,
            silences: 0,
            absences: 0,
            long_absences: 0,
        };
        outages.rest();
        outages
    }

    /// Does what it is time for.
    pub(super) fn look(&mut self) -> Result<()> {
        if Instant::now() < self.next {
            return Ok(());
        }
        if self.is_away || self.is_silent {
            self.end();
            return Ok(());
        }
        match self.random.u8(..5) {
            _ if !self.is_quick && self.faults() % LONG_OUTAGES == LONG_OUTAGES - 1 => {
                self.long_absences += 1;
                self.go_away(PATIENCE + Duration::from_secs(5), Duration::from_secs(10));
            }
            0 => {
                self.broken_connections += 1;
                self.database.break_connections()?;
                self.rest();
            }
            1 => {
                self.restarts += 1;
                self.database.stop();
                self.database.start_again();
                self.rest();
            }
            2 => {
                self.silences += 1;
                self.database.fall_silent();
                self.is_silent = true;
                let longest = self.longest();
                self.next = Instant::now() + random_below(&mut self.random, longest);
            }
            _ => {
                self.absences += 1;
                self.go_away(Duration::from_millis(500), self.longest());
            }
        }
        Ok(())
    }

    /// Takes it away, and waits until others have noticed.
    pub(super) fn begin(&mut self) {
        if !std::mem::replace(&mut self.is_away, true) {
            self.absences += 1;
            self.is_silent = false;
            self.database.stop();
        }
        std::thread::sleep(NOTICED_WITHIN);
    }

    /// Brings it back if it is away.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.is_silent) {
            self.database.answer_again();
        }
        if std::mem::take(&mut self.is_away) {
            self.database.start_again();
        }
        self.rest();
    }

    fn go_away(&mut self, least: Duration, more: Duration) {
        self.database.stop();
        self.is_away = true;
        self.next = Instant::now() + least + random_below(&mut self.random, more);
    }

    /// How long it fails at most that is within the patience.
    fn longest(&self) -> Duration {
        if self.is_quick { Duration::from_secs(2) } else { PATIENCE / 2 }
    }

    fn rest(&mut self) {
        let longest = Duration::from_secs(if self.is_quick { 3 } else { 20 });
        self.next = Instant::now() + random_below(&mut self.random, longest);
    }

    fn faults(&self) -> usize {
        self.broken_connections + self.restarts + self.silences + self.absences + self.long_absences
    }
}

impl fmt::Display for Outages {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broken_connections, restarts, silences, absences, long_absences, .. } = self;
        write!(
            out,
            "{} of the database ({restarts} restarts, {silences} silences, {absences} outages, {long_absences} longer than the patience, \
             all connections broken {broken_connections} times)",
            self.faults()
        )
    }
}
