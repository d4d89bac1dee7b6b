//! Strict in-memory fakes of the ports. Where a real adapter would return an error for a mistake of its
//! caller, a fake panics, so that the mistake is found by the test that makes it.

mod build_leases;
mod calendar;
mod catalog;
mod chance;
mod data;
mod definitions;
mod leases;
mod locks;
mod never_asked;
mod runs;
mod seals;
mod store;

pub use build_leases::MemoryBuildLeases;
pub use calendar::PeriodicCalendar;
pub use catalog::MemoryCatalog;
pub use chance::{ManualClock, SeededEntropy};
pub use data::MemoryData;
pub use definitions::MemoryDefinitionFiles;
pub use leases::MemoryLeases;
pub use locks::MemoryBuildLocks;
pub use never_asked::NeverAsked;
pub use runs::MemoryRuns;
pub use seals::MemorySeals;
pub use store::MemoryStore;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that stays usable after a fake panicked on purpose.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
mod builders;
mod tree;

pub use builders::{ScriptedBundler, ScriptedInspector, ScriptedPackages};
pub use tree::MemoryTree;
