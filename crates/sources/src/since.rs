//! What edits of modules since an earlier survey change, where nothing else has changed since.
//!
//! Every path that is remembered was looked at. What these looks do not prove is read again here, and held against what is
//! known of it: a listing must be the same, and so must a file, unless it is a module that exports what it exported before.
//! Then another survey differs from the earlier one only in the entries that reach such a module. Anything else is left to
//! an ordinary survey.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use mangrove_domain::{
    kind_layout::KindLayout,
    ports::ObserveError,
    source::{Origin, RelativePath, RootId, SourceId},
    survey::{EditedEntry, Survey, SurveyStatistics},
};

use crate::{
    config::Configs,
    edits::{self, Edited, is_beside, is_read_module},
    options::TreeOptions,
    session::{Session, blocking},
    stat_cache::{Remembered, RememberedRoot, Since},
    view::{Memo, View},
    views::{LookedAhead, SURROUNDINGS},
};

/// So many paths are read again by themselves at most: what changes more at once, such as another branch, is seen sooner by
/// a look at everything.
const MOST_MOVED: usize = 512;

/// What follows from edits.
pub(super) struct Followed {
    /// What a survey says of the entries that they reach, and of nothing else.
    pub(super) survey: Survey,
    /// What is remembered with them, written to the state directory; `None` if there is none.
    pub(super) remembered: Option<Remembered>,
}

/// What was read again of one root.
struct Moved {
    view: View,
    before: Arc<Memo>,
    edited: Vec<String>,
}

/// What follows from these edits; `None` if more may have changed, or if that cannot be written down. `since` says what is known
/// to have changed before.
pub(super) async fn follow(
    options: &TreeOptions,
    remembered: &Remembered,
    ahead: &HashMap<RootId, LookedAhead>,
    kinds: &[KindLayout],
    (mut since, state_directory): (Since, Option<&Path>),
) -> Result<Option<Followed>, ObserveError> {
    let moved: usize = ahead.values().map(|ahead| ahead.moved.len()).sum();
    if ahead.len() != remembered.roots.len() || moved > MOST_MOVED {
        return Ok(None);
    }
    let mut roots: Vec<(&RememberedRoot, Moved)> = Vec::new();
    for root in &remembered.roots {
        let Some(ahead) = ahead.get(&root.id).filter(|ahead| !ahead.moved.is_empty()) else { continue };
        let Some(moved) = read_again(options, root, remembered.memo(&root.id), ahead).await? else { return Ok(None) };
        roots.push((root, moved));
    }
    let Some(mut survey) = remembered.saved_survey().filter(|survey| !survey.is_worn()) else { return Ok(None) };
    let edited: BTreeSet<SourceId> = roots.iter().flat_map(|(root, moved)| moved.sources(root)).collect();
    let entries = if edited.is_empty() { Some(Vec::new()) } else { survey.reaching(&edited) };
    let Some(entries) = entries else { return Ok(None) };
    since.edited.extend(entries.iter().map(|entry| entry.source.clone()));
    let mut statistics = SurveyStatistics::default();
    let mut known = HashMap::new();
    for (root, Moved { mut view, before, edited }) in roots {
        if !edited.is_empty() {
            let of_root: Vec<&EditedEntry> = entries.iter().filter(|entry| entry.source.root == root.id).collect();
            let of_root = Edited { kinds, files: edited, entries: of_root };
            let Some((part, seen)) = of_root.survey(options, view, &before).await? else { return Ok(None) };
            survey.replace(&part);
            view = seen;
        }
        // What a configuration says that nobody has read before is told by who reads all.
        if view.files.iter().any(|(path, record)| record.has_text() && !before.files.contains_key(path)) {
            return Ok(None);
        }
        statistics.files_read += view.statistics.files_read;
        statistics.directories_listed += view.statistics.directories_listed;
        known.insert(root.id.clone(), (view, before));
    }
    let Some(told) = survey.restore_only(&since.edited) else { return Ok(None) };
    let told = Survey { statistics, ..told };
    // Where nothing is written down, the next look begins from the same memory.
    let Some(state_directory) = state_directory else { return Ok(Some(Followed { survey: told, remembered: None })) };
    let known = known.into_iter().map(|(id, (view, before))| (id, view.into_memo().over(&before))).collect();
    let kept = remembered.keep_edits(known, &survey, since, state_directory);
    let kept = kept.inspect_err(|error| tracing::debug!(%error, "what edits change cannot be written down"));
    Ok(kept.ok().map(|kept| Followed { survey: told, remembered: Some(kept) }))
}

/// Reads what has moved below one root; `None` if anything but the text of modules is not what it was.
async fn read_again(
    options: &TreeOptions,
    root: &RememberedRoot,
    before: Arc<Memo>,
    ahead: &LookedAhead,
) -> Result<Option<Moved>, ObserveError> {
    let Ok(mut view) = edits::open(options, root, Arc::clone(&before)).await else { return Ok(None) };
    if root.id.as_str() == SURROUNDINGS {
        // Its paths lie on any device, so no clock that could be probed is theirs.
        view.state_directory = None;
    }
    view.looked_ahead = Arc::clone(&ahead.looked);
    let (moved, known) = (ahead.moved.clone(), Arc::clone(&before));
    let listed = blocking(move || {
        let mut files = Vec::new();
        for path in moved {
            let (directory, is_file) = (known.directories.get(&path), known.files.contains_key(&path));
            let is_listed_alike = directory.is_none_or(|known| view.directory(&path).listing == known.listing);
            if !is_listed_alike || (directory.is_none() && !is_file) {
                return None;
            }
            files.extend(is_file.then_some(path));
        }
        Some((view, files))
    });
    let Some((view, files)) = listed.await? else { return Ok(None) };
    let session = Session::new(view, Configs::new(Arc::clone(&options.documents)), false);
    let view = session.load(files.clone(), &options.parser).await?.view;
    let mut edited = Vec::new();
    for path in files {
        let (Some(then), Some(now)) = (before.files.get(&path), view.files.get(&path)) else { return Ok(None) };
        if then.content == now.content && then.module == now.module {
            continue;
        }
        let may_be_edited = root.origin != Origin::Pulled && !is_beside(root);
        if !may_be_edited || !is_read_module(then) || !is_read_module(now) {
            return Ok(None);
        }
        edited.push(path);
    }
    Ok(Some(Moved { view, before, edited }))
}

impl Moved {
    fn sources(&self, root: &RememberedRoot) -> impl Iterator<Item = SourceId> {
        let id = root.id.clone();
        let path = |path: &String| RelativePath::parse(path).ok();
        self.edited.iter().filter_map(path).map(move |path| SourceId { root: id.clone(), path })
    }
}
