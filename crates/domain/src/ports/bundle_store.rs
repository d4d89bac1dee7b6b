//! Where bundles are kept.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;

use crate::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject},
    failure::Fault,
    problem::Code,
    time::Timestamp,
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

    /// True if all of these objects are there with these sizes.
    async fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError>;

    /// Everything that running this bundle needs, verified against its digests.
    async fn load(&self, bundle: &BundleRef) -> Result<LoadedBundle, StoreError>;

    /// The files of these vendor directories by their import path, verified against their digests, sorted.
    async fn vendor_files(&self, vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError>;

    /// All objects, sorted.
    async fn list(&self) -> Result<Vec<StoredObject>, StoreError>;

    /// Reads every byte of one object and compares it with its name. Other content of the recorded size is
    /// [`Presence::WrongSize`] with both sizes equal: damage is an answer, not an error.
    async fn verify(&self, object: &StoredObject) -> Result<Presence, StoreError>;

    /// Removes an object; removing what is not there is no error.
    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError>;

    /// Removes what is not needed and was not put or touched within the grace period, and what interrupted writes
    /// left behind. A store that is nobody's yet becomes that of the request's catalog; one that is another
    /// catalog's is refused with [`StoreError::Foreign`]. A dry run changes nothing.
    async fn sweep(&self, request: &SweepRequest) -> Result<SweepOutcome, StoreError>;

    /// Where the objects lie, for people, such as `s3://bucket/prefix`; `None` where it is the state directory.
    fn place(&self) -> Option<String> {
        None
    }
}

/// The shortest grace period of a sweep. An object is put before the row that needs it is committed; no build takes
/// nearly as long.
pub const SHORTEST_GRACE: Duration = Duration::from_hours(24);

/// Which objects may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepRequest {
    /// The identifier of the catalog that `needed` comes from.
    pub catalog: String,
    /// What stays: the closures of all rows and of all runs in progress ([`crate::bundle::needed`]).
    pub needed: BTreeSet<ObjectKey>,
    /// The time.
    pub now: Timestamp,
    /// What was put or touched later than this long ago stays. Less than [`SHORTEST_GRACE`] counts as that.
    pub grace: Duration,
    /// True to report what would be removed and remove nothing.
    pub is_dry_run: bool,
}

impl SweepRequest {
    /// What was last put or touched at `at` is old enough to go.
    #[must_use]
    pub fn is_old(&self, at: Timestamp) -> bool {
        self.now.since(at) > self.grace.max(SHORTEST_GRACE)
    }
}

/// What a sweep removed, or would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepOutcome {
    /// Objects, sorted.
    pub objects: Vec<StoredObject>,
    /// How many leftovers of interrupted writes.
    pub leftovers: usize,
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
    /// The store belongs to another catalog, whose rows say what is needed.
    #[error("{fault}")]
    Foreign {
        /// The identifier of that catalog.
        owner: String,
        /// The same as a fault.
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
    /// The refusal of a sweep by another catalog than the `owner`.
    #[must_use]
    pub fn foreign(owner: String) -> Self {
        let message = format!("the bundle store belongs to the catalog {owner}, whose rows say what is needed");
        let fault = Fault::environment(Code::STORE_FOREIGN, "store:foreign", message);
        StoreError::Foreign { owner, fault }
    }

    /// The fault behind it.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        match self {
            StoreError::Unusable { fault, .. }
            | StoreError::Foreign { fault, .. }
            | StoreError::Access { fault, .. } => fault,
        }
    }
}
