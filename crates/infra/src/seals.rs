//! The latest seal in one file: `<state>/seal`.
//!
//! The file is a version line, a checksum, and postcard. What is damaged, or was written by another version or another
//! build of the program, counts as missing: other code may judge the same things otherwise.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
    failure::Fault,
    package::PackageRequest,
    ports::Seals,
    seal::{Seal, SealedRows},
    source::Kind,
};
use mangrove_fs::{
    atomic::{self, Durability},
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use serde::{Deserialize, Serialize};

/// The name of the file below the state directory.
pub const FILE_NAME: &str = "seal";

const HEADER: &[u8] = b"mangrove seal 1\n";

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
    request: [u8; 32],
    survey: [u8; 32],
    catalog: [u8; 32],
    needs: Vec<(Vec<String>, Option<PathBuf>, [u8; 32])>,
    extensions: Vec<([u8; 32], u64)>,
    vendors: Vec<([u8; 32], u64)>,
    kinds: Vec<(String, u64, u64)>,
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
        let content = [HEADER, Digest::of(&body).as_bytes(), &body].concat();
        atomic::write(&self.state_directory, &self.path, &content, Durability::Volatile)
    }
}

#[async_trait]
impl Seals for FileSeals {
    async fn load(&self) -> Option<Seal> {
        let bytes = read::bytes(&self.path, Within::Unlinked, FileKind::State).ok()?;
        let (checksum, body) = bytes.strip_prefix(HEADER)?.split_at_checked(32)?;
        if Digest::of(body).as_bytes() != checksum {
            return None;
        }
        let saved: Saved = postcard::from_bytes(body).ok()?;
        if self.program().ok()? != saved.program {
            return None;
        }
        let object = |key: fn(Digest) -> ObjectKey| {
            move |(digest, size_bytes)| StoredObject { key: key(Digest::from_bytes(digest)), size_bytes }
        };
        let needs = saved.needs.into_iter().map(|(specifiers, lock, digest)| {
            (PackageRequest { specifiers: specifiers.into_iter().collect(), lock }, Digest::from_bytes(digest))
        });
        let extensions = saved.extensions.into_iter().map(object(ObjectKey::Extension));
        let vendors = saved.vendors.into_iter().map(object(ObjectKey::Vendor));
        let kinds = saved.kinds.into_iter();
        Some(Seal {
            request: Digest::from_bytes(saved.request),
            survey: Digest::from_bytes(saved.survey),
            catalog: Digest::from_bytes(saved.catalog),
            needs: needs.collect(),
            objects: extensions.chain(vendors).collect(),
            kinds: kinds
                .map(|(kind, indexed, shadowed)| (Kind::new(kind), SealedRows { indexed, shadowed }))
                .collect::<BTreeMap<_, _>>(),
        })
    }

    async fn save(&self, seal: &Seal) -> Result<(), Fault> {
        let program = self.program().map_err(|error| io_fault(Operation::Stat, &self.program, &error))?;
        let needs = seal.needs.iter().map(|(needed, digest)| {
            (needed.specifiers.iter().cloned().collect(), needed.lock.clone(), *digest.as_bytes())
        });
        let mut saved = Saved {
            program,
            request: *seal.request.as_bytes(),
            survey: *seal.survey.as_bytes(),
            catalog: *seal.catalog.as_bytes(),
            needs: needs.collect(),
            extensions: Vec::new(),
            vendors: Vec::new(),
            kinds: seal.kinds.iter().map(|(kind, rows)| (kind.to_string(), rows.indexed, rows.shadowed)).collect(),
        };
        for object in &seal.objects {
            let stored = (*object.key.digest().as_bytes(), object.size_bytes);
            match object.key {
                ObjectKey::Extension(_) => saved.extensions.push(stored),
                ObjectKey::Vendor(_) => saved.vendors.push(stored),
            }
        }
        self.write(&saved).map_err(|error| io_fault(Operation::Write, &self.path, &error))
    }
}

#[cfg(test)]
mod tests {
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
            catalog: digest,
            needs: BTreeMap::new(),
            objects: Vec::new(),
            kinds: BTreeMap::new(),
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
