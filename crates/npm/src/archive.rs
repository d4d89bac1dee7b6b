//! Package archives: gzipped tar files from strangers. Nothing in one can leave the folder it is unpacked
//! into, fill the disk or keep us busy without end.

use std::{
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    faults::{Operation, io_fault},
    staging,
};
use tar::EntryType;

/// How much an archive may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Files and directories.
    pub entries: u64,
    /// Bytes of all files together, unpacked.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 1 << 30 }
    }
}

/// An archive that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The bytes are no gzipped tar file.
    #[error("the archive of {package} cannot be read")]
    Unreadable {
        /// `name@version`
        package: String,
        /// What the reader says.
        #[source]
        source: io::Error,
    },
    /// An entry that no honest package has.
    #[error("the archive of {package} has an entry {path:?} that {problem}")]
    Entry {
        /// `name@version`
        package: String,
        /// As the archive spells it.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More than [`Bounds`] allow.
    #[error("the archive of {package} holds more than {bound}")]
    TooLarge {
        /// `name@version`
        package: String,
        /// What would be exceeded.
        bound: String,
    },
    /// No file at all.
    #[error("the archive of {package} holds no file")]
    Empty {
        /// `name@version`
        package: String,
    },
    /// A file cannot be written here.
    #[error("cannot unpack {package}")]
    Write {
        /// `name@version`
        package: String,
        /// What was being written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<UnpackError> for Fault {
    fn from(error: UnpackError) -> Self {
        match &error {
            UnpackError::Write { path, source, .. } => io_fault(Operation::Write, path, source),
            UnpackError::Unreadable { package, .. }
            | UnpackError::Entry { package, .. }
            | UnpackError::TooLarge { package, .. }
            | UnpackError::Empty { package } => {
                Fault::environment(Code::PACKAGE_MALFORMED, format!("package:{package}"), super::chain(&error))
            }
        }
    }
}

/// Unpacks an archive below `destination`, without its first path segment; with `None` reads it to the end
/// and writes nothing, which finds every fault but those of the disk.
///
/// Links are left out, as npm does; one that leads out of the package makes the whole archive unusable.
///
/// # Errors
/// [`UnpackError`]; files that were written by then stay.
pub fn unpack(package: &str, archive: &[u8], destination: Option<&Path>, bounds: Bounds) -> Result<(), UnpackError> {
    let unreadable = |source| UnpackError::Unreadable { package: package.to_owned(), source };
    let mut reader = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let mut entries = 0_u64;
    let mut files = 0_u64;
    let mut bytes = 0_u64;
    for entry in reader.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        entries += 1;
        if entries > bounds.entries {
            let bound = format!("{} entries", bounds.entries);
            return Err(UnpackError::TooLarge { package: package.to_owned(), bound });
        }
        let path = entry.path().map_err(unreadable)?.into_owned();
        let wrong = |problem| UnpackError::Entry { package: package.to_owned(), path: path.clone(), problem };
        let inside = inside(&path).map_err(wrong)?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let Some(inside) = inside else { continue };
                let target = destination.map(|directory| (directory, directory.join(inside)));
                let limit = bounds.bytes - bytes;
                files += 1;
                bytes += write_file(
                    package,
                    &mut entry,
                    target.as_ref().map(|(root, path)| (*root, path.as_path())),
                    limit,
                )?
                .ok_or_else(|| UnpackError::TooLarge {
                    package: package.to_owned(),
                    bound: format!("{} bytes", bounds.bytes),
                })?;
            }
            EntryType::Symlink | EntryType::Link => {
                let link = entry.link_name().map_err(unreadable)?.ok_or_else(|| wrong("links to nothing"))?;
                let base = if kind == EntryType::Link { Path::new("") } else { path.parent().unwrap_or(&path) };
                if leaves(base, &link) {
                    return Err(wrong("links out of the package"));
                }
            }
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => {}
            _ => return Err(wrong("is neither a file nor a directory")),
        }
    }
    // The end of the tar is not the end of the gzip stream, whose checksum comes last.
    let rest = io::copy(&mut reader.into_inner().take(bounds.bytes), &mut io::sink()).map_err(unreadable)?;
    if rest >= bounds.bytes {
        return Err(UnpackError::TooLarge { package: package.to_owned(), bound: format!("{} bytes", bounds.bytes) });
    }
    if files == 0 {
        return Err(UnpackError::Empty { package: package.to_owned() });
    }
    Ok(())
}

/// The path without its first segment; `None` if nothing is left.
fn inside(path: &Path) -> Result<Option<PathBuf>, &'static str> {
    let mut inside = PathBuf::new();
    let mut is_first = true;
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => {
                if !is_first {
                    inside.push(name);
                }
                is_first = false;
            }
            Component::ParentDir => return Err("leads upward"),
            Component::RootDir | Component::Prefix(_) => return Err("has an absolute path"),
        }
    }
    Ok((!inside.as_os_str().is_empty()).then_some(inside))
}

/// True if `link`, read from the directory `base`, leaves the first segment of the archive.
fn leaves(base: &Path, link: &Path) -> bool {
    let mut depth = base.components().filter(|component| matches!(component, Component::Normal(_))).count();
    for component in link.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 1 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

/// Copies one file; `Ok(None)` if it is longer than `limit` bytes.
fn write_file(
    package: &str,
    source: &mut impl Read,
    target: Option<(&Path, &Path)>,
    limit: u64,
) -> Result<Option<u64>, UnpackError> {
    let failed = |path: &Path, source: io::Error| match source.kind() {
        // A file where the archive has a directory, or the other way round: the archive's own doing.
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidFilename => {
            UnpackError::Entry { package: package.to_owned(), path: path.to_owned(), problem: "cannot be a file" }
        }
        io::ErrorKind::AlreadyExists => UnpackError::Entry {
            package: package.to_owned(),
            path: path.to_owned(),
            problem: "is both a file and a directory",
        },
        _ => UnpackError::Write { package: package.to_owned(), path: path.to_owned(), source },
    };
    let mut output = match target {
        // Callers unpack into a directory of their own and use it when it is complete.
        Some((root, path)) => Some((path, staging::create(root, path).map_err(|error| failed(path, error))?)),
        None => None,
    };
    let mut copied = 0_u64;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = source
            .read(&mut buffer)
            .map_err(|source| UnpackError::Unreadable { package: package.to_owned(), source })?;
        if length == 0 {
            return Ok(Some(copied));
        }
        copied += length as u64;
        if copied > limit {
            return Ok(None);
        }
        if let Some((path, file)) = &mut output {
            file.write_all(&buffer[..length]).map_err(|error| failed(path, error))?;
        }
    }
}
