//! What is there, by its size: nothing is opened.

use std::{collections::HashMap, fmt::Write as _, fs, io, num::NonZero};

use mangrove_domain::{
    bundle::{BundleRef, ObjectKey, Presence, StoredObject},
    digest::Digest,
    ports::StoreError,
};
use mangrove_fs::faults::{Operation, io_fault};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{Inner, access, is_absent, vendor};

/// Below this many bundles, one thread looks at all of them.
const ONE_THREAD_UP_TO: usize = 256;

impl Inner {
    /// The directory of the store, to look from; `None` if there is none.
    pub(super) fn handle(&self) -> Result<Option<OwnedFd>, StoreError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&self.root, flags, Mode::empty()) {
            Ok(root) => Ok(Some(root)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(access("read", io_fault(Operation::Stat, &self.root, &error.into()))),
        }
    }

    /// As [`size`](Self::size), for one of thousands: without a walk from the top of the file system. `path` is only lent.
    pub(super) fn size_below(
        &self,
        root: &OwnedFd,
        digest: Digest,
        path: &mut String,
    ) -> Result<Option<u64>, StoreError> {
        path.clear();
        // Nothing keeps a text from being written.
        let _ = write!(path, "{:02x}/{digest}.js", digest.as_bytes()[0]);
        match rustix::fs::statat(root, path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => {
                let path = self.path(ObjectKey::Extension(digest));
                Err(access("read", io_fault(Operation::Stat, &path, &error.into())))
            }
        }
    }

    /// The bytes that the object has; `None` if it is not there.
    pub(super) fn size(&self, key: ObjectKey) -> Result<Option<u64>, StoreError> {
        let path = self.path(key);
        let size = match key {
            ObjectKey::Extension(_) => fs::symlink_metadata(&path).map(|metadata| metadata.len()),
            ObjectKey::Vendor(_) => vendor::size(&self.root, &path),
        };
        match size {
            Ok(size) => Ok(Some(size)),
            // A link in place of a vendor bundle is none, and makes way for one.
            Err(error) if is_absent(&error) || error.kind() == io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(access("read", io_fault(Operation::Stat, &path, &error))),
        }
    }

    pub(super) fn presence(&self, bundles: &[BundleRef]) -> Result<Vec<Presence>, StoreError> {
        let mut vendors: HashMap<ObjectKey, Option<u64>> = HashMap::new();
        for vendor in bundles.iter().flat_map(|bundle| &bundle.vendors) {
            if let std::collections::hash_map::Entry::Vacant(slot) = vendors.entry(vendor.key) {
                slot.insert(self.size(vendor.key)?);
            }
        }
        let look = |bundle: &BundleRef| {
            for object in bundle.closure() {
                let size = match vendors.get(&object.key) {
                    Some(size) => *size,
                    None => self.size(object.key)?,
                };
                let presence = presence_of(object, size);
                if presence != Presence::Present {
                    return Ok(presence);
                }
            }
            Ok(Presence::Present)
        };
        let threads = threads_for(bundles.len());
        if threads == 1 {
            return bundles.iter().map(look).collect();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = bundles
                .chunks(bundles.len().div_ceil(threads))
                .map(|chunk| scope.spawn(move || chunk.iter().map(look).collect::<Result<Vec<_>, StoreError>>()))
                .collect();
            let mut presence = Vec::with_capacity(bundles.len());
            for worker in workers {
                match worker.join() {
                    Ok(part) => presence.extend(part?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(presence)
        })
    }

    pub(super) fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        let Some(root) = self.handle()? else { return Ok(objects.is_empty()) };
        let all = |objects: &[StoredObject]| {
            let mut path = String::new();
            for object in objects {
                let size = match object.key {
                    ObjectKey::Extension(digest) => self.size_below(&root, digest, &mut path)?,
                    ObjectKey::Vendor(_) => self.size(object.key)?,
                };
                if presence_of(object, size) != Presence::Present {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let threads = threads_for(objects.len());
        if threads == 1 {
            return all(objects);
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                objects.chunks(objects.len().div_ceil(threads)).map(|chunk| scope.spawn(|| all(chunk))).collect();
            let mut holds = true;
            for worker in workers {
                holds &= worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(holds)
        })
    }
}

/// How many threads look at so many. The system is asked only where it matters: it reads files to answer.
fn threads_for(count: usize) -> usize {
    if count <= ONE_THREAD_UP_TO {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, NonZero::get).min(4)
}

pub(super) fn presence_of(object: &StoredObject, size: Option<u64>) -> Presence {
    match size {
        None => Presence::Missing(object.key),
        Some(found_bytes) if found_bytes == object.size_bytes => Presence::Present,
        Some(found_bytes) => Presence::WrongSize { key: object.key, recorded_bytes: object.size_bytes, found_bytes },
    }
}
