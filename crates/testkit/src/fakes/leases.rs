//! Leases in memory.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use mangrove_domain::{
    ports::{ClaimAnswer, GivenUp, LeaseError, ScheduleClaim, ScheduleLeases, ScheduledInstant},
    time::Timestamp,
};

use super::lock;

/// Leases in memory, of holders that all live and whose runs end at once. Panics on a claim without a holder or a run.
#[derive(Debug, Default)]
pub struct MemoryLeases(Mutex<BTreeMap<(String, Timestamp), Claim>>);

#[derive(Debug)]
struct Claim {
    claim: ScheduleClaim,
    given_up: Option<GivenUp>,
}

#[async_trait]
impl ScheduleLeases for MemoryLeases {
    async fn claim(&self, claim: &ScheduleClaim) -> Result<ClaimAnswer, LeaseError> {
        assert!(!claim.holder.is_empty(), "a claim without a holder");
        assert!(!claim.run.is_empty(), "a claim without a run");
        let mut claims = lock(&self.0);
        let new = || Claim { claim: claim.clone(), given_up: None };
        let kept = claims.entry((claim.workflow.clone(), claim.instant)).or_insert_with(new);
        if kept.given_up == Some(GivenUp::ForGood) {
            return Ok(ClaimAnswer::Elsewhere);
        }
        if kept.given_up == Some(GivenUp::ForOthers) || kept.claim.holder == claim.holder {
            *kept = new();
        }
        Ok(if kept.claim.holder == claim.holder { ClaimAnswer::Given } else { ClaimAnswer::Elsewhere })
    }

    async fn abandoned(&self, since: Timestamp) -> Result<Vec<ScheduledInstant>, LeaseError> {
        let claims = lock(&self.0);
        let given_up = claims.values().filter(|claim| claim.given_up == Some(GivenUp::ForOthers));
        let mut abandoned: Vec<ScheduledInstant> = given_up
            .map(|Claim { claim, .. }| ScheduledInstant { instant: claim.instant, workflow: claim.workflow.clone() })
            .filter(|claim| claim.instant >= since)
            .collect();
        abandoned.sort_unstable();
        Ok(abandoned)
    }

    async fn taken(&self, instants: &[ScheduledInstant]) -> Result<Vec<ScheduledInstant>, LeaseError> {
        let claims = lock(&self.0);
        let is_taken = |instant: &&ScheduledInstant| {
            let kept = claims.get(&(instant.workflow.clone(), instant.instant));
            kept.is_some_and(|kept| kept.given_up != Some(GivenUp::ForOthers))
        };
        Ok(instants.iter().filter(is_taken).cloned().collect())
    }

    async fn give_up(&self, claim: &ScheduleClaim, given_up: GivenUp) -> Result<(), LeaseError> {
        let mut claims = lock(&self.0);
        if let Some(kept) = claims.get_mut(&(claim.workflow.clone(), claim.instant))
            && (&kept.claim.holder, &kept.claim.run) == (&claim.holder, &claim.run)
        {
            kept.given_up = Some(given_up);
        }
        Ok(())
    }

    async fn latest(&self) -> Result<Vec<(String, Timestamp)>, LeaseError> {
        let latest: BTreeMap<String, Timestamp> = lock(&self.0).keys().cloned().collect();
        Ok(latest.into_iter().collect())
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, LeaseError> {
        let latest: BTreeMap<String, Timestamp> = self.latest().await?.into_iter().collect();
        let mut claims = lock(&self.0);
        let all = claims.len();
        claims.retain(|(workflow, instant), kept| kept.claim.at >= before || latest.get(workflow) == Some(instant));
        Ok((all - claims.len()) as u64)
    }
}
