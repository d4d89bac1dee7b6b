//! `${{ expression }}` inside of strings: where expressions begin and end, and which names they use.

/// One part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// The text between `${{` and `}}`, trimmed.
    Expression(&'a str),
}

/// A `${{` that nothing closes.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("`${{{{` is not closed by `}}}}`")]
pub struct Unclosed {
    /// Where it stands, in bytes from the start of the string.
    pub offset: usize,
}

/// The parts of `text`, in order; none of an empty one. Strings and braces inside of an expression do not end it.
///
/// # Errors
/// [`Unclosed`].
pub fn split(text: &str) -> Result<Vec<Part<'_>>, Unclosed> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${{") {
        let offset = text.len() - rest.len() + start;
        let inside = &rest[start + 3..];
        let end = expression_end(inside).ok_or(Unclosed { offset })?;
        if start > 0 {
            parts.push(Part::Text(&rest[..start]));
        }
        parts.push(Part::Expression(inside[..end].trim()));
        rest = &inside[end + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// The only expression of a string that is nothing else; its value keeps its type.
#[must_use]
pub fn sole_expression<'a>(parts: &[Part<'a>]) -> Option<&'a str> {
    let mut expressions = parts.iter().filter(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()));
    match (expressions.next(), expressions.next()) {
        (Some(Part::Expression(expression)), None) => Some(expression),
        _ => None,
    }
}

fn expression_end(inside: &str) -> Option<usize> {
    let mut scanner = Scanner::new(inside);
    let mut open = 0_usize;
    while let Some((index, character)) = scanner.next_outside_strings() {
        match character {
            '{' => open += 1,
            '}' if open > 0 => open -= 1,
            '}' if inside[index..].starts_with("}}") => return Some(index),
            _ => {}
        }
    }
    None
}

/// A name that an expression uses, with the members taken of it: `inputs.zone.id` is `["inputs", "zone", "id"]`.
/// Found without parsing; variables of comprehensions are among them, function names are not.
#[must_use]
pub fn references(expression: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest_from = 0;
    let mut previous = None;
    let mut scanner = Scanner::new(expression);
    while let Some((index, character)) = scanner.next_outside_strings() {
        if index < rest_from {
            continue;
        }
        let starts_name = character.is_alphabetic() || character == '_';
        let follows_name = previous.is_some_and(|before: char| before.is_alphanumeric() || matches!(before, '_' | '.'));
        if starts_name && !follows_name {
            let (path, end) = read_path(expression, index);
            rest_from = end;
            previous = expression[..end].chars().next_back();
            found.extend(path);
        } else if !character.is_whitespace() || !matches!(previous, Some('.')) {
            previous = Some(character);
        }
    }
    found
}

/// The path that begins at `start`, and where it ends. `None` for a function call or a literal word.
fn read_path(expression: &str, start: usize) -> (Option<Vec<String>>, usize) {
    let mut path = Vec::new();
    let mut at = start;
    loop {
        let name_end = expression[at..]
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .map_or(expression.len(), |length| at + length);
        let name = &expression[at..name_end];
        let after = expression[name_end..].trim_start();
        if after.starts_with('(') {
            // `path.method(…)`: the path ends before the method.
            return (Some(path).filter(|path| !path.is_empty()), name_end);
        }
        path.push(name.to_owned());
        at = name_end;
        let mut tail = after;
        while let Some((key, length)) = index_key(tail) {
            path.push(key.to_owned());
            at = expression.len() - tail.len() + length;
            tail = expression[at..].trim_start();
        }
        let Some(member) = tail.strip_prefix('.').map(str::trim_start) else { break };
        if !member.starts_with(|character: char| character.is_alphabetic() || character == '_') {
            break;
        }
        at = expression.len() - member.len();
    }
    let is_literal = matches!(path.as_slice(), [word] if matches!(word.as_str(), "true" | "false" | "null" | "in"));
    // A prefix of a string or bytes literal: r"…", b"…".
    let is_prefix = path.len() == 1 && expression[at..].starts_with(['"', '\'']);
    (Some(path).filter(|_| !is_literal && !is_prefix), at)
}

/// The literal key of `["key"]` at the start of `text`, and the length of the whole.
fn index_key(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix('[')?;
    let quote = inside.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (key, after) = inside[1..].split_once(quote)?;
    let after = after.strip_prefix(']')?;
    Some((key, text.len() - after.len()))
}

/// Walks over the characters of an expression that stand outside of string literals.
struct Scanner<'a> {
    characters: std::str::CharIndices<'a>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { characters: text.char_indices() }
    }

    /// The next character; the quotes around a string are given, its content is not.
    fn next_outside_strings(&mut self) -> Option<(usize, char)> {
        let (index, character) = self.characters.next()?;
        if matches!(character, '"' | '\'') {
            let mut escaped = false;
            for (_, inside) in self.characters.by_ref() {
                match inside {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    close if close == character => break,
                    _ => {}
                }
            }
        }
        Some((index, character))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Part::{Expression, Text};

    #[test]
    fn strings_split_at_expressions() {
        assert_eq!(split("").expect("closed"), []);
        assert_eq!(split("plain $ {{ }}").expect("closed"), [Text("plain $ {{ }}")]);
        assert_eq!(
            split("a-${{ inputs.x }}-${{inputs.y}}").expect("closed"),
            [Text("a-"), Expression("inputs.x"), Text("-"), Expression("inputs.y")]
        );
        let tricky = r#"${{ {'a': {'b': "}}"}}.a }}"#;
        assert_eq!(split(tricky).expect("closed"), [Expression(r#"{'a': {'b': "}}"}}.a"#)]);
        assert_eq!(split("é ${{ x "), Err(Unclosed { offset: 3 }));
        assert_eq!(Unclosed { offset: 0 }.to_string(), "`${{` is not closed by `}}`");
    }

    #[test]
    fn a_sole_expression_may_have_space_around_it() {
        let sole = |text| split(text).ok().and_then(|parts| sole_expression(&parts));
        assert_eq!(sole("${{ inputs.x }}"), Some("inputs.x"));
        assert_eq!(sole(" ${{ inputs.x }}\n"), Some("inputs.x"));
        assert_eq!(sole("${{ a }}${{ b }}"), None);
        assert_eq!(sole("x${{ a }}"), None);
        assert_eq!(sole("x"), None);
    }

    #[test]
    fn names_and_their_members_are_found() {
        let found = |text: &str| references(text).iter().map(|path| path.join(".")).collect::<Vec<_>>();
        assert_eq!(found("inputs.zone.id + 'inputs.no'"), ["inputs.zone.id"]);
        assert_eq!(found("env[\"A-B\"].size() + size(env.C)"), ["env.A-B", "env.C"]);
        assert_eq!(found("inputs.list.map(x, x.name)"), ["inputs.list", "x", "x.name"]);
        assert_eq!(found("true && vault.get('a', 'b') == null"), ["vault"]);
        assert_eq!(found("data.latest('m', 'n').attributes.x"), ["data"]);
        assert_eq!(found("inputs . a"), ["inputs.a"]);
        assert_eq!(found("r'x' + 1e5"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_text_is_lost_and_nothing_panics(text in "[a${} '\"é.\\[\\](\\\\]{0,40}") {
            let _ = references(&text);
            if let Ok(parts) = split(&text) {
                let kept: usize = parts
                    .iter()
                    .map(|part| match part {
                        Text(text) => text.len(),
                        Expression(expression) => expression.len() + 5,
                    })
                    .sum();
                prop_assert!(kept <= text.len());
            }
        }
    }
}
