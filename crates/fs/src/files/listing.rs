//! Finding the files below some directories, and what tells whether another walk would find the same.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
};

use mangrove_domain::{
    ports::{FileList, FileStamp},
    problem::{Code, Problem},
};
use rustix::fd::OwnedFd;

use crate::{
    faults::{Operation, io_fault},
    stamp::{Horizon, Seen},
    walk::{Budget, Cut},
};

/// A walk over some directories. What is real is walked first and links after it in the order of their names, so that a
/// file is known by its own path if it lies in one of the directories. Links to a directory around them are circles.
pub(super) struct Walk {
    /// Free of links.
    root: PathBuf,
    handle: OwnedFd,
    /// Before anything was listed.
    start: Horizon,
    endings: Vec<String>,
    budget: Budget,
    /// The real paths of directories that were walked.
    walked: BTreeSet<PathBuf>,
    /// The files by their real paths; by their own where there is none.
    files: HashMap<PathBuf, String>,
    links: BTreeSet<String>,
    problems: Vec<Problem>,
    cut: Option<Cut>,
    /// `None` as soon as something was met whose changes show in no directory that was listed.
    rests_on: Option<Vec<(String, FileStamp)>>,
}

impl Walk {
    /// A walk below `root`, which is free of links and which `handle` leads to.
    pub(super) fn new(root: PathBuf, handle: OwnedFd, start: Horizon, endings: Vec<String>, budget: Budget) -> Self {
        Self {
            root,
            handle,
            start,
            endings,
            budget,
            walked: BTreeSet::new(),
            files: HashMap::new(),
            links: BTreeSet::new(),
            problems: Vec::new(),
            cut: None,
            rests_on: Some(Vec::new()),
        }
    }

    pub(super) fn over(mut self, directories: &[String]) -> FileList {
        self.budget.resume();
        for directory in directories {
            match self.root.join(directory).symlink_metadata() {
                Ok(metadata) if metadata.is_symlink() => {
                    self.links.insert(directory.clone());
                }
                Ok(_) | Err(_) => self.descend(directory.clone()),
            }
        }
        // What a link leads to may change with nothing that was listed.
        if !self.links.is_empty() {
            self.rests_on = None;
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
        let rests_on = self.rests_on.filter(|_| self.problems.is_empty());
        FileList { paths, problems: self.problems, rests_on }
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
            // One above it that is a link may lead elsewhere with nothing that is listed.
            if real != absolute {
                self.rests_on = None;
            }
            let seen = Seen::look(&self.handle, &directory);
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
            let holds = Seen::look(&self.handle, &directory) == seen && !self.start.is_racy(&seen);
            match &mut self.rests_on {
                Some(rests_on) if holds => rests_on.push((directory, seen.into())),
                _ => self.rests_on = None,
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
            match (&mut self.rests_on, Seen::look(&self.handle, directory)) {
                (Some(rests_on), seen) if seen.is_absent() => rests_on.push((directory.to_owned(), seen.into())),
                _ => self.rests_on = None,
            }
            return;
        }
        let fault = io_fault(Operation::List, Path::new(directory), error);
        self.problems.push(Problem::error(fault.code, directory, fault.message));
    }
}
