//! Text that somebody else wrote, as a terminal may get it: what a terminal would obey, and what readers cannot see, is
//! shown by its number instead. File names, thrown messages and lines of logs come from whoever wrote an extension.

use std::{borrow::Cow, fmt, io};

use mangrove_documents::human::is_plain;
use serde_json::ser::{Formatter, PrettyFormatter};

/// Where a text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On one line: a name, a cell of a table.
    Line,
    /// On as many lines as it has.
    Page,
}

/// The text on one line: line breaks and tabs are shown as `\n` and `\t`.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    show(text, Place::Line)
}

/// The text on the lines that it has. What stands after `\r\n` is on a line of its own too.
pub(crate) fn page(text: &str) -> Cow<'_, str> {
    show(text, Place::Page)
}

fn show(text: &str, place: Place) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let is_kept = |letter: char| !is_hidden(letter) || (place == Place::Page && matches!(letter, '\n' | '\t'));
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let ends_a_line = place == Place::Page && letter == '\r' && letters.peek() == Some(&'\n');
        if is_kept(letter) {
            shown.push(letter);
        } else if !ends_a_line {
            match letter {
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                _ => shown.extend(letter.escape_unicode()),
            }
        }
    }
    Cow::Owned(shown)
}

/// True for a character that a terminal obeys instead of showing it (C0, DEL, C1), that changes the order of others
/// (bidirectional controls), or that cannot be seen. The joiners of scripts and emoji are none of them.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            // Soft hyphen; Arabic letter mark; Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero width space; marks of direction.
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Separators of lines and paragraphs; embeddings and overrides of direction.
            | '\u{2028}'..='\u{202e}'
            // Word joiner and invisible operators; isolates; deprecated format characters.
            | '\u{2060}'..='\u{206f}'
            // Byte order mark; interlinear annotations; tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Compact JSON in which such characters are written as `\u…`: the same values, and nothing that a terminal obeys.
pub(crate) struct Json;

impl Formatter for Json {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if is_plain(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_hidden(*letter)) {
            writer.write_all(rest.as_bytes().get(..at).unwrap_or_default())?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = rest.get(at + letter.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// The same on several lines, indented by two blanks for each level.
#[derive(Default)]
pub(crate) struct IndentedJson(PrettyFormatter<'static>);

impl Formatter for IndentedJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        Json.write_string_fragment(writer, fragment)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// What `tracing` writes of an event: fields as they are, but visible.
pub(crate) fn log_field(
    writer: &mut tracing_subscriber::fmt::format::Writer<'_>,
    field: &tracing::field::Field,
    value: &dyn fmt::Debug,
) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", line(&text)),
        name => write!(writer, "{name}={}", line(&text)),
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;

    use super::*;

    #[test]
    fn f14_what_a_terminal_obeys_is_shown() {
        for (text, shown) in [
            ("plain — ünïcode 日本 👩\u{200d}👧", "plain — ünïcode 日本 👩\u{200d}👧"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\u{1b}]52;c;aGk=\\u{7}"),
            ("\u{9b}31m\u{9d}0;title\u{9c}", "\\u{9b}31m\\u{9d}0;title\\u{9c}"),
            ("over\rwritten\u{8}\u{7f}\0", "over\\rwritten\\u{8}\\u{7f}\\u{0}"),
            ("a\u{202e}b\u{2066}c\u{200f}d\u{61c}", "a\\u{202e}b\\u{2066}c\\u{200f}d\\u{61c}"),
            ("\u{feff}zero\u{200b}width\u{e0041}", "\\u{feff}zero\\u{200b}width\\u{e0041}"),
        ] {
            assert_eq!(line(text), shown);
            assert_eq!(page(text), shown);
        }
    }

    #[test]
    fn f14_line_breaks_are_kept_on_pages_only() {
        let text = "one\n\ttwo\r\nthree\rfour\u{2028}five";
        assert_eq!(line(text), "one\\n\\ttwo\\r\\nthree\\rfour\\u{2028}five");
        assert_eq!(page(text), "one\n\ttwo\nthree\\rfour\\u{2028}five");
    }

    #[test]
    fn f14_json_keeps_its_values_and_shows_what_a_terminal_obeys() {
        let text = "a\u{9b}31m \"\\\n\u{1b}[0m \u{202e}\u{e0041} é";
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Json);
        [text].serialize(&mut serializer).expect("it can be written");
        let written = String::from_utf8(bytes).expect("text");
        assert!(written.chars().all(|letter| matches!(letter, ' '..='~' | 'é')), "{written:?}");
        assert!(written.ends_with("é\"]"), "{written}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&written).expect("JSON"), [text]);
    }
}
