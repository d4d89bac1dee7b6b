//! NUL bytes in the text of a module: allowed in templates and regular expressions, and the end of a text for the engine.

use std::borrow::Cow;

/// The text with an escape in place of each NUL. What `String.raw` and `source` of a regular expression say of it is the escape.
pub(super) fn escaped(source: &str) -> Cow<'_, str> {
    if !source.contains('\0') {
        return Cow::Borrowed(source);
    }
    let mut text = String::with_capacity(source.len() + 16);
    let mut backslashes = 0;
    for character in source.chars() {
        match character {
            // One that is escaped already is the character itself: the escape has its backslash.
            '\0' if backslashes % 2 == 1 => text.push_str("x00"),
            '\0' => text.push_str("\\x00"),
            other => text.push(other),
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_becomes_an_escape_of_its_own() {
        for (source, expected) in [
            ("plain", "plain"),
            ("`a\0b`", "`a\\x00b`"),
            ("/\0+/", "/\\x00+/"),
            ("'\\\0'", "'\\x00'"),
            ("'\\\\\0'", "'\\\\\\x00'"),
            ("'\0\0'", "'\\x00\\x00'"),
        ] {
            assert_eq!(escaped(source), expected, "{source:?}");
        }
    }
}
