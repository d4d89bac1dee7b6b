//! The parts of a mount or a pulled extension that are laid out like repositories of their own.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    kind_layout::KindLayout,
    ports::Documents,
    problem::{Code, Problem},
    source::Origin,
};
use mangrove_fs::stamp::NodeKind;

use super::{
    layout::{EXTENSIONS_DIRECTORY, Layout, MARKERS},
    manifest,
    path::{join, parent},
    problems::warning,
    roots::RootSpec,
    view::{Listing, View},
    walk::{Candidates, Walk, is_skipped_directory},
};

/// Where workflows lie in a site that has some.
const WORKFLOWS: &str = "workflows";

/// A part of a root that is laid out like a repository of its own.
pub(super) struct Site {
    pub(super) directory: String,
    pub(super) arrangement: Arrangement,
}

pub(super) enum Arrangement {
    /// A marker says where; or `extensions/` stands there.
    Marked(Box<Layout>),
    /// The directories of the kinds stand beside the manifest.
    BesideManifest,
    /// None of them is there: sources may lie anywhere.
    Anywhere,
}

impl Site {
    /// True if there is a directory for workflows.
    pub(super) fn has_workflows(&self, view: &mut View) -> bool {
        let places = [self.beside(WORKFLOWS), self.beside(&join(EXTENSIONS_DIRECTORY, WORKFLOWS))];
        places.iter().any(|directory| is_there(view, directory))
    }

    fn beside(&self, place: &str) -> String {
        if place.is_empty() { self.directory.clone() } else { join(&self.directory, place) }
    }

    /// True if none of the directories exists in which sources or workflows would lie. What a marker names and is missing is
    /// reported, and counts as one that exists.
    fn is_bare(&self, view: &mut View, kinds: &[KindLayout]) -> bool {
        match &self.arrangement {
            Arrangement::Anywhere => false,
            Arrangement::BesideManifest => {
                let known = kinds.iter().map(|kind| kind.directory.as_ref()).chain([WORKFLOWS]);
                known.map(|place| self.beside(place)).all(|directory| !is_there(view, &directory))
            }
            Arrangement::Marked(marker) => {
                let root = view.root.absolute(&self.directory);
                let is_missing = |kind: &KindLayout| match marker.directory_of(kind, &BTreeMap::new(), &root) {
                    Ok(place) if place.missing(&kind.kind).is_none() => !is_there(view, &self.beside(&place.directory)),
                    Ok(_) | Err(_) => false,
                };
                kinds.iter().all(is_missing) && !is_there(view, &self.beside(&join(EXTENSIONS_DIRECTORY, WORKFLOWS)))
            }
        }
    }
}

fn is_there(view: &mut View, directory: &str) -> bool {
    view.directory(directory).listing != Listing::Absent
}

/// Where sites are looked for.
pub(super) struct Search<'a> {
    pub(super) spec: &'a RootSpec,
    pub(super) documents: &'a dyn Documents,
    pub(super) kinds: &'a [KindLayout],
    pub(super) candidates: Candidates,
    pub(super) walk: &'a mut Walk,
    pub(super) problems: &'a mut Vec<Problem>,
}

/// The sites of a mount or a pulled extension, sorted.
pub(super) fn find(view: &mut View, mut search: Search<'_>) -> Vec<Site> {
    search.walk.budget.resume();
    let (mut sites, bare) = search.walk_over(view);
    search.walk.budget.pause();
    if search.is_searched() {
        search.add_searched(view, &mut sites, &bare);
    }
    sites.sort_by(|left, right| left.directory.cmp(&right.directory));
    sites
}

impl Search<'_> {
    /// True for mounts: what lies in them somewhere counts if nothing says where it would lie.
    fn is_searched(&self) -> bool {
        self.spec.origin == Origin::Mounted && self.candidates == Candidates::Modules
    }

    /// The sites, and the directories of those that are [bare](Site::is_bare).
    fn walk_over(&mut self, view: &mut View) -> (Vec<Site>, BTreeSet<String>) {
        let (mut sites, mut bare) = (Vec::new(), BTreeSet::new());
        let mut pending = vec![String::new()];
        while let Some(directory) = pending.pop() {
            if !self.walk.may_list(view, &directory) {
                continue;
            }
            let record = view.directory(&directory);
            let names = match &record.listing {
                Listing::Names { names, .. } => names,
                Listing::Absent | Listing::Outside => continue,
                Listing::Failed(failure) => {
                    let message = format!("the directory cannot be listed: {}", failure.message);
                    self.problems.push(warning(Code::UNREADABLE, &directory, message));
                    self.walk.incomplete.insert(directory);
                    continue;
                }
            };
            let has = |name: &str| names.iter().any(|known| known.name == name);
            // A pattern that names what lies in `extensions/` makes a mount of each.
            let is_top = directory.is_empty() || (bare.contains("") && parent(&directory) == EXTENSIONS_DIRECTORY);
            let site = self.site(view, &directory, is_top, &has);
            if self.is_searched() && site.as_ref().is_some_and(|site| site.is_bare(view, self.kinds)) {
                bare.insert(directory.clone());
            }
            if self.spec.is_recursive {
                let own: BTreeSet<&str> = match &site {
                    Some(Site { arrangement: Arrangement::BesideManifest, .. }) => {
                        self.kinds.iter().map(|kind| kind.directory.as_ref()).collect()
                    }
                    Some(_) if directory.is_empty() && bare.contains("") => BTreeSet::new(),
                    Some(_) | None => BTreeSet::from([EXTENSIONS_DIRECTORY]),
                };
                let below = names.iter().filter(|name| {
                    let enters = name.kind == NodeKind::Directory && !is_skipped_directory(&name.name);
                    enters && !own.contains(name.name.as_str())
                });
                pending.extend(below.map(|name| join(&directory, &name.name)));
            }
            sites.extend(site);
        }
        (sites, bare)
    }

    /// The site at a directory with these names; `None` if nothing says that it is one.
    fn site(&mut self, view: &mut View, directory: &str, is_top: bool, has: &dyn Fn(&str) -> bool) -> Option<Site> {
        let is_marked = MARKERS.iter().any(|marker| has(marker));
        let arrangement = if self.spec.origin == Origin::Mounted && is_marked {
            match Layout::read(view, self.documents, directory) {
                Ok(layout) => Arrangement::Marked(Box::new(layout)),
                Err(fault) => {
                    // What is known of it is kept: where its sources lie is not known now.
                    self.walk.incomplete.insert(directory.to_owned());
                    self.problems.push(
                        Problem::error(fault.code, directory.to_owned(), fault.message)
                            .at_if(fault.position)
                            .advise("the rows of the sources there are kept until the marker is correct"),
                    );
                    return None;
                }
            }
        } else if has(EXTENSIONS_DIRECTORY) {
            Arrangement::Marked(Box::default())
        } else if has(manifest::FILE) || (is_top && self.kinds.iter().any(|kind| has(&kind.directory))) {
            Arrangement::BesideManifest
        } else {
            return None;
        };
        Some(Site { directory: directory.to_owned(), arrangement })
    }

    /// Puts directories that are searched in the place of sites that say of no directory that sources lie there.
    fn add_searched(&self, view: &mut View, sites: &mut Vec<Site>, bare: &BTreeSet<String>) {
        // Where not everything was understood, nothing is guessed.
        if !self.walk.incomplete.is_empty() {
            return;
        }
        let anywhere = |directory: String| Site { directory, arrangement: Arrangement::Anywhere };
        if sites.iter().all(|site| bare.contains(&site.directory)) {
            sites.clear();
            sites.push(anywhere(String::new()));
            return;
        }
        if !self.spec.is_recursive || !bare.contains("") {
            return;
        }
        let record = view.directory(EXTENSIONS_DIRECTORY);
        let Listing::Names { names, .. } = &record.listing else { return };
        let below = names.iter().filter(|name| name.kind == NodeKind::Directory && !is_skipped_directory(&name.name));
        for directory in below.map(|name| join(EXTENSIONS_DIRECTORY, &name.name)) {
            let is_in = |site: &Site| {
                let rest = site.directory.strip_prefix(directory.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if sites.iter().filter(|site| is_in(site)).all(|site| bare.contains(&site.directory)) {
                sites.retain(|site| !is_in(site));
                sites.push(anywhere(directory));
            }
        }
    }
}
