//! JSON text that stands inside of a value: an input that somebody gave as text.
//!
//! Files and messages are read by adapters; this is for the few places where a rule asks whether a text is a list or an
//! object.

use crate::json::{Json, Number};

/// How deep values may be nested.
const MAX_DEPTH: usize = 128;

/// The value of a JSON text; `None` if it is none, or nested too deep. Of members of one name the last one counts.
#[must_use]
pub fn parse(text: &str) -> Option<Json> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// True if the next character is this one, which is then behind.
    fn takes(&mut self, character: char) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(character) else { return false };
        self.rest = rest;
        true
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.rest.chars().next()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            '"' => self.string().map(Json::String),
            '-' | '0'..='9' => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut members = Vec::new();
        self.takes('{');
        if self.takes('}') {
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            if !self.takes(':') {
                return None;
            }
            members.push((key, self.value(depth + 1)?));
            if self.takes('}') {
                return Some(Json::object(members));
            }
            if !self.takes(',') {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        let mut items = Vec::new();
        self.takes('[');
        if self.takes(']') {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.takes(']') {
                return Some(Json::Array(items));
            }
            if !self.takes(',') {
                return None;
            }
        }
    }

    fn word(&mut self) -> Option<Json> {
        for (word, value) in [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Some(value);
            }
        }
        None
    }

    fn number(&mut self) -> Option<Json> {
        let is_part = |character: char| character.is_ascii_digit() || matches!(character, '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        let digits = token.strip_prefix('-').unwrap_or(token);
        let is_padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if is_padded || token.contains("+.") || digits.starts_with('.') || token.ends_with('.') || token.contains(".e")
        {
            return None;
        }
        self.rest = rest;
        if let Ok(integer) = token.parse::<i64>() {
            return Some(Json::Number(Number::Integer(integer)));
        }
        token.parse::<f64>().ok().filter(|float| float.is_finite()).map(|float| Json::Number(Number::Float(float)))
    }

    fn string(&mut self) -> Option<String> {
        let mut characters = self.rest.strip_prefix('"')?.char_indices();
        let mut text = String::new();
        let body = &self.rest[1..];
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &body[at + 1..];
                    return Some(text);
                }
                '\\' => {
                    let (_, escape) = characters.next()?;
                    match escape {
                        '"' | '\\' | '/' => text.push(escape),
                        'b' => text.push('\u{8}'),
                        'f' => text.push('\u{c}'),
                        'n' => text.push('\n'),
                        'r' => text.push('\r'),
                        't' => text.push('\t'),
                        'u' => {
                            let mut unit = || hexadecimal(&mut characters);
                            let mut units = vec![unit()?];
                            if (0xd800..0xdc00).contains(&units[0]) {
                                let mut after = characters.clone();
                                let is_pair = after.next().map(|it| it.1) == Some('\\')
                                    && after.next().map(|it| it.1) == Some('u');
                                if is_pair {
                                    units.push(hexadecimal(&mut after)?);
                                    characters = after;
                                }
                            }
                            text.push_str(&String::from_utf16_lossy(&units));
                        }
                        _ => return None,
                    }
                }
                control if u32::from(control) < 0x20 => return None,
                other => text.push(other),
            }
        }
        None
    }
}

/// The next four digits.
fn hexadecimal(characters: &mut std::str::CharIndices<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = characters.next()?.1.to_digit(16)?;
        unit = unit << 4 | u16::try_from(digit).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_are_written() {
        for text in ["null", "true", "[1,2.5,-3]", r#"{"a":{"b":[]},"c":"x\n\"ä"}"#, "{}", "0", "-0.5"] {
            let value = parse(&format!(" {text}\n")).expect(text);
            let again = parse(&value.to_string()).expect(text);
            assert_eq!(value, again, "{text}");
        }
        assert_eq!(
            parse("1e3"),
            Some(Json::Number(Number::Float(1000.0))),
            "written with an exponent, it is no integer"
        );
        assert_eq!(parse(r#""\u00e4\ud83d\ude00\ud83d!\/""#), Some(Json::from("ä😀\u{fffd}!/")));
        assert_eq!(parse(r#"{"a":1,"a":2}"#).expect("an object").to_string(), r#"{"a":2}"#);
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for text in ["", "nul", "[1,]", "{a:1}", "01", "1.", ".5", "+1", "'a'", "\"a", "\"\\x\"", "[1] 2", "{\"a\" 1}"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }
}
