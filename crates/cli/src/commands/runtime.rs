//! `mangrove runtime`

use std::sync::Arc;

use mangrove_documents::FaultDocument;
use mangrove_domain::{ports::TransferListener, program::Program};
use serde::Serialize;

use super::Context;
use crate::{errors::CommandError, exit::Exit, human, printer, progress::Transfer};

#[derive(Serialize)]
struct StatusDocument {
    schema: &'static str,
    bundler: &'static str,
    programs: Vec<ProgramDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgramDocument {
    name: &'static str,
    version: Option<String>,
    path: Option<String>,
    /// As [`Program::origin`] has it.
    origin: Option<&'static str>,
    problem: Option<FaultDocument>,
}

impl From<Program> for ProgramDocument {
    fn from(program: Program) -> Self {
        Self {
            name: program.name,
            version: program.version,
            path: program.path.map(|path| path.display().to_string()),
            origin: program.origin,
            problem: program.fault.as_ref().map(FaultDocument::from),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstallDocument {
    schema: &'static str,
    name: &'static str,
    version: String,
    path: String,
    is_new: bool,
}

/// The programs that are used.
pub(crate) async fn status(context: &Context) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let programs: Vec<ProgramDocument> =
        service.list_programs().await?.into_iter().map(ProgramDocument::from).collect();
    if context.printer.is_json() {
        context.printer.document(&StatusDocument {
            schema: "mangrove.runtime-status/1",
            bundler: service.bundler().unwrap_or_default(),
            programs,
        });
        return Ok(Exit::Done);
    }
    let heading = ["PROGRAM", "VERSION", "FROM", "PATH"].map(str::to_owned).to_vec();
    let rows = programs.iter().map(|program| {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        vec![
            program.name.to_owned(),
            or_dash(program.version.as_deref()),
            or_dash(program.origin),
            or_dash(program.path.as_deref()),
        ]
    });
    context.printer.lines(printer::table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()));
    for program in &programs {
        if let Some(problem) = &program.problem {
            context.printer.note(format!("{} [{}]", problem.message, problem.code));
            if let Some(hint) = &problem.hint {
                context.printer.hint(hint);
            }
        }
    }
    Ok(Exit::Done)
}

/// Gets the program `deno`.
pub(crate) async fn install_deno(context: &Context) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let transfer = context.printer.draws_progress().then(|| Arc::new(Transfer::new("Fetching deno")));
    let listener = transfer.as_ref().map(|transfer| -> TransferListener {
        let transfer = Arc::clone(transfer);
        Arc::new(move |received, total| transfer.show(received, total))
    });
    let installed = service.install_deno(listener).await;
    if let Some(transfer) = &transfer {
        transfer.finish();
    }
    let installed = installed?;
    if context.printer.is_json() {
        context.printer.document(&InstallDocument {
            schema: "mangrove.runtime-install/1",
            name: "deno",
            version: installed.version,
            path: installed.path.display().to_string(),
            is_new: installed.is_new,
        });
    } else {
        let verb = if installed.is_new { "Installed" } else { "Unchanged" };
        let (place, size) = (installed.path.display(), human::size(installed.size_bytes));
        context.printer.status(verb, format!("deno {} at {place} ({size})", installed.version));
    }
    // What is used may be another one.
    for program in service.list_programs().await?.into_iter().filter(|program| program.name == "deno") {
        match (program.path, program.fault) {
            (Some(path), _) if path != installed.path => context.printer.note(format!(
                "the {} names another deno, which is used instead: {}",
                program.origin.unwrap_or_default(),
                path.display()
            )),
            (None, Some(fault)) => context.printer.note(fault.message),
            _ => {}
        }
    }
    Ok(Exit::Done)
}
