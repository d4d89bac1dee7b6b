//! The data files of a repository on disk (port `RepositoryFiles`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{FileList, FilesError, RepositoryFiles},
    problem::{Code, Problem},
    source::RelativePath,
};

use crate::{
    blocking,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
    walk::{Bounds, Budget, Cut},
};

/// Reads below one directory.
#[expect(clippy::module_name_repetitions, reason = "the adapter carries the name of its port")]
#[derive(Clone, Debug)]
pub struct DiskFiles {
    root: PathBuf,
    bounds: Bounds,
}

impl DiskFiles {
    /// The files of the repository in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), bounds: Bounds::default() }
    }

    /// The same, with other bounds of a walk.
    #[must_use]
    pub const fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }
}

#[async_trait]
impl RepositoryFiles for DiskFiles {
    async fn list(&self, directories: &[&str], endings: &[&str]) -> Result<FileList, FilesError> {
        let directories: Vec<String> =
            directories.iter().map(|directory| checked("list", directory)).collect::<Result<_, _>>()?;
        let root = self.root.clone();
        let endings: Vec<String> = endings.iter().map(|ending| (*ending).to_owned()).collect();
        let budget = Budget::new(self.bounds);
        in_background("list", directories.join(", "), move || {
            let root = root.canonicalize().map_err(|error| {
                let fault = io_fault(Operation::List, &root, &error);
                FilesError { operation: "list", path: directories.join(", "), fault }
            })?;
            Ok(Walk { root, endings, budget, ..Walk::default() }.over(&directories))
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<Option<String>, FilesError> {
        let path = checked("read", path)?;
        let root = self.root.clone();
        in_background("read", path.clone(), move || {
            match read::text(root.join(&path), Within::Root(&root), FileKind::Document) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.is_absent() && path.contains(char::REPLACEMENT_CHARACTER) => {
                    Err(failure("read", &path, Code::NAME_NOT_UTF8, "the name is not UTF-8"))
                }
                Err(error) if error.is_absent() => Ok(None),
                Err(error) => {
                    // The path is said by who is told, relative to the repository.
                    let message = error.reason.to_string();
                    let fault = Fault { message, ..error.into_fault() };
                    Err(FilesError { operation: "read", path, fault })
                }
            }
        })
        .await
    }
}

/// Paths come from our own lists or from people; none may leave the repository.
fn checked(operation: &'static str, path: &str) -> Result<String, FilesError> {
    match RelativePath::parse(path) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(error) => Err(failure(operation, path, Code::INVALID_DOCUMENT, &error.to_string())),
    }
}

async fn in_background<T: Send + 'static>(
    operation: &'static str,
    path: String,
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    match blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(failure(operation, &path, Code::UNREADABLE, &error.to_string())),
    }
}

fn failure(operation: &'static str, path: &str, code: Code, message: &str) -> FilesError {
    let fault = Fault::environment(code, format!("path:{path}"), message);
    FilesError { operation, path: path.to_owned(), fault }
}

/// A walk over some directories. What is real is walked first and links after it in the order of their names, so that a
/// file is known by its own path if it lies in one of the directories. Links to a directory around them are circles.
struct Walk {
    /// Free of links.
    root: PathBuf,
    endings: Vec<String>,
    budget: Budget,
    /// The real paths of directories that were walked.
    walked: BTreeSet<PathBuf>,
    /// The files by their real paths; by their own where there is none.
    files: BTreeMap<PathBuf, String>,
    links: BTreeSet<String>,
    problems: Vec<Problem>,
    cut: Option<Cut>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            root: PathBuf::new(),
            endings: Vec::new(),
            budget: Budget::new(Bounds::default()),
            walked: BTreeSet::new(),
            files: BTreeMap::new(),
            links: BTreeSet::new(),
            problems: Vec::new(),
            cut: None,
        }
    }
}

impl Walk {
    fn over(mut self, directories: &[String]) -> FileList {
        self.budget.resume();
        for directory in directories {
            match self.root.join(directory).symlink_metadata() {
                Ok(metadata) if metadata.is_symlink() => {
                    self.links.insert(directory.clone());
                }
                Ok(_) | Err(_) => self.descend(directory.clone()),
            }
        }
        while let Some(link) = self.links.pop_first() {
            self.follow(link);
        }
        if let Some(cut) = self.cut {
            let subject = directories.join(", ");
            self.problems.push(
                Problem::error(Code::WALK_CUT, subject, format!("not every file was found: {cut}"))
                    .advise("take away what does not belong there"),
            );
        }
        let mut paths: Vec<String> = self.files.into_values().collect();
        paths.sort();
        self.problems.sort_by(|one, other| one.subject.cmp(&other.subject));
        FileList { paths, problems: self.problems }
    }

    /// Lists a directory and everything below it; links are kept for later.
    fn descend(&mut self, directory: String) {
        let mut pending = vec![directory];
        while let Some(directory) = pending.pop() {
            let absolute = self.root.join(&directory);
            let real = match absolute.canonicalize() {
                Ok(real) if real.starts_with(&self.root) => real,
                Ok(_) => {
                    let message = "a link leads outside of the repository; it is not followed";
                    self.problems.push(Problem::warning(Code::LINK_OUTSIDE_ROOT, directory, message));
                    continue;
                }
                Err(error) => {
                    self.unlisted(&directory, &error);
                    continue;
                }
            };
            if self.cut.is_some() || !self.walked.insert(real.clone()) {
                continue;
            }
            if let Err(cut) = self.budget.take() {
                self.cut = Some(cut);
                return;
            }
            let entries = match absolute.read_dir() {
                Ok(entries) => entries,
                Err(error) => {
                    self.unlisted(&directory, &error);
                    continue;
                }
            };
            for entry in entries {
                match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
                    Ok((name, kind)) => {
                        // A name that is not UTF-8 is listed as it can be shown; reading it says what is wrong.
                        let real = real.join(&name);
                        let name = name.to_string_lossy();
                        if name.starts_with(['.', '_']) {
                            continue;
                        }
                        let path = format!("{directory}/{name}");
                        if kind.is_symlink() {
                            self.links.insert(path);
                        } else if kind.is_dir() {
                            if name != "node_modules" {
                                pending.push(path);
                            }
                        } else if self.is_sought(&name) {
                            self.files.entry(real).or_insert(path);
                        }
                    }
                    Err(error) => self.unlisted(&directory, &error),
                }
            }
        }
    }

    /// Follows one link, unless what it leads to was met.
    fn follow(&mut self, link: String) {
        let absolute = self.root.join(&link);
        let name = link.rsplit('/').next().unwrap_or(&link);
        let is_sought = self.is_sought(name);
        let is_entered = name != "node_modules";
        // Where the link itself lies: what it leads to may be around it.
        let place = absolute.parent().and_then(|parent| parent.canonicalize().ok()).unwrap_or_default();
        match absolute.canonicalize() {
            Ok(real) if real.is_dir() => {
                if is_entered && !place.starts_with(&real) {
                    self.descend(link);
                }
            }
            Ok(real) if is_sought => {
                // Each link out is refused by itself, wherever it leads.
                let key = if real.starts_with(&self.root) { real } else { absolute };
                self.files.entry(key).or_insert(link);
            }
            // Reading it says what is wrong.
            Err(_) if is_sought => {
                self.files.entry(absolute).or_insert(link);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn is_sought(&self, name: &str) -> bool {
        self.endings.iter().any(|ending| name.ends_with(ending.as_str()))
    }

    /// A directory that cannot be listed; one that is not there is empty.
    fn unlisted(&mut self, directory: &str, error: &io::Error) {
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            return;
        }
        let fault = io_fault(Operation::List, Path::new(directory), error);
        self.problems.push(Problem::error(fault.code, directory, fault.message));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        fs,
        os::unix::{ffi::OsStrExt as _, fs::symlink},
    };

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join("repository").join(path)
        }

        fn write(&self, path: &str, text: impl AsRef<[u8]>) {
            let file = self.path(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            fs::write(file, text).expect("a file");
        }

        fn link(&self, path: &str, target: &str) {
            fs::create_dir_all(self.path(path).parent().expect("a parent")).expect("a directory");
            symlink(target, self.path(path)).expect("a link");
        }

        fn files(&self) -> DiskFiles {
            DiskFiles::new(self.path(""))
        }

        fn list(&self, directories: &[&str]) -> FileList {
            runtime().block_on(self.files().list(directories, &[".yaml"])).expect("a list")
        }
    }

    #[test]
    fn keeps_the_contract() {
        let folder = Folder::new();
        for (path, text) in mangrove_testkit::contract::REPOSITORY_FILES {
            folder.write(path, text);
        }
        runtime().block_on(mangrove_testkit::contract::repository_files(&folder.files()));
    }

    #[test]
    fn names_and_texts_that_are_not_utf_8_are_told() {
        let folder = Folder::new();
        folder.write("models/a.yaml", [0xff, 0xfe]);
        fs::write(folder.path("models").join(OsStr::from_bytes(b"b\xff.yaml")), "").expect("a file");
        folder.link("models/c.yaml", "nowhere");
        assert_eq!(folder.list(&["models"]).paths, ["models/a.yaml", "models/b\u{fffd}.yaml", "models/c.yaml"]);
        for (path, code) in [("models/b\u{fffd}.yaml", Code::NAME_NOT_UTF8), ("models/c.yaml", Code::UNREADABLE)] {
            assert_eq!(runtime().block_on(folder.files().read(path)).expect_err("not readable").fault.code, code);
        }
        let error = runtime().block_on(folder.files().read("models/a.yaml")).expect_err("not UTF-8").to_string();
        assert_eq!(error, "cannot read models/a.yaml: not UTF-8");
        assert!(runtime().block_on(folder.files().read("../secret")).is_err());
    }

    #[test]
    fn f02_one_file_is_one_document_however_links_lead_to_it() {
        for (link, target) in [
            ("models/again", "."),
            ("models/sub/up", ".."),
            ("models/round", "sub/up/round"),
            ("models/zz", "a.yaml"),
            ("models/0.yaml", "sub/../a.yaml"),
            ("more", "models"),
            ("more/deep/models", "../../models"),
        ] {
            let folder = Folder::new();
            folder.write("models/a.yaml", "a");
            folder.write("models/sub/b.yaml", "b");
            folder.link(link, target);
            let list = folder.list(&["more", "models"]);
            assert_eq!(list.paths, ["models/a.yaml", "models/sub/b.yaml"], "{link} -> {target}");
            assert_eq!(list.problems, [], "{link} -> {target}");
        }
    }

    #[test]
    fn a_link_to_another_file_of_the_repository_is_followed_once() {
        let folder = Folder::new();
        folder.write("shared/x.yaml", "shared");
        folder.link("models/one.yaml", "../shared/x.yaml");
        folder.link("models/two.yaml", "../shared/x.yaml");
        assert_eq!(folder.list(&["models"]).paths, ["models/one.yaml"]);
        let text = runtime().block_on(folder.files().read("models/one.yaml")).expect("it may be read");
        assert_eq!(text.as_deref(), Some("shared"));
    }

    #[test]
    fn f03_links_out_of_the_repository_are_not_followed() {
        let folder = Folder::new();
        folder.write("../outside/secret.yaml", "password");
        folder.write("models/a.yaml", "a");
        folder.link("models/file.yaml", "../../outside/secret.yaml");
        folder.link("models/directory", "../../outside");
        let list = folder.list(&["models"]);
        assert_eq!(list.paths, ["models/a.yaml", "models/file.yaml"]);
        let problems: Vec<_> = list.problems.iter().map(|problem| (problem.code, problem.subject.as_str())).collect();
        assert_eq!(problems, [(Code::LINK_OUTSIDE_ROOT, "models/directory")]);
        let error = runtime().block_on(folder.files().read("models/file.yaml")).expect_err("a link out");
        assert_eq!(error.fault.code, Code::LINK_OUTSIDE_ROOT);
        assert!(runtime().block_on(folder.files().read("models/directory/secret.yaml")).is_err());
    }

    #[test]
    fn a_walk_that_finds_no_end_is_cut_and_says_so() {
        let folder = Folder::new();
        for number in 0..20 {
            folder.write(&format!("models/{number}/a.yaml"), "a");
        }
        let files = folder.files().within(Bounds { directories: 5, ..Bounds::default() });
        let list = runtime().block_on(files.list(&["models"], &[".yaml"])).expect("a list");
        assert_eq!(list.paths.len(), 4, "the first directory has the others");
        let problem = list.problems.first().expect("a problem");
        assert_eq!(problem.code, Code::WALK_CUT);
        assert_eq!(problem.message, "not every file was found: there are more than 5 directories");
    }
}
