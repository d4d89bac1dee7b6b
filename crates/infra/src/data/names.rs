//! File names from free text.

use std::fmt::Write as _;

use mangrove_domain::digest::Digest;

/// The longest escaped name, in bytes; file systems allow 255.
const LONGEST: usize = 200;

/// A file name for any text; different texts get different names.
///
/// Letters, digits, `-`, `_` and inner dots stay; every other byte becomes `%XX`. The empty text is `%`. A name
/// that would get too long is cut, and ends with `~` and the digest of the text.
pub(super) fn escape(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if index > 0 => name.push('.'),
            other => {
                // Writing into a string cannot fail.
                let _ = write!(name, "%{other:02X}");
            }
        }
    }
    if name.len() > LONGEST {
        let digest = Digest::of(text.as_bytes()).to_string();
        name.truncate(LONGEST - digest.len() - 1);
        name.push('~');
        name.push_str(&digest);
    }
    name
}

/// The text that has this file name; `None` if it was cut, or if no text has it.
pub(super) fn unescape(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' if name.len() == 1 => {}
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (escape(&text) == name).then_some(text)
}

/// True for the file name of a text that was too long: the text stands in no name then.
pub(super) fn is_cut(name: &str) -> bool {
    name.contains('~')
}

#[cfg(test)]
mod tests {
    use super::{escape, is_cut, unescape};

    #[test]
    fn texts_come_back_from_their_names_unless_they_were_cut() {
        for text in ["prod_zone-1.v2", "", "%", "..", ".hidden", "a/b", "größe", "a\\b\0c", "~", "@x", &"n".repeat(200)]
        {
            assert_eq!(unescape(&escape(text)).as_deref(), Some(text), "{text:?}");
            assert!(!is_cut(&escape(text)), "{text:?}");
        }
        let cut = escape(&"n".repeat(201));
        assert!(is_cut(&cut) && unescape(&cut).is_none());
        for none in ["a b", "%2e.", "%2", "%zz", "%FF", ".x", "a~b", "größe"] {
            assert_eq!(unescape(none), None, "{none}");
        }
    }

    #[test]
    fn plain_names_stay() {
        assert_eq!(escape("prod_zone-1.v2"), "prod_zone-1.v2");
    }

    #[test]
    fn nothing_leads_elsewhere() {
        assert_eq!(escape(".."), "%2E.");
        assert_eq!(escape("../../etc/passwd"), "%2E.%2F..%2Fetc%2Fpasswd");
        assert_eq!(escape("a\\b\0c"), "a%5Cb%00c");
        assert_eq!(escape(""), "%");
        assert_eq!(escape("%"), "%25");
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let (one, other) = (escape(&"ö".repeat(300)), escape(&"ö".repeat(301)));
        assert!(one.len() <= 200 && other.len() <= 200);
        assert_ne!(one, other);
    }
}
