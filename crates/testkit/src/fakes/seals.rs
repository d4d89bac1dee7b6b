//! The latest seal in memory.

use std::sync::Mutex;

use async_trait::async_trait;
use mangrove_domain::{failure::Fault, ports::Seals, seal::Seal};

use super::lock;

/// Keeps the latest seal, and counts how often one was saved.
#[derive(Debug, Default)]
pub struct MemorySeals(Mutex<(Option<Seal>, usize)>);

impl MemorySeals {
    /// Without a seal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses the seal.
    pub fn forget(&self) {
        lock(&self.0).0 = None;
    }

    /// How many seals were saved.
    #[must_use]
    pub fn saves(&self) -> usize {
        lock(&self.0).1
    }
}

#[async_trait]
impl Seals for MemorySeals {
    async fn load(&self) -> Option<Seal> {
        lock(&self.0).0.clone()
    }

    async fn save(&self, seal: &Seal) -> Result<(), Fault> {
        let mut kept = lock(&self.0);
        kept.0 = Some(seal.clone());
        kept.1 += 1;
        Ok(())
    }
}
