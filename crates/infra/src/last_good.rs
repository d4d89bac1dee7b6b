//! The workflows that run by themselves, as they were last in order, in one file: `<state>/last-good-workflows`.
//!
//! The file is a version line, a checksum, and postcard.

use std::{
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    ports::{LastGoodWorkflow, LastGoodWorkflows},
    problem::Code,
    source::Origin,
};
use mangrove_fs::{
    atomic::{self, Durability},
    blocking,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use serde::{Deserialize, Serialize};

/// The name of the file below the state directory.
pub const FILE_NAME: &str = "last-good-workflows";

const HEADER: &[u8] = b"mangrove last-good-workflows 1\n";

/// They, in a file of the state directory.
#[derive(Clone, Debug)]
pub struct FileLastGood {
    state_directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    file: String,
    origin: SavedOrigin,
    text: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum SavedOrigin {
    Local,
    Mounted,
    Pulled,
}

impl FileLastGood {
    /// Those of this state directory.
    #[must_use]
    pub fn new(state_directory: impl Into<PathBuf>) -> Self {
        Self { state_directory: state_directory.into() }
    }
}

fn read(path: &Path) -> Option<Vec<LastGoodWorkflow>> {
    let bytes = read::bytes(path, Within::Unlinked, FileKind::State).ok()?;
    let (checksum, body) = bytes.strip_prefix(HEADER)?.split_at_checked(32)?;
    if Digest::of(body).as_bytes() != checksum {
        return None;
    }
    let saved: Vec<Saved> = postcard::from_bytes(body).ok()?;
    let workflow = |Saved { file, origin, text }| LastGoodWorkflow {
        file,
        origin: match origin {
            SavedOrigin::Local => Origin::Local,
            SavedOrigin::Mounted => Origin::Mounted,
            SavedOrigin::Pulled => Origin::Pulled,
        },
        text: text.into(),
    };
    Some(saved.into_iter().map(workflow).collect())
}

fn write(state_directory: &Path, path: &Path, workflows: &[LastGoodWorkflow]) -> io::Result<()> {
    let saved = |workflow: &LastGoodWorkflow| Saved {
        file: workflow.file.clone(),
        origin: match workflow.origin {
            Origin::Local => SavedOrigin::Local,
            Origin::Mounted => SavedOrigin::Mounted,
            Origin::Pulled => SavedOrigin::Pulled,
        },
        text: workflow.text.to_string(),
    };
    let saved: Vec<Saved> = workflows.iter().map(saved).collect();
    let body = postcard::to_stdvec(&saved).map_err(io::Error::other)?;
    let content = [HEADER, Digest::of(&body).as_bytes(), &body].concat();
    atomic::write(state_directory, path, &content, Durability::Volatile)
}

#[async_trait]
impl LastGoodWorkflows for FileLastGood {
    async fn load(&self) -> Vec<LastGoodWorkflow> {
        let path = self.state_directory.join(FILE_NAME);
        blocking(move || read(&path)).await.ok().flatten().unwrap_or_default()
    }

    async fn save(&self, workflows: &[LastGoodWorkflow]) -> Result<(), Fault> {
        let (state_directory, workflows) = (self.state_directory.clone(), workflows.to_vec());
        let path = state_directory.join(FILE_NAME);
        let written = blocking(move || {
            let written = write(&state_directory, &path, &workflows);
            written.map_err(|error| io_fault(Operation::Write, &path, &error))
        });
        let early = |error: mangrove_fs::Unfinished| {
            Fault::transient(Code::UNREADABLE, "state:last-good-workflows", error.to_string())
        };
        written.await.map_err(early)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn last_good_workflows_keep_the_contract() {
        let directory = tempfile::tempdir().expect("a directory");
        mangrove_testkit::contract::last_good_workflows(&FileLastGood::new(directory.path().join("state"))).await;
    }

    #[tokio::test]
    async fn what_is_damaged_is_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = FileLastGood::new(directory.path());
        let workflow = LastGoodWorkflow { file: "a.yaml".to_owned(), origin: Origin::Local, text: "name: a".into() };
        store.save(std::slice::from_ref(&workflow)).await.expect("saved");
        let path = directory.path().join(FILE_NAME);
        let bytes = std::fs::read(&path).expect("the file");
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            std::fs::write(&path, &damaged).expect("written");
            assert_eq!(store.load().await, [], "bit flipped in byte {index}");
        }
        std::fs::write(&path, &bytes).expect("written");
        assert_eq!(store.load().await, [workflow]);
    }
}
