//! `mangrove explain`

use mangrove_domain::{nearest, problem::Code};
use serde::Serialize;

use super::Context;
use crate::{errors::CommandError, exit::Exit, explain};

#[derive(Serialize)]
struct ExplainDocument {
    schema: &'static str,
    code: String,
    title: &'static str,
    /// The page in Markdown.
    page: Option<&'static str>,
}

pub(crate) fn run(context: &Context, text: &str) -> Result<Exit, CommandError> {
    let Some(code) = Code::parse(text) else {
        let known: Vec<String> = Code::ALL.iter().map(ToString::to_string).collect();
        let hint = nearest::hint(text, known.iter().map(String::as_str))
            .unwrap_or_else(|| "a code looks like MG0101; messages show it in brackets".to_owned());
        return Err(CommandError::usage(
            Some(Code::UNKNOWN_WORD),
            format!("`{text}` is not a problem code"),
            Some(&hint),
        ));
    };
    let page = explain::page(code);
    if context.printer.is_json() {
        let document =
            ExplainDocument { schema: "mangrove.explain/1", code: code.to_string(), title: code.title(), page };
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    match page {
        Some(page) => context.printer.text(page),
        None => context.printer.line(format!("{code}: {}", code.title())),
    }
    Ok(Exit::Done)
}
