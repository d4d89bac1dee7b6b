//! The latest seal in one file: `<state>/seal`.
//!
//! The file is a version line, a checksum, and postcard. What is damaged, or was written by another version or another
//! build of the program, counts as missing: other code may judge the same things otherwise.

mod saved;

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{failure::Fault, ports::Seals, seal::Seal};
use mangrove_fs::{
    atomic::{self, Durability},
    checksum,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use serde::{Deserialize, Serialize};

use self::saved::SavedSeal;

/// The name of the file below the state directory.
pub const FILE_NAME: &str = "seal";

const HEADER: &[u8] = b"mangrove seal 3\n";

/// The latest seal in a file of the state directory. The file is read and written at once: it is small, and read
/// before anything else can happen.
#[derive(Clone, Debug)]
pub struct FileSeals {
    state_directory: PathBuf,
    path: PathBuf,
    program: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    program: [u64; 6],
    seal: SavedSeal,
}

impl FileSeals {
    /// The seal in this state directory, for the program in this file.
    #[must_use]
    pub fn new(state_directory: &Path, program: impl Into<PathBuf>) -> Self {
        Self {
            state_directory: state_directory.to_owned(),
            path: state_directory.join(FILE_NAME),
            program: program.into(),
        }
    }

    /// What tells this build of the program from another one, or from the same file replaced.
    fn program(&self) -> io::Result<[u64; 6]> {
        let metadata = fs::metadata(&self.program)?;
        let signed = |value: i64| u64::from_le_bytes(value.to_le_bytes());
        Ok([
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            signed(metadata.mtime()),
            signed(metadata.mtime_nsec()),
            signed(metadata.ctime()) ^ signed(metadata.ctime_nsec()).rotate_left(32),
        ])
    }

    fn write(&self, saved: &Saved) -> io::Result<()> {
        let body = postcard::to_stdvec(saved).map_err(io::Error::other)?;
        let content = [HEADER, checksum::of(&body).as_bytes(), &body].concat();
        atomic::write(&self.state_directory, &self.path, &content, Durability::Volatile)
    }
}

#[async_trait]
impl Seals for FileSeals {
    async fn load(&self) -> Option<Seal> {
        let bytes = read::bytes(&self.path, Within::Unlinked, FileKind::State).ok()?;
        let (known, body) = bytes.strip_prefix(HEADER)?.split_at_checked(32)?;
        if checksum::of(body).as_bytes() != known {
            return None;
        }
        let saved: Saved = postcard::from_bytes(body).ok()?;
        if self.program().ok()? != saved.program {
            return None;
        }
        saved.seal.load()
    }

    async fn save(&self, seal: &Seal) -> Result<(), Fault> {
        let program = self.program().map_err(|error| io_fault(Operation::Stat, &self.program, &error))?;
        // One that cannot be loaded is none.
        let Some(seal) = SavedSeal::of(seal) else { return Ok(()) };
        self.write(&Saved { program, seal }).map_err(|error| io_fault(Operation::Write, &self.path, &error))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mangrove_domain::{digest::Digest, seal::Conclusion};

    use super::*;

    fn place() -> (tempfile::TempDir, FileSeals) {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("program");
        fs::write(&program, "one").expect("a program");
        let seals = FileSeals::new(&directory.path().join("state"), program);
        (directory, seals)
    }

    fn seal() -> Seal {
        let digest = Digest::of(b"seal");
        Seal {
            request: digest,
            survey: digest,
            version: digest,
            mark: None,
            is_mark_settled: false,
            needs: BTreeMap::new(),
            conclusion: Conclusion::default(),
            found: Vec::new(),
            claimed: Vec::new(),
        }
    }

    #[tokio::test]
    async fn seals_keep_the_contract() {
        let places = std::sync::Mutex::new(Vec::new());
        mangrove_testkit::contract::seals(async || {
            let (directory, seals) = place();
            places.lock().expect("nobody panicked").push(directory);
            seals
        })
        .await;
    }

    #[tokio::test]
    async fn fault_46_another_build_of_the_program_breaks_the_seal() {
        let (_directory, seals) = place();
        seals.save(&seal()).await.expect("saved");
        assert_eq!(seals.load().await, Some(seal()));
        fs::write(&seals.program, "two").expect("another build of the same length");
        assert_eq!(seals.load().await, None);
    }

    #[tokio::test]
    async fn a_damaged_seal_is_none() {
        let (_directory, seals) = place();
        seals.save(&seal()).await.expect("saved");
        let bytes = fs::read(&seals.path).expect("the file");
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            fs::write(&seals.path, &damaged).expect("written");
            assert_eq!(seals.load().await, None, "bit flipped in byte {index}");
            fs::write(&seals.path, &bytes[..index]).expect("written");
            assert_eq!(seals.load().await, None, "cut off after {index} bytes");
        }
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_is_a_fault() {
        let (directory, seals) = place();
        fs::write(directory.path().join("state"), "a file in its place").expect("written");
        assert!(seals.save(&seal()).await.is_err());
        assert_eq!(seals.load().await, None);
    }
}
