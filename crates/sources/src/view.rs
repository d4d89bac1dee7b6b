//! One root as this survey sees it: every look goes through here, is remembered, and is counted.
//!
//! What an earlier survey read is taken over where the stat is the same and was not racy.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    digest::Digest,
    failure::{FailureClass, Fault},
    problem::Code,
    survey::SurveyStatistics,
};
use mangrove_fs::{
    faults::{Operation, io_fault},
    read::{self, FileKind, ReadError, Reason, Within},
    stamp::{Horizon, LatestHorizons, NodeKind, Seen},
    walk::Cut,
};
use serde::{Deserialize, Serialize};

use super::{parser::ParsedModule, root::Root};

/// What is known of one directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DirectoryRecord {
    pub(super) seen: Seen,
    /// An equal stat does not prove that the listing still holds.
    pub(super) is_racy: bool,
    pub(super) listing: Listing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Listing {
    /// Sorted by name; names that are not UTF-8 apart, made printable.
    Names {
        names: Vec<Name>,
        undecodable: Vec<String>,
    },
    Absent,
    /// A link leads out of the root.
    Outside,
    Failed(ReadFailure),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) kind: NodeKind,
}

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) seen: Seen,
    pub(super) is_racy: bool,
    pub(super) content: Content,
    /// Of a script: what the latest bytes that could be read import and export.
    pub(super) module: Option<ParsedModule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    Read {
        digest: [u8; 32],
        /// Kept of configuration files.
        text: Option<String>,
    },
    Absent,
    Outside,
    Unreadable(ReadFailure),
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReadFailure {
    /// The number of the problem code.
    code: u16,
    /// Names the operating system's error, the same each time: `os-error:13`.
    pub(super) cause: String,
    /// It heals by itself.
    pub(super) is_transient: bool,
    pub(super) message: String,
}

/// Everything that earlier surveys read of one root.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    pub(super) directories: HashMap<String, Arc<DirectoryRecord>>,
    pub(super) files: HashMap<String, Arc<FileRecord>>,
}

impl Memo {
    /// This on top of what was known before.
    pub(super) fn over(self, before: &Self) -> Self {
        let mut memo = before.clone();
        memo.directories.extend(self.directories);
        memo.files.extend(self.files);
        memo
    }
}

/// What stands at a path, for resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File,
    Directory,
    Absent,
    Outside,
}

pub(super) struct View {
    pub(super) root: Arc<Root>,
    pub(super) memo: Arc<Memo>,
    /// `None` if nothing may be written.
    pub(super) state_directory: Option<PathBuf>,
    /// Read everything again.
    pub(super) rehash: bool,
    /// Looks that were taken ahead, in parallel.
    pub(super) looked_ahead: Arc<HashMap<String, Seen>>,
    /// Further ones.
    looked: HashMap<String, Seen>,
    pub(super) directories: BTreeMap<String, Arc<DirectoryRecord>>,
    pub(super) files: BTreeMap<String, Arc<FileRecord>>,
    pub(super) statistics: SurveyStatistics,
    pub(super) horizon: Option<Horizon>,
    /// What other views found out about the clock.
    pub(super) latest_horizons: Arc<LatestHorizons>,
}

/// A file that was opened.
pub(super) struct ReadFile {
    pub(super) record: FileRecord,
    pub(super) bytes: Option<Arc<[u8]>>,
    pub(super) was_opened: bool,
}

/// A file that has to be read, with all that reading needs.
pub(super) struct ReadJob {
    pub(super) root: Arc<Root>,
    pub(super) path: String,
    pub(super) seen: Seen,
    pub(super) horizon: Horizon,
    pub(super) keep_text: bool,
    pub(super) old: Option<Arc<FileRecord>>,
}

impl View {
    pub(super) fn new(root: Arc<Root>, memo: Arc<Memo>, state_directory: Option<PathBuf>, rehash: bool) -> Self {
        Self {
            root,
            memo,
            state_directory,
            rehash,
            looked_ahead: Arc::default(),
            looked: HashMap::new(),
            directories: BTreeMap::new(),
            files: BTreeMap::new(),
            statistics: SurveyStatistics::default(),
            horizon: None,
            latest_horizons: Arc::default(),
        }
    }

    /// What was looked at.
    pub(super) fn into_memo(self) -> Memo {
        Memo { directories: self.directories.into_iter().collect(), files: self.files.into_iter().collect() }
    }

    pub(super) fn look(&mut self, path: &str) -> Seen {
        if let Some(seen) = self.looked_ahead.get(path).or_else(|| self.looked.get(path)) {
            return *seen;
        }
        let seen = Seen::look(&self.root.handle, path);
        self.looked.insert(path.to_owned(), seen);
        seen
    }

    /// The moment before which stamps prove something; to be asked before what looks like `seen` is read.
    fn horizon(&mut self, seen: &Seen) -> Horizon {
        *self.horizon.get_or_insert_with(|| {
            self.latest_horizons.before_reading(seen, self.state_directory.as_deref(), &self.root.directory)
        })
    }

    /// The listing of a directory, `""` being the root.
    pub(super) fn directory(&mut self, path: &str) -> Arc<DirectoryRecord> {
        if let Some(known) = self.directories.get(path) {
            return Arc::clone(known);
        }
        let seen = self.look(path);
        let remembered = self.memo.directories.get(path).filter(|old| !self.rehash && !old.is_racy && old.seen == seen);
        let record = match remembered {
            Some(old) => Arc::clone(old),
            None => Arc::new(self.list(path, seen)),
        };
        self.directories.insert(path.to_owned(), Arc::clone(&record));
        record
    }

    fn list(&mut self, path: &str, seen: Seen) -> DirectoryRecord {
        let quiet = |listing| DirectoryRecord { seen, is_racy: false, listing };
        match seen {
            Seen::Failed(number) if !seen.is_absent() => return quiet(Listing::Failed(ReadFailure::of_number(number))),
            Seen::Failed(_) => return quiet(Listing::Absent),
            Seen::There(stat) if stat.kind != NodeKind::Directory => return quiet(Listing::Absent),
            Seen::There(_) => {}
        }
        let horizon = self.horizon(&seen);
        match self.root.canonical(path) {
            Ok(Some(_)) => {}
            Ok(None) => return quiet(Listing::Outside),
            Err(error) => {
                return DirectoryRecord { seen, is_racy: true, listing: Listing::Failed(ReadFailure::of(&error)) };
            }
        }
        self.statistics.directories_listed += 1;
        match names(&self.root.absolute(path)) {
            Ok(listing) => {
                let is_racy = Seen::look(&self.root.handle, path) != seen || horizon.is_racy(&seen);
                DirectoryRecord { seen, is_racy, listing }
            }
            // A failure is never a remembered answer.
            Err(error) => DirectoryRecord { seen, is_racy: true, listing: Listing::Failed(ReadFailure::of(&error)) },
        }
    }

    /// What stands at `path`. A link is followed, and is outside if it leaves the root.
    pub(super) fn node(&mut self, path: &str) -> Node {
        if path.is_empty() {
            return Node::Directory;
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let kind = match &self.directory(parent).listing {
            Listing::Names { names, .. } => names
                .binary_search_by(|candidate| candidate.name.as_str().cmp(name))
                .ok()
                .map(|found| names[found].kind),
            Listing::Absent | Listing::Failed(_) => None,
            Listing::Outside => return Node::Outside,
        };
        match kind {
            None => Node::Absent,
            // A pipe, socket or device stands where a file is looked for: reading it says so.
            Some(NodeKind::File | NodeKind::Other) => Node::File,
            Some(NodeKind::Directory) => Node::Directory,
            Some(NodeKind::Link) => self.link(path),
        }
    }

    fn link(&mut self, path: &str) -> Node {
        let seen = self.look(path);
        let content = match seen.kind() {
            None => Content::Absent,
            Some(_) => match self.root.canonical(path) {
                Ok(Some(_)) if seen.kind() == Some(NodeKind::Directory) => return Node::Directory,
                Ok(Some(_)) => return Node::File,
                Err(_) => Content::Absent,
                Ok(None) => Content::Outside,
            },
        };
        let node = if content == Content::Outside { Node::Outside } else { Node::Absent };
        // Watched, so that a target that appears is noticed: the link's own directory does not change then.
        // Something is there that could not be followed: a failure is never a remembered answer.
        let is_racy = content == Content::Absent && seen.kind().is_some();
        let record = FileRecord { seen, is_racy, content, module: None };
        self.files.entry(path.to_owned()).or_insert_with(|| Arc::new(record));
        node
    }

    /// Takes over what is remembered of `path`, or says what has to be read.
    pub(super) fn begin(&mut self, path: &str, keep_text: bool, always_read: bool) -> Option<ReadJob> {
        let known = self.files.get(path);
        if known.is_some_and(|record| !always_read && (!keep_text || record.has_text())) {
            return None;
        }
        let seen = self.look(path);
        let old = self.memo.files.get(path).cloned();
        if let Some(old) = old.as_ref().filter(|old| {
            !always_read && !self.rehash && !old.is_racy && old.seen == seen && (!keep_text || old.has_text())
        }) {
            self.files.insert(path.to_owned(), Arc::clone(old));
            return None;
        }
        let keep_text = keep_text || old.as_ref().is_some_and(|old| old.has_text());
        let horizon = self.horizon(&seen);
        Some(ReadJob { root: Arc::clone(&self.root), path: path.to_owned(), seen, horizon, keep_text, old })
    }

    pub(super) fn finish(&mut self, path: String, read: ReadFile) {
        self.statistics.files_read += u64::from(read.was_opened);
        self.files.insert(path, Arc::new(read.record));
    }

    /// A configuration file with its text, or why there is none; `None` if nothing stands there.
    pub(super) fn document(&mut self, path: &str) -> Option<Arc<FileRecord>> {
        if self.node(path) == Node::Absent {
            // Nobody knows what the link led to, so this is not the same as no file.
            let content = Content::Unreadable(ReadFailure::dangling_link());
            let seen = self.look(path);
            return self.is_link(path).then(|| Arc::new(FileRecord { seen, is_racy: false, content, module: None }));
        }
        if let Some(job) = self.begin(path, true, false) {
            let read = job.read();
            self.finish(path.to_owned(), read);
        }
        self.files.get(path).cloned().filter(|record| record.content != Content::Absent)
    }

    /// True if a link stands there, wherever it leads.
    pub(super) fn is_link(&mut self, path: &str) -> bool {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        match &self.directory(parent).listing {
            Listing::Names { names, .. } => names
                .binary_search_by(|candidate| candidate.name.as_str().cmp(name))
                .is_ok_and(|found| names[found].kind == NodeKind::Link),
            Listing::Absent | Listing::Outside | Listing::Failed(_) => false,
        }
    }

    /// Notes that a directory was not looked into, so that the next survey tries again.
    pub(super) fn leave_out(&mut self, path: &str, cut: Cut) {
        let failure =
            ReadFailure { code: Code::WALK_CUT.number(), ..ReadFailure::lasting("walk-cut", cut.to_string()) };
        let record = DirectoryRecord { seen: self.look(path), is_racy: true, listing: Listing::Failed(failure) };
        self.directories.entry(path.to_owned()).or_insert_with(|| Arc::new(record));
    }
}

impl FileRecord {
    pub(super) fn digest(&self) -> Option<Digest> {
        match &self.content {
            Content::Read { digest, .. } => Some(Digest::from_bytes(*digest)),
            Content::Absent | Content::Outside | Content::Unreadable(_) => None,
        }
    }

    /// The text of a document, or why it cannot be read.
    pub(super) fn text(&self) -> Result<&str, ReadFailure> {
        match &self.content {
            Content::Read { text, .. } => text.as_deref().ok_or_else(|| ReadFailure::of_reason(Reason::NotUtf8)),
            Content::Unreadable(failure) => Err(failure.clone()),
            Content::Outside => Err(ReadFailure::link_outside()),
            Content::Absent => Err(ReadFailure::of(&io::ErrorKind::NotFound.into())),
        }
    }

    /// True unless bytes were read and their text was not kept.
    pub(super) fn has_text(&self) -> bool {
        !matches!(self.content, Content::Read { text: None, .. })
    }
}

impl ReadJob {
    /// Opens, reads and hashes. Stat before and after must agree, else the record is not trusted next time.
    pub(super) fn read(&self) -> ReadFile {
        let module = self.old.as_ref().and_then(|old| old.module.clone());
        let closed = |content| ReadFile {
            record: FileRecord { seen: self.seen, is_racy: false, content, module: module.clone() },
            bytes: None,
            was_opened: false,
        };
        match self.seen {
            Seen::Failed(_) if self.seen.is_absent() => return closed(Content::Absent),
            Seen::Failed(number) => return closed(Content::Unreadable(ReadFailure::of_number(number))),
            Seen::There(_) => {}
        }
        let mut last = None;
        for _ in 0..3 {
            match self.read_once() {
                Ok((before, bytes, after)) => {
                    let is_stable = before == after;
                    last = Some((after, bytes, is_stable));
                    if is_stable {
                        break;
                    }
                }
                Err(error) => match error.reason {
                    Reason::System(error) => return self.failed(&error),
                    Reason::Outside { .. } => return closed(Content::Outside),
                    // The stat says the same as long as it is so.
                    refused => return closed(Content::Unreadable(ReadFailure::of_reason(refused))),
                },
            }
        }
        let Some((seen, bytes, is_stable)) = last else {
            return closed(Content::Absent);
        };
        let digest = Digest::of(&bytes);
        let text = if self.keep_text { std::str::from_utf8(&bytes).ok().map(str::to_owned) } else { None };
        ReadFile {
            record: FileRecord {
                seen,
                is_racy: !is_stable || self.horizon.is_racy(&seen),
                content: Content::Read { digest: *digest.as_bytes(), text },
                module,
            },
            bytes: Some(bytes.into()),
            was_opened: true,
        }
    }

    fn read_once(&self) -> Result<(Seen, Vec<u8>, Seen), ReadError> {
        let kind = if self.keep_text { FileKind::Document } else { FileKind::Source };
        let path = self.root.absolute(&self.path);
        let mut file = read::open(path, Within::Root(&self.root.directory), kind)?;
        let before = file.stamp()?;
        Ok((before, file.bytes()?, file.stamp()?))
    }

    fn failed(&self, error: &io::Error) -> ReadFile {
        let module = self.old.as_ref().and_then(|old| old.module.clone());
        let content = Content::Unreadable(ReadFailure::of(error));
        // A failure is never a remembered answer.
        let record = FileRecord { seen: self.seen, is_racy: true, content, module };
        ReadFile { record, bytes: None, was_opened: true }
    }
}

fn names(directory: &Path) -> io::Result<Listing> {
    let mut names = Vec::new();
    let mut undecodable = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file_type = entry.file_type()?;
        let kind = if file_type.is_file() {
            NodeKind::File
        } else if file_type.is_dir() {
            NodeKind::Directory
        } else if file_type.is_symlink() {
            NodeKind::Link
        } else {
            NodeKind::Other
        };
        match entry.file_name().into_string() {
            Ok(name) => names.push(Name { name, kind }),
            Err(name) => undecodable.push(name.to_string_lossy().into_owned()),
        }
    }
    names.sort_by(|left, right| left.name.cmp(&right.name));
    undecodable.sort();
    Ok(Listing::Names { names, undecodable })
}

impl ReadFailure {
    pub(super) fn of(error: &io::Error) -> Self {
        let fault = io_fault(Operation::Read, Path::new(""), error);
        let is_transient = fault.class == FailureClass::Transient;
        let message = error.to_string();
        Self { code: fault.code.number(), cause: fault.cause.0.to_string(), is_transient, message }
    }

    pub(super) fn of_reason(reason: Reason) -> Self {
        Self::of(&reason.into())
    }

    /// The end of a link is not there.
    pub(super) fn dangling_link() -> Self {
        Self::lasting("dangling-link", "the link leads to nothing".to_owned())
    }

    fn link_outside() -> Self {
        let message = "a link leads outside of the root, and is not followed".to_owned();
        Self { code: Code::LINK_OUTSIDE_ROOT.number(), ..Self::lasting("link-outside-root", message) }
    }

    /// A failure that is not an error of the operating system.
    fn lasting(cause: &str, message: String) -> Self {
        Self { code: Code::UNREADABLE.number(), cause: cause.to_owned(), is_transient: false, message }
    }

    /// The code of the problem that it is.
    pub(super) fn code(&self) -> Code {
        Code::ALL.iter().copied().find(|code| code.number() == self.code).unwrap_or(Code::UNREADABLE)
    }

    /// The failure of whoever needs the file; `cause` names what fails with it.
    pub(super) fn fault(&self, path: &str, cause: impl Into<Arc<str>>) -> Fault {
        let class = if self.is_transient { FailureClass::Transient } else { FailureClass::Environment };
        Fault::new(class, self.code(), cause, format!("{path} cannot be read: {}", self.message))
    }

    fn of_number(number: i32) -> Self {
        Self::of(&io::Error::from_raw_os_error(number))
    }
}
