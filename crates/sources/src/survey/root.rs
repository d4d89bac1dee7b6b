//! Looking at one root from start to end.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use mangrove_domain::{
    ports::ObserveError,
    problem::{Code, Problem},
    shipped::Shipped,
    source::RelativePath,
    survey::Survey,
};

use mangrove_fs::walk::Budget;

use super::{
    classify::{Class, classify},
    report::{FoundEntry, add_shipped, report},
};
use crate::{
    config::Configs,
    manifest::{Identities, Manifests},
    parser::ModuleParser,
    places::{self, Places, Prepared},
    problems::name_root,
    session::{Session, blocking},
    shipped,
    view::{Node, View},
    walk::Walk,
};

/// What a survey of one root gives.
pub(super) struct SurveyedRoot {
    pub(super) survey: Survey,
    /// To be remembered.
    pub(super) view: View,
    /// The directories that were walked, by their absolute paths.
    pub(super) walked: Vec<PathBuf>,
    /// What is left for the next root.
    pub(super) budget: Budget,
}

/// Surveys one root.
pub(super) async fn survey(
    parser: &Arc<dyn ModuleParser>,
    view: View,
    context: places::Context,
) -> Result<SurveyedRoot, ObserveError> {
    let documents = Arc::clone(&context.documents);
    let locked_files = context.spec.locked_files.clone();
    let pull = context.spec.pull.clone();
    let prepared = blocking(move || places::prepare(view, context)).await?;
    let Prepared { view, places, manifests, identities, walk, missing_directories, mut problems, if_empty } =
        prepared.map_err(|fault| ObserveError::Repository { fault })?;

    let session = Session::new(view, Configs::new(documents), false);
    let session = session.load(walk.files.iter().cloned().collect(), parser).await?;

    let mut classes = Classes { session, places, found: Vec::new(), helpers: BTreeSet::new(), problems: Vec::new() };
    let (mut classes, walk) = blocking(move || {
        classes.fill(&walk, manifests, identities);
        classes.check_locked(&locked_files);
        (classes, walk)
    })
    .await?;
    problems.append(&mut classes.problems);
    let Classes { session, places, found, helpers, .. } = classes;
    problems.extend(if_empty.filter(|_| found.is_empty()));

    let entries = readable(&found).map(|entry| (entry.config, entry.path.to_string())).collect();
    let session = session.close(entries, parser).await?;
    let (session, places, found, shipped) = match pull {
        Some(pull) => find_shipped(session, places, found, &pull, parser).await?,
        None => (session, places, found, BTreeMap::new()),
    };

    blocking(move || {
        problems.extend(session.configs.problems.iter().cloned());
        let mut survey = report(&session, &places, found, helpers, &walk, missing_directories);
        add_shipped(&mut survey, shipped);
        let walked = walk.walked(&session.view).collect();
        problems.extend(walk.problems);
        let root = &session.view.root;
        for problem in &mut problems {
            name_root(&root.id, problem);
        }
        problems.sort_by(|left, right| {
            (&left.subject, left.code, &left.message).cmp(&(&right.subject, right.code, &right.message))
        });
        survey.disk.problems = problems;
        SurveyedRoot { survey, view: session.view, walked, budget: walk.budget }
    })
    .await
}

/// The candidates of a root by what they are.
struct Classes {
    session: Session,
    places: Places,
    found: Vec<FoundEntry>,
    helpers: BTreeSet<RelativePath>,
    problems: Vec<Problem>,
}

impl Classes {
    /// Classifies every candidate of a walk.
    fn fill(&mut self, walk: &Walk, mut manifests: Manifests, mut identities: Identities) {
        for path in &walk.files {
            match classify(&mut self.session.view, &self.places, path, &mut self.problems) {
                Class::Entry { kind, claimed_type, claims_add_on, failure } => {
                    if let Ok(path) = RelativePath::parse(path) {
                        let directory = path.parent().unwrap_or_default().to_owned();
                        let identity = identities.of(&mut self.session.view, &mut manifests, &directory);
                        let config = self.session.configs.in_force(&mut self.session.view, &directory);
                        let found = FoundEntry { path, kind, claimed_type, claims_add_on, identity, config, failure };
                        self.found.push(found);
                    }
                }
                Class::Helper => self.helpers.extend(RelativePath::parse(path)),
                Class::Gone => {}
            }
        }
        self.problems.append(&mut manifests.problems);
    }

    /// Reports the files that the lockfile names and that are not there.
    fn check_locked(&mut self, locked_files: &BTreeSet<RelativePath>) {
        for path in locked_files {
            if self.session.view.node(path.as_str()) != Node::File {
                self.problems.push(missing_locked_file(path));
            }
        }
    }
}

fn readable(found: &[FoundEntry]) -> impl Iterator<Item = &FoundEntry> {
    found.iter().filter(|entry| entry.failure.is_none())
}

/// What a session read for some entries, and the bundles that the extension ships for them.
type WithShipped = (Session, Places, Vec<FoundEntry>, BTreeMap<String, Shipped>);

/// Looks for the bundles that a pulled extension ships for its entries, and reads them.
async fn find_shipped(
    mut session: Session,
    places: Places,
    found: Vec<FoundEntry>,
    pull: &Arc<str>,
    parser: &Arc<dyn ModuleParser>,
) -> Result<WithShipped, ObserveError> {
    let (session, places, found, sought) = blocking(move || {
        let entries = readable(&found).map(|entry| (entry.config, entry.path.as_str(), entry.kind));
        let sought = shipped::seek(&mut session, &places, entries);
        (session, places, found, sought)
    })
    .await?;
    let session = session.load(sought.files().into_iter().collect(), parser).await?;
    let shipped = sought.judge(&session.view, pull);
    Ok((session, places, found, shipped))
}

fn missing_locked_file(path: &RelativePath) -> Problem {
    Problem::warning(Code::UNREADABLE, path.to_string(), "the lockfile lists this file, but it does not exist")
        .advise("pull the extension again")
}
