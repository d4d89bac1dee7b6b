//! Where bundles are kept.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    bundle::{BundleRef, ObjectKey, Presence, StoredObject},
    failure::Fault,
};

/// A content-addressed store of bundles and vendor directories.
///
/// Implementations MUST write atomically (a reader sees all of an object or nothing); MUST NOT change an
/// object once it is there; MUST make objects durable in [`sync`](Self::sync), before rows that name them are
/// committed; MUST verify the digest in [`load`](Self::load). Contract: `testkit::contract::bundle_store`.
#[async_trait]
pub trait BundleStore: Send + Sync {
    /// Stores the code of one extension bundle. Storing what is there already touches it again.
    async fn put(&self, code: &str) -> Result<StoredObject, StoreError>;

    /// Stores a vendor directory.
    async fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError>;

    /// Makes everything that was put since the last call durable.
    async fn sync(&self) -> Result<(), StoreError>;

    /// Whether the closures of these bundles are there with their recorded sizes; in the order of the request.
    async fn presence(&self, bundles: &[&BundleRef]) -> Result<Vec<Presence>, StoreError>;

    /// Everything that running this bundle needs, verified against its digests.
    async fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError>;

    /// All objects, sorted.
    async fn list(&self) -> Result<Vec<StoredObject>, StoreError>;

    /// Reads every byte of one object and compares it with its name. Other content of the recorded size is
    /// [`Presence::WrongSize`] with both sizes equal: damage is an answer, not an error.
    async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError>;

    /// Removes an object; removing what is not there is no error.
    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError>;
}

/// One file of a vendor directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundleFile {
    /// Its path below the directory.
    pub path: String,
    /// Its text.
    pub code: Arc<str>,
}

/// A bundle with its closure in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedBundle {
    /// The extension's own code.
    pub code: Arc<str>,
    /// The files of its vendors by their import path `../vendor/<digest>/<file>`, sorted.
    pub vendor_files: Vec<BundleFile>,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An object is not there or is not what it was.
    #[error("{key} cannot be used: {fault}")]
    Unusable {
        /// Which one.
        key: ObjectKey,
        /// In what way.
        fault: Fault,
    },
    /// The store cannot be read or written.
    #[error("cannot {operation} the bundle store: {fault}")]
    Access {
        /// What was being done: `read`, `write`.
        operation: &'static str,
        /// What came back, with the path.
        fault: Fault,
    },
}

impl StoreError {
    /// The fault behind it.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        match self {
            StoreError::Unusable { fault, .. } | StoreError::Access { fault, .. } => fault,
        }
    }
}
