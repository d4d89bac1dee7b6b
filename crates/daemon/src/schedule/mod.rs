//! Which workflow runs when: a state machine without a clock, a database or a task of its own (`design/schedules.md`).
//!
//! Whoever owns a [`Scheduler`] sleeps until [`Scheduler::next_due`], a minute at most, since the clock may be set
//! meanwhile; calls [`Scheduler::advance`] with the time; claims each [`Fire`] (the port `ScheduleLeases`), starts it,
//! and says how it went with [`Scheduler::started`] and [`Scheduler::ended`]. After that, and after a change of files
//! ([`Scheduler::replace`]), it asks for the next time anew.

mod definition;
mod entry;
mod queue;
mod scheduler;
mod timing;
mod view;

pub use definition::{
    Fire, FireNumber, FireOutcome, Happening, Last, LeftOut, LeftOutReason, NotEnabled, Schedule, What,
};
pub use queue::Limits;
pub use scheduler::{Scheduler, SchedulerChange};
pub use timing::GRACE;
pub use view::{QueueView, ScheduledView, SchedulerView, UPCOMING};

#[cfg(test)]
mod tests;
