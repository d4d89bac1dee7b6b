//! Checksums of files that only this program writes and reads.

use mangrove_domain::digest::Digest;

/// Tells whether these bytes are those that were written, and names them. It is not SHA-256, which takes some twenty times as
/// long where the processor has no instructions for it, and so it must not be compared with a digest of anything else.
#[must_use]
pub fn of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(*blake3::hash(bytes).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_have_another_checksum() {
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
        assert_ne!(of(b""), of(b"\0"));
    }
}
