//! Sentences that the rest of the program writes: names and commands in backticks, without a capital and without a full stop.

use std::fmt;

use askama::filters::{Html, HtmlSafe, escape};

/// How many characters of a message are shown where many are.
const LONGEST: usize = 800;

/// A sentence for a page: what stands in backticks is code.
#[derive(Clone, Debug)]
pub(crate) struct Words(String);

/// A sentence as it is.
pub(crate) fn words(text: &str) -> Words {
    Words(text.to_owned())
}

/// A few words as a heading: with a capital.
pub(crate) fn heading(text: &str) -> String {
    let mut characters = text.chars();
    let capital = characters.next().map(char::to_uppercase).into_iter().flatten();
    capital.chain(characters).collect()
}

/// A sentence of its own: with a capital and a full stop.
pub(crate) fn sentence(text: &str) -> Words {
    let mut sentence = heading(text);
    if !sentence.ends_with(['.', '!', '?', ':']) && !sentence.is_empty() {
        sentence.push('.');
    }
    Words(sentence)
}

/// The beginning of a message that may be long.
pub(crate) fn beginning(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl HtmlSafe for Words {}

impl fmt::Display for Words {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.split('`').collect();
        // With an odd number of backticks the last one is none that opens something.
        let is_whole = parts.len() % 2 == 1;
        for (number, part) in parts.iter().enumerate() {
            let Ok(escaped) = escape(part, Html);
            let is_last = number + 1 == parts.len();
            match (number % 2 == 1, is_last && !is_whole) {
                (true, false) => write!(out, "<code>{escaped}</code>")?,
                (true, true) => write!(out, "`{escaped}")?,
                (false, _) => write!(out, "{escaped}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_backticks_is_code_and_everything_is_escaped() {
        assert_eq!(sentence("write `name: a`").to_string(), "Write <code>name: a</code>.");
        assert_eq!(words("`<a>` & `b").to_string(), "<code>&#60;a&#62;</code> &#38; `b");
        assert_eq!(sentence("").to_string(), "");
        assert_eq!(sentence("expected `,` or `}`").to_string(), "Expected <code>,</code> or <code>}</code>.");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(beginning("short"), "short");
        let cut = beginning(&"ü".repeat(LONGEST + 1));
        assert_eq!(cut.chars().count(), LONGEST + 1);
        assert!(cut.ends_with('…'));
    }
}
