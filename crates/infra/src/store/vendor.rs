//! Vendor directories as files.

use std::{collections::BTreeSet, fs, io, path::Path};

use mangrove_domain::{bundle::BundleFile, failure::Fault, ports::StoreError, problem::Code, source::RelativePath};
use mangrove_fs::{
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
    staging,
};

/// Refuses names that lead out of the directory, that are written in two ways, or that stand twice.
pub(super) fn check_names(files: &[BundleFile]) -> Result<(), StoreError> {
    let mut names = BTreeSet::new();
    for file in files {
        let is_plain = RelativePath::parse(&file.path).is_ok_and(|path| path.as_str() == file.path)
            && !file.path.contains('\0')
            && !file.path.contains('\\');
        if !is_plain || !names.insert(&file.path) {
            let message = format!("{:?} is not a file name of a vendor bundle", file.path);
            let fault = Fault::deterministic(Code::PACKAGE_MALFORMED, "store:vendor", message);
            return Err(StoreError::Access { operation: "write", fault });
        }
    }
    Ok(())
}

/// Writes the files below a directory that is not there yet.
pub(super) fn write(directory: &Path, files: &[BundleFile]) -> Result<(), Fault> {
    fs::create_dir_all(directory).map_err(|error| io_fault(Operation::Create, directory, &error))?;
    for file in files {
        let path = directory.join(&file.path);
        staging::write(&path, file.code.as_bytes()).map_err(|error| io_fault(Operation::Write, &path, &error))?;
    }
    Ok(())
}

/// The bytes of a file in the store. Links have no place there.
pub(super) fn read_object(path: &Path) -> io::Result<Vec<u8>> {
    Ok(read::bytes(path, Within::Unlinked, FileKind::Bundle)?)
}

/// The sizes of all files together. Looks, reads nothing.
pub(super) fn size(directory: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Links are not followed: a vendor bundle has none.
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() { self::size(&entry.path())? } else { metadata.len() };
    }
    Ok(size)
}

/// All files by their path below the directory, sorted. A name that is not UTF-8 is `InvalidData`.
pub(super) fn read(directory: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    read_into(directory, "", &mut files)?;
    files.sort_unstable();
    Ok(files)
}

fn read_into(directory: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type()?.is_dir() {
            read_into(&entry.path(), &path, files)?;
        } else {
            files.push((path, read_object(&entry.path())?));
        }
    }
    Ok(())
}
