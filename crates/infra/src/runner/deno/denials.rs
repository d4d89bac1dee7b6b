//! What a grant of paths does not reach, though it lies below them: what is protected, and links that lead there or out
//! of the grant. The rules are in `design/running.md`.
//!
//! Deno compares paths as they are written, and what is denied comes before what is allowed. So whatever is not meant is
//! looked for before the process starts, and denied by its path.

use std::{
    collections::{BTreeSet, VecDeque},
    fs, io,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use mangrove_domain::protected;
use mangrove_fs::walk::{Bounds, Budget};

use super::listings::{Listings, Member};

/// How far is looked below the repository and its other roots. What lies beyond is denied.
const OWN: Bounds = Bounds { directories: 50_000, time: Duration::from_secs(20) };
/// How far is looked below other places that are granted, which may be as wide as the disk. What lies beyond is as it is
/// granted.
const ELSEWHERE: Bounds = Bounds { directories: 2_000, time: Duration::from_secs(2) };

/// Where things lie. All paths are absolute.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// The root of the code; `None` if it is gone.
    pub(super) root: Option<&'a Path>,
    /// The repository.
    pub(super) repository: &'a Path,
    /// `.mangrove`.
    pub(super) state_directory: &'a Path,
    /// Every root of the repository: itself, mounts, pulled extensions.
    pub(super) roots: &'a [PathBuf],
    /// What directories hold.
    pub(super) listings: &'a Listings,
}

/// A granted path is a link to something that is not meant by its name.
#[derive(Debug)]
pub(super) struct Misleading {
    /// As it is granted.
    pub(super) granted: PathBuf,
    /// Where it leads.
    pub(super) target: PathBuf,
}

/// What of the paths of one permission is denied.
pub(super) struct Denials<'a> {
    places: Places<'a>,
    /// What is granted, as it is written and where it really lies.
    granted: Vec<PathBuf>,
    /// What entries name, in the same two forms: nothing of it is protected by its own name.
    named: BTreeSet<PathBuf>,
    denied: BTreeSet<PathBuf>,
    links: Vec<PathBuf>,
}

impl<'a> Denials<'a> {
    /// What is denied of paths that an entry names.
    ///
    /// # Errors
    /// [`Misleading`]
    pub(super) fn of_entry(places: Places<'a>, named: &[PathBuf]) -> Result<Self, Misleading> {
        let mut denials = Self::of(places, named.iter().flat_map(|path| [path.clone(), real(path)]).collect());
        denials.named = denials.granted.iter().cloned().collect();
        for path in named {
            let target = real(path);
            let leads_out = path.starts_with(places.repository) && !target.starts_with(real(places.repository));
            let leads_to_protected = denials.is_protected(&target) && !denials.is_protected(path);
            if target != *path && (leads_out || leads_to_protected) {
                return Err(Misleading { granted: path.clone(), target });
            }
        }
        Ok(denials)
    }

    /// What is denied of everything, or in a root that nobody has named.
    pub(super) fn of_root(places: Places<'a>, granted: &Path) -> Self {
        Self::of(places, vec![granted.to_owned(), real(granted)])
    }

    fn of(places: Places<'a>, mut granted: Vec<PathBuf>) -> Self {
        granted.sort();
        granted.dedup();
        Self { places, granted, named: BTreeSet::new(), denied: BTreeSet::new(), links: Vec::new() }
    }

    /// The paths to deny, sorted.
    pub(super) fn paths(mut self) -> Vec<PathBuf> {
        let own: BTreeSet<PathBuf> = [self.places.repository]
            .into_iter()
            .chain(self.places.root)
            .map(Path::to_owned)
            .chain(self.places.roots.iter().cloned())
            .collect();
        for (top, name) in own.iter().flat_map(|top| protected::AT_TOP.map(|name| (top, name))) {
            self.deny(&top.join(name));
        }
        for (top, name) in self.granted.clone().iter().flat_map(|top| protected::AT_TOP.map(|name| (top, name))) {
            // What is only of a repository may be anything elsewhere.
            if protected::is_protected(name) {
                self.deny(&top.join(name));
            }
        }
        self.deny(self.places.state_directory);
        let mut walked = BTreeSet::new();
        let mut budget = Budget::new(OWN);
        for granted in self.granted.clone() {
            for root in &own {
                let inner = if granted.starts_with(root) { &granted } else { root };
                if inner.starts_with(&granted) {
                    self.walk(inner, &mut budget, &mut walked, true);
                }
            }
        }
        let mut budget = Budget::new(ELSEWHERE);
        for granted in self.granted.clone() {
            if granted.parent().is_some() {
                self.walk(&granted, &mut budget, &mut walked, false);
            }
        }
        // A link that is denied makes those to the directories around it lead to something denied.
        loop {
            let links = std::mem::take(&mut self.links);
            let before = links.len();
            let (followed, refused): (Vec<_>, Vec<_>) = links.into_iter().partition(|link| self.may_follow(link));
            self.denied.extend(refused);
            self.links = followed;
            if self.links.len() == before {
                return self.denied.into_iter().collect();
            }
        }
    }

    /// Denies a path, unless it is named itself; of a directory in which something is named, everything else.
    fn deny(&mut self, path: &Path) {
        if self.named.contains(path) || !self.granted.iter().any(|granted| path.starts_with(granted)) {
            return;
        }
        if self.named.iter().any(|named| named.starts_with(path)) {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                self.deny(&entry.path());
            }
            return;
        }
        let real = real(path);
        if real != path && !self.named.contains(&real) {
            self.denied.insert(real);
        }
        self.denied.insert(path.to_owned());
    }

    /// Looks for what is protected, nearest directories first.
    fn walk(&mut self, start: &Path, budget: &mut Budget, walked: &mut BTreeSet<PathBuf>, is_own: bool) {
        budget.resume();
        let mut pending = VecDeque::from([start.to_owned()]);
        while let Some(directory) = pending.pop_front() {
            if !walked.insert(directory.clone()) {
                continue;
            }
            if budget.take().is_err() {
                if !is_own {
                    break;
                }
                self.denied.insert(directory);
                continue;
            }
            for (name, member) in self.places.listings.of(&directory).iter() {
                let path = directory.join(name);
                match member {
                    Member::Protected => self.deny(&path),
                    Member::Link => self.links.push(path),
                    Member::Directory if protected::SECRET_DIRECTORIES.iter().any(|name| path.ends_with(name)) => {
                        self.deny(&path);
                    }
                    Member::Directory if self.denied.contains(&path) => {}
                    Member::Directory => pending.push_back(path),
                }
            }
        }
        budget.pause();
    }

    /// True if the path, or a directory around it, is protected: below the root that it lies in, else at all.
    fn is_protected(&self, path: &Path) -> bool {
        let around =
            self.places.roots.iter().map(PathBuf::as_path).chain(self.places.root).chain([self.places.repository]);
        let below = around.filter_map(|root| path.strip_prefix(root).ok()).min_by_key(|below| below.as_os_str().len());
        let is_secret = |below: &Path| protected::SECRET_DIRECTORIES.iter().any(|name| below.starts_with(name));
        let is_top = |below: &Path| below.starts_with("vaults") || is_secret(below);
        let by_name = protected::is_protected_path(&below.unwrap_or(path).to_string_lossy());
        by_name || below.is_some_and(is_top) || path.starts_with(self.places.state_directory)
    }

    /// True if a link leads to something that is granted as a whole.
    fn may_follow(&self, link: &Path) -> bool {
        if self.named.contains(link) {
            return true;
        }
        // What is at the end of a link that leads nowhere would be made by writing to it.
        let Ok(target) = link.canonicalize() else { return false };
        let is_granted = self.granted.iter().any(|granted| target.starts_with(granted));
        let is_near = |denied: &PathBuf| target.starts_with(denied) || denied.starts_with(&target);
        let is_named = self.named.contains(&target);
        is_granted && !self.denied.iter().any(is_near) && (is_named || !self.is_protected(&target))
    }
}

/// Where a path really lies; of what is not there, where it would.
fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        match ancestor.canonicalize() {
            Ok(real) => {
                return path
                    .strip_prefix(ancestor)
                    .map_or(real.clone(), |rest| if rest.as_os_str().is_empty() { real } else { real.join(rest) });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => break,
        }
    }
    path.to_owned()
}

/// An absolute path without `.` and `..`, as Deno understands it.
pub(super) fn normalised(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new(files: &[&str]) -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            for file in files {
                repository.write(file);
            }
            repository
        }

        fn root(&self) -> PathBuf {
            self.0.path().canonicalize().unwrap()
        }

        fn write(&self, file: &str) {
            let path = self.root().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }

        fn link(&self, link: &str, target: impl AsRef<Path>) {
            symlink(target, self.root().join(link)).unwrap();
        }

        /// What is denied of the root of the code, or of what an entry names, below the repository.
        fn denied(&self, named: Option<&[&str]>) -> Vec<String> {
            let root = self.root();
            let (state, roots) = (root.join(".mangrove"), [root.clone()]);
            let listings = Listings::default();
            let places = Places {
                root: Some(&root),
                repository: &root,
                state_directory: &state,
                roots: &roots,
                listings: &listings,
            };
            let denials = match named {
                None => Denials::of_root(places, &root),
                Some(named) => {
                    let paths: Vec<PathBuf> = named.iter().map(|name| normalised(&root.join(name))).collect();
                    Denials::of_entry(places, &paths).unwrap()
                }
            };
            let below = |path: PathBuf| path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            let at_top = |path: &String| !protected::AT_TOP.contains(&path.as_str());
            denials.paths().into_iter().map(below).filter(at_top).collect()
        }
    }

    #[test]
    fn secrets_are_found_at_any_depth() {
        let repository = Repository::new(&[
            "a.txt",
            ".env",
            "below/.env.production",
            "below/.envy",
            "below/vaults/a.ts",
            "node_modules/x/.env",
            "a/b/c/prod.env",
        ]);
        let expected = ["a/b/c/prod.env", "below/.env.production", "below/.envy", "node_modules/x/.env"];
        assert_eq!(repository.denied(None), expected);
        assert_eq!(repository.denied(Some(&["."])), expected);
        let mut below = top("below");
        below.extend(["below/.env.production", "below/.envy"].map(str::to_owned));
        below.sort_by_key(|path| PathBuf::from(path));
        assert_eq!(repository.denied(Some(&["below"])), below);
        assert_eq!(repository.denied(Some(&["a.txt"])), top("a.txt"));
    }

    /// What is denied at the top of a granted path.
    fn top(granted: &str) -> Vec<String> {
        let names = protected::AT_TOP.iter().filter(|name| protected::is_protected(name));
        let mut paths: Vec<_> = names.map(|name| format!("{granted}/{name}")).collect();
        paths.sort_by_key(|path| PathBuf::from(path));
        paths
    }

    #[test]
    fn all_of_the_top_is_denied_whether_it_is_there_or_not() {
        let repository = Repository::new(&["a.txt"]);
        let root = repository.root();
        let (state, roots) = (root.join("state"), [root.clone(), root.join("mount")]);
        let listings = Listings::default();
        let places = Places {
            root: Some(&root),
            repository: &root,
            state_directory: &state,
            roots: &roots,
            listings: &listings,
        };
        let denied = Denials::of_root(places, &root).paths();
        for name in protected::AT_TOP {
            for top in [&root, &root.join("mount")] {
                assert!(denied.contains(&top.join(name)), "{name}: {denied:?}");
            }
        }
        assert!(denied.contains(&state), "{denied:?}");
    }

    #[test]
    fn links_that_lead_out_or_to_secrets_are_denied_and_others_are_not() {
        let outside = tempfile::tempdir().unwrap();
        let repository = Repository::new(&[".env", "a.txt", "vaults/a.yaml", "sub/b.txt", "deep/.env"]);
        let root = repository.root();
        for (name, target) in [
            ("out", outside.path().to_owned()),
            ("v", root.join("vaults")),
            ("e", root.join(".env")),
            ("up", root.clone()),
            ("nowhere", "missing".into()),
            ("around", "deep".into()),
            ("fine", root.join("a.txt")),
            ("good", "sub".into()),
        ] {
            repository.link(name, target);
        }
        assert_eq!(repository.denied(None), ["around", "deep/.env", "e", "nowhere", "out", "up", "v"]);
    }

    #[test]
    fn a_link_to_a_directory_with_a_denied_link_is_denied() {
        let repository = Repository::new(&[".git/config", "sub/deeper/b.txt"]);
        repository.link("sub/deeper/z-to-git", "../../.git");
        repository.link("a-first", "sub/deeper");
        repository.link("b-second", "sub");
        assert_eq!(repository.denied(None), ["a-first", "b-second", "sub/deeper/z-to-git"]);
    }

    #[test]
    fn what_is_named_is_not_denied_and_what_is_beside_it_is() {
        let repository = Repository::new(&[".git/config", ".git/hooks/a", "x/.env", "x/y.env"]);
        let denied = repository.denied(Some(&[".", ".git/config", "x/.env"]));
        assert!(denied.contains(&".git/hooks".to_owned()) && denied.contains(&"x/y.env".to_owned()), "{denied:?}");
        assert!(!denied.iter().any(|path| path == ".git/config" || path == "x/.env"), "{denied:?}");
        let denied = repository.denied(Some(&[".git"]));
        assert!(!denied.iter().any(|path| path == ".git/config" || path == ".git/hooks"), "{denied:?}");
    }
}
