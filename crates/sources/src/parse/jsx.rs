//! JSX: whether a module has any, and what its comments say of it.

use oxc_ast::ast::{JSXElement, JSXFragment, Program};
use oxc_ast_visit::Visit;
use oxc_span::GetSpan;

use crate::parser::JsxRuntime;

/// Where what the JSX of a module calls comes from; `None` if it has no JSX, or says itself what it calls.
pub(super) fn runtime(text: &str, program: &Program<'_>) -> Option<JsxRuntime> {
    let mut found = HasJsx(false);
    found.visit_program(program);
    if !found.0 {
        return None;
    }
    // Only what stands before all code speaks of the file: the transformer reads no other comments.
    let first = program.directives.first().map(|it| it.span.start);
    let first = first.or_else(|| program.body.first().map(|it| it.span().start)).unwrap_or(u32::MAX);
    let leading = || program.comments.iter().filter(|comment| comment.span.end <= first);
    let said = |pragma: &str| leading().find_map(|comment| value(comment.span.source_text(text), pragma));
    match (said("@jsxRuntime"), said("@jsxImportSource")) {
        (Some("classic"), _) => None,
        (_, Some(source)) => Some(JsxRuntime::Below(source.to_owned())),
        (Some("automatic"), None) => Some(JsxRuntime::Automatic),
        (_, None) => Some(JsxRuntime::Configured),
    }
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
