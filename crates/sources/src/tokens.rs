//! Exports and literals of text that does not parse: its tokens, without comments, strings and templates.
//!
//! Never recurses, so no input can overflow the stack.

use super::{
    literals::{LITERAL_KEYS, place},
    parser::{ExportLiteral, ParsedModule},
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'text> {
    Word(&'text str),
    /// A string, or a template without substitution.
    Text(String),
    Mark(u8),
    /// A number, a regular expression, a template with substitutions.
    Other,
}

/// What can be said of `bytes` without parsing: exports and literals, no imports, no syntax error.
#[must_use]
pub(super) fn scan(bytes: &[u8]) -> ParsedModule {
    let text = String::from_utf8_lossy(bytes);
    let tokens = tokenize(&text);
    let (mut module, mut exports) = (ParsedModule::default(), Vec::new());
    for (index, (_, token)) in tokens.iter().enumerate() {
        if *token == Token::Word("export") {
            export(&text, &tokens, index, &mut exports, &mut module);
        }
    }
    module.set_exports(&text, exports);
    module
}

type Placed<'text> = (usize, Token<'text>);

fn word<'text>(tokens: &[Placed<'text>], index: usize) -> Option<&'text str> {
    match tokens.get(index) {
        Some((_, Token::Word(word))) => Some(word),
        _ => None,
    }
}

fn is_mark(tokens: &[Placed<'_>], index: usize, mark: u8) -> bool {
    matches!(tokens.get(index), Some((_, Token::Mark(found))) if *found == mark)
}

fn export(
    text: &str,
    tokens: &[Placed<'_>],
    index: usize,
    exports: &mut Vec<(usize, String)>,
    module: &mut ParsedModule,
) {
    if is_mark(tokens, index + 1, b'{') {
        let mut at = index + 2;
        while let Some(local) = word(tokens, at) {
            let is_type = local == "type" && word(tokens, at + 1).is_some_and(|next| next != "as");
            if is_type {
                at += 1;
            }
            let name = if word(tokens, at + 1) == Some("as") {
                at += 2;
                word(tokens, at).unwrap_or(local)
            } else {
                local
            };
            // A list may end in the middle of an export, as it does while somebody types.
            let Some((place, _)) = tokens.get(at) else { break };
            if !is_type && name != "default" {
                exports.push((*place, name.to_owned()));
                if let Some(value) = declared_value(tokens, local) {
                    literals(text, tokens, *place, value, name, module);
                }
            }
            at += 1;
            if !is_mark(tokens, at, b',') {
                break;
            }
            at += 1;
        }
        return;
    }
    let mut at = index + 1;
    while matches!(word(tokens, at), Some("async" | "abstract")) {
        at += 1;
    }
    if !matches!(word(tokens, at), Some("const" | "let" | "var" | "function" | "class" | "enum")) {
        return;
    }
    if is_mark(tokens, at + 1, b'*') {
        at += 1;
    }
    if let Some(name) = word(tokens, at + 1) {
        exports.push((tokens[at + 1].0, name.to_owned()));
        if let Some(value) = assigned_value(tokens, at + 2) {
            literals(text, tokens, tokens[index].0, value, name, module);
        }
    }
}

/// The index of what `const name` is initialised with.
fn declared_value(tokens: &[Placed<'_>], name: &str) -> Option<usize> {
    (0..tokens.len())
        .find(|at| matches!(word(tokens, *at), Some("const" | "let" | "var")) && word(tokens, at + 1) == Some(name))
        .and_then(|at| assigned_value(tokens, at + 2))
}

/// The index after the `=` of a declaration, over a type annotation if there is one.
fn assigned_value(tokens: &[Placed<'_>], from: usize) -> Option<usize> {
    for at in from..tokens.len() {
        match &tokens[at].1 {
            Token::Mark(b'=') if !is_mark(tokens, at + 1, b'>') => return Some(at + 1),
            Token::Mark(b';') | Token::Word("export" | "import" | "const" | "let" | "var" | "function" | "class") => {
                return None;
            }
            Token::Word(_) | Token::Text(_) | Token::Mark(_) | Token::Other => {}
        }
    }
    None
}

/// Collects the first literal of each key at the first depth of the object that starts at `value`.
fn literals(text: &str, tokens: &[Placed<'_>], offset: usize, value: usize, export: &str, module: &mut ParsedModule) {
    if !is_mark(tokens, value, b'{') {
        return;
    }
    let line = place(text, offset).0;
    let mut depth = 0_usize;
    for at in value..tokens.len() {
        match &tokens[at].1 {
            Token::Mark(b'{' | b'[' | b'(') => depth += 1,
            Token::Mark(b'}' | b']' | b')') => {
                depth -= 1;
                if depth == 0 {
                    return;
                }
            }
            Token::Word(_) | Token::Text(_) if depth == 1 && is_key(tokens, at) => {
                let key = match &tokens[at].1 {
                    Token::Word(word) => (*word).to_owned(),
                    Token::Text(text) => text.clone(),
                    Token::Mark(_) | Token::Other => continue,
                };
                if let (true, Some((_, Token::Text(value)))) =
                    (LITERAL_KEYS.contains(&key.as_str()), tokens.get(at + 2))
                    && !module.literals.iter().any(|known| known.export == export && known.key == key)
                {
                    module.literals.push(ExportLiteral { export: export.to_owned(), key, value: value.clone(), line });
                }
            }
            Token::Word(_) | Token::Text(_) | Token::Mark(_) | Token::Other => {}
        }
    }
}

fn is_key(tokens: &[Placed<'_>], at: usize) -> bool {
    (is_mark(tokens, at - 1, b'{') || is_mark(tokens, at - 1, b',')) && is_mark(tokens, at + 1, b':')
}

fn tokenize(text: &str) -> Vec<Placed<'_>> {
    let bytes = text.as_bytes();
    let mut tokens: Vec<Placed<'_>> = Vec::new();
    // One entry per open `${`: how many braces are open inside it.
    let mut substitutions: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let next = bytes.get(at + 1).copied();
        match bytes[at] {
            b'/' if next == Some(b'/') => at = line_end(bytes, at),
            b'/' if next == Some(b'*') => {
                at = find(bytes, at + 2, b"*/").map_or(bytes.len(), |end| end + 2);
            }
            b'/' if starts_expression(&tokens) => {
                at = skip_pattern(bytes, at);
                tokens.push((start, Token::Other));
            }
            quote @ (b'"' | b'\'') => {
                let (end, value) = quoted(text, at, quote);
                at = end;
                tokens.push((start, Token::Text(value)));
            }
            b'`' => {
                let (end, token, is_open) = template(text, at + 1);
                at = end;
                tokens.push((start, token));
                if is_open {
                    substitutions.push(0);
                }
            }
            b'}' if substitutions.last() == Some(&0) => {
                substitutions.pop();
                let (end, _, is_open) = template(text, at + 1);
                at = end;
                tokens.push((start, Token::Other));
                if is_open {
                    substitutions.push(0);
                }
            }
            byte if is_word_start(byte) => {
                while at < bytes.len() && (is_word_start(bytes[at]) || bytes[at].is_ascii_digit()) {
                    at += 1;
                }
                tokens.push((start, Token::Word(&text[start..at])));
            }
            byte if byte.is_ascii_digit() => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' || bytes[at] == b'.')
                {
                    at += 1;
                }
                tokens.push((start, Token::Other));
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            byte => {
                match (byte, substitutions.last_mut()) {
                    (b'{', Some(open)) => *open += 1,
                    (b'}', Some(open)) => *open -= 1,
                    _ => {}
                }
                tokens.push((start, Token::Mark(byte)));
                at += 1;
            }
        }
    }
    tokens
}

const fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// True if a slash here begins a regular expression rather than divides.
fn starts_expression(tokens: &[Placed<'_>]) -> bool {
    match tokens.last() {
        None => true,
        Some((_, Token::Word(word))) => matches!(*word, "return" | "typeof" | "case" | "in" | "of" | "void" | "delete"),
        Some((_, Token::Mark(mark))) => !matches!(mark, b')' | b']' | b'}'),
        Some((_, Token::Text(_) | Token::Other)) => false,
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| from + length)
}

fn find(bytes: &[u8], from: usize, pattern: &[u8]) -> Option<usize> {
    bytes.get(from..)?.windows(pattern.len()).position(|window| window == pattern).map(|found| from + found)
}

fn skip_pattern(bytes: &[u8], from: usize) -> usize {
    let mut in_class = false;
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' => return at,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'/' if !in_class => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The end of a quoted string and its value; a line's end closes it.
fn quoted(text: &str, from: usize, quote: u8) -> (usize, String) {
    let bytes = text.as_bytes();
    let mut at = from + 1;
    while at < bytes.len() && bytes[at] != quote && bytes[at] != b'\n' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let end = at.min(bytes.len());
    let value = unescape(text.get(from + 1..end).unwrap_or_default());
    (if bytes.get(end) == Some(&quote) { end + 1 } else { end }, value)
}

/// Reads on inside a template: its end, its token, and whether a `${` opened.
fn template(text: &str, from: usize) -> (usize, Token<'_>, bool) {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'`' => return (at + 1, Token::Text(unescape(text.get(from..at).unwrap_or_default())), false),
            b'$' if bytes.get(at + 1) == Some(&b'{') => return (at + 2, Token::Other, true),
            _ => at += 1,
        }
    }
    (bytes.len(), Token::Other, false)
}

fn unescape(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, if character == '\\' { characters.next() } else { None }) {
            ('\\', Some('n')) => value.push('\n'),
            ('\\', Some('t')) => value.push('\t'),
            ('\\', Some(escaped)) => value.push(escaped),
            ('\\', None) => {}
            (character, _) => value.push(character),
        }
    }
    value
}
