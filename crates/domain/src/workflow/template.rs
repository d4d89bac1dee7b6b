//! `${{ expression }}` inside of strings: where expressions begin and end. What they read, the port
//! [`Expressions`](crate::ports::Expressions) knows.

use crate::json::Json;

/// What opens an expression.
pub const OPEN: &str = "${{";
/// What closes it.
pub const CLOSE: &str = "}}";

/// One part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// An expression.
    Expression(Span<'a>),
}

/// An expression and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// With `${{` and `}}`.
    pub raw: &'a str,
    /// What stands between them, trimmed.
    pub expression: &'a str,
}

/// The parts of `text`, in order; none of an empty one.
///
/// An expression ends at the first `}}` that follows at least one character, whatever stands before it: quotes and braces
/// of the expression itself do not count. What is never closed is text.
#[must_use]
pub fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let inside = &rest[start + OPEN.len()..];
        let first = inside.chars().next().map_or(0, char::len_utf8);
        let Some(end) = inside[first..].find(CLOSE).map(|end| end + first).filter(|_| first > 0) else { break };
        if start > 0 {
            parts.push(Part::Text(&rest[..start]));
        }
        let (whole, after) = rest[start..].split_at(OPEN.len() + end + CLOSE.len());
        parts.push(Part::Expression(Span { raw: whole, expression: inside[..end].trim() }));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// The only expression of a string that begins with it and has nothing but white space behind it; its value keeps its type.
#[must_use]
pub fn sole_expression<'a>(parts: &[Part<'a>]) -> Option<Span<'a>> {
    match parts {
        [Part::Expression(span)] => Some(*span),
        [Part::Expression(span), Part::Text(behind)] if behind.trim().is_empty() => Some(*span),
        _ => None,
    }
}

/// A value as it stands in a text: null is nothing, lists and mappings are JSON indented by two, everything else is as usual.
#[must_use]
pub fn put_into_text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(_) | Json::Object(_) => value.indented(),
        Json::Number(number) => number.to_string(),
        Json::Bool(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Part::Text;

    fn expression<'a>(raw: &'a str, expression: &'a str) -> Part<'a> {
        Part::Expression(Span { raw, expression })
    }

    #[test]
    fn strings_split_at_expressions() {
        assert_eq!(split(""), []);
        assert_eq!(split("plain $ {{ }}"), [Text("plain $ {{ }}")]);
        assert_eq!(
            split("a-${{ inputs.x }}-${{inputs.y}}"),
            [Text("a-"), expression("${{ inputs.x }}", "inputs.x"), Text("-"), expression("${{inputs.y}}", "inputs.y")]
        );
    }

    #[test]
    fn the_first_closing_braces_end_an_expression_wherever_they_stand() {
        assert_eq!(split("${{ '}}' }}"), [expression("${{ '}}", "'"), Text("' }}")]);
        assert_eq!(split("${{ {'a': {'b': 1}} }}"), [expression("${{ {'a': {'b': 1}}", "{'a': {'b': 1"), Text(" }}")]);
        assert_eq!(split("${{ {'a': {'b': 1} } }}"), [expression("${{ {'a': {'b': 1} } }}", "{'a': {'b': 1} }")]);
    }

    #[test]
    fn what_is_never_closed_is_text() {
        assert_eq!(split("é ${{ x "), [Text("é ${{ x ")]);
        assert_eq!(split("${{"), [Text("${{")]);
        assert_eq!(split("${{}}"), [Text("${{}}")]);
        assert_eq!(split("${{}} x }}"), [expression("${{}} x }}", "}} x")]);
        assert_eq!(split("${{ }}"), [expression("${{ }}", "")]);
    }

    #[test]
    fn a_sole_expression_may_have_space_behind_it() {
        let sole = |text| sole_expression(&split(text)).map(|span| span.expression);
        assert_eq!(sole("${{ inputs.x }}"), Some("inputs.x"));
        assert_eq!(sole("${{ inputs.x }} \n"), Some("inputs.x"));
        assert_eq!(sole(" ${{ inputs.x }}"), None);
        assert_eq!(sole("${{ a }}${{ b }}"), None);
        assert_eq!(sole("x${{ a }}"), None);
        assert_eq!(sole("x"), None);
    }

    proptest! {
        #[test]
        fn no_text_is_lost_and_nothing_panics(text in "[a${} '\"é.\\[\\](\\\\]{0,40}") {
            let kept: String = split(&text)
                .iter()
                .map(|part| match part {
                    Text(text) => *text,
                    Part::Expression(span) => span.raw,
                })
                .collect();
            prop_assert_eq!(kept, text);
        }
    }
}
