//! Reading objects, each compared with its name.

use std::{io, sync::Arc};

use mangrove_domain::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, StoredObject, vendor_digest},
    digest::Digest,
    ports::StoreError,
    problem::Code,
};
use mangrove_fs::faults::{Operation, io_fault};
use rustix::io::Errno;

use super::{Inner, access, names_in, unusable, vendor, vendor::read_object};

impl Inner {
    pub(super) fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        let key = bundle.entry.key;
        let code = self.read(key)?.pop().map(|(_, bytes)| bytes).unwrap_or_default();
        Ok(LoadedBundle { code: text(key, code)?, vendor_files: self.vendor_files(&bundle.vendors)? })
    }

    pub(super) fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        let mut files = Vec::new();
        for vendor in vendors {
            if let Some(known) = self.recent.get(vendor, || self.size(vendor.key))? {
                files.extend_from_slice(&known);
                continue;
            }
            let mut read = Vec::new();
            for (path, bytes) in self.read(vendor.key)? {
                let path = format!("../vendor/{}/{path}", vendor.key.digest());
                read.push(BundleFile { path, code: text(vendor.key, bytes)? });
            }
            files.extend_from_slice(&read);
            self.recent.put(vendor, read);
        }
        files.sort();
        Ok(files)
    }

    /// Every file of an object by its path in it, compared with the object's name.
    pub(super) fn read(&self, key: ObjectKey) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let path = self.path(key);
        let (files, digest) = match key {
            ObjectKey::Extension(_) => read_object(&path).map(|bytes| {
                let digest = Digest::of(&bytes);
                (vec![(String::new(), bytes)], digest)
            }),
            ObjectKey::Vendor(_) => vendor::read(&self.root, &path).map(|files| {
                let digest = vendor_digest(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
                (files, digest)
            }),
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                unusable(key, Code::BUNDLE_MISSING, "is missing from the store")
            }
            // Somebody else's file, a directory, a link to itself: what should be there can be put in its place.
            io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
                unusable(key, Code::BUNDLE_CORRUPT, "cannot be read")
            }
            _ if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
                unusable(key, Code::BUNDLE_CORRUPT, "cannot be read")
            }
            io::ErrorKind::InvalidData => unusable(key, Code::BUNDLE_CORRUPT, "holds a name that is not UTF-8"),
            // A pipe, a link, or something larger than any bundle: none that we put there.
            io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge => {
                unusable(key, Code::BUNDLE_CORRUPT, &format!("is no bundle: {error}"))
            }
            _ => access("read", io_fault(Operation::Read, &path, &error)),
        })?;
        if digest == key.digest() {
            Ok(files)
        } else {
            Err(unusable(key, Code::BUNDLE_CORRUPT, "does not have the content that its name says"))
        }
    }

    pub(super) fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        let mut objects = Vec::new();
        let Some(root) = self.directory("list", &self.root)? else { return Ok(objects) };
        for name in names_in(&root)? {
            let is_vendor = name == "vendor";
            if !is_vendor && name.len() != 2 {
                continue;
            }
            let Some(directory) = self.directory("list", &self.root.join(&name))? else { continue };
            for name in names_in(&directory)? {
                let digest = if is_vendor { name.as_str() } else { name.strip_suffix(".js").unwrap_or("") };
                // Not ours, or half a download of somebody else: not an object.
                let Ok(digest) = digest.parse::<Digest>() else { continue };
                let key = if is_vendor { ObjectKey::Vendor(digest) } else { ObjectKey::Extension(digest) };
                if let Some(size_bytes) = self.size(key)? {
                    objects.push(StoredObject { key, size_bytes });
                }
            }
        }
        objects.sort_unstable();
        Ok(objects)
    }
}

fn text(key: ObjectKey, bytes: Vec<u8>) -> Result<Arc<str>, StoreError> {
    let text = String::from_utf8(bytes);
    text.map(Arc::from).map_err(|_| unusable(key, Code::BUNDLE_CORRUPT, "is not UTF-8"))
}
