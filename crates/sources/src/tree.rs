//! The sources of a repository on disk.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    drift::Drift,
    failure::Fault,
    kind_layout::KindLayout,
    module_graph::{EdgeTarget, ModuleGraph, SourceFile},
    observation::{RootAccess, RootView},
    ports::{Documents, ObserveError, ObserveRequest, SourceTree},
    problem::{Code, Problem},
    source::{Origin, RelativePath, RootId, SourceId},
    survey::{Survey, SurveyStatistics},
    workflow::WorkflowFiles,
};
use mangrove_fs::faults::{Operation, io_fault};
use mangrove_fs::stamp::Seen;

use super::{
    config::Configs,
    drift,
    layout::{EXTENSIONS_DIRECTORY, Layout},
    parse,
    parser::ModuleParser,
    places,
    roots::{self, RootSpec, Roots, Sight},
    session::{Session, blocking},
    stat_cache::{self, Remembered, Stamp},
    survey,
    view::{Content, Memo, Root, View},
    walk::{Candidates, parent},
    workflows,
};

/// What a [`LocalTree`] needs to know.
#[derive(Clone)]
pub struct TreeOptions {
    /// The directory that holds the marker.
    pub repository: PathBuf,
    /// Where the stat cache lies, usually `.mangrove` in the repository; made if missing.
    pub state_directory: PathBuf,
    /// Environment variables: those that end in `_DIR` and start with `MANGROVE_` or `SWAMP_`, and those that the list
    /// of source mounts names.
    pub environment: BTreeMap<String, String>,
    /// Reads modules, usually in worker processes.
    pub parser: Arc<dyn ModuleParser>,
    /// Reads YAML and JSON.
    pub documents: Arc<dyn Documents>,
    /// Where the repository's own extensions lie, if not in the repository: another checkout of it (`extensions/…`
    /// below), or its `extensions` directory itself. Definitions, workflows and mounts stay where they are.
    pub extensions_directory: Option<PathBuf>,
    /// Writes nothing, not even the stat cache: for commands that only look (fault 40).
    pub is_read_only: bool,
}

impl TreeOptions {
    /// The state directory, if it may be written to.
    pub(super) fn writable_state(&self) -> Option<PathBuf> {
        (!self.is_read_only).then(|| self.state_directory.clone())
    }
}

/// The sources of a repository on disk. Rules: `design/discovery.md`.
///
/// Surveys of one value take turns; graphs do not wait for them.
pub struct LocalTree {
    options: TreeOptions,
    layout: Layout,
    memory: Arc<Mutex<Option<Arc<Remembered>>>>,
    turn: tokio::sync::Mutex<()>,
}

/// What one look ahead at a remembered root gave.
struct Ahead {
    directory: PathBuf,
    memo: Arc<Memo>,
    looked: HashMap<String, Seen>,
}

/// The roots, and the views that were needed to find them.
struct Found {
    roots: Roots,
    layout: Layout,
    /// Of the repository's own extensions.
    local: View,
    /// Of places where no sources lie.
    others: Vec<View>,
}

impl LocalTree {
    /// Opens the repository and reads its marker.
    ///
    /// # Errors
    /// [`ObserveError::Repository`] if the directory, or that of the extensions, cannot be entered, or the marker is
    /// malformed.
    pub fn new(mut options: TreeOptions) -> Result<Self, ObserveError> {
        options.repository =
            options.repository.canonicalize().map_err(|error| unreachable_root(&options.repository, &error))?;
        if let Some(directory) = &options.extensions_directory {
            let real = directory.canonicalize().map_err(|error| unreachable_root(directory, &error))?;
            let is_extensions = real.ends_with(EXTENSIONS_DIRECTORY) && !real.join(EXTENSIONS_DIRECTORY).is_dir();
            let top = if is_extensions { real.parent().map(Path::to_owned) } else { None };
            options.extensions_directory = Some(top.unwrap_or(real)).filter(|top| *top != options.repository);
        }
        let mut views = Views { options: &options, ahead: HashMap::new(), rehash: false };
        let mut base = views.open(RootId::local(), Origin::Local, &options.repository)?;
        let layout = Layout::read(&mut base, options.documents.as_ref(), "")
            .map_err(|fault| ObserveError::Repository { fault })?;
        Ok(Self { options, layout, memory: Arc::default(), turn: tokio::sync::Mutex::new(()) })
    }

    /// The repository's directory, without symbolic links.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.options.repository
    }

    /// The repository's identifier, as the marker said when the tree was opened.
    #[must_use]
    pub fn repository_id(&self) -> Option<&str> {
        self.layout.repository_id.as_deref()
    }

    /// The marker as it was when the tree was opened.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What was wrong with the marker when the tree was opened. Surveys report it too.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.layout.problems
    }

    pub(super) const fn options(&self) -> &TreeOptions {
        &self.options
    }

    /// Looks at every root, one after the other: what one walked, the next leaves alone (fault 21).
    async fn look(
        &self,
        request: &ObserveRequest,
        ahead: HashMap<RootId, Ahead>,
    ) -> Result<(Survey, Vec<View>, BTreeMap<String, Option<String>>), ObserveError> {
        let options = self.options.clone();
        let kinds = request.kinds.clone();
        let rehash = request.rehash;
        let (found, ahead) = blocking(move || {
            let mut views = Views { options: &options, ahead, rehash };
            let found = views.find_roots(&kinds);
            (found, views.ahead)
        })
        .await?;
        let Found { roots, layout, local, others: mut kept } = found?;
        let mut views = Views { options: &self.options, ahead, rehash };
        let mut survey = Survey::default();
        let mut local = Some(local);
        let mut claimed: Arc<BTreeSet<PathBuf>> = Arc::default();
        for spec in roots.specs {
            let mut seen = RootView {
                origin: spec.origin,
                access: spec.access.clone(),
                incomplete: BTreeSet::new(),
                missing_directories: BTreeMap::new(),
                locked_files: spec.locked_files.clone(),
            };
            let view = match (&spec.access, local.take()) {
                (RootAccess::Reachable, Some(local)) => Ok(local),
                (RootAccess::Reachable, None) => views.open(spec.id.clone(), spec.origin, &spec.directory),
                (RootAccess::Unreachable(fault), _) => Err(ObserveError::Repository { fault: fault.clone() }),
            };
            match view {
                Ok(view) => {
                    let id = spec.id.clone();
                    let context = places::Context {
                        spec,
                        layout: layout.clone(),
                        environment: self.options.environment.clone(),
                        kinds: Vec::new(),
                        documents: Arc::clone(&self.options.documents),
                        candidates: Candidates::Modules,
                        claimed: Arc::clone(&claimed),
                    };
                    let surveyed = survey::root(self, view, context, request).await?;
                    Arc::make_mut(&mut claimed).extend(surveyed.walked);
                    kept.push(surveyed.view);
                    survey::merge(&mut survey, surveyed.survey);
                    if let Some(view) = survey.disk.roots.get_mut(&id) {
                        view.locked_files = seen.locked_files;
                    }
                }
                Err(ObserveError::Repository { fault }) => {
                    seen.access = RootAccess::Unreachable(fault);
                    survey.disk.roots.insert(spec.id, seen);
                }
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
        Ok((survey, kept, roots.variables))
    }

    /// The source that a file of the file system is: in the innermost root around it. `None` if no root holds it.
    ///
    /// # Errors
    /// [`ObserveError::Repository`] if the repository cannot be looked at.
    pub async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, ObserveError> {
        let options = self.options.clone();
        let found = blocking(move || Views { options: &options, ahead: HashMap::new(), rehash: false }.find_roots(&[]))
            .await??;
        let reachable = found.roots.specs.into_iter().filter(|spec| spec.access == RootAccess::Reachable);
        let around = reachable.filter_map(|spec| {
            let below = file.strip_prefix(&spec.directory).ok()?.to_str()?;
            Some(SourceId { path: RelativePath::parse(below).ok()?, root: spec.id })
        });
        // Of several, the one with the shortest way down is the innermost; the first of equals wins.
        Ok(around.min_by_key(|source| source.path.as_str().len()))
    }

    /// Where a root lies, as the latest survey saw it.
    async fn place_of(&self, root: &RootId) -> Result<Option<(Origin, PathBuf)>, ObserveError> {
        if *root == RootId::local() {
            // What was remembered may have been written when the repository lay elsewhere.
            let directory = self.options.extensions_directory.as_ref().unwrap_or(&self.options.repository);
            return Ok(Some((Origin::Local, directory.clone())));
        }
        if let Some(remembered) = remembered(&self.memory, &self.options.state_directory) {
            let known = remembered.roots.iter().find(|known| known.id == *root);
            if let Some(known) = known {
                return Ok(Some((known.origin, known.directory.clone())));
            }
        }
        let options = self.options.clone();
        let found = blocking(move || Views { options: &options, ahead: HashMap::new(), rehash: false }.find_roots(&[]))
            .await??;
        let is_it = |spec: &RootSpec| spec.id == *root && spec.access == RootAccess::Reachable;
        let spec = found.roots.specs.into_iter().find(is_it);
        Ok(spec.map(|spec| (spec.origin, spec.directory)))
    }

    fn forget(&self) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The directory of a root, absolute; `None` if it is not there or cannot be found out.
    pub async fn directory_of(&self, root: &RootId) -> Option<PathBuf> {
        Some(self.place_of(root).await.ok()??.1)
    }

    /// A view of one root on what the latest survey saw; `None` if there is no such root, or it is not there.
    async fn view_of(&self, root: &RootId) -> Result<Option<View>, ObserveError> {
        let Some((origin, directory)) = self.place_of(root).await? else {
            return Ok(None);
        };
        let opened = Root::open(root.clone(), origin, directory.clone());
        let opened = opened.map(Arc::new).map_err(|error| unreachable_root(&directory, &error))?;
        let memo = remembered(&self.memory, &self.options.state_directory)
            .map(|remembered| remembered.memo(root))
            .unwrap_or_default();
        Ok(Some(View::new(opened, memo, self.options.writable_state(), false)))
    }

    fn remember(&self, remembered: Arc<Remembered>) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(remembered);
    }

    /// Names the question that a survey answers.
    fn key(&self, request: &ObserveRequest) -> Digest {
        let kinds: Vec<_> = request
            .kinds
            .iter()
            .map(|layout| {
                (&layout.kind, &layout.directory, &layout.export_names, &layout.add_on_export_names, &layout.type_key)
            })
            .collect();
        let places_kind = |name: &str| {
            name.ends_with("_DIR") && ["MANGROVE_", "SWAMP_"].iter().any(|prefix| name.starts_with(prefix))
        };
        let environment: Vec<_> = self.options.environment.iter().filter(|(name, _)| places_kind(name)).collect();
        let repository = self.options.repository.as_os_str();
        let code = &self.options.extensions_directory;
        let question = format!("{}\n{kinds:?}\n{environment:?}\n{code:?}\n", parse::VERSION);
        Digest::of(&[question.as_bytes(), repository.as_encoded_bytes()].concat())
    }
}

#[async_trait]
impl SourceTree for LocalTree {
    async fn drift(&self) -> Result<Vec<Drift>, ObserveError> {
        let options = TreeOptions { is_read_only: true, ..self.options.clone() };
        blocking(move || {
            let found = Views { options: &options, ahead: HashMap::new(), rehash: true }.find_roots(&[])?;
            Ok(drift::find(&found.roots))
        })
        .await?
    }

    async fn workflows(&self) -> Result<WorkflowFiles, ObserveError> {
        let options = TreeOptions { is_read_only: true, ..self.options.clone() };
        blocking(move || {
            let mut views = Views { options: &options, ahead: HashMap::new(), rehash: false };
            let Found { roots, local, .. } = views.find_roots(&[])?;
            let own = options.repository.join(OWN_WORKFLOWS).canonicalize().ok();
            let open = |spec: &RootSpec| views.open(spec.id.clone(), spec.origin, &spec.directory);
            Ok(workflows::find(roots, local, own, &options.documents, open))
        })
        .await?
    }

    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError> {
        let _turn = self.turn.lock().await;
        let key = self.key(request);
        let (memory, state_directory) = (Arc::clone(&self.memory), self.options.state_directory.clone());
        let (rehash, environment) = (request.rehash, self.options.environment.clone());
        // Off this task: the catalog is read by the same one meanwhile.
        let (remembered, (ahead, is_unchanged)) = blocking(move || {
            let remembered = remembered(&memory, &state_directory);
            let usable = !rehash
                && remembered.as_ref().is_some_and(|remembered| {
                    let value = |name: &String| environment.get(name).filter(|value| !value.is_empty());
                    let is_same = |(name, known): (&String, &Option<String>)| value(name) == known.as_ref();
                    remembered.key == key && remembered.variables.iter().all(is_same)
                });
            let looked = look_ahead(remembered.as_deref(), usable);
            (remembered, looked)
        })
        .await?;
        if let (Some(remembered), true) = (remembered, is_unchanged) {
            let mark = mark_of(&remembered, request);
            if mark.is_some() && mark == request.unless {
                return Ok(Survey { mark, ..Survey::default() });
            }
            if let Some(survey) = remembered.survey() {
                return Ok(only(Survey { mark, ..survey }, request));
            }
            // The outcome is damaged, and so is what was read: as if nothing were remembered.
            self.forget();
        }
        let (mut survey, views, variables) = self.look(request, ahead).await?;
        let state_directory = self.options.writable_state();
        let statistics = survey.statistics;
        let (survey, remembered) = blocking(move || {
            survey.statistics = SurveyStatistics::default();
            let (remembered, error) = Remembered::keep(key, variables, views, &survey, state_directory.as_deref());
            if let Some(error) = error {
                tracing::warn!(%error, "the stat cache cannot be written; the next start reads all sources again");
            }
            (survey, remembered)
        })
        .await?;
        let mark = mark_of(&remembered, request);
        self.remember(Arc::new(remembered));
        if mark.is_some() && mark == request.unless {
            // What had to be read again is what it was.
            return Ok(Survey { statistics, mark, ..Survey::default() });
        }
        Ok(only(Survey { statistics, mark, ..survey }, request))
    }

    async fn graph(&self, source: &SourceId) -> Result<Option<ModuleGraph>, ObserveError> {
        let Some(view) = self.view_of(&source.root).await? else {
            return Ok(None);
        };
        let configs = Configs::new(Arc::clone(&self.options.documents));
        let entry = source.path.as_str().to_owned();
        let mut session = Session::new(view, configs, true);
        let (session, config, lock) = blocking(move || {
            let config = session.configs.in_force(&mut session.view, parent(&entry));
            let lock = session.lock_file(config);
            (session, config, lock)
        })
        .await?;
        let entry = source.path.as_str().to_owned();
        let session = session.close(vec![(config, entry.clone())], &self.options.parser).await?;
        Ok(module_graph(&session, config, source.path.clone()).map(|mut graph| {
            graph.config_files.extend(lock);
            graph
        }))
    }

    async fn export_line(&self, source: &SourceId, name: &str) -> Result<Option<u32>, ObserveError> {
        let Some(graph) = self.graph(source).await? else { return Ok(None) };
        let Some(file) = graph.files.into_iter().find(|file| file.path == source.path) else { return Ok(None) };
        let parsed = self.options.parser.parse(source.path.as_str(), file.bytes).await;
        let parsed = parsed.map_err(|fault| ObserveError::Repository { fault })?;
        Ok(parsed.export_line(name))
    }

    async fn file(&self, source: &SourceId) -> Result<Option<SourceFile>, ObserveError> {
        let Some(mut view) = self.view_of(&source.root).await? else {
            return Ok(None);
        };
        let path = source.path.clone();
        blocking(move || {
            let read = view.begin(path.as_str(), false, true)?.read();
            let digest = read.record.digest()?;
            Some(SourceFile { path, bytes: read.bytes?, digest })
        })
        .await
    }
}

/// Where the repository keeps workflows of its own that belong to no extension.
const OWN_WORKFLOWS: &str = "workflows";
/// Names the view of the whole file system: what lies outside and decides which roots there are.
const SURROUNDINGS: &str = "surroundings";
/// Names the view of the repository if its own extensions lie elsewhere.
const REPOSITORY: &str = "repository";

/// What the last survey saw, read when first asked for.
fn remembered(memory: &Mutex<Option<Arc<Remembered>>>, state_directory: &Path) -> Option<Arc<Remembered>> {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    if memory.is_none() {
        *memory = stat_cache::load(state_directory).map(Arc::new);
    }
    memory.clone()
}

fn module_graph(session: &Session, config: usize, entry: RelativePath) -> Option<ModuleGraph> {
    session.view.files.get(entry.as_str())?.digest()?;
    let assembled = session.assemble(config, entry.as_str());
    let mut files = Vec::new();
    for path in &assembled.files {
        let record = session.view.files.get(path)?;
        let bytes = session.bytes.as_ref().and_then(|bytes| bytes.get(path));
        if let (Some(digest), Some(bytes), Ok(path)) = (record.digest(), bytes, RelativePath::parse(path)) {
            files.push(SourceFile { path, bytes: Arc::clone(bytes), digest });
        }
    }
    let mut edges = assembled.edges;
    for edge in &mut edges {
        let EdgeTarget::File(target) = &edge.target else {
            continue;
        };
        match session.view.files.get(target.as_str()).map(|record| &record.content) {
            Some(Content::Read { .. }) => {}
            Some(Content::Outside) => edge.target = EdgeTarget::OutsideRoot,
            Some(Content::Absent | Content::Unreadable(_)) | None => edge.target = EdgeTarget::Missing,
        }
    }
    Some(ModuleGraph {
        entry,
        files,
        edges,
        source: assembled.source,
        config: assembled.config,
        compiler_options: session.configs.all[config].compiler_options.clone(),
        lock: session.lock(config),
        config_files: session.configs.all[config].files.clone(),
    })
}

fn unreachable_root(directory: &Path, error: &io::Error) -> ObserveError {
    let fault = Fault { code: Code::ROOT_UNREACHABLE, ..io_fault(Operation::List, directory, error) };
    ObserveError::Repository { fault }
}

/// Looks at everything that is remembered of every root, on two threads. The flag is true if the remembered outcome
/// is `usable` and all of it is as it was.
fn look_ahead(earlier: Option<&Remembered>, usable: bool) -> (HashMap<RootId, Ahead>, bool) {
    let mut is_unchanged = usable && earlier.is_some();
    let mut opened = Vec::new();
    for remembered in earlier.into_iter().flat_map(|earlier| &earlier.roots) {
        // What the origin of a root is makes no difference to looking at it.
        match Root::open(remembered.id.clone(), Origin::Local, remembered.directory.clone()) {
            Ok(root) => opened.push((remembered, root)),
            Err(_) => is_unchanged = false,
        }
    }
    let looks: Vec<(&Root, &Stamp)> =
        opened.iter().flat_map(|(remembered, root)| remembered.stamps.iter().map(move |stamp| (root, stamp))).collect();
    let seen = look_at(&looks);
    is_unchanged &= looks.iter().zip(&seen).all(|((_, stamp), seen)| !stamp.is_racy && stamp.seen == *seen);
    if is_unchanged {
        return (HashMap::new(), true);
    }
    let mut seen = seen.into_iter();
    let ahead = opened.iter().map(|(remembered, _)| {
        let looked = remembered.stamps.iter().map(|stamp| stamp.path.clone()).zip(seen.by_ref()).collect();
        let directory = remembered.directory.clone();
        (
            remembered.id.clone(),
            Ahead { directory, memo: earlier.map(|earlier| earlier.memo(&remembered.id)).unwrap_or_default(), looked },
        )
    });
    (ahead.collect(), false)
}

/// Opens views, each on what was looked at ahead of it.
struct Views<'a> {
    options: &'a TreeOptions,
    ahead: HashMap<RootId, Ahead>,
    rehash: bool,
}

impl Views<'_> {
    fn open(&mut self, id: RootId, origin: Origin, directory: &Path) -> Result<View, ObserveError> {
        let ahead = self.ahead.remove(&id).filter(|ahead| ahead.directory == directory);
        let root = Root::open(id, origin, directory.to_owned());
        let root = root.map(Arc::new).map_err(|error| unreachable_root(directory, &error))?;
        let (memo, looked) = ahead.map(|ahead| (ahead.memo, ahead.looked)).unwrap_or_default();
        let mut view = View::new(root, memo, self.options.writable_state(), self.rehash);
        view.looked = looked;
        Ok(view)
    }

    fn find_roots(&mut self, kinds: &[KindLayout]) -> Result<Found, ObserveError> {
        let options = self.options;
        let fault = |fault| ObserveError::Repository { fault };
        let mut surroundings = self.open(RootId::new(SURROUNDINGS), Origin::Mounted, Path::new("/"))?;
        // Its paths lie on any device, so no clock that could be probed is theirs.
        surroundings.state_directory = None;
        let code_directory = options.extensions_directory.as_deref();
        let mut code = match code_directory {
            Some(directory) => Some(self.open(RootId::local(), Origin::Local, directory)?),
            None => None,
        };
        let base_id = if code.is_some() { RootId::new(REPOSITORY) } else { RootId::local() };
        let mut base = self.open(base_id, Origin::Local, &options.repository)?;
        let documents = options.documents.as_ref();
        let mut layout = match &mut code {
            Some(code) => Layout::read(code, documents, "").map_err(fault)?,
            None => Layout::default(),
        };
        if layout.marker.is_none() {
            layout = Layout::read(&mut base, documents, "").map_err(fault)?;
        }
        let roots = roots::find(Sight {
            base: &mut base,
            code: code.as_mut(),
            surroundings: &mut surroundings,
            layout: &layout,
            environment: &options.environment,
            kinds,
            documents: &options.documents,
        });
        let (local, others) = match code {
            Some(code) => (code, vec![base, surroundings]),
            None => (base, vec![surroundings]),
        };
        Ok(Found { roots, layout, local, others })
    }
}

fn look_at(paths: &[(&Root, &Stamp)]) -> Vec<Seen> {
    let look = |paths: &[(&Root, &Stamp)]| -> Vec<Seen> {
        paths.iter().map(|(root, stamp)| Seen::look(&root.handle, &stamp.path)).collect()
    };
    let (left, right) = paths.split_at(paths.len() / 2);
    thread::scope(|scope| {
        let other = scope.spawn(|| look(right));
        let mut seen = look(left);
        seen.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        seen
    })
}

/// Names a survey of everything that is kept on disk; no other can be asked for again by its name. The question is
/// part of it.
fn mark_of(remembered: &Remembered, request: &ObserveRequest) -> Option<Digest> {
    let is_kept = remembered.mark != Digest::of(&[]);
    (is_kept && request.only.is_empty())
        .then(|| Digest::of(&[*remembered.key.as_bytes(), *remembered.mark.as_bytes()].concat()))
}

/// Leaves the sources that were asked for.
fn only(mut survey: Survey, request: &ObserveRequest) -> Survey {
    if request.only.is_empty() {
        return survey;
    }
    let entries = std::mem::take(&mut survey.entries);
    let observations = std::mem::take(&mut survey.disk.observations);
    let kept = observations.into_iter().zip(entries).filter(|(seen, _)| request.only.contains(&seen.source));
    (survey.disk.observations, survey.entries) = kept.unzip();
    survey.disk.helpers.retain(|source| request.only.contains(source));
    let subjects: BTreeSet<String> = request.only.iter().map(ToString::to_string).collect();
    survey.disk.problems.retain(|problem| subjects.contains(&problem.subject));
    survey
}
