//! The sources of a repository on disk.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    checkout::Checkout,
    digest::Digest,
    drift::Drift,
    kind_layout::KindLayout,
    manifest::ExtensionManifest,
    module_graph::{ModuleGraph, SourceFile},
    observation::RootAccess,
    ports::{ObserveError, ObserveRequest, SourceTree},
    problem::Problem,
    source::{Origin, RelativePath, RootId, SourceId},
    survey::{Edits, Survey},
    watch::WatchList,
    workflow::WorkflowFiles,
};
use mangrove_fs::stamp::LatestHorizons;

use crate::{
    config::Configs,
    contents, edits,
    graph::{module_graph, unlisted},
    layout::{EXTENSIONS_DIRECTORY, Layout},
    manifest,
    options::TreeOptions,
    parse,
    path::parent,
    root::Root,
    roots::{self, RootSpec},
    session::{Session, blocking},
    since::{self, Followed},
    stat_cache::{self, Remembered, Since},
    survey::{self, Surveyed},
    view::View,
    views::{FoundRoots, LookedAhead, SURROUNDINGS, Views, look_ahead, unreachable_root},
    workflows,
};

/// The sources of a repository on disk. Rules: `design/discovery.md`.
///
/// Surveys of one value take turns; graphs do not wait for them.
pub struct LocalTree {
    options: TreeOptions,
    layout: Layout,
    memory: Arc<Mutex<Option<Arc<Remembered>>>>,
    turn: tokio::sync::Mutex<()>,
    /// What a survey saw is written down while its caller goes on.
    keeps_later: AtomicBool,
    /// Held as long as that takes.
    keeping: Arc<tokio::sync::Mutex<()>>,
    /// Of the clocks by which files are read between surveys.
    latest_horizons: Arc<LatestHorizons>,
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
        let mut views = Views::fresh(&options);
        let mut base = views.open(RootId::local(), Origin::Local, &options.repository)?;
        let layout = Layout::read(&mut base, options.documents.as_ref(), "")
            .map_err(|fault| ObserveError::Repository { fault })?;
        let (memory, keeping) = (Arc::default(), Arc::default());
        Ok(Self {
            options,
            layout,
            memory,
            turn: tokio::sync::Mutex::default(),
            keeps_later: false.into(),
            keeping,
            latest_horizons: Arc::default(),
        })
    }

    /// The repository's directory, without symbolic links.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.options.repository
    }

    /// The directory that the repository's own extensions lie below, with the lockfile of pulled ones; without symbolic links.
    #[must_use]
    pub fn code_directory(&self) -> &Path {
        self.options.extensions_directory.as_ref().unwrap_or(&self.options.repository)
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

    /// Where a root lies, as the latest survey saw it.
    async fn place_of(&self, root: &RootId) -> Result<Option<(Origin, PathBuf)>, ObserveError> {
        if *root == RootId::local() {
            // What was remembered may have been written when the repository lay elsewhere.
            let directory = self.options.extensions_directory.as_ref().unwrap_or(&self.options.repository);
            return Ok(Some((Origin::Local, directory.clone())));
        }
        self.kept().await;
        if let Some(remembered) = remembered(&self.memory, &self.options.state_directory) {
            let known = remembered.roots.iter().find(|known| known.id == *root);
            if let Some(known) = known {
                return Ok(Some((known.origin, known.directory.clone())));
            }
        }
        let options = self.options.clone();
        let found = blocking(move || Views::fresh(&options).find_roots(&[])).await??;
        let is_it = |spec: &RootSpec| spec.id == *root && spec.access == RootAccess::Reachable;
        let spec = found.roots.specs.into_iter().find(is_it);
        Ok(spec.map(|spec| (spec.origin, spec.directory)))
    }

    /// Waits until what the latest survey saw is what is remembered.
    async fn kept(&self) {
        drop(self.keeping.lock().await);
    }

    /// What follows from edits since the survey that the request names, where nothing else has changed; `None` if another one
    /// has to say it.
    async fn survey_since(
        &self,
        remembered: &Remembered,
        ahead: &HashMap<RootId, LookedAhead>,
        request: &ObserveRequest,
    ) -> Result<Option<Survey>, ObserveError> {
        let Some(since) = lineage(remembered, request) else { return Ok(None) };
        if self.keeps_later.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let state_directory = self.options.writable_state();
        let known = (since, state_directory.as_deref());
        let followed = since::follow(&self.options, remembered, ahead, &request.kinds, known).await?;
        let Some(Followed { survey, remembered }) = followed else { return Ok(None) };
        let mut mark = None;
        if let Some(remembered) = remembered {
            mark = mark_of(&remembered, request);
            *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(remembered));
        }
        if mark.is_some() && mark == request.unless {
            // What had to be read again is what it was.
            return Ok(Some(Survey { statistics: survey.statistics, mark, ..Survey::default() }));
        }
        Ok(Some(Survey { mark, since: request.unless, ..survey }))
    }

    fn forget(&self) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The directory of a root, absolute; `None` if it is not there or cannot be found out.
    pub async fn directory_of(&self, root: &RootId) -> Option<PathBuf> {
        Some(self.place_of(root).await.ok()??.1)
    }

    /// The directories of all roots that are there, absolute and without symbolic links, as the latest survey saw them;
    /// that of the repository at least.
    pub async fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.options.repository.clone()];
        directories.extend(self.options.extensions_directory.clone());
        self.kept().await;
        if let Some(remembered) = remembered(&self.memory, &self.options.state_directory) {
            let roots = remembered.roots.iter().filter(|root| root.id.as_str() != SURROUNDINGS);
            directories.extend(roots.map(|root| root.directory.clone()));
        } else {
            let options = self.options.clone();
            if let Ok(Ok(found)) = blocking(move || Views::fresh(&options).find_roots(&[])).await {
                let reachable = found.roots.specs.into_iter().filter(|spec| spec.access == RootAccess::Reachable);
                directories.extend(reachable.map(|spec| spec.directory));
            }
        }
        directories.sort();
        directories.dedup();
        directories
    }

    /// A view of one root on what the latest survey saw; `None` if there is no such root, or it is not there.
    async fn view_of(&self, root: &RootId) -> Result<Option<View>, ObserveError> {
        let Some((origin, directory)) = self.place_of(root).await? else { return Ok(None) };
        let opened = Root::open(root.clone(), origin, directory.clone());
        let opened = opened.map(Arc::new).map_err(|error| unreachable_root(&directory, &error))?;
        let memo = remembered(&self.memory, &self.options.state_directory)
            .map(|remembered| remembered.memo_at_hand(root))
            .unwrap_or_default();
        let mut view = View::new(opened, memo, self.options.writable_state(), false);
        view.latest_horizons = Arc::clone(&self.latest_horizons);
        Ok(Some(view))
    }

    /// Names the question that a survey answers.
    fn key(&self, kinds: &[KindLayout]) -> Digest {
        let kinds: Vec<_> = kinds
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
    async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, ObserveError> {
        let real = |file: &Path| Some(file.parent()?.canonicalize().ok()?.join(file.file_name()?));
        let Some(file) = real(file) else { return Ok(None) };
        let options = self.options.clone();
        let found = blocking(move || Views::fresh(&options).find_roots(&[])).await??;
        let reachable = found.roots.specs.into_iter().filter(|spec| spec.access == RootAccess::Reachable);
        let around = reachable.filter_map(|spec| {
            let below = file.strip_prefix(&spec.directory).ok()?.to_str()?;
            Some(SourceId { path: RelativePath::parse(below).ok()?, root: spec.id })
        });
        // Of several, the one with the shortest way down is the innermost; the first of equals wins.
        Ok(around.min_by_key(|source| source.path.as_str().len()))
    }

    fn expect_more_surveys(&self) {
        self.keeps_later.store(true, Ordering::Relaxed);
    }

    async fn looked_at(&self) -> WatchList {
        self.kept().await;
        let known = remembered(&self.memory, &self.options.state_directory);
        known.map(|known| known.watch_list(SURROUNDINGS)).unwrap_or_default()
    }

    async fn checkout(&self) -> Checkout {
        self.kept().await;
        let known = remembered(&self.memory, &self.options.state_directory);
        let repository = self.options.repository.clone();
        blocking(move || contents::checkout(&repository, known.as_deref())).await.unwrap_or_default()
    }

    async fn drift(&self) -> Result<Vec<Drift>, ObserveError> {
        let options = TreeOptions { is_read_only: true, ..self.options.clone() };
        blocking(move || {
            let found = Views { options: &options, ahead: HashMap::new(), rehash: true }.find_roots(&[])?;
            Ok(roots::drift::find(&found.roots))
        })
        .await?
    }

    async fn workflows(&self) -> Result<WorkflowFiles, ObserveError> {
        let options = TreeOptions { is_read_only: true, ..self.options.clone() };
        blocking(move || {
            let mut views = Views::fresh(&options);
            let FoundRoots { roots, local, .. } = views.find_roots(&[])?;
            let own = options.repository.join(OWN_WORKFLOWS).canonicalize().ok();
            let open = |spec: &RootSpec| views.open(spec.id.clone(), spec.origin, &spec.directory);
            Ok(workflows::find(roots, local, own, &options.documents, options.walk_bounds, open))
        })
        .await?
    }

    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError> {
        let _turn = self.turn.lock().await;
        self.kept().await;
        let key = self.key(&request.kinds);
        let (memory, state_directory) = (Arc::clone(&self.memory), self.options.state_directory.clone());
        let (rehash, environment) = (request.rehash, self.options.environment.clone());
        // Off this task: the catalog is read by the same one meanwhile.
        let (remembered, usable, (ahead, is_unchanged)) = blocking(move || {
            let remembered = remembered(&memory, &state_directory);
            let usable = !rehash
                && remembered.as_ref().is_some_and(|remembered| {
                    let value = |name: &String| environment.get(name).filter(|value| !value.is_empty());
                    let is_same = |(name, known): (&String, &Option<String>)| value(name) == known.as_ref();
                    remembered.key == key && remembered.variables.iter().all(is_same)
                });
            let looked = look_ahead(remembered.as_deref(), usable);
            (remembered, usable, looked)
        })
        .await?;
        if let (Some(remembered), true) = (&remembered, is_unchanged) {
            let mark = mark_of(remembered, request);
            if mark.is_some() && mark == request.unless {
                return Ok(Survey { mark, ..Survey::default() });
            }
            if let Some(survey) = since_asked(remembered, request) {
                return Ok(survey);
            }
            if let Some(survey) = remembered.survey_for(request) {
                return Ok(only(Survey { mark, ..survey }, request));
            }
            // The outcome is damaged, and so is what was read: as if nothing were remembered.
            self.forget();
        }
        if let Some(remembered) = remembered.filter(|_| usable)
            && let Some(survey) = self.survey_since(&remembered, &ahead, request).await?
        {
            return Ok(survey);
        }
        let Surveyed { mut survey, views, variables } = survey::all(&self.options, request, ahead).await?;
        let state_directory = self.options.writable_state();
        let statistics = std::mem::take(&mut survey.statistics);
        let survey = Arc::new(survey);
        let (seen, memory) = (Arc::clone(&survey), Arc::clone(&self.memory));
        let keep = move || {
            let (remembered, error) = Remembered::keep(key, variables, views, &seen, state_directory.as_deref());
            if let Some(error) = error {
                tracing::warn!(%error, "the stat cache cannot be written; the next start reads all sources again");
            }
            let remembered = Arc::new(remembered);
            *memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&remembered));
            remembered
        };
        if self.keeps_later.load(Ordering::Relaxed) {
            let keeping = Arc::clone(&self.keeping).lock_owned().await;
            let survey = Survey { statistics, ..Survey::clone(&survey) };
            tokio::spawn(async move {
                if let Err(error) = blocking(keep).await {
                    tracing::warn!(%error, "what a look saw is not kept; the next one reads more again");
                }
                drop(keeping);
            });
            return Ok(only(survey, request));
        }
        let remembered = blocking(keep).await?;
        let survey = Arc::unwrap_or_clone(survey);
        let mark = mark_of(&remembered, request);
        if mark.is_some() && mark == request.unless {
            // What had to be read again is what it was.
            return Ok(Survey { statistics, mark, ..Survey::default() });
        }
        Ok(only(Survey { statistics, mark, ..survey }, request))
    }

    async fn modules_at(
        &self,
        kinds: &[KindLayout],
        paths: &BTreeSet<PathBuf>,
    ) -> Result<Option<BTreeSet<SourceId>>, ObserveError> {
        self.kept().await;
        let key = self.key(kinds);
        let known = remembered(&self.memory, &self.options.state_directory).filter(|known| known.key == key);
        let (Some(known), paths) = (known, paths.clone()) else { return Ok(None) };
        blocking(move || edits::modules_at(&known, &paths)).await
    }

    async fn survey_edits(&self, edits: &Edits) -> Result<Option<Survey>, ObserveError> {
        let _turn = self.turn.lock().await;
        self.kept().await;
        let key = self.key(&edits.kinds);
        let known = remembered(&self.memory, &self.options.state_directory).filter(|known| known.key == key);
        let Some(known) = known else { return Ok(None) };
        edits::survey(&self.options, &known, edits).await
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
        let Some(mut graph) = module_graph(&session, config, source.path.clone()) else { return Ok(None) };
        if let Some(fault) = unlisted(&session, config, &graph) {
            return Err(ObserveError::Repository { fault });
        }
        graph.config_files.extend(lock);
        Ok(Some(graph))
    }

    async fn manifest(&self, source: &SourceId) -> Result<Option<ExtensionManifest>, ObserveError> {
        let Some(mut view) = self.view_of(&source.root).await? else {
            return Ok(None);
        };
        let (documents, path) = (Arc::clone(&self.options.documents), source.path.clone());
        blocking(move || manifest::facts_of(&mut view, &documents, path.as_str())).await
    }

    async fn export_line(&self, source: &SourceId, name: &str) -> Result<Option<u32>, ObserveError> {
        let Some(file) = self.file(source).await? else { return Ok(None) };
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
/// What the last survey saw, read when first asked for.
fn remembered(memory: &Mutex<Option<Arc<Remembered>>>, state_directory: &Path) -> Option<Arc<Remembered>> {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    if memory.is_none() {
        *memory = stat_cache::load(state_directory).map(Arc::new);
    }
    memory.clone()
}

/// Names a survey of everything that is kept on disk; no other can be asked for again by its name. The question is
/// part of it.
fn mark_of(remembered: &Remembered, request: &ObserveRequest) -> Option<Digest> {
    let is_kept = remembered.mark != Digest::of(&[]);
    (is_kept && request.is_of_everything()).then(|| name(remembered.key, remembered.mark))
}

fn name(key: Digest, mark: Digest) -> Digest {
    Digest::of(&[*key.as_bytes(), *mark.as_bytes()].concat())
}

/// How what is remembered differs from the survey that the request names; `None` if that is not known.
fn lineage(remembered: &Remembered, request: &ObserveRequest) -> Option<Since> {
    let asked = request.unless.filter(|_| request.is_of_everything() && !request.rehash)?;
    if mark_of(remembered, request) == Some(asked) {
        return Some(Since { mark: remembered.mark, edited: BTreeSet::new() });
    }
    remembered.since.clone().filter(|since| name(remembered.key, since.mark) == asked)
}

/// The entries that edits reach since the survey that the request names, if nothing else has changed since.
fn since_asked(remembered: &Remembered, request: &ObserveRequest) -> Option<Survey> {
    let since = lineage(remembered, request).filter(|since| since.mark != remembered.mark)?;
    let survey = remembered.saved_survey()?.restore_only(&since.edited)?;
    Some(Survey { mark: mark_of(remembered, request), since: request.unless, ..survey })
}

/// Leaves the sources that were asked for.
fn only(mut survey: Survey, request: &ObserveRequest) -> Survey {
    if request.is_of_everything() {
        return survey;
    }
    // Of two kinds that share a directory, a source has an observation each: all of them are left, or none.
    let asked = survey.disk.observations.iter();
    let asked = asked.filter(|seen| request.asks_for(&seen.source, seen.claimed_type.as_ref()));
    let mut wanted: BTreeSet<SourceId> = asked.map(|seen| seen.source.clone()).collect();
    let entries = std::mem::take(&mut survey.entries);
    let observations = std::mem::take(&mut survey.disk.observations);
    let kept = observations.into_iter().zip(entries).filter(|(seen, _)| wanted.contains(&seen.source));
    (survey.disk.observations, survey.entries) = kept.unzip();
    survey.disk.helpers.retain(|source| request.asks_for(source, None));
    wanted.extend(survey.disk.helpers.iter().cloned());
    wanted.extend(request.only.iter().cloned());
    let subjects: BTreeSet<String> = wanted.iter().map(ToString::to_string).collect();
    survey.disk.problems.retain(|problem| subjects.contains(&problem.subject));
    survey
}
