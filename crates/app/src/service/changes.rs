//! What changes while a service runs.

use std::sync::Arc;

use mangrove_domain::{index::TypeIndex, time::Timestamp, watch::WatchList};
use tokio::sync::{broadcast, watch};

use super::{base::Service, error::ServiceError};
use crate::{
    scan::Publication,
    workflow::{RunEvent, library::Layout},
};

/// Where the configurations of vaults lie, relative to the repository.
const VAULTS_DIRECTORY: &str = "vaults";

impl Service {
    /// The types as they were published last, and every later snapshot.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<TypeIndex>> {
        self.scanner.publisher().snapshots()
    }

    /// What is published from now on, with its transitions. A subscriber that falls behind loses the oldest.
    #[must_use]
    pub fn publications(&self) -> broadcast::Receiver<Arc<Publication>> {
        self.scanner.publisher().publications()
    }

    /// The types as they were published last, without a look at the catalog; none before anything was published.
    #[must_use]
    pub fn published(&self) -> Arc<TypeIndex> {
        self.scanner.index()
    }

    /// What happens in all runs of this process from now on, but for what they log. A subscriber that falls behind loses
    /// the oldest.
    #[must_use]
    pub fn run_events(&self) -> broadcast::Receiver<RunEvent> {
        self.active.subscribe()
    }

    /// Publishes what other processes committed; true if they did.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn publish_foreign_commits(&self) -> Result<bool, ServiceError> {
        Ok(self.scanner.publish_foreign_commits().await?)
    }

    /// Waits until other processes may have committed something, where the catalog tells of it; else for ever.
    pub async fn commits_of_others(&self) {
        self.scanner.ports().catalog.changed().await;
    }

    /// When the earliest retry is due; `None` if none is planned.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.scanner.next_due()
    }

    /// The places where a change may mean something: those on which the latest look at the sources rests, and those of
    /// definitions, workflows and vault configurations.
    pub async fn watch_list(&self) -> WatchList {
        let mut list = self.scanner.ports().tree.looked_at().await;
        let layout = Layout::default();
        let Layout { workflows, further_workflows, earlier_workflows, .. } = &layout;
        let definitions = layout.definition_places().into_iter().map(|(directory, _)| directory);
        let others = [workflows.as_str(), further_workflows, earlier_workflows, VAULTS_DIRECTORY];
        for directory in definitions.chain(others).map(|directory| self.repository.directory.join(directory)) {
            // As a path of its own as well: it may come into being.
            list.files.insert(directory.clone());
            list.trees.insert(directory);
        }
        list
    }
}
