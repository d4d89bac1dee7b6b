//! The forms that code makes of a secret before it shows it: it is put into JSON, its `\n` become line breaks, it is
//! encoded for an address, escaped, folded, as base64 or in hexadecimal, of whatever bytes it was turned into. Pieces of it, its
//! letters in another order or a digest of it are nothing that a text could be searched for.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use mangrove_domain::json::Json;

use super::{
    SHORTEST,
    spelling::{self, Piece, is_base64},
};

/// The shortest value whose encodings are masked, in bytes, and the shortest line of a value with `\n` in it: those of
/// shorter ones occur in what is no secret.
const SHORTEST_ENCODED: usize = 8;

/// How many letters of a secret a line must end with to count as the beginning of one that goes on in the next.
const SHORTEST_BEGINNING: usize = 16;

/// What finds a secret in a text.
#[derive(Debug)]
pub(super) struct Finder {
    forms: Vec<Form>,
    /// The secret and its base64, each as one line: what a program may fold.
    foldable: Vec<String>,
    /// The forms that can begin with a byte, by that byte.
    beginnings: Vec<Vec<usize>>,
}

/// One form of a secret.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// These characters, each as it is or escaped.
    Written(Vec<Piece>),
    /// These letters of base64. At an end that is shared, a letter has bits of the secret and of its neighbour.
    Base64 { letters: Vec<u8>, shares_first: bool, shares_last: bool },
    /// These bytes as digits.
    Hexadecimal(Vec<u8>),
}

impl Finder {
    /// For all forms of a value of [`SHORTEST`] characters or more.
    pub(super) fn new(value: &str) -> Self {
        let forms: Vec<Form> = forms(value).into_iter().collect();
        let mut beginnings = vec![Vec::new(); 256];
        for (index, form) in forms.iter().enumerate() {
            for byte in form.beginnings() {
                if let Some(known) = beginnings.get_mut(usize::from(byte)) {
                    known.push(index);
                }
            }
        }
        let foldable = [value.to_owned(), STANDARD_NO_PAD.encode(value), URL_SAFE_NO_PAD.encode(value)];
        let is_foldable = |text: &String| text.len() >= 2 * SHORTEST_BEGINNING && !text.contains('\n');
        let mut foldable: Vec<String> = foldable.into_iter().filter(is_foldable).collect();
        foldable.dedup();
        Self { forms, foldable, beginnings }
    }

    /// Where a line has the beginning of a secret that goes on in the next line, and how it goes on.
    pub(super) fn folded(&self, line: &str) -> Option<(usize, String)> {
        let folded = self.foldable.iter().filter_map(|whole| {
            let (beginning, _) = whole.char_indices().nth(SHORTEST_BEGINNING).map(|(end, _)| whole.split_at(end))?;
            let at = line.rfind(beginning)?;
            let rest = whole.strip_prefix(line.get(at..)?.trim_end())?;
            (!rest.is_empty()).then(|| (at, rest.to_owned()))
        });
        folded.max_by_key(|(_, rest)| rest.len())
    }

    /// The text with every form replaced, the longest first where several begin.
    pub(super) fn replace(&self, text: String, replacement: &str) -> String {
        let bytes = text.as_bytes();
        let (mut replaced, mut copied, mut at) = (String::new(), 0, 0);
        while let Some(byte) = bytes.get(at) {
            // What begins with backslashes was looked for at the first of them.
            if *byte == b'\\' && at > copied && bytes.get(at - 1) == Some(&b'\\') {
                at += 1;
                continue;
            }
            let forms = self.beginnings.get(usize::from(*byte)).map_or(&[][..], Vec::as_slice);
            let found = forms
                .iter()
                .filter_map(|index| self.forms.get(*index)?.find(bytes, copied, at))
                .max_by_key(|(_, end)| *end);
            let found = found.and_then(|(start, end)| Some((text.get(copied..start)?, end)));
            if let Some((before, end)) = found {
                replaced.push_str(before);
                replaced.push_str(replacement);
                (copied, at) = (end, end);
            } else {
                at += 1;
            }
        }
        if copied == 0 {
            return text;
        }
        replaced.push_str(text.get(copied..).unwrap_or_default());
        replaced
    }
}

impl Form {
    fn beginnings(&self) -> Vec<u8> {
        let mut beginnings = vec![b'\\', b'%', b'&'];
        match self {
            Self::Written(pieces) => {
                let letter = match pieces.first() {
                    Some(Piece::Letter(letter)) => Some(*letter),
                    Some(Piece::Backslashes { escaped, .. }) => *escaped,
                    None => None,
                };
                let mut bytes = [0; 4];
                beginnings.extend(letter.and_then(|letter| letter.encode_utf8(&mut bytes).bytes().next()));
                match letter {
                    Some('\n') => beginnings.push(b'\r'),
                    Some(' ') => beginnings.push(b'+'),
                    _ => {}
                }
            }
            Self::Base64 { letters, .. } => beginnings.extend(match letters.first() {
                Some(b'+') => vec![b'+', b'-'],
                Some(b'/') => vec![b'/', b'_'],
                other => other.into_iter().copied().collect(),
            }),
            Self::Hexadecimal(bytes) => {
                let digit = bytes.first().map_or(b'0', |byte| spelling::digit(byte >> 4));
                beginnings.extend([digit, digit.to_ascii_uppercase()]);
            }
        }
        beginnings.sort_unstable();
        beginnings.dedup();
        beginnings
    }

    /// Where the form begins and ends in a text, if it is there at `at`; nothing before `from` belongs to it.
    fn find(&self, text: &[u8], from: usize, at: usize) -> Option<(usize, usize)> {
        match self {
            Self::Written(pieces) => Some((at, spelling::written(text, at, pieces, pieces.len() >= SHORTEST_ENCODED)?)),
            Self::Hexadecimal(bytes) => Some((at, spelling::hexadecimal(text, at, bytes)?)),
            Self::Base64 { letters, shares_first, shares_last } => {
                let mut end = spelling::base64(text, at, letters)?;
                let is_before = *shares_first && at > from && text.get(at - 1).is_some_and(|byte| is_base64(*byte));
                if *shares_last && text.get(end).is_some_and(|byte| is_base64(*byte)) {
                    end += 1;
                }
                while let Some(length) = spelling::padding(text.get(end..)?) {
                    end += length;
                }
                Some((at - usize::from(is_before), end))
            }
        }
    }
}

fn forms(value: &str) -> BTreeSet<Form> {
    // Readers of lines drop the carriage returns.
    let value = value.replace("\r\n", "\n");
    let unescaped = unescaped(&value);
    let mut forms = BTreeSet::from([Form::Written(spelling::pieces(&value))]);
    // What is printed is logged line by line.
    let lines = lines(&value, SHORTEST).chain(lines(&unescaped, SHORTEST_ENCODED));
    forms.extend(lines.map(|line| Form::Written(spelling::pieces(line))));
    if value.trim().len() >= SHORTEST_ENCODED {
        for text in [&value, value.trim(), &unescaped, unescaped.trim()] {
            let quoted = Json::from(text).to_string();
            for text in [text, &quoted[1..quoted.len() - 1]] {
                for bytes in encodings(text) {
                    forms.extend((0..3).map(|shift| base64(&bytes, shift)));
                    forms.insert(Form::Hexadecimal(bytes));
                }
                forms.insert(Form::Hexadecimal(code_units(text)));
            }
        }
    }
    forms
}

/// The lines of a text that have at least this many characters.
fn lines(text: &str, shortest: usize) -> impl Iterator<Item = &str> {
    text.lines().filter(move |line| line.trim().chars().count() >= shortest)
}

/// The text that code gets which replaces `\n` and its like by what they stand for.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.clone().next().and_then(spelling::meant) } else { None };
        text.push(escaped.unwrap_or(letter));
        if escaped.is_some() {
            letters.next();
        }
    }
    text
}

/// The bytes that code turns a text into: those of UTF-8, of UTF-16 in both orders, and of Latin-1 as `btoa` takes them.
fn encodings(text: &str) -> Vec<Vec<u8>> {
    let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
    let mut encodings = vec![text.as_bytes().to_vec(), units(u16::to_le_bytes), units(u16::to_be_bytes)];
    let latin: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
    encodings.extend(latin.filter(|_| !text.is_ascii()));
    encodings
}

/// The digits that code writes which asks for each `charCodeAt`: two of a letter of Latin-1, four of any other.
fn code_units(text: &str) -> Vec<u8> {
    let significant = |unit: u16| unit.to_be_bytes().into_iter().skip(usize::from(unit <= 0xff));
    text.encode_utf16().flat_map(significant).collect()
}

/// The base64 of a text that contains these bytes behind `shift` others, modulo 3, as far as it is only theirs.
fn base64(bytes: &[u8], shift: usize) -> Form {
    let encoded = STANDARD_NO_PAD.encode([&[0; 2][..shift], bytes].concat());
    let (first, bits) = ((8 * shift).div_ceil(6), 8 * (shift + bytes.len()));
    Form::Base64 {
        letters: encoded.as_bytes().get(first..bits / 6).unwrap_or_default().to_vec(),
        shares_first: shift > 0,
        shares_last: !bits.is_multiple_of(6),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn json(text: &str) -> String {
        Json::from(text).to_string()
    }

    fn masked(value: &str, text: &str) -> String {
        Finder::new(value).replace(text.to_owned(), "***")
    }

    #[test]
    fn f09_a_value_in_json_is_found_however_often_it_was_put_there() {
        for value in ["a \"quoted\" päss\\word", "two\nlines of it", "C:\\new\\table", "emoji 😀 here"] {
            let (mut text, mut depth) = (value.to_owned(), 0);
            while depth < 4 {
                assert_eq!(masked(value, &format!("<{text}>")), "<***>", "{value:?} at depth {depth}");
                let quoted = json(&text);
                text = quoted[1..quoted.len() - 1].to_owned();
                depth += 1;
            }
        }
        assert_eq!(masked("päss😀wörd", r"p\u00e4ss\ud83d\ude00w\u00F6rd"), "***");
    }

    /// As systems for continuous integration keep keys.
    const KEY: &str =
        r"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\nAQC7+/==\n-----END KEY-----";

    #[test]
    fn f09_a_key_in_one_line_is_found_by_its_lines() {
        let unescaped = KEY.replace("\\n", "\n");
        assert_eq!(masked(KEY, KEY), "***");
        assert_eq!(masked(KEY, &format!("key: {unescaped}.")), "key: ***.");
        assert_eq!(masked(KEY, &unescaped.replace('\n', "\r\n")), "***");
        for line in unescaped.lines() {
            assert_eq!(masked(KEY, &format!("[{line}]")), "[***]");
        }
        assert_eq!(masked(&unescaped, KEY), "***", "and the other way round");
        assert_eq!(masked(KEY, &json(&unescaped)), "\"***\"");
    }

    #[test]
    fn f09_base64_is_found_behind_whatever_stands_before_it() {
        let value = "tok~en/with?bits>>";
        for before in ["", "u", "us", "use", "user:", "{\"key\":\""] {
            for after in ["", "x", "xy", "\"}"] {
                let text = [before, value, after].concat();
                for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let shown = masked(value, &format!("Basic {encoded}"));
                    assert!(shown.contains("***"), "{text:?}: {shown}");
                    let rest = shown.replace("***", "").replace("Basic ", "").replace('=', "");
                    // What stands around it may be read, its own letters may not.
                    assert!(rest.len() * 6 / 8 <= before.len() + after.len(), "{text:?}: {shown}");
                }
            }
        }
        let long = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(4);
        let encoded = STANDARD.encode(&long);
        for width in [64, 76] {
            let wrapped: Vec<&str> =
                encoded.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            assert_eq!(masked(&long, &wrapped.join("\n")), "***");
            assert_eq!(masked(&long, &json(&wrapped.join("\r\n"))), "\"***\"");
        }
        let in_address = STANDARD.encode(value).replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
        assert_eq!(masked(value, &in_address), "***");
        assert_eq!(masked("secret-with-newline\n", &STANDARD.encode("secret-with-newline")), "***");
        assert_eq!(masked(KEY, &STANDARD.encode(KEY.replace("\\n", "\n"))), "***");
    }

    #[test]
    fn f09_percent_encoding_is_found_in_every_dialect() {
        let value = "p@ss w/ö'rd!+\"(~)";
        for encoded in [
            "p%40ss%20w%2F%C3%B6'rd!%2B%22(~)",
            "p%40ss+w%2F%C3%B6%27rd%21%2B%22%28%7E%29",
            "p%40ss%20w%2f%c3%b6%27rd%21%2b%22%28~%29",
            "p@ss%20w/%C3%B6'rd!+%22(~)",
            "p%2540ss%2520w%252F%25C3%25B6'rd!%252B%2522(~)",
        ] {
            assert_eq!(masked(value, &format!("https://h/?k={encoded}&x=1")), "https://h/?k=***&x=1", "{encoded}");
        }
    }

    #[test]
    fn f09_what_is_escaped_for_xml_is_found() {
        let value = "Tr0ub4dor&3 <zebra> \"quilt\" it's";
        for escaped in [
            "Tr0ub4dor&amp;3 &lt;zebra&gt; &quot;quilt&quot; it&#39;s",
            "Tr0ub4dor&amp;3 &lt;zebra> \"quilt\" it's",
            "Tr0ub4dor&#38;3 &#x3c;zebra&#X3E; &#34;quilt&#x22; it&apos;s",
        ] {
            assert_eq!(masked(value, &format!("<p>{escaped}</p>")), "<p>***</p>", "{escaped}");
            assert_eq!(masked(value, &json(&format!("<p>{escaped}</p>"))), "\"<p>***</p>\"", "{escaped}");
        }
        assert_eq!(masked("<begins", "&lt;begins & &begins"), "*** & &begins");
        assert_eq!(masked("a&b=c&d=e", "a&amp b=c; a&lt;b=c&d=e"), "a&amp b=c; a&lt;b=c&d=e");
    }

    #[test]
    fn f09_a_value_is_found_that_was_folded() {
        let value = "Tr0ub4dor-zebra-quilt";
        for width in 1..value.len() {
            let lines: Vec<&str> =
                value.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            for separator in ["\n", "\r\n"] {
                let text = format!("a\n{}\nb", lines.join(separator));
                assert_eq!(masked(value, &text), "a\n***\nb", "{width}");
                assert_eq!(masked(value, &json(&text)), json("a\n***\nb"), "{width}");
            }
        }
        assert_eq!(masked("a b c d", "a b\nc d"), "a b\nc d", "short values occur in what is no secret");
        assert_eq!(masked(value, "Tr0ub4dor-\n\nzebra-quilt"), "Tr0ub4dor-\n\nzebra-quilt");
    }

    #[test]
    fn f09_hexadecimal_is_found_in_both_cases() {
        let value = "s3cret-Ünit";
        assert_eq!(
            masked("100%25 of 50%", "100%2525+of+50%25; 100%25 of 50%; 100%252525%2520of%252050%2525"),
            "***; ***; ***"
        );
        let digits =
            |separator: &str| value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator);
        for text in [digits(""), digits("").to_uppercase(), digits(" "), digits(":"), digits("\\x")] {
            assert_eq!(masked(value, &format!("<{text}>")), "<***>");
        }
    }

    #[test]
    fn f09_short_values_do_not_mask_what_is_none_of_them() {
        let text = "YWJj 616263 YWJjZGU= 6162636465 a b a+b abcd QUJD reports: {\n  }\n, 1, 12";
        assert_eq!(masked("abc", text), text.replace("abcd", "***d"));
        assert_eq!(masked("a b", text), text.replace("a b", "***"));
        assert_eq!(masked("abcde", text), text);
        assert_eq!(masked("C:\\new\\reports", text), text, "its escapes leave no words");
        assert_eq!(masked("{\n  \"a\": \"abcdefgh\"\n  }\n", text), text, "brackets are no secret");
    }

    #[test]
    fn f09_a_value_that_is_very_long_is_found_as_it_is() {
        let value = format!("{}\nlast \"line\"", "0123456789".repeat(20_000));
        assert_eq!(masked(&value, &format!("<{value}>")), "<***>");
        assert_eq!(masked(&value, &json(&value)), "\"***\"");
        assert_eq!(masked(&value, "<last \"line\">"), "<***>");
        let key = "k".repeat(10_000);
        assert_eq!(masked(&key, &STANDARD.encode(&key)), "***");
    }
}
