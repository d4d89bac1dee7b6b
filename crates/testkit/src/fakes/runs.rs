//! The run history in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use async_trait::async_trait;
use mangrove_domain::{
    ports::{RunFilter, RunStore, RunStoreError},
    run::{RunHeader, RunLookup, RunRecord},
    time::Timestamp,
};

use super::lock;

/// A run history in memory. Panics on a record without an identifier.
#[derive(Debug, Default)]
pub struct MemoryRuns {
    records: Mutex<BTreeMap<String, RunRecord>>,
    /// The runs that have ended and to which something is still to be added.
    held: Mutex<BTreeSet<String>>,
}

impl MemoryRuns {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl RunStore for MemoryRuns {
    async fn save(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        assert!(!record.id.is_empty(), "a run without an identifier");
        lock(&self.records).insert(record.id.clone(), record.clone());
        lock(&self.held).remove(&record.id);
        Ok(())
    }

    async fn save_ended(&self, record: &RunRecord) -> Result<(), RunStoreError> {
        self.save(record).await?;
        lock(&self.held).insert(record.id.clone());
        Ok(())
    }

    async fn replace(&self, before: &RunRecord, record: &RunRecord) -> Result<bool, RunStoreError> {
        let mut records = lock(&self.records);
        let is_held = before.is_open() || lock(&self.held).contains(&before.id);
        if is_held || records.get(&before.id) != Some(before) {
            return Ok(false);
        }
        records.insert(record.id.clone(), record.clone());
        Ok(true)
    }

    async fn get(&self, id: &str) -> Result<RunLookup, RunStoreError> {
        let runs = lock(&self.records);
        if let Some(record) = runs.get(id) {
            return Ok(RunLookup::Found(Box::new(record.clone())));
        }
        let mut matching = runs.values().filter(|record| record.id.starts_with(id));
        Ok(match (matching.next(), matching.next()) {
            (None, _) => RunLookup::Unknown,
            (Some(record), None) => RunLookup::Found(Box::new(record.clone())),
            (Some(_), Some(_)) => RunLookup::Ambiguous,
        })
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunHeader>, RunStoreError> {
        let mut records: Vec<RunHeader> = lock(&self.records)
            .values()
            .filter(|record| filter.name.as_ref().is_none_or(|name| *name == record.name))
            .map(RunHeader::from)
            .collect();
        records.sort_by(|one, other| (other.started_at, &other.id).cmp(&(one.started_at, &one.id)));
        if let Some(before) = &filter.before {
            records.retain(|record| (record.started_at, &record.id) < (before.started_at, &before.id));
        }
        let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        records.truncate(limit);
        Ok(records)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        let mut runs = lock(&self.records);
        let all = runs.len();
        runs.retain(|_, record| !is_old(record, before));
        Ok((all - runs.len()) as u64)
    }

    async fn forget_lines(&self, before: Timestamp) -> Result<u64, RunStoreError> {
        let mut runs = lock(&self.records);
        let old = runs.values_mut().filter(|record| is_old(record, before));
        Ok(old.map(|record| u64::from(record.forget_lines())).sum())
    }
}

fn is_old(record: &RunRecord, before: Timestamp) -> bool {
    !record.is_open() && record.finished_at.is_some_and(|finished| finished < before)
}
