//! Bundles, and the names of what the bundle store keeps.

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::digest::Digest;

/// The name of an object in the bundle store; all are content-addressed (`design/bundling.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKey {
    /// `bundles/<aa>/<sha256>.js`: the code of one extension entry point.
    Extension(Digest),
    /// `bundles/vendor/<sha256>/`: a directory of chunks built from one package.
    Vendor(Digest),
}

impl ObjectKey {
    /// The digest of the content.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        match self {
            ObjectKey::Extension(digest) | ObjectKey::Vendor(digest) => *digest,
        }
    }
}

/// The digest of a vendor directory: over its (path, content) pairs sorted by path, each text with its length
/// before it, after a header with the version of this encoding. Every store uses this one.
#[must_use]
pub fn vendor_digest<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Digest {
    let mut files: Vec<(&str, &[u8])> = files.into_iter().collect();
    files.sort_unstable();
    let mut encoded = b"mangrove-vendor 1\n".to_vec();
    for (path, content) in files {
        for text in [path.as_bytes(), content] {
            encoded.extend_from_slice(format!("{}:", text.len()).as_bytes());
            encoded.extend_from_slice(text);
        }
    }
    Digest::of(&encoded)
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectKey::Extension(digest) => write!(out, "bundle {}", digest.short()),
            ObjectKey::Vendor(digest) => write!(out, "vendor bundle {}", digest.short()),
        }
    }
}

/// An object of the store and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredObject {
    /// Its name.
    pub key: ObjectKey,
    /// Bytes of content; of a vendor directory, of all its files.
    pub size_bytes: u64,
}

/// What a row runs: its own bundle and everything that it imports from the store (I7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRef {
    /// The extension's own code.
    pub entry: StoredObject,
    /// The vendor bundles in its closure, sorted.
    pub vendors: Vec<StoredObject>,
}

impl BundleRef {
    /// The entry and its vendors.
    pub fn closure(&self) -> impl Iterator<Item = &StoredObject> {
        std::iter::once(&self.entry).chain(&self.vendors)
    }
}

/// The objects that these bundles need: what a sweep of the store must leave.
#[must_use]
pub fn needed<'a>(bundles: impl IntoIterator<Item = &'a BundleRef>) -> BTreeSet<ObjectKey> {
    bundles.into_iter().flat_map(BundleRef::closure).map(|object| object.key).collect()
}

/// What a look into the store says of a bundle's closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// All there, of the recorded sizes.
    Present,
    /// This object is not there.
    Missing(ObjectKey),
    /// This object is there with another size.
    WrongSize {
        /// Which one.
        key: ObjectKey,
        /// The size that was recorded.
        recorded_bytes: u64,
        /// The size that was found.
        found_bytes: u64,
    },
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// One ES module, UTF-8; at its end, where there is one, its source map as a comment.
    pub code: String,
    /// What the extension's own modules need by their text: free globals such as `Deno`, `fetch`, and
    /// `node:` imports; sorted.
    pub requirements: Vec<String>,
    /// Where it does not do what Deno does that runs the files as they are; each begins with [`UNLIKE_DENO`].
    pub remarks: Vec<String>,
}

/// Begins each remark about a bundle that does not do what `deno run` does with the files.
pub const UNLIKE_DENO: &str = "unlike `deno run`: ";

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
