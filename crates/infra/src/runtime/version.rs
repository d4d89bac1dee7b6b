//! The version of a program, remembered by the stat of its file: a program that did not change is not asked again.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    atomic::{self, Durability},
    read::{self, FileKind, Within},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::child::Call;

/// How long a program may take to tell its version.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a program that reported no version is left alone, so that a thousand sources do not each wait for it.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Which file it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    version: String,
}

/// The versions of programs.
#[derive(Debug)]
pub struct Versions {
    state_directory: PathBuf,
    file: PathBuf,
    is_read_only: bool,
    known: Mutex<Option<BTreeMap<PathBuf, Known>>>,
    failed: tokio::sync::Mutex<Option<(PathBuf, Instant, Fault)>>,
}

impl Versions {
    /// Versions that are remembered in `<state>/runtime/versions.json`.
    #[must_use]
    pub fn new(state_directory: &Path, is_read_only: bool) -> Self {
        Self {
            state_directory: state_directory.to_owned(),
            file: state_directory.join(super::PROGRAMS).join("versions.json"),
            is_read_only,
            known: Mutex::default(),
            failed: tokio::sync::Mutex::default(),
        }
    }

    /// The version of a program, such as `2.9.6`; runs `<program> --version` if its file is not the known one.
    ///
    /// # Errors
    /// `RUNTIME_FAILED` if it does not tell one.
    pub async fn of(&self, program: &Path) -> Result<String, Fault> {
        let failed = |message: String| {
            let message = format!("{} does not report its version: {message}", program.display());
            Fault::environment(Code::RUNTIME_FAILED, "program:deno", message)
        };
        let stamp = Stamp::of(program).map_err(|error| failed(error.to_string()))?;
        if let Some(version) = self.remembered(program, stamp) {
            return Ok(version);
        }
        let mut last_failure = self.failed.lock().await;
        if let Some(version) = self.remembered(program, stamp) {
            return Ok(version);
        }
        if let Some((path, at, fault)) = &*last_failure
            && path == program
            && at.elapsed() < RETRY_AFTER
        {
            return Err(fault.clone());
        }
        match ask(program).await {
            Ok(version) => {
                self.remember(program, Known { stamp, version: version.clone() });
                Ok(version)
            }
            Err(message) => {
                let fault = failed(message);
                *last_failure = Some((program.to_owned(), Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    fn remembered(&self, program: &Path, stamp: Stamp) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(|| {
            let known = read::bytes(&self.file, Within::Unlinked, FileKind::State);
            known.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
        });
        known.get(program).filter(|known| known.stamp == stamp).map(|known| known.version.clone())
    }

    fn remember(&self, program: &Path, learned: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        known.retain(|program, _| program.exists());
        known.insert(program.to_owned(), learned);
        if self.is_read_only {
            return;
        }
        let bytes = serde_json::to_vec(known).map_err(io::Error::from);
        let written =
            bytes.and_then(|bytes| atomic::write(&self.state_directory, &self.file, &bytes, Durability::Volatile));
        if let Err(error) = written {
            tracing::warn!(%error, "the versions of programs cannot be remembered; they are asked again");
        }
    }
}

/// Runs the program. Its first line is `deno 2.9.6 (…)`.
async fn ask(program: &Path) -> Result<String, String> {
    let call = Call {
        program,
        arguments: vec!["--version".into()],
        directory: "/".into(),
        environment: vec![
            ("NO_COLOR".to_owned(), "1".into()),
            ("DENO_NO_UPDATE_CHECK".to_owned(), "1".into()),
            ("PATH".to_owned(), "/usr/bin:/bin".into()),
        ],
        limit: LIMIT,
    };
    let ended = call.run().await.map_err(|error| error.to_string())?;
    if !ended.status.success() {
        return Err(format!("it ended with {}", ended.status));
    }
    let mut words = ended.output.split_whitespace();
    match (words.next(), words.next()) {
        (Some("deno"), Some(version)) if version.starts_with(|first: char| first.is_ascii_digit()) => {
            Ok(version.to_owned())
        }
        _ => Err(format!("it said {:?}", ended.output.lines().next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use mangrove_domain::failure::FailureClass;

    use super::*;

    fn program(directory: &Path, script: &str) -> PathBuf {
        let path = directory.join("deno");
        let new = directory.join("new");
        fs::write(&new, format!("#!/bin/sh\necho asked >> {}/count\n{script}\n", directory.display())).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }

    fn asked(directory: &Path) -> usize {
        fs::read_to_string(directory.join("count")).unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn a_program_is_asked_once_for_as_long_as_its_file_is_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = program(directory.path(), "echo 'deno 2.9.6 (stable)'");
        for _ in 0..2 {
            // As further processes see it.
            let versions = Versions::new(directory.path(), false);
            assert_eq!(versions.of(&path).await.unwrap(), "2.9.6");
            assert_eq!(versions.of(&path).await.unwrap(), "2.9.6");
        }
        assert_eq!(asked(directory.path()), 1);

        program(directory.path(), "echo 'deno 3.0.0'");
        assert_eq!(Versions::new(directory.path(), true).of(&path).await.unwrap(), "3.0.0");
        assert_eq!(asked(directory.path()), 2);
        assert_eq!(Versions::new(directory.path(), false).of(&path).await.unwrap(), "3.0.0");
        assert_eq!(asked(directory.path()), 3, "who only looks remembers nothing");
    }

    #[tokio::test]
    async fn a_program_that_tells_nothing_is_a_fault_of_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let versions = Versions::new(directory.path(), false);
        let path = program(directory.path(), "exit 4");
        for _ in 0..3 {
            let fault = versions.of(&path).await.unwrap_err();
            assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_FAILED));
        }
        assert_eq!(asked(directory.path()), 1, "it is left alone for a moment");
        let path = program(directory.path(), "echo node 22");
        assert!(Versions::new(directory.path(), false).of(&path).await.is_err());
    }
}
