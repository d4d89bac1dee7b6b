//! Child processes for hostile or unlucky input: a pool of them, what goes over their pipes, and their main loop.
//!
//! A child takes one job at a time. If it dies, takes too long or grows too large, that one job fails and the next
//! one gets a fresh child. The why is in `design/bundling.md`.

mod adaptive_timeout;
pub(crate) mod cancellation;
pub mod child;
pub(crate) mod child_failure;
mod children;
pub mod exit_with_parent;
pub(crate) mod guarded;
mod held_files;
mod options;
mod pool;
mod process;
pub(crate) mod session;
mod usage;
pub mod wire;

pub use options::{PoolOptions, TimeLimits};
pub use pool::Pool;
pub use usage::MeasuredProcess;
