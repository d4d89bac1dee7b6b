//! `mangrove explain`

use mangrove_domain::problem::Code;

use super::Context;
use crate::{errors::CommandError, exit::Exit, explain};

pub(crate) fn run(context: &Context, text: &str) -> Result<Exit, CommandError> {
    let Some(code) = Code::parse(text) else {
        return Err(CommandError::usage(
            None,
            format!("`{text}` is no problem code"),
            Some("codes look like MG0101; errors print theirs in brackets"),
        ));
    };
    match explain::page(code) {
        Some(page) => context.printer.text(page),
        None => context.printer.line(format!("{code}: {}", code.title())),
    }
    Ok(Exit::Done)
}
