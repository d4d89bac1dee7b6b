//! Which files of other roots may be there although nobody saw them.

use std::collections::BTreeSet;

use mangrove_domain::{
    glob::Glob,
    problem::{Code, Problem},
    pulled::LOCKFILE,
    source::{MOUNTS_FILE, Origin, RootId},
};

/// What is known of the roots that are not the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outside {
    /// Those that are configured now.
    pub(super) roots: BTreeSet<RootId>,
    /// By which directories are mounted.
    pub(super) patterns: Vec<Glob>,
    /// What keeps their files from being known; each is about a root, a place in one, or a list of roots.
    pub(super) problems: Vec<Problem>,
}

impl Outside {
    /// Why a file of another root that nobody saw may be there all the same; `None` if somebody looked where it was.
    pub(super) fn conceals(&self, file: &str, origin: Origin) -> Option<Problem> {
        let concealing = |problem: &&Problem| match problem.subject.as_str() {
            MOUNTS_FILE => origin == Origin::Mounted,
            LOCKFILE => origin == Origin::Pulled,
            place => origin != Origin::Local && lies_in(file, self.root_of(place)),
        };
        let told = self.problems.iter().find(concealing).cloned();
        told.or_else(|| if origin == Origin::Mounted { self.awaits(file) } else { None })
    }

    /// Of something that is in no root that is known, it alone.
    fn root_of<'a>(&'a self, place: &'a str) -> &'a str {
        let around = self.roots.iter().map(RootId::as_str).filter(|root| lies_in(place, root));
        around.max_by_key(|root| root.len()).unwrap_or(place)
    }

    /// A directory that a pattern would match, and that is not there for now.
    fn awaits(&self, file: &str) -> Option<Problem> {
        if self.roots.iter().any(|root| lies_in(file, root.as_str())) {
            return None;
        }
        let mut directories = file.match_indices('/').map(|(end, _)| &file[..end]);
        let is_awaited = |name: &&str| {
            let root = RootId::new(*name);
            root.mount_path().is_some_and(|path| self.patterns.iter().any(|pattern| pattern.matches(path)))
        };
        let root = directories.find(is_awaited)?;
        let message = "it matches a configured pattern, but does not exist";
        Some(Problem::warning(Code::ROOT_UNREACHABLE, root.to_owned(), message))
    }
}

fn lies_in(file: &str, place: &str) -> bool {
    file.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
