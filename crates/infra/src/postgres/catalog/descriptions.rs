//! Copies of descriptions in the state directory: a node that has lost its database still knows the methods of what it has
//! built or used, and asks the server for each description once.

use std::path::{Path, PathBuf};

use mangrove_domain::{description::Description, digest::Digest};
use mangrove_fs::{
    atomic::{self, Durability},
    blocking,
    directory::{self, Directory},
    read::{self, FileKind, Within},
};

use crate::rows;

/// The directory of the copies below the state directory.
const DIRECTORY: &str = "descriptions";
/// How many copies are kept. Where there are more, all go, and those that are used come again.
const KEPT: usize = 20_000;

/// Copies in a state directory; each file has the name of its digest.
#[derive(Clone, Debug)]
pub(super) struct DescriptionFiles {
    state_directory: PathBuf,
}

impl DescriptionFiles {
    pub(super) fn new(state_directory: PathBuf) -> Self {
        Self { state_directory }
    }

    /// `None` if there is no copy, or if it is not what its name says.
    pub(super) async fn find(&self, digest: Digest) -> Option<Description> {
        let path = self.path(digest);
        let read = move || read::bytes(path, Within::Unlinked, FileKind::State).ok();
        rows::description(digest, &blocking(read).await.ok()??)
    }

    /// Keeps copies. Best effort: one that cannot be written is asked for again.
    pub(super) async fn keep(&self, descriptions: Vec<(Digest, String)>) {
        let files = self.clone();
        let kept = blocking(move || {
            let state = &files.state_directory;
            descriptions.iter().try_for_each(|(digest, json)| {
                atomic::write(state, &files.path(*digest), json.as_bytes(), Durability::Volatile)
            })
        });
        if let Ok(Err(error)) = kept.await {
            tracing::debug!(%error, "descriptions cannot be kept");
        }
    }

    /// Removes them where there are too many.
    pub(super) async fn keep_tidy(&self) {
        let files = self.clone();
        let _ = blocking(move || {
            let (state, place) = (&files.state_directory, files.directory());
            let count = Directory::open(state, &place).and_then(|open| open.names()).map_or(0, |names| names.len());
            if count > KEPT { directory::remove_all(state, &place) } else { Ok(()) }
        })
        .await;
    }

    fn directory(&self) -> PathBuf {
        self.state_directory.join(DIRECTORY)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory().join(Path::new(&digest.to_string()))
    }
}
