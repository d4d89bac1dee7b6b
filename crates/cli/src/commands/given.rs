//! The inputs that a run is given: on the command line, in a file, on standard input.

use std::io::Read as _;

use mangrove_domain::{
    document::{Node, NodeValue},
    problem::Code,
};

use super::Context;
use crate::{args, compose, errors::CommandError, inputs};

/// What a line of standard input is called: JSON, by its name.
const A_LINE: &str = "line.json";

/// Refuses to run copies of definitions and workflows that were evaluated before: there are none.
pub(super) fn refuse_copies(wanted: &args::Wanted) -> Result<(), CommandError> {
    if wanted.last_evaluated {
        let message =
            "`--last-evaluated` is not supported: no evaluated copies are kept, every run evaluates its files";
        let hint = "leave it out, and give the inputs of the earlier run again: `mangrove run show` has them";
        return Err(CommandError::usage(None, message, Some(hint)));
    }
    Ok(())
}

/// The inputs of each run: those of the command line over one item of standard input, if that is read.
pub(super) fn all_inputs(
    context: &Context,
    given: &args::Inputs,
    from_standard_input: bool,
) -> Result<Vec<Node>, CommandError> {
    let given = inputs(context, given)?;
    if !from_standard_input {
        return Ok(vec![given]);
    }
    Ok(standard_input()?.iter().map(|item| inputs::over(item, &given)).collect())
}

/// The inputs of the command line over those of the file.
pub(super) fn inputs(context: &Context, given: &args::Inputs) -> Result<Node, CommandError> {
    let home = context.environment().get("HOME").map(String::as_str);
    inputs::read(compose::parse_document, &given.input, given.input_file.as_deref(), home)
}

/// The inputs of the runs that standard input asks for: one mapping, a list of them, or one on each line.
fn standard_input() -> Result<Vec<Node>, CommandError> {
    let wrong = |message: String| {
        let hint = "standard input holds a mapping in JSON or YAML, a list of mappings, or a mapping on each line";
        CommandError::usage(Some(Code::INVALID_DOCUMENT), message, Some(hint))
    };
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| wrong(format!("standard input cannot be read: {error}")))?;
    let filled = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Option<Vec<Node>> = filled.map(|line| compose::parse_document(A_LINE, line).ok()).collect();
    let items = match lines.filter(|lines| lines.len() > 1) {
        Some(lines) => lines,
        None => match compose::parse_document("standard input", &text) {
            Ok(Node { value: NodeValue::List(items), .. }) => items,
            Ok(item) => vec![item],
            Err(error) => return Err(wrong(error.to_string())),
        },
    };
    match items.iter().find(|item| item.as_map().is_none()) {
        Some(other) => {
            let found = other.to_json().type_name();
            Err(wrong(format!("standard input: expected a mapping of inputs, found {found}")))
        }
        None => Ok(items),
    }
}
