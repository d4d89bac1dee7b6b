//! Failures as data: class, code, cause, history and the time of the next try.
//!
//! Class and code come from typed errors where the failure is born, never from matching text.
//! The classes and their timers are documented in `design/errors.md`.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{position::Position, problem::Code, time::Timestamp};

/// What kind of failure it is, which decides when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    /// Heals by itself: network, time-outs, 5xx, a busy catalog. 1 s doubling to 60 s, full jitter.
    Transient,
    /// Heals when somebody changes the environment: a missing program, a full disk, a 404. 30 s doubling
    /// to 10 min. Whatever is not classified belongs here.
    Environment,
    /// The same inputs fail again: a syntax error, a top-level throw. No timer; tried when an input
    /// changes, at a scan, or on an explicit retry.
    Deterministic,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [FailureClass; 3] =
        [FailureClass::Transient, FailureClass::Environment, FailureClass::Deterministic];

    /// `Transient`, `Environment` or `Deterministic`, as JSON documents and the catalog spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureClass::Transient => "Transient",
            FailureClass::Environment => "Environment",
            FailureClass::Deterministic => "Deterministic",
        }
    }

    /// The longest time between two tries; `None` where there is no timer.
    #[must_use]
    pub const fn longest_delay(self) -> Option<Duration> {
        match self {
            FailureClass::Transient => Some(Duration::from_mins(1)),
            FailureClass::Environment => Some(Duration::from_mins(10)),
            FailureClass::Deterministic => None,
        }
    }

    /// The delay until the next try of what has been failing for this long; it doubles from try to try.
    ///
    /// `jitter` lies in 0..=1 and spreads [`Transient`](Self::Transient) delays over the whole interval
    /// from zero ("full jitter"), so that many rows do not come back at the same moment (fault 50).
    #[must_use]
    pub fn delay(self, failing_for: Duration, jitter: f64) -> Option<Duration> {
        let longest = self.longest_delay()?;
        let first = match self {
            FailureClass::Transient => Duration::from_secs(1),
            FailureClass::Environment | FailureClass::Deterministic => Duration::from_secs(30),
        };
        // Delays of 1, 2 and 4 s have taken 7 s together.
        let capped = first.saturating_add(failing_for).min(longest);
        Some(if self == FailureClass::Transient { capped.mul_f64(jitter.clamp(0.0, 1.0)) } else { capped })
    }

    /// True if a timer should try now what failed at `last_seen` and is to be tried at `next`: the time has come, or lies
    /// further ahead than the class ever waits and than this one was to wait, because the clock jumped. A class without
    /// a timer is never due; one with a timer whose time was lost is due at once.
    #[must_use]
    pub fn is_due(self, last_seen: Timestamp, next: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(longest) = self.longest_delay() else {
            return false;
        };
        next.is_none_or(|next| {
            // Longer than the class waits only where somebody asked for it.
            let asked = next.since(last_seen).min(LONGEST_PATIENCE.mul_f64(1.1));
            now >= next || next > now.plus(longest.max(asked))
        })
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What is shared by failures that heal together, such as `registry:host:port` or `program:deno`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CauseKey(pub Arc<str>);

/// One thing that went wrong, as an adapter reports it: a failure without history.
///
/// Two faults are equal if they say the same; the error behind them takes no part in it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Decides about retries.
    pub class: FailureClass,
    /// Names the page that explains it.
    pub code: Code,
    /// What it shares with others.
    pub cause: CauseKey,
    /// One sentence for people: what was being done to what, and what came back.
    pub message: String,
    /// Where in the sources it is, if it is in them.
    pub position: Option<Position>,
    /// How long whoever caused it asks to be left alone, if it asks for that: `Retry-After` of a registry. Lost where a
    /// fault crosses a process.
    pub retry_after: Option<Duration>,
    /// The error behind it, for callers that ask of what kind it is ([`find`](Self::find)). The message already says
    /// what it says. Lost where a fault crosses a process or is stored.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        let Self { class, code, cause, message, position, retry_after, source: _ } = self;
        *class == other.class
            && *code == other.code
            && *cause == other.cause
            && *message == other.message
            && *position == other.position
            && *retry_after == other.retry_after
    }
}

impl Eq for Fault {}

impl Fault {
    /// One that heals by itself ([`FailureClass::Transient`]), without a position.
    pub fn transient(code: Code, cause: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Transient, code, cause, message)
    }

    /// One that heals when somebody changes the environment ([`FailureClass::Environment`]), without a position.
    pub fn environment(code: Code, cause: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Environment, code, cause, message)
    }

    /// One that the same inputs meet again ([`FailureClass::Deterministic`]), without a position.
    pub fn deterministic(code: Code, cause: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Deterministic, code, cause, message)
    }

    /// A fault whose class is the result of a decision, without a position.
    pub fn new(class: FailureClass, code: Code, cause: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        let (cause, message) = (CauseKey(cause.into()), message.into());
        Self { class, code, cause, message, position: None, retry_after: None, source: None }
    }

    /// The same fault with the error behind it.
    #[must_use]
    pub fn caused_by(mut self, error: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(error));
        self
    }

    /// The first error of this type behind the fault: `fault.find::<std::io::Error>()` gives the kind of an I/O error.
    #[must_use]
    pub fn find<E: Error + 'static>(&self) -> Option<&E> {
        let mut next: Option<&(dyn Error + 'static)> = self.source.as_deref().map(|error| error as _);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// The same fault, of which somebody says that it will not have passed before this long.
    #[must_use]
    pub const fn not_before(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The same fault at a place in a file.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.position {
            Some(position) => write!(out, "{position}: {}", self.message),
            None => out.write_str(&self.message),
        }
    }
}

/// The longest time for which a timer leaves somebody alone who asks for it: as long as any class waits. What asks for more
/// is asked again then; a scan and a request for a type do not wait for timers at all.
pub const LONGEST_PATIENCE: Duration = Duration::from_mins(10);

/// How long a timer waits after a fault of this class, if this has been going on for so long. Who asked to be left alone is, up to
/// [`LONGEST_PATIENCE`] and by chance up to a tenth longer, so that not all who were told the same come back together.
fn pause(class: FailureClass, failing_for: Duration, jitter: f64, retry_after: Option<Duration>) -> Option<Duration> {
    let asked = retry_after.unwrap_or_default().min(LONGEST_PATIENCE);
    Some(class.delay(failing_for, jitter)?.max(asked.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0)))
}

/// Mismatches of one package in a row that may still be an accident of its transport.
const MISMATCHES_BY_ACCIDENT: u32 = 2;

/// The class of a fault that is the given one in its series, from 1. A row's history is the only count that a restart
/// does not lose.
fn class_after(fault: &Fault, attempts: u32) -> FailureClass {
    let is_lasting = fault.code == Code::INTEGRITY_MISMATCH && attempts > MISMATCHES_BY_ACCIDENT;
    if is_lasting { FailureClass::Environment } else { fault.class }
}

/// A failure as a row carries it: a fault with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the latest fault.
    pub class: FailureClass,
    /// Of the latest fault.
    pub code: Code,
    /// Of the latest fault.
    pub cause: CauseKey,
    /// What the first fault of this series said: later ones often only echo it (fault 43).
    pub first_message: String,
    /// What the latest fault said.
    pub latest_message: String,
    /// When this series began.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// Failed attempts in this series, at least 1.
    pub attempts: u32,
    /// When a timer tries again; `None` where none does.
    pub next_retry: Option<Timestamp>,
}

impl Failure {
    /// The failure after one more fault. `previous` is continued only if code and cause are the same; otherwise a
    /// new series begins. The class may change within a series: an integrity mismatch is transient only twice.
    /// `jitter` lies in 0..=1.
    #[must_use]
    pub fn record(previous: Option<&Failure>, fault: Fault, now: Timestamp, jitter: f64) -> Failure {
        Self::record_in_outage(previous, fault, now, jitter, None)
    }

    /// The same where other rows fail for this cause: `outage` says since when they do. The timer goes by that.
    #[must_use]
    pub fn record_in_outage(
        previous: Option<&Failure>,
        fault: Fault,
        now: Timestamp,
        jitter: f64,
        outage: Option<Timestamp>,
    ) -> Failure {
        let message = fault.to_string();
        let continued = previous.filter(|old| old.code == fault.code && old.cause == fault.cause);
        let attempts = continued.map_or(1, |old| old.attempts.saturating_add(1));
        let class = class_after(&fault, attempts);
        let first_seen = continued.map_or(now, |old| old.first_seen);
        let pause = pause(class, now.since(outage.unwrap_or(first_seen)), jitter, fault.retry_after);
        Failure {
            class,
            code: fault.code,
            cause: fault.cause,
            first_message: continued.map_or_else(|| message.clone(), |old| old.first_message.clone()),
            latest_message: message,
            first_seen,
            last_seen: now,
            attempts,
            next_retry: pause.map(|pause| now.plus(pause)),
        }
    }

    /// The fault in the words of this failure, if it is the same and only does not say where in the sources it is. Where
    /// that is depends on the sources alone: whoever asks knows that they are the same.
    #[must_use]
    pub fn repeated_by(&self, fault: Fault) -> Option<Fault> {
        if fault.code != self.code || fault.cause != self.cause {
            return None;
        }
        let said = fault.to_string();
        let before = self.latest_message.strip_suffix(&said)?;
        let is_place = before.is_empty() || before.ends_with(": ");
        is_place.then(|| Fault { message: self.latest_message.clone(), position: None, ..fault })
    }

    /// True if a timer should try now ([`FailureClass::is_due`]).
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.class.is_due(self.last_seen, self.next_retry, now)
    }
}
