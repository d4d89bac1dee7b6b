//! Workflows that mounts and pulled extensions bring. They lie where the rules of discovery would look for sources of a
//! kind with this directory, and are found by the same code (`design/workflows.md`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use mangrove_domain::{
    advice::{Advice, UserAction},
    kind_layout::KindLayout,
    observation::RootAccess,
    ports::{Documents, ObserveError},
    problem::{Code, Problem},
    pulled::LOCKFILE,
    source::{Kind, MOUNTS_FILE, Origin, RelativePath, SourceId},
    type_name::TypeName,
    workflow::{WorkflowFile, WorkflowFiles},
};

use mangrove_fs::walk::{Bounds, Budget};

use super::{
    layout::Layout,
    manifest::Manifests,
    path::join,
    places::{self, Context, Prepared},
    problems::name_root,
    roots::{RootSpec, Roots},
    view::{Node, ReadFailure, View},
    walk::Candidates,
};

/// Where workflows lie below `extensions/`, or beside a manifest; also what manifests and `only` call them.
pub(crate) const DIRECTORY: &str = "workflows";

/// Finds and reads the workflows of every root but the repository, whose own are read as its data files. `open` gives a
/// view of a root.
pub(super) fn find(
    roots: Roots,
    local: View,
    own: impl IntoIterator<Item = PathBuf>,
    documents: &Arc<dyn Documents>,
    bounds: Bounds,
    mut open: impl FnMut(&RootSpec) -> Result<View, ObserveError>,
) -> WorkflowFiles {
    let mut found = WorkflowFiles {
        roots: roots.specs.iter().map(|spec| spec.id.clone()).collect(),
        mount_patterns: roots.mount_patterns,
        ..WorkflowFiles::default()
    };
    let faults = [(MOUNTS_FILE, roots.mounts_fault), (LOCKFILE, roots.lockfile_fault)];
    for (subject, fault) in faults {
        found.problems.extend(fault.map(|fault| unreachable(subject, fault)));
    }
    let mut budget = Budget::new(bounds);
    let mut local = Some(local);
    let own: BTreeSet<PathBuf> = own.into_iter().collect();
    let mut claimed = own.clone();
    let mut met: BTreeSet<PathBuf> = BTreeSet::new();
    for spec in roots.specs {
        let view = match (&spec.access, local.take()) {
            (RootAccess::Reachable, Some(local)) => Ok(local),
            (RootAccess::Reachable, None) => open(&spec),
            (RootAccess::Unreachable(fault), _) => Err(ObserveError::Repository { fault: fault.clone() }),
        };
        let view = match view {
            Ok(view) => view,
            Err(error) => {
                let problem = unreachable(&spec.id.to_string(), error.fault().clone());
                found.problems.push(problem.advise(restoring(spec.origin)));
                continue;
            }
        };
        let (is_local, directory) = (spec.origin == Origin::Local, spec.directory.clone());
        // What a manifest names may be named by that of another root around it as well.
        let mut is_new = |file: &WorkflowFile| {
            let place = directory.join(file.source.path.as_str());
            let real = place.canonicalize().unwrap_or(place);
            !own.iter().any(|own| real.starts_with(own)) && met.insert(real)
        };
        let (files, problems, walked) = of_root(view, spec, Arc::new(claimed.clone()), documents, &mut budget);
        claimed.extend(walked);
        // What is wrong with the repository itself is said by those who read it.
        if !is_local {
            found.files.extend(files.into_iter().filter(&mut is_new));
            found.problems.extend(problems);
        }
    }
    found
}

fn of_root(
    view: View,
    spec: RootSpec,
    claimed: Arc<BTreeSet<PathBuf>>,
    documents: &Arc<dyn Documents>,
    budget: &mut Budget,
) -> (Vec<WorkflowFile>, Vec<Problem>, Vec<PathBuf>) {
    let (id, origin) = (spec.id.clone(), spec.origin);
    let context = Context {
        spec,
        layout: Layout::default(),
        environment: BTreeMap::new(),
        kinds: vec![kind()],
        documents: Arc::clone(documents),
        candidates: Candidates::Workflows,
        claimed,
        budget: budget.clone(),
    };
    let prepared = match places::prepare(view, context) {
        Ok(prepared) => prepared,
        Err(fault) => return (Vec::new(), vec![unreachable(&id.to_string(), fault)], Vec::new()),
    };
    let Prepared { mut view, places, manifests, mut walk, mut problems, .. } = prepared;
    walk.files.retain(|path| places.of(path).is_some_and(|place| !place.kinds.is_empty()));
    walk.files.extend(named(&mut view, &manifests));
    problems.extend(manifests.problems);
    let mut files = Vec::new();
    for path in &walk.files {
        let (Some(record), Ok(below)) = (view.document(path), RelativePath::parse(path)) else { continue };
        match record.text() {
            Ok(text) => {
                let source = SourceId { root: id.clone(), path: below };
                files.push(WorkflowFile { source, origin, text: text.to_owned() });
            }
            Err(failure) => problems.push(unreadable(path, &failure)),
        }
    }
    let walked = walk.walked(&view).collect();
    *budget = walk.budget;
    problems.extend(walk.problems);
    // A root without anything of its own is reported by scans.
    problems.retain(|problem| problem.code != Code::ROOT_EMPTY);
    for problem in &mut problems {
        name_root(&id, problem);
    }
    (files, problems, walked)
}

/// What manifests name and no directory of a kind holds: a workflow that an extension brings may lie in the `workflows/`
/// beside its manifest, among those that are data.
fn named(view: &mut View, manifests: &Manifests) -> Vec<String> {
    let mut found = Vec::new();
    for (directory, manifest) in manifests.usable() {
        let listed = manifest.lists.get(DIRECTORY).filter(|_| !manifest.lists_entries);
        for listed in listed.into_iter().flatten() {
            let path = join(&join(directory, DIRECTORY), listed.path.as_str());
            if view.node(&path) == Node::File {
                found.push(path);
            }
        }
    }
    found
}

/// Workflows in the words of kinds.
fn kind() -> KindLayout {
    KindLayout {
        kind: Kind::new("workflow"),
        directory: DIRECTORY.into(),
        export_names: Vec::new(),
        add_on_export_names: Vec::new(),
        type_key: "name".into(),
        normalise: TypeName::model,
    }
}

/// What brings a root back.
fn restoring(origin: Origin) -> Advice {
    match origin {
        Origin::Pulled => {
            Advice::new(UserAction::InstallExtensions).and(" pulls it again; or remove it from the lockfile")
        }
        Origin::Local | Origin::Mounted => {
            "mount it or check it out again, or remove it from .swamp-sources.yaml".into()
        }
    }
}

fn unreachable(subject: &str, fault: mangrove_domain::failure::Fault) -> Problem {
    Problem::warning(fault.code, subject.to_owned(), format!("its workflows cannot be read: {}", fault.message))
        .at_if(fault.position)
}

fn unreadable(path: &str, failure: &ReadFailure) -> Problem {
    Problem::error(failure.code(), path.to_owned(), format!("the workflow cannot be read: {}", failure.message))
}
