//! Texts as the server can keep them: it refuses the character U+0000, which file names of a manifest and messages of code
//! may hold all the same, and one row must not keep the others of its batch from being written.

use std::borrow::Cow;

const NUL: char = '\0';
/// No character of any text: Unicode reserves it for use inside of programs.
const STAND_IN: char = '\u{10FFFF}';

/// What is stored for a text.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    replaced(text, NUL, STAND_IN)
}

/// The text that something is stored for.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    replaced(text, STAND_IN, NUL)
}

fn replaced(text: &str, from: char, to: char) -> Cow<'_, str> {
    if text.contains(from) { text.replace(from, to.encode_utf8(&mut [0; 4])).into() } else { text.into() }
}
