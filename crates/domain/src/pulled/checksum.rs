//! What the lockfile says of the bytes of pulled extensions.

use std::collections::BTreeMap;

use crate::{digest::Digest, document::Node, source::RelativePath};

/// What the lockfile says of the bytes of the files of one extension (`filesChecksum`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FilesChecksum {
    /// Nothing, or something that is no checksum.
    #[default]
    Nothing,
    /// Of each file, SHA-256.
    Each(BTreeMap<RelativePath, Digest>),
    /// Of all of them, as [`files_checksum`] has it.
    All(Digest),
}

impl FilesChecksum {
    /// Reads an entry of the lockfile; `below` gives the path of a file below its extension.
    pub(super) fn read(entry: &Node, below: impl Fn(&str) -> Option<RelativePath>) -> Self {
        let Some(node) = entry.get("filesChecksum") else { return Self::Nothing };
        if let Some(members) = node.as_map() {
            let of_file = |(path, checksum): &(Node, Node)| Some((below(path.as_str()?)?, digest(checksum.as_str()?)?));
            return Self::Each(members.iter().filter_map(of_file).collect());
        }
        node.as_str().and_then(digest).map_or(Self::Nothing, Self::All)
    }

    /// True if it is the checksum of these files, by the rule of [`files_checksum`] or by that of `sha256sum`, whose
    /// output some programs took.
    #[must_use]
    pub fn is_of(&self, files: &BTreeMap<RelativePath, Digest>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Each(recorded) => recorded == files,
            Self::All(recorded) => {
                let printed: Vec<String> = files.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
                *recorded == files_checksum(files) || *recorded == Digest::of(printed.concat().as_bytes())
            }
        }
    }
}

/// The checksum of all files of an extension: SHA-256 over the lines `path NUL sha256 LF`, sorted, with paths below the
/// extension.
#[must_use]
pub fn files_checksum(files: &BTreeMap<RelativePath, Digest>) -> Digest {
    let mut lines: Vec<String> = files.iter().map(|(path, digest)| format!("{path}\0{digest}\n")).collect();
    lines.sort_unstable();
    Digest::of(lines.concat().as_bytes())
}

/// `sha256:<hex>`, `sha256-<hex>` or the digits alone, in any case.
pub(super) fn digest(text: &str) -> Option<Digest> {
    text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha256-")).unwrap_or(text).parse().ok()
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

    #[test]
    fn a_checksum_of_all_files_is_known_by_both_rules() {
        let file = |path: &str, text: &str| (RelativePath::parse(path).expect("a path"), Digest::of(text.as_bytes()));
        let files = BTreeMap::from([file("models/a.ts", "a"), file("manifest.yaml", "b")]);
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let by_rule = Digest::of(format!("manifest.yaml\0{b}\nmodels/a.ts\0{a}\n").as_bytes());
        let printed = Digest::of(format!("{b}  manifest.yaml\n{a}  models/a.ts\n").as_bytes());
        assert_eq!(files_checksum(&files), by_rule);
        for recorded in [FilesChecksum::All(by_rule), FilesChecksum::All(printed), FilesChecksum::Each(files.clone())] {
            assert!(recorded.is_of(&files), "{recorded:?}");
            assert!(!recorded.is_of(&BTreeMap::from([file("models/a.ts", "a")])), "{recorded:?}");
        }
        assert!(!FilesChecksum::Nothing.is_of(&files));
    }
}
