//! What a repository consists of, as it was looked at last: to be compared with what another node has.

use std::{collections::BTreeMap, path::Path};

use mangrove_domain::{
    checkout::Checkout,
    digest::Digest,
    source::{RelativePath, SourceId},
};

use crate::{edits::is_beside, stat_cache::Remembered, version_control, view::Content};

/// The commit that the repository is at now, and every file of sources that was read.
pub(crate) fn checkout(repository: &Path, remembered: Option<&Remembered>) -> Checkout {
    Checkout { commit: version_control::commit(repository), files: remembered.map(digests).unwrap_or_default() }
}

fn digests(remembered: &Remembered) -> BTreeMap<SourceId, Digest> {
    let mut digests = BTreeMap::new();
    for root in remembered.roots.iter().filter(|root| !is_beside(root)) {
        for (path, record) in &remembered.memo(&root.id).files {
            if let (Content::Read { digest, .. }, Ok(path)) = (&record.content, RelativePath::parse(path)) {
                digests.insert(SourceId { root: root.id.clone(), path }, Digest::from_bytes(*digest));
            }
        }
    }
    digests
}
