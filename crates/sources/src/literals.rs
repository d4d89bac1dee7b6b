//! What both ways of reading a module need to report the literals of its exports.

/// The keys of an exported object whose literal values are kept.
pub(super) const LITERAL_KEYS: [&str; 2] = ["type", "name"];

/// Line and column, both from 1, of a byte offset.
pub(super) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
