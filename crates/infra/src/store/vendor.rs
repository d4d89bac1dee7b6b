//! Vendor directories as files.

use std::{collections::BTreeSet, io, path::Path};

use mangrove_domain::{bundle::BundleFile, failure::Fault, ports::StoreError, problem::Code, source::RelativePath};
use mangrove_fs::{
    directory::Directory,
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

/// Writes the files below a directory of the store that is not there yet.
pub(super) fn write(root: &Path, directory: &Path, files: &[BundleFile]) -> Result<(), Fault> {
    Directory::make(root, directory).map_err(|error| io_fault(Operation::Create, directory, &error))?;
    for file in files {
        let path = directory.join(&file.path);
        staging::write(root, &path, file.code.as_bytes()).map_err(|error| io_fault(Operation::Write, &path, &error))?;
    }
    Ok(())
}

/// The bytes of a file in the store. Links have no place there.
pub(super) fn read_object(path: &Path) -> io::Result<Vec<u8>> {
    Ok(read::bytes(path, Within::Unlinked, FileKind::Bundle)?)
}

/// The sizes of all files of a bundle together. Looks, reads nothing.
pub(super) fn size(root: &Path, path: &Path) -> io::Result<u64> {
    size_of(&Directory::open(root, path)?)
}

fn size_of(directory: &Directory) -> io::Result<u64> {
    let mut size = 0;
    for name in directory.names()? {
        let entry = directory.look(&name)?;
        size += if entry.is_directory { size_of(&directory.directory(&name)?)? } else { entry.size_bytes };
    }
    Ok(size)
}

/// All files of a bundle by their path below it, sorted. A name that is not UTF-8 is `InvalidData`.
pub(super) fn read(root: &Path, path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    read_into(&Directory::open(root, path)?, "", &mut files)?;
    files.sort_unstable();
    Ok(files)
}

fn read_into(directory: &Directory, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for file in directory.names()? {
        let name = file.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        if directory.look(&file)?.is_directory {
            read_into(&directory.directory(&file)?, &path, files)?;
        } else {
            files.push((path, read_object(&directory.path().join(&file))?));
        }
    }
    Ok(())
}
