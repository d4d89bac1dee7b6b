//! A look after edits: at the sources that reach the files that somebody edited, and at nothing else.

use std::{collections::BTreeSet, path::PathBuf};

use mangrove_domain::{
    index::TypeIndex,
    observation::CatalogView,
    ports::{Event, Phase},
    row::Row,
    source::SourceId,
    survey::{EditedEntry, Edits},
};

use super::{
    Scanner,
    error::Error,
    observe::{self, Observed},
    ports::Ports,
    request::ScanRequest,
};

/// So many files are looked at by themselves at most. Each of them is held against every row; what changes this many at once, such
/// as another branch, is seen sooner by a look at everything.
const MOST_EDITED: usize = 64;

impl Scanner {
    /// As [`look`](Self::look), for a caller that was told which files changed and looks at everything soon afterwards: only
    /// the sources that reach these files are looked at, and of the rest the latest look counts. The plan is about these
    /// sources alone. `None` if more may have changed than what stands in modules that are known, or very many of them: then it
    /// takes a look at everything.
    pub async fn look_at_edits(
        &self,
        request: &ScanRequest,
        paths: &BTreeSet<PathBuf>,
    ) -> Result<Option<Observed>, Error> {
        if paths.len() > MOST_EDITED {
            return Ok(None);
        }
        let start = self.start(request).await;
        let Ports { tree, catalog, .. } = &self.ports;
        let kinds = self.loaders.layouts();
        let Some(files) = tree.modules_at(&kinds, paths).await.map_err(Error::Observe)? else { return Ok(None) };
        let index = self.index();
        let entries: Vec<EditedEntry> = index.rows().filter(|row| reaches(row, &files)).map(|row| entry(row)).collect();
        let sources: BTreeSet<SourceId> = entries.iter().map(|entry| entry.source.clone()).collect();
        let edits = Edits { kinds, files, entries };
        let (survey, view) = futures::join!(tree.survey_edits(&edits), catalog.rows(&sources));
        let (survey, catalog) = (survey.map_err(Error::Observe)?, view.map_err(Error::reading_catalog)?);
        let Some(survey) = survey.filter(|_| is_published(&index, &sources, &catalog)) else { return Ok(None) };
        let observed = observe::of_some(&self.ports, (request.clone(), start), survey, catalog, sources).await?;
        request.progress.event(&Event::Finished { phase: Phase::Observe });
        Ok(Some(observed))
    }
}

/// True if one of these files is the source, or what it was made from.
fn reaches(row: &Row, files: &BTreeSet<SourceId>) -> bool {
    let inputs = || [&row.built, &row.attempted].into_iter().flatten();
    let is_reached = |file: &SourceId| {
        file.root == row.source.root && inputs().any(|inputs| inputs.source.has_key(file.path.as_str()))
    };
    files.contains(&row.source) || files.iter().any(is_reached)
}

fn entry(row: &Row) -> EditedEntry {
    EditedEntry {
        source: row.source.clone(),
        origin: row.origin,
        extension: row.extension.clone(),
        kind: row.kind.clone(),
    }
}

/// True if the catalog holds the very rows that are published: whatever else it holds, this process knows of it.
fn is_published(index: &TypeIndex, sources: &BTreeSet<SourceId>, view: &CatalogView) -> bool {
    let is_known = |row: &Row| index.row(&row.source).is_some_and(|known| known.revision == row.revision);
    view.damaged.is_empty() && view.rows.len() == sources.len() && view.rows.iter().all(is_known)
}
