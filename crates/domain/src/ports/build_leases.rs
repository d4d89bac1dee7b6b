//! One build of one thing at a time, among all nodes.

use std::{any::Any, fmt, time::Duration};

use async_trait::async_trait;

use crate::digest::Digest;

/// Keeps nodes that share rows and bundles from building the same thing at the same time: who comes later waits, and then
/// looks whether it is there.
///
/// Implementations MUST give a fingerprint to one holder at a time, as long as all of them live; MUST give to others, within a
/// bounded time, what a holder has that is heard no more; MUST let nobody give back what another one has taken over; MUST return
/// within the patience of the caller, and soon where nothing answers; MUST stop waiting when the call is dropped. A lease saves
/// work and is no condition for it: where none can be had, the caller works without, and what two have built at once is decided
/// by who commits first. Contract: `testkit::contract::build_leases`
#[async_trait]
pub trait BuildLeases: Send + Sync {
    /// Asks for a fingerprint, and waits at most `patience` while others have it; with none, it only asks.
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Leased;

    /// Gives leases back: whoever looks finds what was built under them. Best effort. One that is dropped instead is given back
    /// soon after.
    async fn give_back(&self, leases: Vec<BuildLease>);
}

/// A lease that somebody has.
pub struct BuildLease {
    fingerprint: Digest,
    number: i64,
    #[expect(dead_code, reason = "kept to be dropped")]
    held: Box<dyn Any + Send + Sync>,
}

impl BuildLease {
    /// A lease, whose number tells it from earlier and later ones of the same holder. `held` gives it back when it is dropped.
    #[must_use]
    pub fn new(fingerprint: Digest, number: i64, held: impl Any + Send + Sync) -> Self {
        Self { fingerprint, number, held: Box::new(held) }
    }

    /// What may be built under it.
    #[must_use]
    pub const fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The number that its holder gave it.
    #[must_use]
    pub const fn number(&self) -> i64 {
        self.number
    }
}

impl fmt::Debug for BuildLease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BuildLease({}, {})", self.fingerprint.short(), self.number)
    }
}

/// What came of asking for a lease.
#[derive(Debug)]
pub enum Leased {
    /// The caller has it.
    Given(BuildLease),
    /// Another one has it, and the patience is at its end.
    Held,
    /// Nobody can say who has it.
    Unavailable,
}
