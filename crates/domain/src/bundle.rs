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

/// The digest of a vendor directory: of its [encoding](encoded_vendor). Every store uses this one.
#[must_use]
pub fn vendor_digest<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Digest {
    Digest::of(&encoded_vendor(files))
}

/// A vendor directory as one text of bytes: its (path, content) pairs sorted by path, each text with its length before
/// it, after a header with the version of this encoding.
#[must_use]
pub fn encoded_vendor<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut files: Vec<(&str, &[u8])> = files.into_iter().collect();
    files.sort_unstable();
    let mut encoded = VENDOR_HEADER.to_vec();
    for (path, content) in files {
        for text in [path.as_bytes(), content] {
            encoded.extend_from_slice(format!("{}:", text.len()).as_bytes());
            encoded.extend_from_slice(text);
        }
    }
    encoded
}

/// The (path, content) pairs of an [encoded](encoded_vendor) vendor directory; `None` if these bytes are no such encoding.
#[must_use]
pub fn decoded_vendor(encoded: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let mut rest = encoded.strip_prefix(VENDOR_HEADER)?;
    let mut files = Vec::new();
    while !rest.is_empty() {
        let path = std::str::from_utf8(taken_text(&mut rest)?).ok()?;
        files.push((path, taken_text(&mut rest)?));
    }
    Some(files)
}

const VENDOR_HEADER: &[u8] = b"mangrove-vendor 1\n";

/// The text at the beginning of these bytes, after its length; what follows stays.
fn taken_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let (length, after) = rest.split_at_checked(colon)?;
    // The number parser below would accept a sign.
    if length.first().is_none_or(|digit| !digit.is_ascii_digit()) {
        return None;
    }
    let length = std::str::from_utf8(length).ok()?.parse().ok()?;
    let (text, after) = after.get(1..)?.split_at_checked(length)?;
    *rest = after;
    Some(text)
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, proptest};

    use super::*;

    proptest! {
        #[test]
        fn a_vendor_is_decoded_as_it_was_encoded(files in vec((".{0,12}", vec(any::<u8>(), 0..40)), 0..6)) {
            let mut files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
            let encoded = encoded_vendor(files.iter().copied());
            files.sort_unstable();
            assert_eq!(decoded_vendor(&encoded), Some(files));
        }

        #[test]
        fn no_bytes_make_the_decoder_fail_otherwise_than_by_none(bytes in vec(any::<u8>(), 0..60)) {
            let behind = [VENDOR_HEADER, &bytes].concat();
            if let Some(files) = decoded_vendor(&behind) {
                let content: usize = files.iter().map(|(path, bytes)| path.len() + bytes.len()).sum();
                assert!(content <= bytes.len());
            }
            assert_eq!(decoded_vendor(&bytes), None);
        }
    }

    #[test]
    fn what_is_cut_or_has_a_false_length_is_no_vendor() {
        let encoded = encoded_vendor([("a.js", b"export {};".as_slice())]);
        for length in 0..encoded.len() {
            let is_whole = length == VENDOR_HEADER.len();
            assert_eq!(decoded_vendor(&encoded[..length]).is_some(), is_whole, "{length}");
        }
        for text in ["+1:a0:", "-1:a0:", "99999999999999999999:a", ":a", "1:é"] {
            assert_eq!(decoded_vendor(&[VENDOR_HEADER, text.as_bytes()].concat()), None, "{text}");
        }
    }
}
