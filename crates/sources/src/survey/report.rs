//! From what was read of one root to its survey.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    fingerprint::{Inputs, Part},
    observation::{Entry, Observation, RootAccess, RootView},
    shipped::Shipped,
    source::{Kind, RelativePath, SourceId},
    survey::{Survey, SurveyedEntry},
    type_name::TypeName,
};

use crate::{
    manifest::Identity,
    places::Places,
    session::Session,
    view::{FileRecord, ReadFailure},
    walk::Walk,
};

/// A file that is an entry point.
pub(super) struct FoundEntry {
    pub(super) path: RelativePath,
    pub(super) kind: usize,
    pub(super) claimed_type: Option<TypeName>,
    pub(super) claims_add_on: bool,
    pub(super) identity: Identity,
    pub(super) config: usize,
    pub(super) failure: Option<ReadFailure>,
}

/// The survey of a root, out of what was read of it.
pub(super) fn report(
    session: &Session,
    places: &Places,
    found: Vec<FoundEntry>,
    helpers: BTreeSet<RelativePath>,
    walk: &Walk,
    missing_directories: BTreeMap<Kind, String>,
) -> Survey {
    let root = &session.view.root;
    let empty = Part::of([]);
    let mut survey = Survey { statistics: session.view.statistics, ..Survey::default() };
    for entry in found {
        let record: Option<&Arc<FileRecord>> = session.view.files.get(entry.path.as_str());
        let mut surveyed = SurveyedEntry::default();
        let state = match (entry.failure, record.and_then(|record| record.digest())) {
            (None, Some(digest)) => {
                let assembled = session.assemble(entry.config, entry.path.as_str());
                surveyed.specifiers = assembled.specifiers;
                surveyed.lock = session.lock(entry.config);
                let (source, config) = (assembled.source, assembled.config);
                let inputs = Inputs { source, config, packages: empty.clone(), bundler: empty.clone() };
                Entry::Readable { digest, inputs }
            }
            (Some(failure), _) => Entry::Unreadable(unreadable(&entry.path, &failure)),
            (None, None) => continue,
        };
        let source = SourceId { root: root.id.clone(), path: entry.path };
        if entry.identity.is_unknown {
            survey.disk.unknown_identities.insert(source.clone());
        }
        survey.disk.observations.push(Observation {
            source,
            origin: root.origin,
            extension: entry.identity.extension,
            kind: places.kinds[entry.kind].kind.clone(),
            claimed_type: entry.claimed_type,
            claims_add_on: entry.claims_add_on,
            entry: state,
        });
        survey.entries.push(surveyed);
    }
    survey.disk.helpers = helpers.into_iter().map(|path| SourceId { root: root.id.clone(), path }).collect();
    let view = RootView {
        origin: root.origin,
        access: RootAccess::Reachable,
        incomplete: walk.incomplete.clone(),
        missing_directories,
        locked_files: BTreeSet::new(),
    };
    survey.disk.roots.insert(root.id.clone(), view);
    survey
}

/// Adds what the extension ships for its entries.
pub(super) fn add_shipped(survey: &mut Survey, mut shipped: BTreeMap<String, Shipped>) {
    for (observation, entry) in survey.disk.observations.iter().zip(&mut survey.entries) {
        entry.shipped = shipped.remove(observation.source.path.as_str());
    }
}

fn unreadable(path: &RelativePath, failure: &ReadFailure) -> Fault {
    failure.fault(path.as_str(), failure.cause.as_str())
}
