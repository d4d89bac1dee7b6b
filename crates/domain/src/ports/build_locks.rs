//! One build of one thing at a time, among all processes.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::digest::Digest;

/// Keeps processes that share a catalog from building the same thing at the same time: who comes later waits, and then
/// looks whether it is there.
///
/// Implementations MUST give a fingerprint to one holder at a time among all processes; MUST free what a process holds
/// when the process ends, however it ends (fault 39); MUST return within the patience of the caller; MUST stop waiting
/// when the call is dropped. A lock saves work and is no condition for it: where none can be had, the caller works
/// without. Contract: `testkit::contract::build_locks`
#[async_trait]
pub trait BuildLocks: Send + Sync {
    /// Locks a fingerprint for the caller, and waits at most `patience` while others have it; with none, it only tries.
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Acquired;
}

/// A lock that somebody holds. Freed when it is dropped.
pub struct BuildLock(#[expect(dead_code, reason = "kept to be dropped")] Box<dyn Send + Sync>);

impl BuildLock {
    /// A lock that lasts as long as this value.
    #[must_use]
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for BuildLock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BuildLock")
    }
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Acquired {
    /// Nobody else had it.
    AtOnce(BuildLock),
    /// Others had it until now: what was to be built may be there.
    AfterOthers(BuildLock),
    /// Others have it, and the patience is at its end.
    Busy,
    /// Locks cannot be kept here.
    Unavailable,
}

/// No locks, for a program that has its catalog for itself: everybody works at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBuildLocks;

#[async_trait]
impl BuildLocks for NoBuildLocks {
    async fn acquire(&self, _fingerprint: Digest, _patience: Duration) -> Acquired {
        Acquired::Unavailable
    }
}
