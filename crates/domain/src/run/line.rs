//! What methods log.

use crate::time::Timestamp;

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
