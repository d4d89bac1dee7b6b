//! Fingerprints: what a bundle was made from, in four parts that are kept apart.
//!
//! Each part is a set of sorted, length-prefixed lines with a format version; its digest is the SHA-256
//! of exactly those bytes, and the bytes are kept, so that what differs can be named instead of guessed.
//! Rules: `design/freshness.md`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::digest::Digest;

/// The version of the encoding. A change makes every fingerprint differ, hence every source stale.
pub const FORMAT_VERSION: u32 = 1;

/// The value of a source file that cannot be read; equal to no digest.
pub const UNREADABLE: &str = "unreadable";

/// One fact that goes into a part: what it is about, and its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// What it is about: a path, a package name, an option. Any text, injectively encoded.
    pub key: String,
    /// A digest, a version, a value.
    pub value: String,
}

impl Line {
    /// A line from its two texts.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// One part of a fingerprint.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Part {
    digest: Digest,
    encoded: Arc<[u8]>,
}

/// The stored bytes are not an encoded part.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an encoded fingerprint part")]
pub struct DecodePartError;

impl Part {
    /// The part of these lines, in any order; equal lines count once.
    pub fn of(lines: impl IntoIterator<Item = Line>) -> Self {
        let mut lines: Vec<Line> = lines.into_iter().collect();
        lines.sort();
        lines.dedup();
        let mut encoded = format!("mangrove-fingerprint {FORMAT_VERSION}\n").into_bytes();
        for line in &lines {
            for text in [&line.key, &line.value] {
                encoded.extend_from_slice(format!("{}:", text.len()).as_bytes());
                encoded.extend_from_slice(text.as_bytes());
            }
            encoded.push(b'\n');
        }
        Self { digest: Digest::of(&encoded), encoded: encoded.into() }
    }

    /// A part from its digest and bytes that storage keeps under this digest; not verified.
    #[must_use]
    pub fn from_stored(digest: Digest, encoded: Arc<[u8]>) -> Self {
        Self { digest, encoded }
    }

    /// The digest of the encoded lines.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The encoded lines.
    #[must_use]
    pub fn encoded(&self) -> &Arc<[u8]> {
        &self.encoded
    }

    /// True if one of the lines is about this. False of bytes that came from elsewhere and are no encoded part.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        let Some(header) = self.encoded.iter().position(|byte| *byte == b'\n') else { return false };
        let mut rest = &self.encoded[header + 1..];
        while let (Ok(found), Ok(_)) = (take_bytes(&mut rest), take_bytes(&mut rest)) {
            if found == key.as_bytes() {
                return true;
            }
            rest = rest.strip_prefix(b"\n").unwrap_or_default();
        }
        false
    }

    /// The lines, sorted.
    ///
    /// # Errors
    /// [`DecodePartError`] if the bytes came from elsewhere and are no encoded part.
    pub fn lines(&self) -> Result<Vec<Line>, DecodePartError> {
        let header = self.encoded.iter().position(|byte| *byte == b'\n').ok_or(DecodePartError)?;
        let mut rest = &self.encoded[header + 1..];
        let mut lines = Vec::new();
        while !rest.is_empty() {
            let key = take_text(&mut rest)?;
            let value = take_text(&mut rest)?;
            rest = rest.strip_prefix(b"\n").ok_or(DecodePartError)?;
            lines.push(Line { key, value });
        }
        Ok(lines)
    }

    /// What differs between this part and a later one, sorted by key. Empty if they are equal or one of
    /// them cannot be decoded.
    #[must_use]
    pub fn changes(&self, later: &Part) -> Vec<Change> {
        if self.digest == later.digest {
            return Vec::new();
        }
        let (Ok(before), Ok(after)) = (self.lines(), later.lines()) else {
            return Vec::new();
        };
        let mut by_key: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
        for line in &before {
            by_key.entry(&line.key).or_default().0.push(&line.value);
        }
        for line in &after {
            by_key.entry(&line.key).or_default().1.push(&line.value);
        }
        by_key
            .into_iter()
            .filter(|(_, (before, after))| before != after)
            .map(|(key, (before, after))| Change {
                key: key.to_owned(),
                before: joined(&before),
                after: joined(&after),
            })
            .collect()
    }
}

/// The values of one key, which is one value for all parts that we make ourselves.
fn joined(values: &[&str]) -> Option<String> {
    if values.is_empty() { None } else { Some(values.join(", ")) }
}

fn take_text(rest: &mut &[u8]) -> Result<String, DecodePartError> {
    let text = std::str::from_utf8(take_bytes(rest)?).map_err(|_| DecodePartError)?;
    Ok(text.to_owned())
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodePartError> {
    let colon = rest.iter().position(|byte| *byte == b':').ok_or(DecodePartError)?;
    let length: usize =
        std::str::from_utf8(&rest[..colon]).ok().and_then(|text| text.parse().ok()).ok_or(DecodePartError)?;
    let start = colon + 1;
    let end = start.checked_add(length).filter(|end| *end <= rest.len()).ok_or(DecodePartError)?;
    let bytes = &rest[start..end];
    *rest = &rest[end..];
    Ok(bytes)
}

/// The part without lines.
impl Default for Part {
    fn default() -> Self {
        Self::of([])
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Part({})", self.digest.short())
    }
}

/// One difference between two parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Change {
    /// What it is about.
    pub key: String,
    /// The value before; `None` if it is new.
    pub before: Option<String>,
    /// The value now; `None` if it is gone.
    pub after: Option<String>,
}

/// All that a bundle is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inputs {
    /// The entry and every local file that its module graph reaches, with their digests.
    pub source: Part,
    /// The settings that govern this entry and change output.
    pub config: Part,
    /// The resolved package closure: `name@version` and integrity. Of an entry whose imports nothing maps, also the
    /// bundle that its extension ships ([`crate::shipped::Shipped::added_to`]).
    pub packages: Part,
    /// The bundler's identity: adapter, version, options, our own formats.
    pub bundler: Part,
}

/// The four parts by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartName {
    /// [`Inputs::source`]
    Source,
    /// [`Inputs::config`]
    Config,
    /// [`Inputs::packages`]
    Packages,
    /// [`Inputs::bundler`]
    Bundler,
}

impl PartName {
    /// Every part, in the order in which differences are reported.
    pub const ALL: [PartName; 4] = [PartName::Source, PartName::Config, PartName::Packages, PartName::Bundler];
}

impl PartName {
    /// `source`, `config`, `packages` or `bundler`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PartName::Source => "source",
            PartName::Config => "config",
            PartName::Packages => "packages",
            PartName::Bundler => "bundler",
        }
    }
}

impl Inputs {
    /// True if everything that the author decides is equal: all but the bundler, which is ours.
    #[must_use]
    pub fn same_author_parts(&self, other: &Inputs) -> bool {
        self.source == other.source && self.config == other.config && self.packages == other.packages
    }

    /// True if a file of the source part could not be read.
    #[must_use]
    pub fn has_unreadable_source(&self) -> bool {
        self.source.lines().is_ok_and(|lines| lines.iter().any(|line| line.value == UNREADABLE))
    }

    /// The part of this name.
    #[must_use]
    pub fn part(&self, name: PartName) -> &Part {
        match name {
            PartName::Source => &self.source,
            PartName::Config => &self.config,
            PartName::Packages => &self.packages,
            PartName::Bundler => &self.bundler,
        }
    }

    /// One digest over the four.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let parts = PartName::ALL.map(|name| *self.part(name).digest().as_bytes());
        Digest::of(&parts.concat())
    }
}
