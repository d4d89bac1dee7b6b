//! Looking at one root from start to end.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    fingerprint::{Inputs, Part},
    kind_layout::KindLayout,
    observation::{Entry, Observation, RootAccess, RootView},
    ports::{ObserveError, ObserveRequest},
    problem::{Code, Problem},
    shipped::Shipped,
    source::{Kind, RelativePath, RootId, SourceId},
    survey::{Survey, SurveyedEntry},
    type_name::TypeName,
};
use mangrove_fs::stamp::NodeKind;

use super::{
    config::Configs,
    manifest::Identity,
    parser::ParsedModule,
    places::{self, Place, Places, Prepared},
    session::{Session, blocking},
    shipped,
    tree::LocalTree,
    view::{Content, FileRecord, Listing, Node, Trouble, View},
    walk::{Walk, parent},
};

/// A file that is an entry point.
struct Found {
    path: RelativePath,
    kind: usize,
    claimed_type: Option<TypeName>,
    claims_add_on: bool,
    identity: Identity,
    config: usize,
    trouble: Option<Trouble>,
}

/// What a survey of one root gives.
pub(super) struct Surveyed {
    pub(super) survey: Survey,
    /// To be remembered.
    pub(super) view: View,
    /// The directories that were walked, by their absolute paths.
    pub(super) walked: Vec<PathBuf>,
}

/// Surveys one root.
pub(super) async fn root(
    tree: &LocalTree,
    view: View,
    mut context: places::Context,
    request: &ObserveRequest,
) -> Result<Surveyed, ObserveError> {
    let options = tree.options();
    let documents = Arc::clone(&context.documents);
    context.kinds.clone_from(&request.kinds);
    let locked_files = context.spec.locked_files.clone();
    let pull = context.spec.pull.clone();
    let prepared = blocking(move || places::prepare(view, context)).await?;
    let Prepared { view, places, mut manifests, mut identities, walk, missing_directories, mut problems } =
        prepared.map_err(|fault| ObserveError::Repository { fault })?;

    let session = Session::new(view, Configs::new(documents), false);
    let mut session = session.load(walk.files.iter().cloned().collect(), &options.parser).await?;

    let (session, places, walk, found, helpers, mut found_problems) = blocking(move || {
        let mut helpers = BTreeSet::new();
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for path in &walk.files {
            match classify(&mut session.view, &places, path, &mut problems) {
                Class::Entry { kind, claimed_type, claims_add_on, trouble } => {
                    if let Ok(path) = RelativePath::parse(path) {
                        let directory = path.parent().unwrap_or_default().to_owned();
                        let identity = identities.of(&mut session.view, &mut manifests, &directory);
                        let config = session.configs.in_force(&mut session.view, &directory);
                        found.push(Found { path, kind, claimed_type, claims_add_on, identity, config, trouble });
                    }
                }
                Class::Helper => helpers.extend(RelativePath::parse(path)),
                Class::Gone => {}
            }
        }
        for path in &locked_files {
            if session.view.node(path.as_str()) != Node::File {
                problems.push(missing_locked_file(path));
            }
        }
        problems.append(&mut manifests.problems);
        (session, places, walk, found, helpers, problems)
    })
    .await?;

    let entries =
        found.iter().filter(|entry| entry.trouble.is_none()).map(|entry| (entry.config, entry.path.to_string()));
    let mut session = session.close(entries.collect(), &options.parser).await?;
    let mut shipped = BTreeMap::new();
    let (mut places, mut found) = (places, found);
    if let Some(pull) = pull {
        let sought;
        (session, places, found, sought) = blocking(move || {
            let readable = found.iter().filter(|entry| entry.trouble.is_none());
            let entries = readable.map(|entry| (entry.config, entry.path.as_str(), entry.kind));
            let sought = shipped::seek(&mut session, &places, entries);
            (session, places, found, sought)
        })
        .await?;
        session = session.load(sought.files().into_iter().collect(), &options.parser).await?;
        shipped = sought.judge(&session.view, &pull);
    }

    blocking(move || {
        problems.append(&mut found_problems);
        problems.extend(session.configs.problems.iter().cloned());
        let mut survey = report(&session, &places, found, helpers, &walk, missing_directories);
        tell_shipped(&mut survey, shipped);
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
        Surveyed { survey, view: session.view, walked }
    })
    .await
}

/// Problems name files as rows do: with their root, if it is not the repository.
pub(super) fn name_root(root: &RootId, problem: &mut Problem) {
    if *root == RootId::local() {
        return;
    }
    let name = |path: &str| if path.is_empty() { root.to_string() } else { format!("{root}/{path}") };
    problem.subject = name(&problem.subject);
    if let Some(position) = &mut problem.position {
        position.file = name(&position.file);
    }
}

/// Adds what was seen of one more root.
pub(super) fn merge(into: &mut Survey, part: Survey) {
    into.disk.observations.extend(part.disk.observations);
    into.entries.extend(part.entries);
    into.disk.roots.extend(part.disk.roots);
    into.disk.helpers.extend(part.disk.helpers);
    into.disk.problems.extend(part.disk.problems);
    into.disk.unknown_identities.extend(part.disk.unknown_identities);
    into.statistics.files_read += part.statistics.files_read;
    into.statistics.directories_listed += part.statistics.directories_listed;
}

enum Class {
    Entry { kind: usize, claimed_type: Option<TypeName>, claims_add_on: bool, trouble: Option<Trouble> },
    Helper,
    Gone,
}

fn classify(view: &mut View, places: &Places, path: &str, problems: &mut Vec<Problem>) -> Class {
    let Some(record) = view.files.get(path).cloned() else {
        return Class::Gone;
    };
    let Some(place) = places.of(path) else {
        return Class::Gone;
    };
    let own = |kind: &usize| place.kinds.contains(kind);
    let trouble = match &record.content {
        Content::Read { .. } => None,
        Content::Unreadable(trouble) => Some(trouble.clone()),
        Content::Absent if is_link(view, path) => {
            let message = "the link leads to nothing".to_owned();
            Some(Trouble::lasting("dangling-link", message))
        }
        Content::Absent | Content::Outside => return Class::Gone,
    };
    let Some(module) = &record.module else {
        // Nothing was ever read of it: it may be an entry point, and must not vanish from sight.
        return match (place.kinds.first().copied(), trouble) {
            (Some(kind), Some(trouble)) => {
                Class::Entry { kind, claimed_type: None, claims_add_on: false, trouble: Some(trouble) }
            }
            (None, _) | (_, None) => Class::Helper,
        };
    };
    let exported = |names: &[Arc<str>]| {
        names.iter().find(|name| module.exports.iter().any(|export| export.as_str() == name.as_ref())).cloned()
    };
    for other in (0..places.kinds.len()).filter(|kind| !own(kind)) {
        let mut own_names = place.kinds.iter().flat_map(|kind| &places.kinds[*kind].export_names);
        let foreign = exported(&places.kinds[other].export_names);
        if let Some(name) = foreign.filter(|name| !own_names.any(|own| own == name)) {
            problems.push(wrong_kind(path, &name, places, place, other));
        }
    }
    let entry = place
        .kinds
        .iter()
        .find_map(|kind| exported(&places.kinds[*kind].export_names).map(|name| (*kind, &places.kinds[*kind], name)));
    if let Some((kind, layout, name)) = entry {
        let claimed_type = claimed_type(module, layout, &name);
        let claims_add_on = layout.add_on_export_names.contains(&name);
        return Class::Entry { kind, claimed_type, claims_add_on, trouble };
    }
    problems.extend(trouble.map(|trouble| unreadable_helper(path, &trouble)));
    Class::Helper
}

fn is_link(view: &mut View, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match &view.directory(parent(path)).listing {
        Listing::Names { names, .. } => {
            names.iter().any(|candidate| candidate.name == name && candidate.kind == NodeKind::Link)
        }
        Listing::Absent | Listing::Outside | Listing::Failed(_) => false,
    }
}

fn claimed_type(module: &ParsedModule, layout: &KindLayout, export: &str) -> Option<TypeName> {
    let literal = module
        .literals
        .iter()
        .find(|literal| literal.export == export && literal.key.as_str() == layout.type_key.as_ref())?;
    (layout.normalise)(&literal.value).ok()
}

fn wrong_kind(path: &str, name: &str, places: &Places, place: &Place, other: usize) -> Problem {
    let layout = &places.kinds[other];
    let kind = &layout.kind;
    let (message, advice) = if place.kinds.is_empty() {
        (
            format!("the file exports `{name}`, which makes it a {kind}, and the manifest around it does not list it"),
            format!("list it in the manifest under `{}`", layout.directory),
        )
    } else {
        (
            format!("the file exports `{name}`, which makes it a {kind}, in a directory of another kind"),
            format!("move it below {}", places.directory(place, other)),
        )
    };
    Problem::warning(Code::WRONG_KIND, path.to_owned(), message).advise(advice)
}

fn missing_locked_file(path: &RelativePath) -> Problem {
    Problem::warning(Code::UNREADABLE, path.to_string(), "the lockfile names this file, and it is not there")
        .advise("pull the extension again")
}

fn unreadable_helper(path: &str, trouble: &Trouble) -> Problem {
    Problem::warning(Code::UNREADABLE, path.to_owned(), format!("the file cannot be read: {}", trouble.message))
}

fn report(
    session: &Session,
    places: &Places,
    found: Vec<Found>,
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
        let state = match (entry.trouble, record.and_then(|record| record.digest())) {
            (None, Some(digest)) => {
                let assembled = session.assemble(entry.config, entry.path.as_str());
                surveyed.specifiers = assembled.specifiers;
                surveyed.lock = session.lock(entry.config);
                let (source, config) = (assembled.source, assembled.config);
                let inputs = Inputs { source, config, packages: empty.clone(), bundler: empty.clone() };
                Entry::Readable { digest, inputs }
            }
            (Some(trouble), _) => Entry::Unreadable(unreadable(&entry.path, &trouble)),
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
fn tell_shipped(survey: &mut Survey, mut shipped: BTreeMap<String, Shipped>) {
    for (observation, entry) in survey.disk.observations.iter().zip(&mut survey.entries) {
        entry.shipped = shipped.remove(observation.source.path.as_str());
    }
}

fn unreadable(path: &RelativePath, trouble: &Trouble) -> Fault {
    let message = format!("{path} cannot be read: {}", trouble.message);
    let class = if trouble.is_transient { FailureClass::Transient } else { FailureClass::Environment };
    Fault::new(class, Code::UNREADABLE, trouble.cause.as_str(), message)
}
