//! What building and inspecting gave is remembered by what it was made of: a rebuilt but identical bundle is not looked at
//! again, and inputs that were built before are not built again when their row is gone.

mod bundles;
mod inspections;

use mangrove_domain::digest::Digest;

pub use self::{bundles::CachedBundler, inspections::CachedInspector};

/// The bytes behind a digest of them and of their key. What is damaged may still be an
/// inspection, and would be believed for as long as its source stays as it is.
fn sealed(key: Digest, bytes: &[u8]) -> Vec<u8> {
    [&digest(key, bytes).as_bytes()[..], bytes].concat()
}

/// The bytes, if they and their key are those of the digest before them.
fn unsealed(key: Digest, sealed: &[u8]) -> Option<&[u8]> {
    let (found, bytes) = sealed.split_first_chunk::<32>()?;
    (Digest::from_bytes(*found) == digest(key, bytes)).then_some(bytes)
}

fn digest(key: Digest, bytes: &[u8]) -> Digest {
    Digest::of(&[&key.as_bytes()[..], bytes].concat())
}
