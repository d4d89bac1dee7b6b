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
    failure::Fault,
    ports::{
        Documents, EdgeTarget, ModuleGraph, ObserveError, ObserveRequest, SourceFile, SourceTree, Survey,
        SurveyStatistics,
    },
    problem::{Code, Problem},
    source::{Origin, RelativePath, RootId, SourceId},
};

use crate::faults::{Operation, io_fault};

use super::{
    config::Configs,
    layout::Layout,
    parse,
    parser::ModuleParser,
    session::{Session, blocking},
    stamp::Seen,
    stat_cache::{self, Remembered, RememberedRoot, Stamp},
    survey,
    view::{Content, Memo, Root, View},
    walk::parent,
};

/// What a [`LocalTree`] needs to know.
pub struct TreeOptions {
    /// The directory that holds the marker.
    pub repository: PathBuf,
    /// Where the stat cache lies, usually `.mangrove` in the repository; made if missing.
    pub state_directory: PathBuf,
    /// Environment variables; those that end in `_DIR` and start with `MANGROVE_` or `SWAMP_` count.
    pub environment: BTreeMap<String, String>,
    /// Reads modules, usually in worker processes.
    pub parser: Arc<dyn ModuleParser>,
    /// Reads YAML and JSON.
    pub documents: Arc<dyn Documents>,
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
    memory: Mutex<Option<Arc<Remembered>>>,
    turn: tokio::sync::Mutex<()>,
}

/// A root to look at.
pub(super) struct RootSpec {
    id: RootId,
    origin: Origin,
    directory: PathBuf,
}

/// What a survey of one root starts from.
pub(super) struct Start {
    pub(super) root: Arc<Root>,
    pub(super) memo: Arc<Memo>,
    pub(super) looked: HashMap<String, Seen>,
}

impl LocalTree {
    /// Opens the repository and reads its marker.
    ///
    /// # Errors
    /// [`ObserveError::Repository`] if the directory cannot be entered or its marker is malformed.
    pub fn new(mut options: TreeOptions) -> Result<Self, ObserveError> {
        options.repository =
            options.repository.canonicalize().map_err(|error| unreachable_root(&options.repository, &error))?;
        let root = open(&local_root(&options))?;
        let mut view = View::new(root, Arc::default(), options.writable_state(), false);
        let layout =
            Layout::read(&mut view, options.documents.as_ref()).map_err(|fault| ObserveError::Repository { fault })?;
        Ok(Self { options, layout, memory: Mutex::new(None), turn: tokio::sync::Mutex::new(()) })
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

    /// The roots, the repository itself first.
    fn roots(&self) -> Vec<RootSpec> {
        vec![local_root(&self.options)]
    }

    fn remembered(&self) -> Option<Arc<Remembered>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.is_none() {
            *memory = stat_cache::load(&self.options.state_directory).map(Arc::new);
        }
        memory.clone()
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
        let environment: Vec<_> = self.options.environment.iter().filter(|(name, _)| name.ends_with("_DIR")).collect();
        let repository = self.options.repository.as_os_str();
        let question = format!("{}\n{kinds:?}\n{environment:?}\n", parse::VERSION);
        Digest::of(&[question.as_bytes(), repository.as_encoded_bytes()].concat())
    }
}

#[async_trait]
impl SourceTree for LocalTree {
    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError> {
        let _turn = self.turn.lock().await;
        let key = self.key(request);
        let remembered = self.remembered();
        let specs = self.roots();
        let usable = !request.rehash && remembered.as_ref().is_some_and(|remembered| remembered.key == key);
        let earlier = remembered.clone();
        let (starts, is_unchanged) = blocking(move || look_ahead(&specs, earlier.as_deref(), usable)).await??;
        if let (Some(remembered), true) = (remembered, is_unchanged) {
            return Ok(only(remembered.survey.clone(), request));
        }
        let mut survey = Survey::default();
        let mut roots = Vec::new();
        for start in starts {
            let (part, view) = survey::root(self, start, request).await?;
            survey::merge(&mut survey, part);
            roots.push(view);
        }
        let state_directory = self.options.writable_state();
        let statistics = survey.statistics;
        let (survey, remembered) = blocking(move || {
            survey.statistics = SurveyStatistics::default();
            let roots = roots.into_iter().map(RememberedRoot::of).collect();
            let remembered = Remembered { key, roots, survey: survey.clone() };
            if let Some(state_directory) = state_directory
                && let Err(error) = stat_cache::save(&state_directory, &remembered)
            {
                tracing::warn!(%error, "the stat cache cannot be written; the next start reads all sources again");
            }
            (survey, remembered)
        })
        .await?;
        self.remember(Arc::new(remembered));
        Ok(only(Survey { statistics, ..survey }, request))
    }

    async fn graph(&self, source: &SourceId) -> Result<Option<ModuleGraph>, ObserveError> {
        let Some(spec) = self.roots().into_iter().find(|root| root.id == source.root) else {
            return Ok(None);
        };
        let root = open(&spec)?;
        let memo = self
            .remembered()
            .and_then(|remembered| {
                remembered.roots.iter().find(|root| root.id == source.root).map(RememberedRoot::memo)
            })
            .unwrap_or_default();
        let view = View::new(root, memo, self.options.writable_state(), false);
        let configs = Configs::new(Arc::clone(&self.options.documents));
        let entry = source.path.as_str().to_owned();
        let mut session = Session::new(view, configs, true);
        let (session, config, lock) = blocking(move || {
            let config = session.configs.in_force(&mut session.view, parent(&entry));
            let lock = session.lock(config);
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
        config_files: session.configs.all[config].files.clone(),
    })
}

fn local_root(options: &TreeOptions) -> RootSpec {
    RootSpec { id: RootId::local(), origin: Origin::Local, directory: options.repository.clone() }
}

fn open(spec: &RootSpec) -> Result<Arc<Root>, ObserveError> {
    Root::open(spec.id.clone(), spec.origin, spec.directory.clone())
        .map(Arc::new)
        .map_err(|error| unreachable_root(&spec.directory, &error))
}

fn unreachable_root(directory: &Path, error: &io::Error) -> ObserveError {
    let fault = Fault { code: Code::ROOT_UNREACHABLE, ..io_fault(Operation::List, directory, error) };
    ObserveError::Repository { fault }
}

/// Opens the roots and looks at everything that is remembered of them, on two threads. The flag is true if the
/// remembered outcome is `usable` and all of it is as it was; only then the starts are empty.
fn look_ahead(
    specs: &[RootSpec],
    earlier: Option<&Remembered>,
    usable: bool,
) -> Result<(Vec<Start>, bool), ObserveError> {
    let mut looks = Vec::new();
    let mut is_unchanged = usable && earlier.is_some_and(|earlier| earlier.roots.len() == specs.len());
    for spec in specs {
        let root = open(spec)?;
        let remembered = earlier.and_then(|earlier| earlier.roots.iter().find(|known| known.id == spec.id));
        let stamps = remembered.map_or(&[][..], |remembered| &remembered.stamps);
        let seen = look_at(&root, stamps);
        is_unchanged &=
            remembered.is_some() && stamps.iter().zip(&seen).all(|(stamp, seen)| !stamp.is_racy && stamp.seen == *seen);
        looks.push((root, remembered, seen));
    }
    if is_unchanged {
        return Ok((Vec::new(), true));
    }
    let starts = looks.into_iter().map(|(root, remembered, seen)| match remembered {
        Some(remembered) => Start {
            root,
            memo: remembered.memo(),
            looked: remembered.stamps.iter().map(|stamp| stamp.path.clone()).zip(seen).collect(),
        },
        None => Start { root, memo: Arc::default(), looked: HashMap::new() },
    });
    Ok((starts.collect(), false))
}

fn look_at(root: &Root, stamps: &[Stamp]) -> Vec<Seen> {
    let look =
        |stamps: &[Stamp]| -> Vec<Seen> { stamps.iter().map(|stamp| Seen::look(&root.handle, &stamp.path)).collect() };
    let (left, right) = stamps.split_at(stamps.len() / 2);
    thread::scope(|scope| {
        let other = scope.spawn(|| look(right));
        let mut seen = look(left);
        seen.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        seen
    })
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
    let subjects: BTreeSet<String> = request.only.iter().map(|source| source.path.to_string()).collect();
    survey.disk.problems.retain(|problem| subjects.contains(&problem.subject));
    survey
}
