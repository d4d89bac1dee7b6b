//! Putting and removing objects: written aside, then renamed to their places.

use std::{
    io,
    path::{Path, PathBuf},
};

use mangrove_domain::{
    bundle::{BundleFile, ObjectKey, StoredObject, vendor_digest},
    digest::Digest,
    failure::Fault,
    ports::StoreError,
    problem::Code,
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
};

use super::{Inner, access, vendor};

impl Inner {
    pub(super) fn put(&self, code: &[u8]) -> Result<StoredObject, StoreError> {
        let key = ObjectKey::Extension(Digest::of(code));
        let path = self.path(key);
        if vendor::read_object(&path).is_ok_and(|found| found == code) {
            self.mark_as_used(&path);
        } else {
            // A rename does not replace a directory.
            if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                self.remove(key)?;
            }
            self.write_file(&path, code)?;
        }
        // Also when it was there: whoever put it may not have come to the point of syncing it.
        self.lock_pending().insert(path);
        Ok(StoredObject { key, size_bytes: code.len() as u64 })
    }

    /// Writes beside and renames; an existing file is replaced as a whole.
    pub(super) fn write_file(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        let scratch = self.scratch()?;
        atomic::write_through(&self.root, &scratch, path, content, Durability::Volatile)
            .map_err(|error| access("write", io_fault(Operation::Write, path, &error)))
    }

    pub(super) fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        vendor::check_names(files)?;
        let key = ObjectKey::Vendor(vendor_digest(files.iter().map(|file| (file.path.as_str(), file.code.as_bytes()))));
        let path = self.path(key);
        let size_bytes = files.iter().map(|file| file.code.len() as u64).sum();
        let is_there = self.read(key).is_ok();
        if is_there {
            self.mark_as_used(&path);
        } else {
            self.made_directory(&self.root.join("vendor"))?;
            let temporary = self.temporary_name()?;
            let placed = vendor::write(&self.root, &temporary, files)
                .and_then(|()| self.place_directory(key, &temporary, &path));
            if let Err(fault) = placed {
                let _ = self.remove_any(&temporary);
                return Err(access("write", fault));
            }
        }
        let mut pending = self.lock_pending();
        for file in files {
            let file = path.join(&file.path);
            pending.extend(file.ancestors().take_while(|ancestor| *ancestor != path).map(Path::to_owned));
        }
        pending.insert(path);
        Ok(StoredObject { key, size_bytes })
    }

    /// Renames a directory to its place. If one is there already, another writer was faster and ours is not needed,
    /// or it is damaged and makes way.
    pub(super) fn place_directory(&self, key: ObjectKey, from: &Path, to: &Path) -> Result<(), Fault> {
        for _ in 0..8 {
            match atomic::rename(&self.root, from, to) {
                Ok(()) => return Ok(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
                    ) =>
                {
                    if self.read(key).is_ok() {
                        drop(self.remove_any(from));
                        return Ok(());
                    }
                    let away = self.temporary_name().map_err(|error| error.fault().clone())?;
                    match atomic::rename(&self.root, to, &away) {
                        // Best effort: leftovers in `tmp` are swept with the store.
                        Ok(()) => drop(self.remove_any(&away)),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(io_fault(Operation::Rename, to, &error)),
                    }
                }
                Err(error) => return Err(io_fault(Operation::Rename, to, &error)),
            }
        }
        let message = format!("{} is written by others again and again", to.display());
        Err(Fault::transient(Code::NOT_WRITABLE, "store:contended", message))
    }

    /// Where objects are while they are written or removed.
    fn scratch(&self) -> Result<Directory, StoreError> {
        self.made_directory(&self.root.join("tmp"))
    }

    fn temporary_name(&self) -> Result<PathBuf, StoreError> {
        Ok(self.scratch()?.path().join(uuid::Uuid::new_v4().to_string()))
    }

    pub(super) fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        let path = self.path(key);
        // Away first, so that no reader meets half of a directory.
        let away = self.temporary_name()?;
        match atomic::rename(&self.root, &path, &away) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            outcome => outcome.map_err(|error| access("remove", io_fault(Operation::Rename, &path, &error)))?,
        }
        self.lock_pending().retain(|pending| !pending.starts_with(&path));
        self.remove_any(&away)
    }

    /// Marks an object as used now, for the grace period of a sweep. Best effort: a store on a read-only disk is
    /// swept by nobody.
    pub(super) fn mark_as_used(&self, path: &Path) {
        let _ = mangrove_fs::touch(&self.root, path);
    }
}
