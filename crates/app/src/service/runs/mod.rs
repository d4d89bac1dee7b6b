//! Runs: starting, following and cancelling them, and their history.

pub(super) mod active;
mod approvals;
mod brought;
mod handle;
mod live;
mod requests;
mod triggered;

pub(super) use self::requests::unknown;
pub use self::{
    approvals::{DecideRun, ResumeRun, WaitingStep},
    handle::RunHandle,
    live::{RunEvents, RunOutcome},
    requests::{RunError, Runnable, StartRun, StartedRun},
    triggered::{PreparedRun, StartTriggered},
};
