//! Looking at one root from start to end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    fingerprint::{Inputs, Part},
    observation::{Entry, Observation, RootAccess, RootView},
    ports::{KindLayout, ObserveError, ObserveRequest, Survey, SurveyedEntry},
    problem::{Code, Problem, Severity},
    source::{Extension, Kind, RelativePath, SourceId},
    type_name::TypeName,
};

use super::{
    config::Configs,
    layout::{Extensions, Layout},
    parser::ParsedModule,
    session::{Session, blocking},
    stamp::NodeKind,
    tree::{LocalTree, Start},
    view::{Content, FileRecord, Listing, Trouble, View},
    walk::{Walk, parent, walk},
};

/// A kind and where its sources lie.
struct KindDirectory {
    layout: KindLayout,
    directory: String,
}

/// A file that is an entry point.
struct Found {
    path: RelativePath,
    kind: usize,
    claimed_type: Option<TypeName>,
    claims_add_on: bool,
    extension: Extension,
    config: usize,
    trouble: Option<Trouble>,
}

/// Surveys one root; the view comes back to be remembered.
pub(super) async fn root(
    tree: &LocalTree,
    start: Start,
    request: &ObserveRequest,
) -> Result<(Survey, View), ObserveError> {
    let options = tree.options();
    let Start { root, memo, looked } = start;
    let mut view = View::new(root, memo, options.writable_state(), request.rehash);
    view.looked = looked;
    let documents = Arc::clone(&options.documents);
    let environment = options.environment.clone();
    let kinds = request.kinds.clone();
    let prepared = blocking(move || prepare(view, documents, &environment, kinds)).await?;
    let Prepared { view, layout, kinds, missing_directories, walk, mut problems, documents } =
        prepared.map_err(|fault| ObserveError::Repository { fault })?;

    let session = Session::new(view, Configs::new(Arc::clone(&documents)), false);
    let mut session = session.load(walk.files.iter().cloned().collect(), &options.parser).await?;

    let (session, kinds, walk, found, helpers, mut found_problems) = blocking(move || {
        let directories: Vec<String> = kinds.iter().map(|kind| kind.directory.clone()).collect();
        let mut extensions = Extensions::new(documents, layout.own_extension(), &directories);
        let mut helpers = BTreeSet::new();
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for path in &walk.files {
            match classify(&mut session.view, &kinds, path, &mut problems) {
                Class::Entry { kind, claimed_type, claims_add_on, trouble } => {
                    if let Ok(path) = RelativePath::parse(path) {
                        let directory = path.parent().unwrap_or_default().to_owned();
                        let extension = extensions.of(&mut session.view, &directory);
                        let config = session.configs.in_force(&mut session.view, &directory);
                        found.push(Found { path, kind, claimed_type, claims_add_on, extension, config, trouble });
                    }
                }
                Class::Helper => helpers.extend(RelativePath::parse(path)),
                Class::Gone => {}
            }
        }
        problems.append(&mut extensions.problems);
        (session, kinds, walk, found, helpers, problems)
    })
    .await?;

    let entries =
        found.iter().filter(|entry| entry.trouble.is_none()).map(|entry| (entry.config, entry.path.to_string()));
    let session = session.close(entries.collect(), &options.parser).await?;

    blocking(move || {
        problems.append(&mut found_problems);
        problems.extend(session.configs.problems.iter().cloned());
        let mut survey = report(&session, &kinds, found, helpers, &walk, missing_directories);
        problems.extend(walk.problems);
        problems.sort_by(|left, right| {
            (&left.subject, left.code, &left.message).cmp(&(&right.subject, right.code, &right.message))
        });
        survey.disk.problems = problems;
        (survey, session.view)
    })
    .await
}

/// Adds what was seen of one more root.
pub(super) fn merge(into: &mut Survey, part: Survey) {
    into.disk.observations.extend(part.disk.observations);
    into.entries.extend(part.entries);
    into.disk.roots.extend(part.disk.roots);
    into.disk.helpers.extend(part.disk.helpers);
    into.disk.problems.extend(part.disk.problems);
    into.statistics.files_read += part.statistics.files_read;
    into.statistics.directories_listed += part.statistics.directories_listed;
}

struct Prepared {
    view: View,
    layout: Layout,
    kinds: Vec<KindDirectory>,
    missing_directories: BTreeMap<Kind, String>,
    walk: Walk,
    problems: Vec<Problem>,
    documents: Arc<dyn mangrove_domain::ports::Documents>,
}

/// A directory that cannot be used is no reason to look elsewhere: rows would leave for a typing error.
fn wrong_setting(problem: &Problem) -> Fault {
    Fault::new(FailureClass::Deterministic, problem.code, "config", format!("{}: {}", problem.subject, problem.message))
}

fn prepare(
    mut view: View,
    documents: Arc<dyn mangrove_domain::ports::Documents>,
    environment: &BTreeMap<String, String>,
    layouts: Vec<KindLayout>,
) -> Result<Prepared, Fault> {
    let layout = Layout::read(&mut view, documents.as_ref())?;
    let mut problems = layout.problems.clone();
    let mut kinds = Vec::new();
    let mut missing_directories = BTreeMap::new();
    for kind in layouts {
        match layout.directory_of(&kind, environment, &view.root.directory) {
            Ok(place) => {
                if view.directory(&place.directory).listing == Listing::Absent
                    && let Some(problem) = place.missing(&kind.kind)
                {
                    missing_directories.insert(kind.kind.clone(), place.directory.clone());
                    problems.push(problem);
                }
                kinds.push(KindDirectory { layout: kind, directory: place.directory });
            }
            Err(problem) => return Err(wrong_setting(&problem)),
        }
    }
    let starts: BTreeSet<String> = kinds.iter().map(|kind| kind.directory.clone()).collect();
    let walk = walk(&mut view, &starts);
    Ok(Prepared { view, layout, kinds, missing_directories, walk, problems, documents })
}

enum Class {
    Entry { kind: usize, claimed_type: Option<TypeName>, claims_add_on: bool, trouble: Option<Trouble> },
    Helper,
    Gone,
}

fn classify(view: &mut View, kinds: &[KindDirectory], path: &str, problems: &mut Vec<Problem>) -> Class {
    let Some(record) = view.files.get(path).cloned() else {
        return Class::Gone;
    };
    let Ok(relative) = RelativePath::parse(path) else {
        return Class::Gone;
    };
    let nearest = kinds
        .iter()
        .filter(|kind| relative.is_inside(&kind.directory))
        .map(|kind| kind.directory.len())
        .max()
        .unwrap_or_default();
    let own = |kind: &KindDirectory| relative.is_inside(&kind.directory) && kind.directory.len() == nearest;
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
        let kind = kinds.iter().position(own);
        return match (kind, trouble) {
            (Some(kind), Some(trouble)) => {
                Class::Entry { kind, claimed_type: None, claims_add_on: false, trouble: Some(trouble) }
            }
            (None, _) | (_, None) => Class::Helper,
        };
    };
    let exported = |names: &[Arc<str>]| {
        names.iter().find(|name| module.exports.iter().any(|export| export.as_str() == name.as_ref())).cloned()
    };
    for other in kinds.iter().filter(|kind| !own(kind)) {
        let own_names = kinds.iter().filter(|kind| own(kind)).flat_map(|kind| &kind.layout.export_names);
        let foreign = exported(&other.layout.export_names).filter(|name| !own_names.into_iter().any(|own| own == name));
        if let Some(name) = foreign {
            problems.push(wrong_kind(path, &name, other));
        }
    }
    let entry = kinds
        .iter()
        .enumerate()
        .filter(|(_, kind)| own(kind))
        .find_map(|(index, kind)| exported(&kind.layout.export_names).map(|name| (index, name)));
    if let Some((kind, name)) = entry {
        let claimed_type = claimed_type(module, &kinds[kind].layout, &name);
        let claims_add_on = kinds[kind].layout.add_on_export_names.contains(&name);
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

fn wrong_kind(path: &str, name: &str, other: &KindDirectory) -> Problem {
    let kind = &other.layout.kind;
    Problem {
        code: Code::WRONG_KIND,
        severity: Severity::Warning,
        subject: path.to_owned(),
        position: None,
        message: format!("the file exports `{name}`, which makes it a {kind}, in a directory of another kind"),
        hint: Some(format!("move it below {}", other.directory)),
    }
}

fn unreadable_helper(path: &str, trouble: &Trouble) -> Problem {
    Problem {
        code: Code::UNREADABLE,
        severity: Severity::Warning,
        subject: path.to_owned(),
        position: None,
        message: format!("the file cannot be read: {}", trouble.message),
        hint: None,
    }
}

fn report(
    session: &Session,
    kinds: &[KindDirectory],
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
        survey.disk.observations.push(Observation {
            source: SourceId { root: root.id.clone(), path: entry.path },
            origin: root.origin,
            extension: entry.extension,
            kind: kinds[entry.kind].layout.kind.clone(),
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

fn unreadable(path: &RelativePath, trouble: &Trouble) -> Fault {
    let message = format!("{path} cannot be read: {}", trouble.message);
    let class = if trouble.is_transient { FailureClass::Transient } else { FailureClass::Environment };
    Fault::new(class, Code::UNREADABLE, trouble.cause.as_str(), message)
}
