//! A look at files whose content somebody edited, and at nothing else: what a survey would say of the entries that reach them.
//!
//! It takes over what the latest survey saw of everything else, so it is for whoever was told what changed and looks at
//! everything soon afterwards. Where more than content may have changed, it says nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    fingerprint::{Inputs, Part},
    kind_layout::KindLayout,
    observation::{Entry, Observation},
    ports::ObserveError,
    source::{Origin, RelativePath, RootId, SourceId},
    survey::{EditedEntry, Edits, Survey, SurveyedEntry},
};

use crate::{
    config::Configs,
    options::TreeOptions,
    parser::ParsedModule,
    path::parent,
    root::Root,
    session::{Session, blocking},
    stat_cache::{Remembered, RememberedRoot},
    survey::claimed_type,
    view::{Content, FileRecord, Listing, Memo, View},
    views::{REPOSITORY, SURROUNDINGS, unreachable_root},
};

/// The modules at these paths; `None` if anything else may have changed than what stands in them.
pub(super) fn modules_at(remembered: &Remembered, paths: &BTreeSet<PathBuf>) -> Option<BTreeSet<SourceId>> {
    let mut modules = BTreeSet::new();
    for path in paths {
        let mut module = None;
        let is_absent = is_absent(path);
        for root in &remembered.roots {
            let Some(below) = path.strip_prefix(&root.directory).ok().and_then(Path::to_str) else { continue };
            let memo = remembered.memo(&root.id);
            // What came and went between two looks, as editors have it, is nothing.
            if (is_absent && was_absent(&memo, below)) || !was_looked_at(&memo, below) {
                continue;
            }
            let is_module = memo.files.get(below).is_some_and(|record| is_read_module(record)) && is_file(path);
            if !is_module || root.origin == Origin::Pulled || is_beside(root) || module.is_some() {
                return None;
            }
            if has_other_names(remembered, (&root.id, below)) {
                return None;
            }
            module = Some(SourceId { root: root.id.clone(), path: RelativePath::parse(below).ok()? });
        }
        if module.is_none() && !is_absent {
            return None;
        }
        modules.extend(module);
    }
    Some(modules)
}

/// Views of places where no sources lie.
pub(super) fn is_beside(root: &RememberedRoot) -> bool {
    [SURROUNDINGS, REPOSITORY].contains(&root.id.as_str())
}

/// True if the file was met under another path, too: by a link to it, or to a directory around it.
fn has_other_names(remembered: &Remembered, (root, below): (&RootId, &str)) -> bool {
    let memo = remembered.memo(root);
    let Some(record) = memo.files.get(below) else { return false };
    remembered.roots.iter().any(|other| {
        let is_it = |path: &str| other.id == *root && path == below;
        let memo = remembered.memo(&other.id);
        memo.files.iter().any(|(path, known)| known.seen.is_same_node(&record.seen) && !is_it(path))
    })
}

/// Nothing stood there.
fn was_absent(memo: &Memo, below: &str) -> bool {
    let is_nothing = memo.files.get(below).is_none_or(|record| record.content == Content::Absent);
    let (parent, name) = below.rsplit_once('/').unwrap_or(("", below));
    let was_listed = memo.directories.get(parent).is_some_and(|record| match &record.listing {
        Listing::Names { names, .. } => names.iter().any(|known| known.name == name),
        Listing::Absent | Listing::Outside | Listing::Failed(_) => false,
    });
    is_nothing && !was_listed && !memo.directories.contains_key(below)
}

/// The latest survey depends on what stands there.
fn was_looked_at(memo: &Memo, below: &str) -> bool {
    let parent = below.rsplit_once('/').map_or("", |(parent, _)| parent);
    memo.files.contains_key(below) || [below, parent].iter().any(|path| memo.directories.contains_key(*path))
}

fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// A module whose text nothing but imports and exports was taken from.
pub(super) fn is_read_module(record: &FileRecord) -> bool {
    matches!(record.content, Content::Read { text: None, .. }) && record.module.is_some()
}

/// What a survey would say of these entries; `None` if one is needed to say it.
pub(super) async fn survey(
    options: &TreeOptions,
    remembered: &Remembered,
    edits: &Edits,
) -> Result<Option<Survey>, ObserveError> {
    let mut survey = Survey::default();
    let mut by_root: BTreeMap<&RootId, (Vec<String>, Vec<&EditedEntry>)> = BTreeMap::new();
    for file in &edits.files {
        by_root.entry(&file.root).or_default().0.push(file.path.as_str().to_owned());
    }
    for entry in &edits.entries {
        by_root.entry(&entry.source.root).or_default().1.push(entry);
    }
    for (id, (files, entries)) in by_root {
        let Some(root) = remembered.roots.iter().find(|root| root.id == *id) else { return Ok(None) };
        let of_root = Edited { kinds: &edits.kinds, files, entries };
        let memo = remembered.memo(id);
        let view = open(options, root, Arc::clone(&memo)).await?;
        let Some((part, _)) = of_root.survey(options, view, &memo).await? else { return Ok(None) };
        survey.disk.observations.extend(part.disk.observations);
        survey.entries.extend(part.entries);
        survey.statistics.files_read += part.statistics.files_read;
        survey.statistics.directories_listed += part.statistics.directories_listed;
    }
    Ok(Some(survey))
}

/// A view of a root on what is known of it.
pub(super) async fn open(options: &TreeOptions, root: &RememberedRoot, memo: Arc<Memo>) -> Result<View, ObserveError> {
    let (id, origin, directory) = (root.id.clone(), root.origin, root.directory.clone());
    let opened = blocking(move || Root::open(id, origin, directory)).await?;
    let opened = opened.map(Arc::new).map_err(|error| unreachable_root(&root.directory, &error))?;
    Ok(View::new(opened, memo, options.writable_state(), false))
}

/// What was edited below one root.
pub(super) struct Edited<'a> {
    pub(super) kinds: &'a [KindLayout],
    pub(super) files: Vec<String>,
    pub(super) entries: Vec<&'a EditedEntry>,
}

impl Edited<'_> {
    /// What a survey would say of the entries, with all that was looked at for it; `None` if one is needed to say it. `before`
    /// is what was known when the view was opened.
    pub(super) async fn survey(
        self,
        options: &TreeOptions,
        view: View,
        before: &Memo,
    ) -> Result<Option<(Survey, View)>, ObserveError> {
        let session = Session::new(view, Configs::new(Arc::clone(&options.documents)), false);
        let session = session.load(self.files.clone(), &options.parser).await?;
        if !self.files.iter().all(|path| self.stays_what_it_is(before, &session.view, path)) {
            return Ok(None);
        }
        let paths: Vec<String> = self.entries.iter().map(|entry| entry.source.path.as_str().to_owned()).collect();
        let (session, governed) = blocking(move || {
            let mut session = session;
            let governed: Vec<(usize, String)> = paths
                .into_iter()
                .map(|path| (session.configs.in_force(&mut session.view, parent(&path)), path))
                .collect();
            (session, governed)
        })
        .await?;
        let session = session.close(governed.clone(), &options.parser).await?;
        let mut survey = Survey { statistics: session.view.statistics, ..Survey::default() };
        for (entry, (config, _)) in self.entries.iter().zip(&governed) {
            let Some((observation, needs)) = observe(&session, entry, *config, self.kinds) else { return Ok(None) };
            survey.disk.observations.push(observation);
            survey.entries.push(needs);
        }
        Ok(Some((survey, session.view)))
    }

    /// True if the file is what it was by what it exports: one of the entries, or a helper.
    fn stays_what_it_is(&self, before: &Memo, view: &View, path: &str) -> bool {
        let (Some(before), Some(now)) =
            (before.files.get(path).and_then(exports), view.files.get(path).and_then(exports))
        else {
            return false;
        };
        let is_entry = self.entries.iter().any(|entry| entry.source.path.as_str() == path);
        let mut names = self.kinds.iter().flat_map(|layout| &layout.export_names);
        before == now && (is_entry || !names.any(|name| now.contains(&**name)))
    }
}

/// What a module exports.
fn exports(record: &Arc<FileRecord>) -> Option<BTreeSet<&str>> {
    let module = record.module.as_ref().filter(|_| is_read_module(record))?;
    Some(module.exports.iter().map(String::as_str).collect())
}

fn observe(
    session: &Session,
    entry: &EditedEntry,
    config: usize,
    kinds: &[KindLayout],
) -> Option<(Observation, SurveyedEntry)> {
    let path = entry.source.path.as_str();
    let record = session.view.files.get(path)?;
    let (digest, module) = (record.digest()?, record.module.as_ref()?);
    let layout = kinds.iter().find(|layout| layout.kind == entry.kind)?;
    let name = layout.export_names.iter().find(|name| is_exported(module, name))?;
    let assembled = session.assemble(config, path);
    let empty = Part::of([]);
    let inputs = Inputs { source: assembled.source, config: assembled.config, packages: empty.clone(), bundler: empty };
    let observation = Observation {
        source: entry.source.clone(),
        origin: entry.origin,
        extension: entry.extension.clone(),
        kind: entry.kind.clone(),
        claimed_type: claimed_type(module, layout, name),
        claims_add_on: layout.add_on_export_names.contains(name),
        entry: Entry::Readable { digest, inputs },
    };
    let needs = SurveyedEntry { specifiers: assembled.specifiers, lock: session.lock(config), shipped: None };
    Some((observation, needs))
}

fn is_exported(module: &ParsedModule, name: &str) -> bool {
    module.exports.iter().any(|export| export == name)
}
