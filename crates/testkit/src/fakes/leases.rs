//! Leases in memory.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use mangrove_domain::{
    ports::{LeaseError, ScheduleClaim, ScheduleLeases},
    time::Timestamp,
};

use super::lock;

/// Leases in memory. Panics on a claim without a holder.
#[derive(Debug, Default)]
pub struct MemoryLeases(Mutex<BTreeMap<(String, Timestamp), ScheduleClaim>>);

#[async_trait]
impl ScheduleLeases for MemoryLeases {
    async fn claim(&self, claim: &ScheduleClaim) -> Result<bool, LeaseError> {
        assert!(!claim.holder.is_empty(), "a claim without a holder");
        let mut claims = lock(&self.0);
        let kept = claims.entry((claim.workflow.clone(), claim.instant)).or_insert_with(|| claim.clone());
        Ok(kept.holder == claim.holder)
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        let latest: BTreeMap<String, Timestamp> = lock(&self.0).keys().cloned().collect();
        Ok(latest.into_iter().collect())
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        let latest: BTreeMap<String, Timestamp> = self.latest().await?.into_iter().collect();
        let mut claims = lock(&self.0);
        let all = claims.len();
        claims.retain(|(workflow, instant), claim| claim.at >= before || latest.get(workflow) == Some(instant));
        Ok((all - claims.len()) as u64)
    }
}
