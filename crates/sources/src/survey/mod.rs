//! Surveys: every root, one after the other.

mod classify;
mod report;
mod root;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use mangrove_domain::{
    observation::{RootAccess, RootView},
    ports::{ObserveError, ObserveRequest},
    source::RootId,
    survey::Survey,
};

pub(super) use self::classify::claimed_type;
use mangrove_fs::walk::Budget;

use crate::{
    options::TreeOptions,
    places,
    roots::{RootSpec, distrust},
    session::blocking,
    view::View,
    views::{FoundRoots, LookedAhead, REPOSITORY, SURROUNDINGS, Views},
    walk::Candidates,
};

/// What a survey of all roots gives.
pub(super) struct Surveyed {
    pub(super) survey: Survey,
    /// What was looked at, to be remembered.
    pub(super) views: Vec<View>,
    /// The environment variables that were asked for, with their values.
    pub(super) variables: BTreeMap<String, Option<String>>,
}

/// Looks at every root, one after the other: what one walked, the next leaves alone (fault 21).
pub(super) async fn all(
    options: &TreeOptions,
    request: &ObserveRequest,
    ahead: HashMap<RootId, LookedAhead>,
) -> Result<Surveyed, ObserveError> {
    let rehash = request.rehash;
    let (found, ahead) = {
        let (options, kinds) = (options.clone(), request.kinds.clone());
        blocking(move || {
            let mut views = Views { options: &options, ahead, rehash };
            let found = views.find_roots(&kinds);
            (found, views.ahead)
        })
        .await?
    };
    let FoundRoots { roots, layout, local, others: mut kept } = found?;
    let mut views = Views { options, ahead, rehash };
    let mut survey = Survey::default();
    let mut local = Some(local);
    let mut claimed: Arc<BTreeSet<PathBuf>> = Arc::default();
    let mut budget = Budget::new(options.walk_bounds);
    for spec in roots.specs {
        let view = match (&spec.access, local.take()) {
            (RootAccess::Reachable, Some(local)) => Ok(local),
            (RootAccess::Reachable, None) => views.open(spec.id.clone(), spec.origin, &spec.directory),
            (RootAccess::Unreachable(fault), _) => Err(ObserveError::Repository { fault: fault.clone() }),
        };
        let view = match view {
            Ok(view) => view,
            Err(ObserveError::Repository { fault }) => {
                if let (RootAccess::Reachable, Some(view)) = (&spec.access, kept.first_mut()) {
                    distrust(view);
                }
                survey.disk.roots.insert(spec.id.clone(), not_looked_at(&spec, RootAccess::Unreachable(fault)));
                continue;
            }
        };
        let (id, locked_files) = (spec.id.clone(), spec.locked_files.clone());
        let context = places::Context {
            spec,
            layout: layout.clone(),
            environment: options.environment.clone(),
            kinds: request.kinds.clone(),
            documents: Arc::clone(&options.documents),
            candidates: Candidates::Modules,
            claimed: Arc::clone(&claimed),
            budget: budget.clone(),
        };
        let surveyed = root::survey(&options.parser, view, context).await?;
        Arc::make_mut(&mut claimed).extend(surveyed.walked);
        budget = surveyed.budget;
        kept.push(surveyed.view);
        merge(&mut survey, surveyed.survey);
        if let Some(view) = survey.disk.roots.get_mut(&id) {
            view.locked_files = locked_files;
        }
    }
    for view in kept.iter().filter(|view| [SURROUNDINGS, REPOSITORY].contains(&view.root.id.as_str())) {
        survey.statistics.files_read += view.statistics.files_read;
        survey.statistics.directories_listed += view.statistics.directories_listed;
    }
    survey.disk.problems.extend(roots.problems);
    survey.disk.lockfile_fault = roots.lockfile_fault;
    survey.disk.mounts_fault = roots.mounts_fault;
    survey.disk.mount_patterns = roots.mount_patterns;
    Ok(Surveyed { survey, views: kept, variables: roots.variables })
}

/// A root in which nothing was looked at.
fn not_looked_at(spec: &RootSpec, access: RootAccess) -> RootView {
    RootView {
        origin: spec.origin,
        access,
        incomplete: BTreeSet::new(),
        missing_directories: BTreeMap::new(),
        locked_files: spec.locked_files.clone(),
    }
}

/// Adds what was seen of one more root.
fn merge(into: &mut Survey, part: Survey) {
    into.disk.observations.extend(part.disk.observations);
    into.entries.extend(part.entries);
    into.disk.roots.extend(part.disk.roots);
    into.disk.helpers.extend(part.disk.helpers);
    into.disk.problems.extend(part.disk.problems);
    into.disk.unknown_identities.extend(part.disk.unknown_identities);
    into.statistics.files_read += part.statistics.files_read;
    into.statistics.directories_listed += part.statistics.directories_listed;
}
