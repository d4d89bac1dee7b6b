//! Runs: starting, following and cancelling them, and their history.

pub(super) mod active;
mod handle;
mod live;
mod requests;
mod triggered;

pub use self::{
    handle::RunHandle,
    live::{RunEvents, RunOutcome},
    requests::{RunError, Runnable, StartRun, StartedRun},
    triggered::StartTriggered,
};
