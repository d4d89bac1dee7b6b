//! JSON with positions; optionally with comments and trailing commas.
//!
//! Structure and places are found here; strings and numbers are decoded by `serde_json`.

use mangrove_domain::{
    document::{Node, NodeValue},
    ports::DocumentError,
};

use super::{MAX_DEPTH, decimal, error, written};

/// What a file may contain beside JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Nothing.
    Strict,
    /// `//` and `/* */` comments and a comma after the last element.
    WithComments,
}

/// Parses one JSON value that fills `text`.
pub(super) fn parse(name: &str, text: &str, dialect: Dialect) -> Result<Node, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = JsonReader { name, rest: text, line: 1, column: 1, dialect };
    let root = reader.value(0)?;
    reader.space()?;
    if reader.rest.is_empty() { Ok(root) } else { Err(reader.unexpected("the end of the file")) }
}

struct JsonReader<'a> {
    name: &'a str,
    rest: &'a str,
    line: u32,
    column: u32,
    dialect: Dialect,
}

impl<'a> JsonReader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, DocumentError> {
        self.space()?;
        let (line, column) = (self.line, self.column);
        let value = match self.rest.chars().next() {
            Some('{' | '[') if depth >= MAX_DEPTH => {
                return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
            }
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => NodeValue::String(self.string()?),
            Some('-' | '0'..='9') => return self.number(),
            Some(_) => self.word()?,
            None => return Err(self.unexpected("a value")),
        };
        Ok(Node::new(line, column, value))
    }

    fn object(&mut self, depth: usize) -> Result<NodeValue, DocumentError> {
        self.advance(1);
        let mut members: Vec<(Node, Node)> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        let mut may_end = true;
        loop {
            self.space()?;
            if may_end && self.rest.starts_with('}') {
                self.advance(1);
                return Ok(NodeValue::Map(members));
            }
            let (line, column) = (self.line, self.column);
            if !self.rest.starts_with('"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            if let Some(first) = seen.insert(key.clone(), line) {
                let message = format!("the key `{key}` is given twice, first in line {first}");
                return Err(error(self.name, line, column, message));
            }
            self.space()?;
            if !self.rest.starts_with(':') {
                return Err(self.unexpected("`:`"));
            }
            self.advance(1);
            let value = self.value(depth + 1)?;
            members.push((Node::new(line, column, NodeValue::String(key)), value));
            self.space()?;
            match self.rest.chars().next() {
                Some(',') => {
                    self.advance(1);
                    may_end = self.dialect == Dialect::WithComments;
                }
                Some('}') => may_end = true,
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<NodeValue, DocumentError> {
        self.advance(1);
        let mut items = Vec::new();
        let mut may_end = true;
        loop {
            self.space()?;
            if may_end && self.rest.starts_with(']') {
                self.advance(1);
                return Ok(NodeValue::List(items));
            }
            items.push(self.value(depth + 1)?);
            self.space()?;
            match self.rest.chars().next() {
                Some(',') => {
                    self.advance(1);
                    may_end = self.dialect == Dialect::WithComments;
                }
                Some(']') => may_end = true,
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
    }

    fn string(&mut self) -> Result<String, DocumentError> {
        let mut escaped = false;
        for (index, byte) in self.rest.bytes().enumerate().skip(1) {
            match byte {
                b'\n' | b'\r' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let token = &self.rest[..=index];
                    let text = serde_json::from_str(token)
                        .map_err(|_| self.error(format!("`{token}` has an escape or a character that JSON forbids")))?;
                    self.advance(index + 1);
                    return Ok(text);
                }
                _ => {}
            }
        }
        Err(self.error("the string is not closed on its line"))
    }

    fn number(&mut self) -> Result<Node, DocumentError> {
        let (line, column) = (self.line, self.column);
        let end = self
            .rest
            .find(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '+' | '-' | '.'))
            .unwrap_or(self.rest.len());
        let token = &self.rest[..end];
        let number = serde_json::from_str::<serde_json::Number>(token)
            .ok()
            .and_then(|_| decimal(token))
            .ok_or_else(|| self.error(format!("`{token}` is not a JSON number")))?;
        self.advance(end);
        let value = NodeValue::Number(number);
        let written = written(&value, token);
        Ok(Node { line, column, value, written })
    }

    fn word(&mut self) -> Result<NodeValue, DocumentError> {
        let value = match self.token() {
            "true" => NodeValue::Bool(true),
            "false" => NodeValue::Bool(false),
            "null" => NodeValue::Null,
            _ => return Err(self.unexpected("a value")),
        };
        self.advance(self.token().len());
        Ok(value)
    }

    /// The letters and digits ahead, or else the next character.
    fn token(&self) -> &'a str {
        let end = self.rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(self.rest.len());
        if end > 0 { &self.rest[..end] } else { &self.rest[..self.rest.chars().next().map_or(0, char::len_utf8)] }
    }

    fn space(&mut self) -> Result<(), DocumentError> {
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.advance(blank);
            if self.dialect == Dialect::Strict {
                return Ok(());
            }
            if self.rest.starts_with("//") {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                let end = self.rest.find("*/").ok_or_else(|| self.error("the comment is not closed"))?;
                self.advance(end + 2);
            } else {
                return Ok(());
            }
        }
    }

    fn advance(&mut self, bytes: usize) {
        for character in self.rest[..bytes].chars() {
            if character == '\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else {
                self.column = self.column.saturating_add(1);
            }
        }
        self.rest = &self.rest[bytes..];
    }

    fn error(&self, message: impl Into<String>) -> DocumentError {
        error(self.name, self.line, self.column, message)
    }

    fn unexpected(&self, expected: &str) -> DocumentError {
        let found = if self.rest.is_empty() {
            "the end of the file".to_owned()
        } else if self.rest.starts_with("//") || self.rest.starts_with("/*") {
            "a comment, which only .jsonc files may have".to_owned()
        } else {
            let token: String = self.token().chars().take(40).collect();
            format!("`{token}`")
        };
        self.error(format!("expected {expected}, found {found}"))
    }
}
