//! The source of `crates/single-flight` as it ships, compiled against stand-ins for tokio and for the locks of the standard
//! library which let a scheduler choose at each step who goes on (design/drills.md).

#[path = "../../../crates/single-flight/src/flight.rs"]
mod flight;
pub mod planted;

/// In the place of `crates/single-flight/src/sync.rs`.
mod sync {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

pub use flight::{Lost, SingleFlight};
