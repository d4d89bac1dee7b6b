//! Which files below a directory are candidates for entry points.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use mangrove_domain::problem::{Code, Problem};
use mangrove_fs::{
    stamp::{NodeKind, Seen},
    walk::{Budget, Cut},
};

use super::{
    manifest,
    path::join,
    view::{Listing, View},
};

/// Which files a walk looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Modules that may be entry points.
    #[default]
    Modules,
    /// Workflows: YAML files of any name.
    Workflows,
}

impl Candidates {
    /// True for names that the discovery rules accept.
    pub(super) fn accept(self, name: &str) -> bool {
        match self {
            Candidates::Modules => {
                let is_script = [".ts", ".tsx", ".mts"].iter().any(|extension| name.ends_with(extension));
                is_script && ![".d.ts", "_test.ts", ".test.ts"].iter().any(|suffix| name.ends_with(suffix))
            }
            Candidates::Workflows => {
                let is_document = [".yaml", ".yml"].iter().any(|extension| name.ends_with(extension));
                is_document && !name.starts_with(['.', '_'])
            }
        }
    }

    /// What a listed file is not that they do not accept.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Candidates::Modules => "TypeScript module that may be an entry",
            Candidates::Workflows => "YAML file that may be a workflow",
        }
    }
}

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walk {
    candidates: Candidates,
    /// How many directories may still be listed.
    pub(super) budget: Budget,
    cut: Option<Cut>,
    /// Candidates, by their path below the root.
    pub(super) files: BTreeSet<String>,
    /// Directories whose listing failed.
    pub(super) incomplete: BTreeSet<String>,
    pub(super) problems: Vec<Problem>,
    /// Directories in which a manifest stands.
    pub(super) manifests: BTreeSet<String>,
    starts: BTreeSet<String>,
    claimed: Arc<BTreeSet<PathBuf>>,
    /// Real paths of what was walked, so that nothing is walked twice.
    visited: BTreeSet<String>,
    /// Links met on the way; they are followed after everything real, so that real paths win.
    links: BTreeSet<String>,
    /// True if a directory was left alone because another root walked it.
    pub(super) met_claimed: bool,
}

/// How deep a directory is searched of which nobody says where in it sources lie: so many names, the last one that of a file.
const SEARCHED_DEPTH: usize = 4;

/// Directories that such a search does not look into, besides those that no walk does.
const NOT_SEARCHED: [&str; 3] = ["dist", "build", "target"];

/// True for directories that are not looked into.
pub(super) fn is_skipped_directory(name: &str) -> bool {
    name.starts_with('_') || name.starts_with('.') || name == "node_modules"
}

impl Walk {
    /// A walk that does not enter directories that another root walked, by their absolute paths.
    pub(super) fn beside(claimed: Arc<BTreeSet<PathBuf>>, candidates: Candidates, budget: Budget) -> Self {
        Self {
            candidates,
            budget,
            cut: None,
            files: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            problems: Vec::new(),
            manifests: BTreeSet::new(),
            starts: BTreeSet::new(),
            claimed,
            visited: BTreeSet::new(),
            links: BTreeSet::new(),
            met_claimed: false,
        }
    }

    /// Asks whether one more directory may be listed. If not, nothing below it counts as gone, and the root is told of
    /// once.
    pub(super) fn may_list(&mut self, view: &mut View, path: &str) -> bool {
        let Err(cut) = self.budget.take() else { return true };
        self.incomplete.insert(path.to_owned());
        if self.cut.is_none() {
            view.leave_out(path, cut);
            self.problems.push(
                Problem::warning(
                    Code::WALK_CUT,
                    path,
                    format!("this directory and others were not looked into: {cut}"),
                )
                .advise("what is known of the rest is kept; name the directories that hold extensions one by one"),
            );
        }
        self.cut = Some(cut);
        false
    }

    /// Walks the directories in `starts`; those that are missing are skipped.
    pub(super) fn over(&mut self, view: &mut View, starts: &BTreeSet<String>) {
        self.budget.resume();
        self.starts.extend(starts.iter().cloned());
        for start in starts {
            match view.root.canonical(start) {
                Ok(Some(real)) => self.descend(view, start.clone(), real, None),
                Ok(None) => self.problem(Code::LINK_OUTSIDE_ROOT, start, "the directory lies outside the root"),
                // Missing or unreachable; the listing says which, and is watched.
                Err(_) => self.descend(view, start.clone(), start.clone(), None),
            }
        }
        self.finish(view);
    }

    /// Searches a directory of which nobody says where in it sources lie. Links to directories are not followed.
    pub(super) fn search(&mut self, view: &mut View, start: &str) {
        self.budget.resume();
        self.descend(view, start.to_owned(), start.to_owned(), Some(SEARCHED_DEPTH));
        self.finish(view);
    }

    fn finish(&mut self, view: &mut View) {
        while let Some(link) = self.links.pop_first() {
            self.follow(view, link);
        }
        self.budget.pause();
        self.problems.sort_by(|left, right| (&left.subject, &left.message).cmp(&(&right.subject, &right.message)));
    }

    /// Real directories that were walked, by their absolute paths.
    pub(super) fn walked(&self, view: &View) -> impl Iterator<Item = PathBuf> {
        self.visited.iter().map(|real| view.root.absolute(real))
    }

    fn is_claimed(&self, view: &View, real: &str) -> bool {
        !self.claimed.is_empty() && self.claimed.contains(&view.root.absolute(real))
    }

    /// Lists `path`, which really lies at `real`, and everything below it; at most so many names deep, if that is said.
    fn descend(&mut self, view: &mut View, path: String, real: String, depth: Option<usize>) {
        let mut pending = vec![(path, real, depth)];
        while let Some((path, real, depth)) = pending.pop() {
            if self.is_claimed(view, &real) {
                self.met_claimed = true;
                continue;
            }
            if !self.visited.insert(real.clone()) {
                continue;
            }
            let is_entered = |name: &str| {
                let may_be_entered = depth.is_none_or(|left| left > 1 && !NOT_SEARCHED.contains(&name));
                may_be_entered && !is_skipped_directory(name)
            };
            if !self.may_list(view, &path) {
                continue;
            }
            match &view.directory(&path).listing {
                Listing::Names { names, undecodable } => {
                    for name in undecodable {
                        self.problem(Code::NAME_NOT_UTF8, &join(&path, name), "the name is not UTF-8, it is skipped");
                    }
                    for name in names {
                        let below = join(&path, &name.name);
                        match name.kind {
                            NodeKind::File | NodeKind::Other if name.name == manifest::FILE => {
                                self.manifests.insert(path.clone());
                            }
                            // A pipe or device in place of a source is one that cannot be read, not one that is gone.
                            NodeKind::File | NodeKind::Other if self.candidates.accept(&name.name) => {
                                self.files.insert(below);
                            }
                            NodeKind::Directory if is_entered(&name.name) => {
                                let left = depth.map(|left| left - 1);
                                pending.push((below, join(&real, &name.name), left));
                            }
                            NodeKind::Link
                                if self.candidates.accept(&name.name)
                                    || (depth.is_none() && !is_skipped_directory(&name.name)) =>
                            {
                                self.links.insert(below);
                            }
                            NodeKind::File | NodeKind::Directory | NodeKind::Link | NodeKind::Other => {}
                        }
                    }
                }
                Listing::Absent => {}
                Listing::Outside => {
                    self.problem(Code::LINK_OUTSIDE_ROOT, &path, "the directory leads outside the root");
                }
                Listing::Failed(failure) => {
                    let message = format!("the directory cannot be listed: {}", failure.message);
                    self.problem(Code::UNREADABLE, &path, &message);
                    self.incomplete.insert(path);
                }
            }
        }
    }

    /// Follows one link, once: what it leads to is skipped if it was met already.
    fn follow(&mut self, view: &mut View, link: String) {
        if self.starts.contains(&link) {
            return;
        }
        let name = link.rsplit('/').next().unwrap_or(&link).to_owned();
        let seen = view.look(&link);
        if seen.kind() == Some(NodeKind::Directory) && is_skipped_directory(&name) {
            return;
        }
        match (seen, view.root.canonical(&link)) {
            (Seen::There(stat), Ok(Some(real))) => match stat.kind {
                NodeKind::Directory => self.descend(view, link, real, None),
                NodeKind::File | NodeKind::Other if self.candidates.accept(&name) => {
                    if !self.files.contains(&real) && self.visited.insert(real) {
                        self.files.insert(link);
                    }
                }
                NodeKind::File | NodeKind::Link | NodeKind::Other => {}
            },
            (Seen::There(stat), Ok(None)) if stat.kind == NodeKind::Directory || self.candidates.accept(&name) => {
                self.problem(Code::LINK_OUTSIDE_ROOT, &link, "the link leads outside the root, it is not followed");
                // Watched: the file there may change into one that may be followed.
                view.node(&link);
            }
            (Seen::There(_), Ok(None)) => {}
            // Editors mark open files with dangling links called `.#name`.
            (Seen::Failed(_), _) | (_, Err(_)) => {
                if self.candidates.accept(&name) && !name.starts_with('.') {
                    self.files.insert(link);
                } else {
                    view.node(&link);
                }
            }
        }
    }

    fn problem(&mut self, code: Code, path: &str, message: &str) {
        self.problems.push(Problem::warning(code, path.to_owned(), message.to_owned()));
    }
}
