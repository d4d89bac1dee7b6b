//! Build locks in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    ports::{Acquired, BuildLock, BuildLocks},
};

use super::lock;

type ByFingerprint = Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>;

/// Locks that all clones share, as processes share those of a directory.
#[derive(Clone, Debug, Default)]
pub struct MemoryBuildLocks(Arc<ByFingerprint>);

impl MemoryBuildLocks {
    /// Nothing is locked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl BuildLocks for MemoryBuildLocks {
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Acquired {
        let mutex = Arc::clone(lock(&self.0).entry(fingerprint).or_default());
        if let Ok(held) = Arc::clone(&mutex).try_lock_owned() {
            return Acquired::AtOnce(BuildLock::new(held));
        }
        match tokio::time::timeout(patience, mutex.lock_owned()).await {
            Ok(held) => Acquired::AfterOthers(BuildLock::new(held)),
            Err(_) => Acquired::Busy,
        }
    }
}
