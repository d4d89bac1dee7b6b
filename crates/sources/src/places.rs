//! Where the sources of every kind lie below one root.
//!
//! A root has one or more *sites*: the repository itself, a pulled extension, or each repository inside a mount. A
//! site has one directory per kind; manifests may list further files. What kind a file is of is asked here and
//! nowhere else, for every origin (fault 12).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    kind_layout::KindLayout,
    ports::Documents,
    problem::{Code, Problem},
    source::{Kind, Origin},
};
use mangrove_fs::walk::Budget;

use super::{
    layout::{EXTENSIONS_DIRECTORY, Layout},
    manifest::{Identities, Listed, Manifest, Manifests, Reading},
    path::{join, parent},
    problems::warning,
    roots::RootSpec,
    sites::{self, Arrangement, Search, Site},
    view::{Listing, Node, View},
    walk::{Candidates, Walk},
};

/// Where sources lie, and of which kind they are there.
pub(super) struct Places {
    pub(super) kinds: Vec<KindLayout>,
    /// The directory of every kind, by site.
    sites: Vec<Vec<String>>,
    by_directory: HashMap<String, Place>,
    by_file: HashMap<String, Place>,
}

/// The kinds that belong in one place, by their index; none where a manifest lists entries and not these.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) kinds: Vec<usize>,
    site: usize,
    /// True where only what a file exports says of which kind it is.
    pub(super) is_searched: bool,
}

impl Places {
    /// The nearest place around a file; `None` if sources do not lie there.
    pub(super) fn of(&self, path: &str) -> Option<&Place> {
        if let Some(place) = self.by_file.get(path) {
            return Some(place);
        }
        let mut directory = parent(path);
        loop {
            if let Some(place) = self.by_directory.get(directory) {
                return Some(place);
            }
            if directory.is_empty() {
                return None;
            }
            directory = parent(directory);
        }
    }

    /// Where files of another kind belong that lie in this place.
    pub(super) fn directory(&self, place: &Place, kind: usize) -> &str {
        self.sites.get(place.site).and_then(|site| site.get(kind)).map_or("", String::as_str)
    }
}

/// Everything that is known before files are read.
pub(super) struct Prepared {
    pub(super) view: View,
    pub(super) places: Places,
    pub(super) manifests: Manifests,
    pub(super) identities: Identities,
    pub(super) walk: Walk,
    pub(super) missing_directories: BTreeMap<Kind, String>,
    pub(super) problems: Vec<Problem>,
    /// What is to be said if no entry is found.
    pub(super) if_empty: Option<Problem>,
}

/// What a preparation needs besides the view.
pub(super) struct Context {
    pub(super) spec: RootSpec,
    /// What the marker of the repository says.
    pub(super) layout: Layout,
    /// Variables that name directories of the repository's own sources.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) kinds: Vec<KindLayout>,
    pub(super) documents: Arc<dyn Documents>,
    /// Which files count.
    pub(super) candidates: Candidates,
    /// Directories that other roots walked.
    pub(super) claimed: Arc<BTreeSet<PathBuf>>,
    /// How much may still be walked.
    pub(super) budget: Budget,
}

/// Finds sites, kinds' directories, candidates and manifests.
pub(super) fn prepare(mut view: View, context: Context) -> Result<Prepared, Fault> {
    let mut preparation = Preparation {
        candidates: context.candidates,
        walk: Walk::beside(context.claimed, context.candidates, context.budget),
        spec: context.spec,
        documents: context.documents,
        environment: context.environment,
        places: Places {
            kinds: context.kinds,
            sites: Vec::new(),
            by_directory: HashMap::new(),
            by_file: HashMap::new(),
        },
        starts: BTreeSet::new(),
        searched: BTreeSet::new(),
        tops: BTreeSet::new(),
        missing_directories: BTreeMap::new(),
        problems: Vec::new(),
    };
    let sites = match preparation.spec.origin {
        Origin::Local => {
            preparation.problems.clone_from(&context.layout.problems);
            vec![Site { directory: String::new(), arrangement: Arrangement::Marked(Box::new(context.layout)) }]
        }
        Origin::Mounted | Origin::Pulled => {
            let Preparation { spec, documents, places, candidates, walk, problems, .. } = &mut preparation;
            let kinds = &places.kinds;
            sites::find(
                &mut view,
                Search { spec, documents: documents.as_ref(), kinds, candidates: *candidates, walk, problems },
            )
        }
    };
    for site in &sites {
        preparation.place_kinds(&mut view, site)?;
    }
    let starts = std::mem::take(&mut preparation.starts);
    preparation.walk.over(&mut view, &starts);
    for directory in std::mem::take(&mut preparation.searched) {
        preparation.walk.search(&mut view, &directory);
    }
    let mut manifests = Manifests::new(Arc::clone(&preparation.documents), &preparation.places.kinds);
    preparation.read_manifests(&mut view, &sites, &mut manifests);
    let Preparation { spec, mut walk, places, tops, missing_directories, mut problems, .. } = preparation;
    walk.files.retain(|path| places.of(path).is_some());
    // What another root has walked is found there, and workflows are found by who runs them.
    let is_looked_at = walk.incomplete.is_empty() && !walk.met_claimed;
    let if_empty = if sites.is_empty() && is_looked_at {
        problems.push(nothing_there(&spec));
        None
    } else {
        let is_wanted = spec.origin == Origin::Mounted && places.kinds.iter().any(|kind| spec.has_kind(kind));
        let says_so = is_looked_at && is_wanted && !sites.iter().any(|site| site.has_workflows(&mut view));
        says_so.then(|| nothing_there(&spec))
    };
    let identities = Identities::new(spec.extension, spec.origin == Origin::Pulled, tops);
    Ok(Prepared { view, places, manifests, identities, walk, missing_directories, problems, if_empty })
}

struct Preparation {
    candidates: Candidates,
    spec: RootSpec,
    documents: Arc<dyn Documents>,
    environment: BTreeMap<String, String>,
    places: Places,
    starts: BTreeSet<String>,
    /// Directories in which sources may lie anywhere.
    searched: BTreeSet<String>,
    tops: BTreeSet<String>,
    walk: Walk,
    missing_directories: BTreeMap<Kind, String>,
    problems: Vec<Problem>,
}

impl Preparation {
    /// Says where the kinds of one site lie.
    fn place_kinds(&mut self, view: &mut View, site: &Site) -> Result<(), Fault> {
        let index = self.places.sites.len();
        let mut directories = Vec::new();
        for kind in 0..self.places.kinds.len() {
            let layout = self.places.kinds[kind].clone();
            let directory = match &site.arrangement {
                Arrangement::BesideManifest => join(&site.directory, &layout.directory),
                Arrangement::Anywhere => site.directory.clone(),
                Arrangement::Marked(marker) => match self.marked_directory(view, site, marker, &layout)? {
                    Some(directory) => directory,
                    None => {
                        directories.push(String::new());
                        continue;
                    }
                },
            };
            directories.push(directory.clone());
            if !self.spec.has_kind(&layout) {
                continue;
            }
            let place = self.places.by_directory.entry(directory.clone()).or_default();
            place.site = index;
            place.kinds.push(kind);
            if matches!(site.arrangement, Arrangement::Anywhere) {
                place.is_searched = true;
                self.searched.insert(directory);
            } else {
                self.starts.insert(directory);
            }
        }
        let own = match site.arrangement {
            Arrangement::Marked(_) => {
                let extensions = join(&site.directory, EXTENSIONS_DIRECTORY);
                self.starts.insert(extensions.clone());
                extensions
            }
            Arrangement::BesideManifest | Arrangement::Anywhere => site.directory.clone(),
        };
        match self.spec.origin {
            Origin::Local => {
                let is_below = |path: &&String| path.starts_with("extensions/");
                self.tops.extend(directories.iter().filter(|path| !is_below(path)).cloned());
                self.tops.insert(own);
            }
            // The manifest of a mounted repository may stand above its `extensions/`.
            Origin::Mounted | Origin::Pulled => {
                self.tops.insert(site.directory.clone());
            }
        }
        self.places.sites.push(directories);
        Ok(())
    }

    /// `None` if the setting cannot be used, which is reported. For the repository itself that is an error: rows
    /// would leave for a typing error.
    fn marked_directory(
        &mut self,
        view: &mut View,
        site: &Site,
        marker: &Layout,
        layout: &KindLayout,
    ) -> Result<Option<String>, Fault> {
        let is_local = self.spec.origin == Origin::Local;
        let none = BTreeMap::new();
        let environment = if is_local { &self.environment } else { &none };
        let place = match marker.directory_of(layout, environment, &view.root.absolute(&site.directory)) {
            Ok(place) => place,
            Err(problem) if is_local => {
                let message = format!("{}: {}", problem.subject, problem.message);
                return Err(Fault::deterministic(problem.code, "config", message));
            }
            Err(problem) => {
                self.walk.incomplete.insert(site.directory.clone());
                self.problems.push(problem);
                return Ok(None);
            }
        };
        let directory = match (site.directory.as_str(), place.directory.as_str()) {
            (site, "") => site.to_owned(),
            (site, directory) => join(site, directory),
        };
        if view.directory(&directory).listing == Listing::Absent
            && let Some(problem) = place.missing(&layout.kind)
        {
            if is_local {
                self.missing_directories.insert(layout.kind.clone(), directory.clone());
            } else {
                self.walk.incomplete.insert(site.directory.clone());
            }
            self.problems.push(problem);
        }
        Ok(Some(directory))
    }

    /// Reads the manifests that were met: broken ones keep what is known around them, and those that list entries
    /// say what is an entry.
    fn read_manifests(&mut self, view: &mut View, sites: &[Site], manifests: &mut Manifests) {
        let mut directories = self.walk.manifests.clone();
        if self.spec.origin != Origin::Local {
            directories.extend(sites.iter().map(|site| site.directory.clone()));
        }
        let mut listing: Vec<(String, Arc<Manifest>)> = Vec::new();
        for directory in directories {
            match manifests.at(view, &directory) {
                Reading::Unusable => {
                    self.walk.incomplete.insert(directory);
                }
                Reading::Read(manifest) if manifest.lists_entries => listing.push((directory, manifest)),
                Reading::Read(_) | Reading::Absent => {}
            }
        }
        for (directory, _) in &listing {
            let site = site_around(sites, directory);
            let place = Place { kinds: Vec::new(), site, is_searched: false };
            self.places.by_directory.insert(directory.clone(), place);
        }
        for (directory, manifest) in &listing {
            let site = site_around(sites, directory);
            for kind in 0..self.places.kinds.len() {
                let layout = self.places.kinds[kind].clone();
                if self.spec.has_kind(&layout) {
                    for listed in manifest.lists.get(&layout.directory).into_iter().flatten() {
                        self.place_listed(view, listed, kind, site);
                    }
                }
            }
        }
    }

    fn place_listed(&mut self, view: &mut View, listed: &Listed, kind: usize, site: usize) {
        let path = listed.path.as_str();
        let name = path.rsplit('/').next().unwrap_or(path);
        let place = match view.node(path) {
            Node::File if self.candidates.accept(name) => {
                self.walk.files.insert(path.to_owned());
                self.places.by_file.entry(path.to_owned()).or_default()
            }
            Node::Directory => {
                self.walk.over(view, &BTreeSet::from([path.to_owned()]));
                self.places.by_directory.entry(path.to_owned()).or_default()
            }
            found @ (Node::File | Node::Absent | Node::Outside) => {
                let what = match found {
                    Node::File => format!("which is not a {}", self.candidates.expected()),
                    Node::Outside => "which leads outside the root".to_owned(),
                    Node::Absent | Node::Directory => "which does not exist".to_owned(),
                };
                self.problems.push(
                    warning(
                        Code::INVALID_DOCUMENT,
                        &listed.position.file,
                        format!("the manifest lists {path}, {what}"),
                    )
                    .at(listed.position.clone()),
                );
                return;
            }
        };
        place.site = site;
        if !place.kinds.contains(&kind) {
            place.kinds.push(kind);
        }
    }
}

/// The index of the innermost site around a directory.
fn site_around(sites: &[Site], directory: &str) -> usize {
    let is_around = |site: &Site| {
        site.directory.is_empty()
            || directory == site.directory
            || directory.strip_prefix(&site.directory).is_some_and(|rest| rest.starts_with('/'))
    };
    sites.iter().rposition(is_around).unwrap_or_default()
}

fn nothing_there(spec: &RootSpec) -> Problem {
    let advice = match spec.origin {
        Origin::Mounted if !spec.is_recursive => "`recursive: true` also finds repositories further below",
        Origin::Mounted | Origin::Local | Origin::Pulled => {
            "expected `extensions/`, a manifest, or directories such as `models/`"
        }
    };
    let of_kinds = if spec.only.is_some() { " of the kinds that `only` names" } else { "" };
    warning(Code::ROOT_EMPTY, "", format!("it contains no extensions{of_kinds}")).advise(advice)
}
