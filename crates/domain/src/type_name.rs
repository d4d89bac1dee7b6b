//! Names of types: one set of rules on every path into the catalog (fault 12).

use std::{fmt, sync::Arc};

use unicode_normalization::UnicodeNormalization as _;

/// A normalised type name, such as `@acme/dns`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName(Arc<str>);

/// Why a text is no type name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TypeNameError {
    /// Too few segments.
    #[error("expected at least two segments such as `@acme/dns`, found {0:?}")]
    TooFewSegments(String),
    /// Not of the strict form.
    #[error("expected `@?[a-z0-9_-]+/[a-z0-9_-]+`, found {0:?}")]
    NotStrict(String),
    /// Not of the strict form, with as many further segments as one likes.
    #[error("expected `@?[a-z0-9_-]+(/[a-z0-9_-]+)+`, found {0:?}")]
    NotReport(String),
}

impl TypeName {
    /// A model's type: trimmed, lower-cased, NFC; `::`, `.` and white space become `/`, repeats
    /// collapse, edges are stripped; at least two segments, where a lone leading `@` is none.
    ///
    /// # Errors
    /// [`TypeNameError::TooFewSegments`].
    pub fn model(text: &str) -> Result<Self, TypeNameError> {
        let lowered: String = text.trim().to_lowercase().nfc().collect();
        let separated: String = lowered
            .replace("::", "/")
            .chars()
            .map(|character| if character == '.' || character.is_whitespace() { '/' } else { character })
            .collect();
        let segments: Vec<&str> = separated.split('/').filter(|segment| !segment.is_empty()).collect();
        if segments.iter().filter(|segment| **segment != "@").count() < 2 {
            return Err(TypeNameError::TooFewSegments(text.to_owned()));
        }
        Ok(Self(segments.join("/").into()))
    }

    /// A vault's, driver's or datastore's type: exactly two strict segments, optionally after `@`.
    ///
    /// # Errors
    /// [`TypeNameError::NotStrict`].
    pub fn strict(text: &str) -> Result<Self, TypeNameError> {
        Self::strict_segments(text, |count| count == 2).ok_or_else(|| TypeNameError::NotStrict(text.to_owned()))
    }

    /// A report's name: two or more strict segments, optionally after `@`.
    ///
    /// # Errors
    /// [`TypeNameError::NotReport`].
    pub fn report(text: &str) -> Result<Self, TypeNameError> {
        Self::strict_segments(text, |count| count >= 2).ok_or_else(|| TypeNameError::NotReport(text.to_owned()))
    }

    fn strict_segments(text: &str, enough: impl Fn(usize) -> bool) -> Option<Self> {
        let segments: Vec<&str> = text.strip_prefix('@').unwrap_or(text).split('/').collect();
        let is_strict = |segment: &&str| {
            !segment.is_empty() && segment.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        };
        (enough(segments.len()) && segments.iter().all(is_strict)).then(|| Self(text.into()))
    }

    /// The same name without `@` before it; `None` if it has none.
    #[must_use]
    pub fn without_at(&self) -> Option<Self> {
        Self::model(self.0.strip_prefix('@')?).ok()
    }

    /// A name that was accepted before and comes back from storage.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}
