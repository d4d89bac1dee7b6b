//! Archives of packages and extensions: gzipped tar files from strangers. Nothing in one can leave the folder it is
//! unpacked into, fill the disk or keep us busy without end.

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

/// What an entry takes in an archive beside its bytes: its header, and what its bytes are filled up with.
const HEADER_BYTES: u64 = 1_536;

/// What an archive may hold beside its entries.
const SLACK_BYTES: u64 = 1 << 20;

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

/// What an entry of an archive is.
pub enum Content<'a> {
    /// A file, to be read once.
    File(&'a mut dyn Read),
    /// A link to another place in the archive: its path from the top.
    Link(PathBuf),
}

/// Reads an archive to its end, and lets `visit` look at each file and link: under its path from the top of the archive, and
/// with the number of bytes that it may still read. It gives the number that it has read, or `None` if there are more.
///
/// # Errors
/// [`UnpackError`]: what leads out, what is neither file nor directory nor link, what has no end.
pub fn read(
    package: &str,
    archive: &[u8],
    bounds: Bounds,
    mut visit: impl FnMut(&Path, Content<'_>, u64) -> Result<Option<u64>, UnpackError>,
) -> Result<(), UnpackError> {
    // Headers, long names and what is skipped count too: the tar reader takes them all before we see them.
    let most = bounds.entries.saturating_mul(HEADER_BYTES).saturating_add(bounds.bytes).saturating_add(SLACK_BYTES);
    let mut reader = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(most));
    let found = read_entries(package, &mut reader, bounds, &mut visit);
    // The end of the tar is not the end of the gzip stream, whose checksum comes last.
    let mut rest = reader.into_inner();
    let drained = found.is_ok().then(|| io::copy(&mut rest, &mut io::sink()));
    if rest.limit() == 0 {
        return Err(UnpackError::TooLarge { package: package.to_owned(), bound: format!("{} bytes", bounds.bytes) });
    }
    let files = found?;
    if let Some(drained) = drained {
        drained.map_err(|source| UnpackError::Unreadable { package: package.to_owned(), source })?;
    }
    if files == 0 {
        return Err(UnpackError::Empty { package: package.to_owned() });
    }
    Ok(())
}

/// Reads the entries of an archive; gives how many files there are.
fn read_entries(
    package: &str,
    reader: &mut tar::Archive<impl Read>,
    bounds: Bounds,
    visit: &mut impl FnMut(&Path, Content<'_>, u64) -> Result<Option<u64>, UnpackError>,
) -> Result<u64, UnpackError> {
    let unreadable = |source| UnpackError::Unreadable { package: package.to_owned(), source };
    let too_large = |bound| UnpackError::TooLarge { package: package.to_owned(), bound };
    let mut entries = 0_u64;
    let mut files = 0_u64;
    let mut bytes = 0_u64;
    for entry in reader.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        entries += 1;
        if entries > bounds.entries {
            return Err(too_large(format!("{} entries", bounds.entries)));
        }
        let path = entry.path().map_err(unreadable)?.into_owned();
        let wrong = |problem| UnpackError::Entry { package: package.to_owned(), path: path.clone(), problem };
        let inside = normalised(&path).map_err(wrong)?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                files += 1;
                let read = visit(&inside, Content::File(&mut entry), bounds.bytes - bytes)?;
                bytes += read.ok_or_else(|| too_large(format!("{} bytes", bounds.bytes)))?;
            }
            EntryType::Symlink | EntryType::Link => {
                let link = entry.link_name().map_err(unreadable)?.ok_or_else(|| wrong("links to nothing"))?;
                let base = if kind == EntryType::Link { Path::new("") } else { path.parent().unwrap_or(&path) };
                let target = target(base, &link).ok_or_else(|| wrong("links out of the package"))?;
                visit(&inside, Content::Link(target), 0)?;
            }
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => {}
            _ => return Err(wrong("is neither a file nor a directory")),
        }
    }
    Ok(files)
}

/// Unpacks an archive below `destination`, without its first path segment; with `None` reads it to the end
/// and writes nothing, which finds every fault but those of the disk.
///
/// Links are left out, as npm does; one that leads out of the package makes the whole archive unusable.
///
/// # Errors
/// [`UnpackError`]; files that were written by then stay.
pub fn unpack(package: &str, archive: &[u8], destination: Option<&Path>, bounds: Bounds) -> Result<(), UnpackError> {
    unpack_some(package, archive, destination, bounds, |_| true)
}

/// The same, of the files that are wanted by their paths in the package. The others are read as well, and not written.
///
/// # Errors
/// [`UnpackError`]; files that were written by then stay.
pub fn unpack_some(
    package: &str,
    archive: &[u8],
    destination: Option<&Path>,
    bounds: Bounds,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<(), UnpackError> {
    read(package, archive, bounds, |path, content, limit| {
        let inside: PathBuf = path.components().skip(1).collect();
        match content {
            Content::File(source) if !inside.as_os_str().is_empty() => {
                let destination = destination.filter(|_| is_wanted(&inside));
                let target = destination.map(|directory| (directory, directory.join(inside)));
                let target = target.as_ref().map(|(root, path)| (*root, path.as_path()));
                write_file(package, source, target, limit)
            }
            Content::File(_) | Content::Link(_) => Ok(Some(0)),
        }
    })
}

/// The path without what makes no difference.
fn normalised(path: &Path) -> Result<PathBuf, &'static str> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => inside.push(name),
            Component::ParentDir => return Err("leads upward"),
            Component::RootDir | Component::Prefix(_) => return Err("has an absolute path"),
        }
    }
    Ok(inside)
}

/// Where `link` leads from the directory `base`, by its path from the top of the archive; `None` if it leaves the first
/// segment of the archive.
fn target(base: &Path, link: &Path) -> Option<PathBuf> {
    let mut target: PathBuf = base.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    for component in link.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => target.push(name),
            Component::ParentDir if target.components().count() > 1 => {
                target.pop();
            }
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(target)
}

/// Copies one file; `Ok(None)` if it is longer than `limit` bytes.
fn write_file(
    package: &str,
    source: &mut dyn Read,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_end_is_refused() {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (kind, name, length) in [(EntryType::GNULongName, "././@LongLink", 8 << 20), (EntryType::Regular, "a", 1)] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(length);
            tar.append_data(&mut header, name, io::repeat(b'x').take(length)).expect("an entry");
        }
        let archive = tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("an archive");
        let bounds = Bounds { entries: 10, bytes: 1_000 };
        let found = read("x", &archive, bounds, |_, _, _| Ok(Some(0)));
        assert!(matches!(found, Err(UnpackError::TooLarge { .. })), "{found:?}");
    }
}
