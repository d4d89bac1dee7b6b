//! A source tree in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    drift::Drift,
    failure::Fault,
    fingerprint::{Inputs, Line, Part},
    json::Json,
    kind_layout::KindLayout,
    manifest::ExtensionManifest,
    module_graph::{Edge, EdgeTarget, ModuleGraph, SourceFile},
    observation::{DiskView, Entry, Observation, RootAccess, RootView},
    ports::{ObserveError, ObserveRequest, SourceTree},
    problem::Code,
    shipped::{Shipped, ShippedBundle},
    source::{Extension, Origin, RelativePath, RootId, SourceId},
    survey::{Edits, Survey, SurveyStatistics, SurveyedEntry},
    watch::WatchList,
    workflow::WorkflowFiles,
};

/// Files in memory, in a language of lines instead of TypeScript:
///
/// ```text
/// computed                the claimed type is not in the text
/// type @acme/dns          the claimed type; what makes a file an entry point is a line `export model`
/// export model
/// import _lib/shared.ts   a local import, relative to the root
/// import npm:zod@4        any other import
/// ```
///
/// Entry points lie below `<directory of the kind>/`. A file whose text is [`MemoryTree::UNREADABLE`] cannot be read.
#[derive(Debug, Default)]
pub struct MemoryTree {
    files: Mutex<BTreeMap<String, String>>,
    config: Mutex<String>,
    seen: Mutex<BTreeMap<String, String>>,
    edits_on_graph: Mutex<Vec<(String, String)>>,
    restless: Mutex<Option<(String, String, u32)>>,
    surveys: Mutex<u32>,
    away: Mutex<BTreeMap<RootId, RootView>>,
    shipped: Mutex<BTreeMap<String, Shipped>>,
    /// What surveys saw, by their marks.
    marked: Mutex<BTreeMap<Digest, Marked>>,
}

/// What files said, and everything else that a survey depends on.
type Marked = (BTreeMap<String, String>, String);

/// Where the repository lies.
const REPOSITORY: &str = "/repository";

impl MemoryTree {
    /// The text of a file that cannot be read.
    pub const UNREADABLE: &'static str = "<unreadable>";

    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        lock(&self.files).insert(path.to_owned(), text.to_owned());
    }

    /// Removes a file.
    ///
    /// # Panics
    /// If it is not there.
    pub fn remove(&self, path: &str) {
        assert!(lock(&self.files).remove(path).is_some(), "{path} is not there");
    }

    /// Ships this text for an entry, below `shipped/`, as part of this pull.
    pub fn ship(&self, entry: &str, text: &str, pull: &str) {
        let path = format!("shipped/{entry}");
        let digest = Digest::of(text.as_bytes());
        self.write(&path, text);
        let bundle = ShippedBundle { path: relative(&path), digest, pull: pull.into() };
        lock(&self.shipped).insert(entry.to_owned(), Shipped::Bundle(bundle));
    }

    /// Ships for an entry what cannot be used.
    pub fn ship_unusable(&self, entry: &str, why: &str) {
        lock(&self.shipped).insert(entry.to_owned(), Shipped::Unusable { why: why.to_owned() });
    }

    /// Sets the configuration that governs every entry.
    pub fn configure(&self, text: &str) {
        text.clone_into(&mut lock(&self.config));
    }

    /// At the next reading of a module graph, writes this file first: an edit between a look and a build.
    pub fn edit_during_next_build(&self, path: &str, text: &str) {
        lock(&self.edits_on_graph).push((path.to_owned(), text.to_owned()));
    }

    /// Writes this file, longer each time, before every reading of its module graph: a source that never rests.
    pub fn edit_during_each_build(&self, path: &str, text: &str) {
        *lock(&self.restless) = Some((path.to_owned(), text.to_owned(), 0));
    }

    /// How many surveys there were since the last time this was asked.
    pub fn take_surveys(&self) -> u32 {
        std::mem::take(&mut *lock(&self.surveys))
    }

    /// Configures a mount that cannot be reached.
    pub fn mount_away(&self, path: &str, fault: Fault) {
        let view = RootView {
            origin: Origin::Mounted,
            access: RootAccess::Unreachable(fault),
            incomplete: BTreeSet::new(),
            missing_directories: BTreeMap::new(),
            locked_files: BTreeSet::new(),
        };
        lock(&self.away).insert(RootId::mount(path), view);
    }

    /// Takes the mount off the list, wherever it is.
    pub fn unmount(&self, path: &str) {
        lock(&self.away).remove(&RootId::mount(path));
    }

    fn text(&self, path: &str) -> Option<String> {
        lock(&self.files).get(path).cloned()
    }

    /// The files that `entry` reaches, itself included; `None` marks one that is missing.
    fn reach(&self, entry: &str) -> BTreeMap<String, Option<String>> {
        let mut reached = BTreeMap::new();
        let mut open = vec![entry.to_owned()];
        while let Some(path) = open.pop() {
            if reached.contains_key(&path) {
                continue;
            }
            let text = self.text(&path);
            open.extend(
                text.iter().flat_map(|text| imports(text)).filter(|import| is_local(import)).map(str::to_owned),
            );
            reached.insert(path, text);
        }
        reached
    }

    fn source_part(reached: &BTreeMap<String, Option<String>>) -> Part {
        Part::of(reached.iter().map(|(path, text)| {
            Line::new(
                path,
                text.as_ref().map_or_else(|| "missing".to_owned(), |text| Digest::of(text.as_bytes()).to_string()),
            )
        }))
    }

    fn config_part(&self) -> Part {
        Part::of([Line::new("deno.json", lock(&self.config).as_str())])
    }

    fn observe(&self, path: &str, text: &str, layout: &KindLayout) -> (Observation, SurveyedEntry) {
        let is_computed = text.lines().any(|line| line == "computed");
        let claimed = text.lines().find_map(|line| line.strip_prefix("type ")).filter(|_| !is_computed);
        let reached = self.reach(path);
        let specifiers: BTreeSet<String> = reached
            .values()
            .flatten()
            .flat_map(|text| imports(text))
            .filter(|import| !is_local(import))
            .map(str::to_owned)
            .collect();
        let entry = if text == Self::UNREADABLE {
            Entry::Unreadable(Fault::environment(Code::UNREADABLE, "errno:13", "permission denied"))
        } else {
            let inputs = Inputs {
                source: Self::source_part(&reached),
                config: self.config_part(),
                packages: Part::of([]),
                bundler: Part::of([]),
            };
            Entry::Readable { digest: Digest::of(text.as_bytes()), inputs }
        };
        let exported = |name: &str| text.lines().any(|line| line.strip_prefix("export ") == Some(name));
        let name = layout.export_names.iter().find(|name| exported(name));
        let observation = Observation {
            source: source(path),
            origin: Origin::Local,
            extension: Extension { name: "@local/test".into(), version: "0.0.0".into() },
            kind: layout.kind.clone(),
            claimed_type: claimed.and_then(|text| (layout.normalise)(text).ok()),
            claims_add_on: name.is_some_and(|name| layout.add_on_export_names.contains(name)),
            entry,
        };
        let shipped = lock(&self.shipped).get(path).cloned();
        (observation, SurveyedEntry { specifiers, lock: None, shipped })
    }
}

#[async_trait]
impl SourceTree for MemoryTree {
    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError> {
        *lock(&self.surveys) += 1;
        let files = lock(&self.files).clone();
        let mut statistics = SurveyStatistics::default();
        {
            let mut seen = lock(&self.seen);
            for (path, text) in &files {
                if request.rehash || seen.get(path) != Some(text) {
                    statistics.files_read += 1;
                }
            }
            seen.clone_from(&files);
        }
        let kinds: Vec<_> = request.kinds.iter().map(|layout| (&layout.kind, &layout.export_names)).collect();
        let (away, shipped) = (lock(&self.away).clone(), lock(&self.shipped).clone());
        let rest = format!("{kinds:?}\n{}\n{away:?}\n{shipped:?}", lock(&self.config));
        let mark = request.is_of_everything().then(|| Digest::of(format!("{files:?}\n{rest}").as_bytes()));
        let mut survey = Survey { statistics, mark, ..Survey::default() };
        if mark.is_some() && mark == request.unless {
            return Ok(survey);
        }
        let mut edits = None;
        if let Some(mark) = mark {
            let earlier = request.unless.and_then(|unless| Some((unless, lock(&self.marked).get(&unless)?.clone())));
            lock(&self.marked).insert(mark, (files.clone(), rest.clone()));
            let earlier = earlier.filter(|(_, (_, known))| *known == rest);
            edits = earlier.and_then(|(since, (before, _))| Some((since, edited_modules(&before, &files)?)));
        }
        let mut helpers = BTreeSet::new();
        for layout in &request.kinds {
            let directory = format!("{}/", layout.directory);
            for (path, text) in files.iter().filter(|(path, _)| path.starts_with(&directory)) {
                let is_entry = text == Self::UNREADABLE
                    || layout.export_names.iter().any(|name| text.lines().any(|line| line == format!("export {name}")));
                if is_entry {
                    let (observation, entry) = self.observe(path, text, layout);
                    survey.disk.observations.push(observation);
                    survey.entries.push(entry);
                } else {
                    helpers.insert(source(path));
                }
            }
        }
        if let Some((since, edited)) = edits {
            let seen = survey.disk.observations.into_iter().zip(survey.entries);
            let is_reached = |seen: &Observation| {
                self.reach(seen.source.path.as_str()).keys().any(|reached| edited.contains(reached))
            };
            let (observations, entries) = seen.filter(|(seen, _)| is_reached(seen)).unzip();
            let disk = DiskView { observations, ..DiskView::default() };
            return Ok(Survey { disk, entries, statistics, mark, since: Some(since) });
        }
        let root = RootView {
            origin: Origin::Local,
            access: RootAccess::Reachable,
            incomplete: BTreeSet::new(),
            missing_directories: BTreeMap::new(),
            locked_files: BTreeSet::new(),
        };
        survey.disk = DiskView { helpers, roots: [(RootId::local(), root)].into(), ..survey.disk };
        survey.disk.roots.extend(lock(&self.away).clone());
        if !request.is_of_everything() {
            let seen: Vec<_> = survey.disk.observations.into_iter().zip(survey.entries).collect();
            let asked = seen.iter().filter(|(seen, _)| request.asks_for(&seen.source, seen.claimed_type.as_ref()));
            let asked: BTreeSet<SourceId> = asked.map(|(seen, _)| seen.source.clone()).collect();
            let kept = seen.into_iter().filter(|(seen, _)| asked.contains(&seen.source));
            (survey.disk.observations, survey.entries) = kept.unzip();
            survey.disk.helpers.retain(|source| request.asks_for(source, None));
        }
        Ok(survey)
    }

    async fn modules_at(
        &self,
        _kinds: &[KindLayout],
        paths: &BTreeSet<PathBuf>,
    ) -> Result<Option<BTreeSet<SourceId>>, ObserveError> {
        let seen = lock(&self.seen);
        let module = |path: &PathBuf| {
            let below = path.strip_prefix(REPOSITORY).ok()?.to_str()?;
            let is_edited = exports(seen.get(below)?) == exports(&self.text(below)?);
            is_edited.then(|| source(below))
        };
        Ok(paths.iter().map(module).collect())
    }

    async fn survey_edits(&self, edits: &Edits) -> Result<Option<Survey>, ObserveError> {
        let mut survey = Survey::default();
        for entry in &edits.entries {
            let text = self.text(entry.source.path.as_str());
            let layout = edits.kinds.iter().find(|layout| layout.kind == entry.kind);
            let (Some(text), Some(layout)) = (text, layout) else { return Ok(None) };
            let (observation, needs) = self.observe(entry.source.path.as_str(), &text, layout);
            survey.disk.observations.push(observation);
            survey.entries.push(needs);
        }
        Ok(Some(survey))
    }

    async fn graph(&self, wanted: &SourceId) -> Result<Option<ModuleGraph>, ObserveError> {
        for (path, text) in std::mem::take(&mut *lock(&self.edits_on_graph)) {
            self.write(&path, &text);
        }
        let entry = wanted.path.as_str();
        let restless = lock(&self.restless).as_mut().filter(|(path, ..)| path == entry).map(|(path, text, round)| {
            *round += 1;
            (path.clone(), format!("{text}\n// {round}"))
        });
        if let Some((path, text)) = restless {
            self.write(&path, &text);
        }
        if self.text(entry).is_none_or(|text| text == Self::UNREADABLE) {
            return Ok(None);
        }
        let reached = self.reach(entry);
        let mut edges = Vec::new();
        for (importer, text) in &reached {
            for import in text.iter().flat_map(|text| imports(text)) {
                let target = match reached.get(import) {
                    Some(Some(_)) => EdgeTarget::File(relative(import)),
                    Some(None) => EdgeTarget::Missing,
                    None => EdgeTarget::External(import.to_owned()),
                };
                edges.push(Edge { importer: relative(importer), specifier: import.to_owned(), target });
            }
        }
        let source = Self::source_part(&reached);
        let files = reached
            .into_iter()
            .filter_map(|(path, text)| {
                let bytes: Arc<[u8]> = text?.into_bytes().into();
                Some(SourceFile { path: relative(&path), digest: Digest::of(&bytes), bytes })
            })
            .collect();
        Ok(Some(ModuleGraph {
            entry: wanted.path.clone(),
            files,
            edges,
            source,
            config: self.config_part(),
            compiler_options: Json::object::<&str>([]),
            lock: None,
            config_files: Vec::new(),
        }))
    }

    async fn export_line(&self, source: &SourceId, name: &str) -> Result<Option<u32>, ObserveError> {
        let text = self.text(source.path.as_str()).unwrap_or_default();
        let index = text.lines().position(|line| line.strip_prefix("export ") == Some(name));
        Ok(index.and_then(|index| u32::try_from(index + 1).ok()))
    }

    async fn file(&self, wanted: &SourceId) -> Result<Option<SourceFile>, ObserveError> {
        let text = self.text(wanted.path.as_str()).filter(|text| text != Self::UNREADABLE);
        Ok(text.map(|text| {
            let bytes: Arc<[u8]> = text.into_bytes().into();
            SourceFile { path: wanted.path.clone(), digest: Digest::of(&bytes), bytes }
        }))
    }

    async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, ObserveError> {
        let below = file.strip_prefix(REPOSITORY).ok().and_then(Path::to_str);
        let path = below.and_then(|below| RelativePath::parse(below).ok());
        Ok(path.map(|path| SourceId { root: RootId::local(), path }))
    }

    /// Nothing belongs to a manifest here.
    async fn manifest(&self, _source: &SourceId) -> Result<Option<ExtensionManifest>, ObserveError> {
        Ok(None)
    }

    /// Nothing is mounted here.
    async fn workflows(&self) -> Result<WorkflowFiles, ObserveError> {
        Ok(WorkflowFiles::default())
    }

    /// Nothing is pulled here.
    async fn looked_at(&self) -> WatchList {
        WatchList::default()
    }

    async fn drift(&self) -> Result<Vec<Drift>, ObserveError> {
        Ok(Vec::new())
    }
}

/// What a module exports.
fn exports(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with("export ")).map(str::to_owned).collect()
}

/// The files that say something else than before; `None` if more has changed than the text of modules.
fn edited_modules(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<BTreeSet<String>> {
    let mut edited = BTreeSet::new();
    for (path, text) in now {
        let earlier = before.get(path)?;
        if earlier == text {
            continue;
        }
        let is_unreadable = [earlier, text].iter().any(|text| *text == MemoryTree::UNREADABLE);
        if is_unreadable || exports(earlier) != exports(text) {
            return None;
        }
        edited.insert(path.clone());
    }
    (before.len() == now.len()).then_some(edited)
}

fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("import "))
}

fn is_local(import: &str) -> bool {
    !import.contains(':')
}

fn relative(path: &str) -> RelativePath {
    RelativePath::parse(path).expect("fixture paths are relative")
}

fn source(path: &str) -> SourceId {
    SourceId { root: RootId::local(), path: relative(path) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
