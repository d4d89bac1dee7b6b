//! What the last survey saw, kept in one file: `<state>/stat-cache`.
//!
//! The file is a version line and two parts in postcard, each with its length and checksum. The first holds the stats
//! that must be equal. The second, many times longer, holds the outcome and what was read, and is read only if somebody
//! needs it. A damaged part, or a file of another version, counts as missing. See `design/discovery.md`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use mangrove_domain::{
    digest::Digest,
    ports::ObserveRequest,
    source::{Origin, RelativePath, RootId, SourceId},
    survey::Survey,
    watch::WatchList,
};
use mangrove_fs::{
    atomic::{self, Durability},
    checksum,
    read::{self, FileKind, Within},
    stamp::{NodeKind, Seen},
};
use serde::{Deserialize, Serialize};

use super::{
    saved::{self, Blob, SavedSurvey},
    view::{DirectoryRecord, FileRecord, Listing, Memo, View},
};

/// The name of the file below the state directory.
pub const FILE_NAME: &str = "stat-cache";

const HEADER: &[u8; 23] = b"mangrove stat-cache 10\n";

/// Longer than the first part ever is; what says otherwise is damaged.
const LONGEST_PART: u64 = 1 << 30;

/// The memory of one survey.
#[derive(Debug)]
pub(super) struct Remembered {
    /// What the survey was asked; another question makes the outcome worthless, not what was read.
    pub(super) key: Digest,
    /// Environment variables that the outcome depends on, with their values.
    pub(super) variables: BTreeMap<String, Option<String>>,
    pub(super) roots: Vec<RememberedRoot>,
    /// Names the outcome and what was read: their digest, as they were written.
    pub(super) mark: Digest,
    /// How it differs from an earlier one, where no more than the text of modules does.
    pub(super) since: Option<Since>,
    rest: OnceLock<Option<Rest>>,
    /// Where the rest is to be read from: open, so that it is the one that belongs to the stats, whoever replaces the
    /// file meanwhile.
    file: Mutex<Option<fs::File>>,
}

/// How the outcome differs from that of an earlier survey: in these entries, and in nothing else.
#[derive(Clone, Debug)]
pub(super) struct Since {
    /// Names the earlier one.
    pub(super) mark: Digest,
    pub(super) edited: BTreeSet<SourceId>,
}

/// One root of a survey.
#[derive(Clone, Debug)]
pub(super) struct RememberedRoot {
    pub(super) id: RootId,
    /// Where it lay; absolute, without symbolic links.
    pub(super) directory: PathBuf,
    /// Where the root comes from.
    pub(super) origin: Origin,
    pub(super) stamps: Vec<Stamp>,
}

/// What is needed only if something moved, or if the outcome is asked for.
#[derive(Debug)]
struct Rest {
    /// The outcome as it is stored: it is given out whole, and taking it apart costs no more than a copy.
    survey: Vec<u8>,
    /// In the order of the roots: what was read of each.
    memos: Vec<Memory>,
}

/// What was read of one root, decoded when first asked for.
#[derive(Clone, Debug, Default)]
struct Memory {
    details: Vec<u8>,
    memo: OnceLock<Arc<Memo>>,
}

/// One path that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) path: String,
    pub(super) seen: Seen,
    pub(super) is_racy: bool,
}

impl Stamp {
    /// True if this look proves that what stands there is as it was.
    pub(super) fn proves(&self, seen: &Seen) -> bool {
        !self.is_racy && self.seen == *seen
    }
}

#[derive(Serialize, Deserialize)]
struct FileHead {
    key: [u8; 32],
    variables: Vec<(String, Option<String>)>,
    roots: Vec<FileRoot>,
    since: Option<FileSince>,
    /// The checksum of the other part.
    rest: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct FileRoot {
    id: String,
    directory: PathBuf,
    origin: u8,
    stamps: Vec<Stamp>,
}

#[derive(Serialize, Deserialize)]
struct FileSince {
    mark: [u8; 32],
    /// Root and path.
    edited: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct FileRest {
    survey: Blob,
    details: Vec<Blob>,
}

#[derive(Serialize, Deserialize)]
struct Details<P, D, F> {
    directories: Vec<(P, D)>,
    files: Vec<(P, F)>,
}

impl Remembered {
    /// The places on which the survey rests. Of the root `scattered`, only the paths themselves matter, and the directories
    /// that were listed, because the pattern of a mount looks there.
    pub(super) fn watch_list(&self, scattered: &str) -> WatchList {
        let mut list = WatchList::default();
        for root in &self.roots {
            let is_scattered = root.id.as_str() == scattered;
            let memo = is_scattered.then(|| self.memo(&root.id));
            let is_listed = |path: &str| {
                let record = memo.as_ref().and_then(|memo| memo.directories.get(path));
                record.is_some_and(|record| matches!(record.listing, Listing::Names { .. }))
            };
            for stamp in &root.stamps {
                let path =
                    if stamp.path.is_empty() { root.directory.clone() } else { root.directory.join(&stamp.path) };
                let is_directory = stamp.seen.kind() == Some(NodeKind::Directory);
                if is_directory && (!is_scattered || is_listed(&stamp.path)) {
                    list.directories.insert(path);
                } else {
                    list.files.insert(path);
                }
            }
        }
        list
    }

    /// The memory of a survey that has just ended, written to `state_directory` if there is one. The second value is
    /// why it could not be written; then it is good for this process only, and has no name.
    pub(super) fn keep(
        key: Digest,
        variables: BTreeMap<String, Option<String>>,
        views: Vec<View>,
        survey: &Survey,
        state_directory: Option<&Path>,
    ) -> (Self, Option<io::Error>) {
        let (roots, memos): (Vec<_>, Vec<_>) = views.into_iter().map(taken_from).unzip();
        let survey = SavedSurvey::of(survey);
        let mut remembered = Self::unwritten((key, variables), roots, &survey, memos, None);
        let error = state_directory.and_then(|directory| remembered.write(directory).err());
        (remembered, error)
    }

    /// The memory of this one after edits, written to `state_directory`. `roots` gives those in which something was read again,
    /// with what is known of them now.
    pub(super) fn keep_edits(
        &self,
        mut roots: HashMap<RootId, Memo>,
        survey: &SavedSurvey,
        since: Since,
        state_directory: &Path,
    ) -> io::Result<Self> {
        let (roots, memos) = self
            .roots
            .iter()
            .map(|root| match roots.remove(&root.id) {
                Some(memo) => {
                    let stamps = stamps(&memo);
                    (RememberedRoot { stamps, ..root.clone() }, Memory::of(memo))
                }
                None => (root.clone(), self.memory(&root.id).cloned().unwrap_or_default()),
            })
            .unzip();
        let question = (self.key, self.variables.clone());
        let mut remembered = Self::unwritten(question, roots, survey, memos, Some(since));
        remembered.write(state_directory)?;
        Ok(remembered)
    }

    fn unwritten(
        (key, variables): (Digest, BTreeMap<String, Option<String>>),
        roots: Vec<RememberedRoot>,
        survey: &SavedSurvey,
        memos: Vec<Memory>,
        since: Option<Since>,
    ) -> Self {
        // Whatever cannot be encoded cannot be decoded, and counts as damaged.
        let survey = postcard::to_stdvec(survey).unwrap_or_default();
        Self {
            key,
            variables,
            roots,
            mark: Digest::of(&[]),
            since,
            rest: OnceLock::from(Some(Rest { survey, memos })),
            file: Mutex::default(),
        }
    }

    fn write(&mut self, state_directory: &Path) -> io::Result<()> {
        self.mark = self.save(state_directory)?;
        Ok(())
    }

    /// The outcome, as far as it is asked for; `None` if it is damaged.
    pub(super) fn survey_for(&self, request: &ObserveRequest) -> Option<Survey> {
        self.saved_survey()?.restore_for(request)
    }

    /// The outcome as it is stored; `None` if it is damaged.
    pub(super) fn saved_survey(&self) -> Option<SavedSurvey> {
        postcard::from_bytes(&self.rest()?.survey).ok()
    }

    /// What was read of a root; nothing if it is damaged.
    pub(super) fn memo(&self, root: &RootId) -> Arc<Memo> {
        self.memory(root).map(Memory::memo).unwrap_or_default()
    }

    fn memory(&self, root: &RootId) -> Option<&Memory> {
        let index = self.roots.iter().position(|known| known.id == *root);
        index.zip(self.rest()).and_then(|(index, rest)| rest.memos.get(index))
    }

    /// The same, but nothing where it would have to be read first: it costs more than reading a few files again.
    pub(super) fn memo_at_hand(&self, root: &RootId) -> Arc<Memo> {
        if self.rest.get().is_some() { self.memo(root) } else { Arc::default() }
    }

    fn rest(&self) -> Option<&Rest> {
        let read = || {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            let bytes = read_part(&mut file)?;
            if checksum::of(&bytes) != self.mark {
                tracing::warn!("the stat cache is damaged and is dropped");
                return None;
            }
            let rest: FileRest = postcard::from_bytes(&bytes).ok()?;
            let memory = |details: Blob| Memory { details: details.0, memo: OnceLock::new() };
            Some(Rest { survey: rest.survey.0, memos: rest.details.into_iter().map(memory).collect() })
        };
        self.rest.get_or_init(read).as_ref()
    }

    /// Replaces the file atomically; gives the mark.
    fn save(&self, state_directory: &Path) -> io::Result<Digest> {
        let Some(rest) = self.rest() else { return Err(io::ErrorKind::InvalidData.into()) };
        let details: postcard::Result<Vec<Blob>> = rest.memos.iter().map(Memory::encoded).collect();
        let rest = FileRest { survey: Blob(rest.survey.clone()), details: details.map_err(io::Error::other)? };
        let rest = postcard::to_stdvec(&rest).map_err(io::Error::other)?;
        let mark = checksum::of(&rest);
        let root = |root: &RememberedRoot| FileRoot {
            id: root.id.as_str().to_owned(),
            directory: root.directory.clone(),
            origin: saved::save_origin(root.origin),
            stamps: root.stamps.clone(),
        };
        let head = FileHead {
            key: *self.key.as_bytes(),
            variables: self.variables.clone().into_iter().collect(),
            roots: self.roots.iter().map(root).collect(),
            since: self.since.as_ref().map(FileSince::of),
            rest: *mark.as_bytes(),
        };
        let head = postcard::to_stdvec(&head).map_err(io::Error::other)?;
        let mut content = Vec::with_capacity(HEADER.len() + 32 + 16 + head.len() + rest.len());
        content.extend_from_slice(HEADER);
        content.extend_from_slice(checksum::of(&head).as_bytes());
        for part in [&head, &rest] {
            content.extend_from_slice(&(part.len() as u64).to_le_bytes());
            content.extend_from_slice(part);
        }
        atomic::write(state_directory, &state_directory.join(FILE_NAME), &content, Durability::Volatile)?;
        Ok(mark)
    }
}

impl FileSince {
    fn of(since: &Since) -> Self {
        let edited = since.edited.iter().map(|source| (source.root.to_string(), source.path.to_string()));
        Self { mark: *since.mark.as_bytes(), edited: edited.collect() }
    }

    fn restore(self) -> Option<Since> {
        let source = |(root, path): (String, String)| {
            Some(SourceId { root: RootId::new(root), path: RelativePath::parse(&path).ok()? })
        };
        let edited = self.edited.into_iter().map(source).collect::<Option<_>>()?;
        Some(Since { mark: Digest::from_bytes(self.mark), edited })
    }
}

impl Memory {
    /// What was just read, which is not encoded yet.
    fn of(memo: Memo) -> Self {
        Self { details: Vec::new(), memo: OnceLock::from(Arc::new(memo)) }
    }

    /// As it is written. What was read from a file and not changed is what stands there.
    fn encoded(&self) -> postcard::Result<Blob> {
        if self.details.is_empty() { encode(&self.memo()) } else { Ok(Blob(self.details.clone())) }
    }

    fn memo(&self) -> Arc<Memo> {
        let decode = || {
            let details: Details<String, DirectoryRecord, FileRecord> = postcard::from_bytes(&self.details).ok()?;
            Some(Memo {
                directories: details.directories.into_iter().map(|(path, record)| (path, Arc::new(record))).collect(),
                files: details.files.into_iter().map(|(path, record)| (path, Arc::new(record))).collect(),
            })
        };
        Arc::clone(self.memo.get_or_init(|| Arc::new(decode().unwrap_or_default())))
    }
}

/// What a finished survey of one root looked at, and what it read.
fn taken_from(view: View) -> (RememberedRoot, Memory) {
    let root = Arc::clone(&view.root);
    let memo = view.into_memo();
    let stamps = stamps(&memo);
    let root = RememberedRoot { id: root.id.clone(), directory: root.directory.clone(), origin: root.origin, stamps };
    (root, Memory::of(memo))
}

fn sorted<T>(records: &HashMap<String, Arc<T>>) -> Vec<(&String, &T)> {
    let mut sorted: Vec<_> = records.iter().map(|(path, record)| (path, record.as_ref())).collect();
    sorted.sort_unstable_by_key(|(path, _)| *path);
    sorted
}

/// What was looked at: directories first, each sorted by path.
fn stamps(memo: &Memo) -> Vec<Stamp> {
    let stamp = |path: &String, seen, is_racy| Stamp { path: path.clone(), seen, is_racy };
    let directories = sorted(&memo.directories).into_iter();
    let directories = directories.map(|(path, record)| stamp(path, record.seen, record.is_racy));
    let files = sorted(&memo.files).into_iter();
    directories.chain(files.map(|(path, record)| stamp(path, record.seen, record.is_racy))).collect()
}

fn encode(memo: &Memo) -> postcard::Result<Blob> {
    let details = Details { directories: sorted(&memo.directories), files: sorted(&memo.files) };
    postcard::to_stdvec(&details).map(Blob)
}

/// Reads the first part of the file; `None` if there is none that can be used.
pub(super) fn load(state_directory: &Path) -> Option<Remembered> {
    let mut file = read::open(state_directory.join(FILE_NAME), Within::Unlinked, FileKind::State).ok()?.into_file();
    let mut header = [0; HEADER.len()];
    file.read_exact(&mut header).ok()?;
    if header != *HEADER {
        return None;
    }
    let mut known = [0; 32];
    file.read_exact(&mut known).ok()?;
    let head = read_part(&mut file).filter(|head| *checksum::of(head).as_bytes() == known);
    let Some(head) = head else {
        tracing::warn!("the stat cache is damaged and is dropped");
        return None;
    };
    let head: FileHead = postcard::from_bytes(&head).ok()?;
    let root = |root: FileRoot| {
        Some(RememberedRoot {
            id: RootId::new(root.id),
            directory: root.directory,
            origin: *Origin::ALL.get(usize::from(root.origin))?,
            stamps: root.stamps,
        })
    };
    Some(Remembered {
        key: Digest::from_bytes(head.key),
        variables: head.variables.into_iter().collect(),
        roots: head.roots.into_iter().map(root).collect::<Option<_>>()?,
        mark: Digest::from_bytes(head.rest),
        since: match head.since {
            Some(since) => Some(since.restore()?),
            None => None,
        },
        rest: OnceLock::new(),
        file: Mutex::new(Some(file)),
    })
}

/// One part: its length, and that many bytes. What follows is left to be read.
fn read_part(file: &mut fs::File) -> Option<Vec<u8>> {
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    let mut bytes = Vec::new();
    if length <= LONGEST_PART {
        bytes.reserve_exact(usize::try_from(length).ok()?.min(1 << 26));
    }
    let read = file.take(length).read_to_end(&mut bytes).ok()?;
    (u64::try_from(read) == Ok(length)).then_some(bytes)
}
