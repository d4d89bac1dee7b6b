//! What the last survey saw, kept in one file: `<state>/stat-cache`.
//!
//! The file is a version line, a checksum, and postcard. A damaged file, or one of another version, counts as
//! missing. It holds the stats that must be equal, what was read (decoded only when something moved), and the
//! outcome. See `design/discovery.md`.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use mangrove_domain::digest::Digest;
use mangrove_domain::{ports::Survey, source::RootId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    saved::SavedSurvey,
    stamp::Seen,
    view::{DirectoryRecord, FileRecord, Memo, View},
};

/// The name of the file below the state directory.
pub const FILE_NAME: &str = "stat-cache";

const HEADER: &[u8] = b"mangrove stat-cache 5\n";

/// The memory of one survey.
#[derive(Debug)]
pub(super) struct Remembered {
    /// What the survey was asked; another question makes the outcome worthless, not what was read.
    pub(super) key: Digest,
    /// Environment variables that the outcome depends on, with their values.
    pub(super) variables: BTreeMap<String, Option<String>>,
    pub(super) roots: Vec<RememberedRoot>,
    pub(super) survey: Survey,
}

#[derive(Debug)]
pub(super) struct RememberedRoot {
    pub(super) id: RootId,
    /// Where it lay; absolute, without symbolic links.
    pub(super) directory: PathBuf,
    pub(super) stamps: Vec<Stamp>,
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

#[derive(Serialize, Deserialize)]
struct File {
    key: [u8; 32],
    variables: Vec<(String, Option<String>)>,
    roots: Vec<FileRoot>,
    survey: SavedSurvey,
}

#[derive(Serialize, Deserialize)]
struct FileRoot {
    id: String,
    directory: PathBuf,
    stamps: Vec<Stamp>,
    details: Blob,
}

#[derive(Serialize, Deserialize)]
struct Details<D, F> {
    directories: Vec<(String, D)>,
    files: Vec<(String, F)>,
}

/// Bytes that are copied in one piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(|bytes| Self(bytes.to_vec()))
    }
}

impl RememberedRoot {
    /// What a finished survey of one root looked at.
    pub(super) fn of(view: View) -> Self {
        let View { root, directories, files, .. } = view;
        let stamp = |path: &String, seen, is_racy| Stamp { path: path.clone(), seen, is_racy };
        let stamps = directories
            .iter()
            .map(|(path, record)| stamp(path, record.seen, record.is_racy))
            .chain(files.iter().map(|(path, record)| stamp(path, record.seen, record.is_racy)))
            .collect();
        let memo = Memo { directories: directories.into_iter().collect(), files: files.into_iter().collect() };
        Self {
            id: root.id.clone(),
            directory: root.directory.clone(),
            stamps,
            details: Vec::new(),
            memo: OnceLock::from(Arc::new(memo)),
        }
    }

    /// What was read, decoded when first asked for.
    pub(super) fn memo(&self) -> Arc<Memo> {
        let decode = || {
            let details: Details<DirectoryRecord, FileRecord> = postcard::from_bytes(&self.details).ok()?;
            Some(Memo {
                directories: details.directories.into_iter().map(|(path, record)| (path, Arc::new(record))).collect(),
                files: details.files.into_iter().map(|(path, record)| (path, Arc::new(record))).collect(),
            })
        };
        Arc::clone(self.memo.get_or_init(|| Arc::new(decode().unwrap_or_default())))
    }

    fn encode(&self) -> postcard::Result<Blob> {
        fn sorted<T>(map: &HashMap<String, Arc<T>>) -> Vec<(String, &T)> {
            let mut sorted: Vec<_> = map.iter().map(|(path, record)| (path.clone(), record.as_ref())).collect();
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            sorted
        }
        let memo = self.memo();
        let details = Details { directories: sorted(&memo.directories), files: sorted(&memo.files) };
        postcard::to_stdvec(&details).map(Blob)
    }
}

/// Reads the file; `None` if there is none that can be used.
pub(super) fn load(state_directory: &Path) -> Option<Remembered> {
    let bytes = fs::read(state_directory.join(FILE_NAME)).ok()?;
    let (checksum, body) = bytes.strip_prefix(HEADER)?.split_at_checked(32)?;
    if Digest::of(body).as_bytes() != checksum {
        tracing::warn!("the stat cache is damaged and is dropped");
        return None;
    }
    let file: File = postcard::from_bytes(body).ok()?;
    let root = |root: FileRoot| RememberedRoot {
        id: RootId::new(root.id),
        directory: root.directory,
        stamps: root.stamps,
        details: root.details.0,
        memo: OnceLock::new(),
    };
    Some(Remembered {
        key: Digest::from_bytes(file.key),
        variables: file.variables.into_iter().collect(),
        roots: file.roots.into_iter().map(root).collect(),
        survey: file.survey.restore()?,
    })
}

/// Replaces the file atomically.
pub(super) fn save(state_directory: &Path, remembered: &Remembered) -> io::Result<()> {
    let root = |root: &RememberedRoot| {
        Ok(FileRoot {
            id: root.id.as_str().to_owned(),
            directory: root.directory.clone(),
            stamps: root.stamps.clone(),
            details: root.encode()?,
        })
    };
    let roots: postcard::Result<Vec<FileRoot>> = remembered.roots.iter().map(root).collect();
    let file = File {
        key: *remembered.key.as_bytes(),
        variables: remembered.variables.clone().into_iter().collect(),
        roots: roots.map_err(io::Error::other)?,
        survey: SavedSurvey::of(&remembered.survey),
    };
    let body = postcard::to_stdvec(&file).map_err(io::Error::other)?;
    fs::create_dir_all(state_directory)?;
    let mut target = tempfile::Builder::new().prefix("stat-cache-").tempfile_in(state_directory)?;
    target.write_all(HEADER)?;
    target.write_all(Digest::of(&body).as_bytes())?;
    target.write_all(&body)?;
    target.persist(state_directory.join(FILE_NAME))?;
    Ok(())
}
