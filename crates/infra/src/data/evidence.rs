//! What an answer from files rests on: looks at paths, which must give the same again for the answer to hold.
//!
//! A look is taken before what it stands for is read. Whatever changes afterwards therefore leaves another stamp, unless it
//! happens within what the clock of the file system cannot tell apart: then the stamp is *racy*, and nothing that rests on it
//! lasts. Directories, and files that no link may stand for, are looked at without following links: one that takes their place
//! is another thing, whatever it leads to.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use mangrove_fs::stamp::{Horizon, NodeKind, Seen};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

/// Which of the two trees of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Tree {
    /// That of this store, the first layout included.
    Ours,
    /// That which a repository brings.
    Existing,
}

/// Where a tree lies. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) tree: Tree,
    pub(super) path: Arc<Path>,
}

impl Root {
    /// A path as it lies below the root; `None` for one that is elsewhere, or no text.
    pub(super) fn relative<'a>(&self, path: &'a Path) -> Option<&'a str> {
        path.strip_prefix(&self.path).ok()?.to_str()
    }
}

/// What becomes of a link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Links {
    /// It is looked at itself.
    Refused,
    /// What it leads to is looked at.
    Followed,
}

/// One look. `P` is the path below the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look<P> {
    tree: Tree,
    path: P,
    links: Links,
    seen: Seen,
}

impl Look<&str> {
    /// Where it was taken, below its root.
    pub(super) const fn path(&self) -> &str {
        self.path
    }

    /// True if a directory was there, and not by a link.
    pub(super) fn shows_directory(&self, tree: Tree) -> bool {
        self.tree == tree && self.links == Links::Refused && self.seen.kind() == Some(NodeKind::Directory)
    }
}

/// Looks at paths below both roots as they are now.
#[derive(Debug)]
pub(super) struct Looker {
    ours: Result<OwnedFd, Errno>,
    existing: Result<OwnedFd, Errno>,
    roots: (Root, Option<Root>),
    /// Where the clock of the file system may be asked; `None` if nothing may be written.
    probe: Option<PathBuf>,
    horizons: [OnceLock<Horizon>; 2],
}

impl Looker {
    pub(super) fn new(ours: &Root, existing: Option<&Root>, probe: Option<&Path>) -> Self {
        let open = |path: &Path| {
            let place = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            openat(CWD, place, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        };
        Self {
            ours: open(&ours.path),
            existing: existing.map_or(Err(Errno::NOENT), |root| open(&root.path)),
            roots: (ours.clone(), existing.cloned()),
            probe: probe.map(Path::to_owned),
            horizons: Default::default(),
        }
    }

    pub(super) fn look(&self, tree: Tree, path: &str, links: Links) -> Seen {
        let root = match tree {
            Tree::Ours => &self.ours,
            Tree::Existing => &self.existing,
        };
        match (root, links) {
            (Err(error), _) => Seen::Failed(error.raw_os_error()),
            (Ok(root), Links::Followed) => Seen::look(root, path),
            (Ok(root), Links::Refused) => Seen::look_itself(root, path),
        }
    }

    /// True if a later change could have left this stamp. To be asked for the first time before anything is read that
    /// somebody means to remember.
    pub(super) fn is_racy(&self, tree: Tree, seen: &Seen) -> bool {
        self.horizon(tree).is_racy(seen)
    }

    fn horizon(&self, tree: Tree) -> Horizon {
        let (slot, root) = match (tree, &self.roots.1) {
            (Tree::Existing, Some(root)) => (1, root),
            (Tree::Existing | Tree::Ours, _) => (0, &self.roots.0),
        };
        *self.horizons[slot].get_or_init(|| Horizon::now(self.probe.as_deref(), &root.path))
    }

    /// True if every look gives what it gave.
    pub(super) fn finds<P: AsRef<str>>(&self, looks: &[Look<P>]) -> bool {
        looks.iter().all(|look| self.look(look.tree, look.path.as_ref(), look.links) == look.seen)
    }
}

/// The looks that were taken while something was read.
pub(super) struct Evidence<'a> {
    looker: Option<&'a Looker>,
    pub(super) looks: Vec<Look<String>>,
    /// False if the looks prove nothing.
    pub(super) is_lasting: bool,
}

impl<'a> Evidence<'a> {
    /// For who does not want to remember what is read: nothing is looked at.
    pub(super) const fn unwanted() -> Self {
        Self { looker: None, looks: Vec::new(), is_lasting: false }
    }

    pub(super) fn by(looker: &'a Looker) -> Self {
        for tree in [Tree::Ours, Tree::Existing] {
            looker.horizon(tree);
        }
        Self { looker: Some(looker), looks: Vec::new(), is_lasting: true }
    }

    /// True if somebody wants it.
    pub(super) const fn is_wanted(&self) -> bool {
        self.looker.is_some()
    }

    /// Takes a look at what is about to be read.
    pub(super) fn look(&mut self, root: &Root, path: &Path, links: Links) {
        let Some(looker) = self.looker else { return };
        let Some(relative) = root.relative(path) else {
            self.distrust();
            return;
        };
        let seen = looker.look(root.tree, relative, links);
        if looker.is_racy(root.tree, &seen) {
            self.distrust();
        }
        self.looks.push(Look { tree: root.tree, path: relative.to_owned(), links, seen });
    }

    /// What was read rests on more than was looked at.
    pub(super) const fn distrust(&mut self) {
        self.is_lasting = false;
    }
}
