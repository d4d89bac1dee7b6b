//! JSX: whether a module has any, and what its comments say of it.

use oxc_ast::ast::{JSXElement, JSXFragment, Program};
use oxc_ast_visit::Visit;

use crate::parser::JsxRuntime;

/// Where what the JSX of a module calls comes from; `None` if it has no JSX, or says itself what it calls.
pub(super) fn runtime(text: &str, program: &Program<'_>) -> Option<JsxRuntime> {
    let mut found = HasJsx(false);
    found.visit_program(program);
    if !found.0 {
        return None;
    }
    let comments = || program.comments.iter().map(|comment| comment.span.source_text(text));
    let said = |pragma: &str| comments().find_map(|comment| value(comment, pragma));
    if said("@jsxRuntime") == Some("classic") {
        return None;
    }
    Some(said("@jsxImportSource").map_or(JsxRuntime::Configured, |source| JsxRuntime::Below(source.to_owned())))
}

/// What follows a pragma that begins a line of a comment, or follows another one.
fn value<'t>(comment: &'t str, pragma: &str) -> Option<&'t str> {
    comment.lines().find_map(|line| {
        let line =
            line.trim_start_matches(|character: char| character.is_whitespace() || matches!(character, '/' | '*'));
        let mut words = line.split_whitespace().skip_while(|word| !word.starts_with('@'));
        words.find(|word| *word == pragma)?;
        words.next().map(|word| word.trim_end_matches("*/")).filter(|word| line.starts_with('@') && !word.is_empty())
    })
}

struct HasJsx(bool);

impl<'a> Visit<'a> for HasJsx {
    fn visit_jsx_element(&mut self, _: &JSXElement<'a>) {
        self.0 = true;
    }

    fn visit_jsx_fragment(&mut self, _: &JSXFragment<'a>) {
        self.0 = true;
    }
}
