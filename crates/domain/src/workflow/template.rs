//! `${{ expression }}` inside of strings: where expressions begin and end. What they read, the port
//! [`Expressions`](crate::ports::Expressions) knows.

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

    proptest! {
        #[test]
        fn no_text_is_lost_and_nothing_panics(text in "[a${} '\"é.\\[\\](\\\\]{0,40}") {
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
