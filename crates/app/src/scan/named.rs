//! A look at the sources that a query means, and at nothing else that is known.

use std::collections::BTreeSet;

use mangrove_domain::{
    ports::{Event, ObserveRequest, Phase},
    row::Row,
    source::SourceId,
};

use super::{
    Scanner,
    error::Error,
    observe::{self, Observed},
    request::ScanRequest,
};
use crate::source_query::SourceQuery;

impl Scanner {
    /// What a look at everything would see of the sources that are meant, and these. A plan of it says of each what a plan of
    /// everything says: whether a source that is there is fresh depends on no other one.
    ///
    /// `None` where others matter, so that everything has to be looked at: nothing is meant, one of them is not there (it may
    /// have another name now, or many may be gone), or adds to the type of another.
    pub(crate) async fn look_at_meant(
        &self,
        request: &ScanRequest,
        query: &SourceQuery,
    ) -> Result<Option<(Observed, BTreeSet<SourceId>)>, Error> {
        let start = self.start(request).await;
        let named = query.names(self.loaders());
        let catalog = self.ports.catalog.as_ref();
        let mut view = catalog.rows_named(&named).await.map_err(Error::reading_catalog)?;
        let known = view.rows.iter().map(|row| &row.source).chain(&view.unreadable);
        let known: BTreeSet<SourceId> = known.cloned().collect();
        let asked = ObserveRequest { only: known.clone(), named, ..observe::survey_request(self.loaders(), request) };
        let mut survey = self.ports.tree.survey(&asked).await.map_err(Error::Observe)?;
        let sources = query.sources(self.loaders(), &survey.disk, &view);
        let unread: BTreeSet<SourceId> = sources.difference(&known).cloned().collect();
        if !unread.is_empty() {
            let rows = catalog.rows(&unread).await.map_err(Error::reading_catalog)?;
            if rows.version != view.version {
                return Ok(None);
            }
            view.rows.extend(rows.rows);
            view.damaged.extend(rows.damaged);
            view.unreadable.extend(rows.unreadable);
        }
        view.rows.retain(|row| sources.contains(&row.source));
        let entries = std::mem::take(&mut survey.entries);
        let observations = std::mem::take(&mut survey.disk.observations);
        let meant = observations.into_iter().zip(entries).filter(|(seen, _)| sources.contains(&seen.source));
        (survey.disk.observations, survey.entries) = meant.unzip();
        let is_there = |source: &SourceId| survey.disk.observations.iter().any(|seen| seen.source == *source);
        let adds =
            view.rows.iter().any(Row::is_add_on) || survey.disk.observations.iter().any(|seen| seen.claims_add_on);
        if adds || sources.is_empty() || !sources.iter().all(is_there) {
            return Ok(None);
        }
        survey.disk.keep_known_identities(&view);
        let observed = observe::of_some(&self.ports, (request.clone(), start), survey, view, sources.clone()).await?;
        request.progress.event(&Event::Finished { phase: Phase::Observe });
        Ok(Some((observed, sources)))
    }
}
