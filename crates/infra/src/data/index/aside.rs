//! What has moved since the index was written, where it is not to be written.

use std::collections::HashSet;

use super::{
    super::{evidence::Looker, files::Files},
    IndexError,
    mirror::{self, FreshItem, Stale},
    tables::{Query, StoredVersion},
};

/// What counts in place of rows.
#[derive(Default)]
pub(super) struct Aside {
    models: HashSet<String>,
    items: HashSet<(String, String)>,
    fresh: Vec<FreshItem>,
}

impl Aside {
    /// Reads what has moved.
    pub(super) fn read(files: &Files, looker: &Looker, stale: Stale) -> Result<Self, IndexError> {
        let fresh = mirror::read(files, looker, &stale.items)?;
        let read = fresh.iter().map(|item| (item.model.clone(), item.name.clone()));
        let items = stale.gone_items.into_iter().chain(read).collect();
        Ok(Self { models: stale.gone_models.into_iter().collect(), items, fresh })
    }

    /// True if the rows of this item do not count.
    pub(super) fn hides(&self, model: &str, name: &str) -> bool {
        let is_empty = self.models.is_empty() && self.items.is_empty();
        !is_empty && (self.models.contains(model) || self.items.contains(&(model.to_owned(), name.to_owned())))
    }

    /// The versions that count in their place; a search may want less.
    pub(super) fn versions(self, query: &Query) -> Vec<StoredVersion> {
        let mut versions = Vec::new();
        for item in self.fresh {
            let most = match query {
                Query::Search(_) => usize::MAX,
                Query::Newest(model) if *model == item.model => 1,
                Query::Newest(_) => 0,
            };
            versions.extend(item.versions.into_iter().take(most).map(|version| StoredVersion {
                is_latest: version.told.is_latest,
                place: version.told.place,
                handle: version.handle,
            }));
        }
        versions
    }
}
