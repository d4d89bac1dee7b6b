//! What attempts do about other processes, and other nodes, that are at the same: each build is made by one of them.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{
    bundle::Bundle,
    digest::Digest,
    outage::Outages,
    ports::{Acquired, BuildFailure, BuildLease, BuildLock, BundleRequest, Leased},
    row::Row,
    source::SourceId,
};

use super::{overtaken, ports::Ports};

/// What attempts do if another process is at the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rivalry {
    /// They wait, and leave it to the next pass to look what there is.
    LookAgain,
    /// They wait and are made all the same: there is no next pass.
    GoOn,
}

/// What is held from before a build until its outcome is committed: what is built and not committed is built again by whoever
/// looks.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Keeps other processes of this node waiting.
    pub(super) locks: Vec<BuildLock>,
    /// Keep other nodes waiting.
    pub(super) leases: Vec<BuildLease>,
}

impl Held {
    pub(super) fn add(&mut self, other: Self) {
        self.locks.extend(other.locks);
        self.leases.extend(other.leases);
    }

    /// Lets everybody have it.
    pub(super) async fn let_go(&mut self, ports: &Ports) {
        self.locks.clear();
        give_back(ports, std::mem::take(&mut self.leases)).await;
    }
}

/// What a build does about other nodes.
pub(super) enum Leasing {
    /// It asks for a lease.
    Asks(Rivalry),
    /// It has waited for others already.
    HasWaited(Option<BuildLease>),
}

/// What became of a build.
pub(super) enum Bundled {
    /// It was made.
    Here(Result<Bundle, BuildFailure>, Option<BuildLease>),
    /// Another node has committed it meanwhile.
    Elsewhere,
    /// Another node is at it.
    Busy,
}

/// What is about to be built.
pub(super) struct Contested<'a> {
    pub(super) ports: &'a Ports,
    /// `None` if it cannot be read.
    pub(super) fingerprint: Option<Digest>,
    pub(super) source: &'a SourceId,
    /// As it was when the attempt was planned.
    pub(super) row: Option<&'a Row>,
}

impl Contested<'_> {
    /// Locks it, so that other processes wait for it and then find it. Kept until the row is committed: what is built and not
    /// committed is built again by whoever looks.
    pub(super) async fn lock(&self, patience: Duration) -> Acquired {
        match self.fingerprint {
            Some(fingerprint) => self.ports.locks.acquire(fingerprint, patience).await,
            None => Acquired::Unavailable,
        }
    }

    /// True if another process made this attempt since it was planned.
    pub(super) async fn is_overtaken(&self) -> bool {
        overtaken::is_overtaken(self.ports.catalog.as_ref(), self.source, self.row).await
    }

    /// The bundle of a request. It is made under a lease also where it is remembered: it still has to be inspected and committed.
    pub(super) async fn bundle(&self, request: BundleRequest, outages: &Arc<Outages>, leasing: Leasing) -> Bundled {
        let lease = match (leasing, &self.ports.leases) {
            (Leasing::HasWaited(lease), _) => lease,
            (Leasing::Asks(_), None) => None,
            (Leasing::Asks(rivalry), Some(_)) => match self.lease(Duration::ZERO).await {
                Leased::Held => return Bundled::Busy,
                Leased::Unavailable => None,
                // Whoever had it just now has committed before giving it back.
                Leased::Given(lease) if rivalry == Rivalry::LookAgain && self.is_overtaken().await => {
                    self.leave(lease).await;
                    return Bundled::Elsewhere;
                }
                Leased::Given(lease) => Some(lease),
            },
        };
        Bundled::Here(self.ports.bundler.bundle(request, outages).await, lease)
    }

    /// Waits at most this long until no other node builds this, and has the lease then.
    pub(super) async fn lease(&self, patience: Duration) -> Leased {
        match (&self.ports.leases, self.fingerprint) {
            (Some(leases), Some(fingerprint)) => leases.acquire(fingerprint, patience).await,
            _ => Leased::Unavailable,
        }
    }

    /// Leaves what it has waited for to the next look.
    pub(super) async fn leave(&self, lease: BuildLease) {
        give_back(self.ports, vec![lease]).await;
    }
}

async fn give_back(ports: &Ports, leases: Vec<BuildLease>) {
    if let Some(port) = &ports.leases
        && !leases.is_empty()
    {
        port.give_back(leases).await;
    }
}
