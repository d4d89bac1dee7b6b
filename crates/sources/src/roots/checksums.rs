//! What the lockfile says of the bytes of pulled extensions.

use std::collections::BTreeMap;

use mangrove_domain::{digest::Digest, document::Node, source::RelativePath};

/// What the lockfile says of the bytes of one extension (`filesChecksum`). `checksum` is that of the archive, which is
/// not here to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Checksums {
    /// Nothing, or something that is no checksum.
    #[default]
    Nothing,
    /// Of each file, SHA-256.
    Each(BTreeMap<RelativePath, Digest>),
    /// Of all of them: SHA-256 of what `sha256sum` prints of the locked files, sorted by path.
    All(Digest),
}

impl Checksums {
    /// Reads an entry of the lockfile; `below` gives the path of a file below its extension.
    pub(crate) fn read(entry: &Node, below: impl Fn(&str) -> Option<RelativePath>) -> Self {
        let Some(node) = entry.get("filesChecksum") else { return Self::Nothing };
        if let Some(members) = node.as_map() {
            let of_file = |(path, checksum): &(Node, Node)| Some((below(path.as_str()?)?, digest(checksum.as_str()?)?));
            return Self::Each(members.iter().filter_map(of_file).collect());
        }
        node.as_str().and_then(digest).map_or(Self::Nothing, Self::All)
    }
}

/// `sha256:<hex>`, `sha256-<hex>` or the digits alone.
fn digest(text: &str) -> Option<Digest> {
    let digits = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha256-")).unwrap_or(text);
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(Digest::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_in_every_spelling() {
        let digits = "0a".repeat(32);
        let expected = Some(Digest::from_bytes([10; 32]));
        for text in [digits.clone(), digits.to_uppercase(), format!("sha256:{digits}"), format!("sha256-{digits}")] {
            assert_eq!(digest(&text), expected, "{text}");
        }
        for text in ["", "sha256:", &digits[1..], &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(digest(text), None, "{text}");
        }
    }
}
