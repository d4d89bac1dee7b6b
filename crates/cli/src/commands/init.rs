//! `mangrove init`

use std::path::Path;

use mangrove_domain::{ports::Entropy, problem::Code};
use serde::Serialize;

use super::Context;
use crate::{
    errors::CommandError,
    exit::Exit,
    init::{self, Identifiers, Outcome, WriteError},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitDocument {
    schema: &'static str,
    directory: String,
    written: Vec<String>,
    kept: Vec<String>,
}

pub(crate) fn run(context: &Context, entropy: &dyn Entropy, directory: Option<&Path>) -> Result<Exit, CommandError> {
    let directory = directory.or(context.global.repo.as_deref()).unwrap_or(Path::new("."));
    let identifiers = Identifiers {
        repository: entropy.identifier(),
        definition: entropy.identifier(),
        workflow: entropy.identifier(),
    };
    let Outcome { written, kept } = init::write(directory, &identifiers).map_err(|error| match &error {
        WriteError::Exists(_) => CommandError::usage(
            Some(Code::INVALID_DOCUMENT),
            error.to_string(),
            Some("choose another directory, or continue with `mangrove scan`"),
        ),
        WriteError::Write { source, .. } => {
            CommandError::usage(Some(Code::NOT_WRITABLE), format!("{error}: {source}"), None)
        }
    })?;
    if context.printer.is_json() {
        context.printer.document(&InitDocument {
            schema: "mangrove.init/1",
            directory: directory.display().to_string(),
            written,
            kept,
        });
        return Ok(Exit::Done);
    }
    for path in &written {
        context.printer.status("Wrote", path);
    }
    for path in &kept {
        context.printer.status("Kept", format!("{path}, which already exists"));
    }
    let place = if directory == Path::new(".") { String::new() } else { format!("cd {} && ", directory.display()) };
    context.printer.note("");
    context.printer.note(format!("Now try: {place}mangrove workflow run hello"));
    Ok(Exit::Done)
}
