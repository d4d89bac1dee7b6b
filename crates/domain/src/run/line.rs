//! What methods log.

use std::borrow::Cow;

use crate::time::Timestamp;

/// How a sequence begins that may choose a style of a terminal.
const STYLE: &str = "\u{1b}[";

/// One line of a method's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text, secrets masked.
    pub text: String,
}

/// A text without the colours and other styles that the program chose which wrote it (`ESC [ … m`). All else that a terminal would
/// obey stays for its reader to show.
#[must_use]
pub fn without_styles(text: &str) -> Cow<'_, str> {
    if !text.contains(STYLE) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(STYLE) {
        plain.push_str(before);
        let length = after.find(|letter: char| !matches!(letter, '0'..='9' | ';' | ':')).unwrap_or(after.len());
        rest = after.get(length..).unwrap_or_default().strip_prefix('m').unwrap_or_else(|| {
            plain.push_str(STYLE);
            after
        });
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
