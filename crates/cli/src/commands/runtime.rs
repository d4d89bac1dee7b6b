//! `mangrove runtime`

use std::sync::Arc;

use mangrove_infra::runtime::install;
use serde::Serialize;

use super::Context;
use crate::{
    compose::{self, Access},
    errors::CommandError,
    exit::Exit,
    human, printer,
    progress::Transfer,
};

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
    /// `built-in`, or as [`Origin::as_str`](mangrove_infra::runtime::Origin::as_str) has it.
    origin: Option<&'static str>,
    problem: Option<ProblemDocument>,
}

#[derive(Serialize)]
struct ProblemDocument {
    code: String,
    message: String,
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
    let workspace = compose::runtimes(context, &context.repository()?, Access::ReadOnly)?;
    let mut programs: Vec<ProgramDocument> = compose::BUILT_IN
        .iter()
        .map(|(name, version)| ProgramDocument {
            name,
            version: Some((*version).to_owned()),
            path: None,
            origin: Some("built-in"),
            problem: None,
        })
        .collect();
    let found = workspace.places.deno();
    let version = match &found {
        Ok(program) => workspace.versions.of(&program.path).await,
        Err(fault) => Err(fault.clone()),
    };
    let program = found.ok();
    let problem = version.as_ref().err();
    programs.push(ProgramDocument {
        name: "deno",
        version: version.as_ref().ok().cloned(),
        path: program.as_ref().map(|program| program.path.display().to_string()),
        origin: program.as_ref().map(|program| program.origin.as_str()),
        problem: problem.map(|fault| ProblemDocument { code: fault.code.to_string(), message: fault.message.clone() }),
    });
    if context.printer.is_json() {
        context.printer.document(&StatusDocument {
            schema: "mangrove.runtime-status/1",
            bundler: workspace.bundler.as_str(),
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
    for line in printer::table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()) {
        context.printer.line(line);
    }
    for program in &programs {
        if let Some(problem) = &program.problem {
            context.printer.note(format!("{} [{}]", problem.message, problem.code));
        }
    }
    Ok(Exit::Done)
}

/// Gets the program `deno`.
pub(crate) async fn install_deno(context: &Context) -> Result<Exit, CommandError> {
    let workspace = compose::runtimes(context, &context.repository()?, Access::ReadWrite)?;
    let packages = compose::installer(context, &workspace)?;
    let transfer = context.printer.draws_progress().then(|| Arc::new(Transfer::new("Fetching deno")));
    if let Some(transfer) = &transfer {
        let transfer = Arc::clone(transfer);
        packages.on_bytes(Arc::new(move |received, total| transfer.show(received, total)));
    }
    let installed = install::deno(&packages, &workspace.places, &workspace.versions).await;
    if let Some(transfer) = &transfer {
        transfer.finish();
    }
    let installed = installed.map_err(|fault| CommandError::fault("installing deno", &fault))?;
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
        let size = std::fs::metadata(&installed.path).map_or(0, |metadata| metadata.len());
        let place = installed.path.display();
        context.printer.status(verb, format!("deno {} at {place} ({})", installed.version, human::size(size)));
    }
    // What is used may be another one.
    match workspace.places.deno() {
        Ok(program) if program.path != installed.path => context.printer.note(format!(
            "the {} names another deno, which is used instead: {}",
            program.origin.as_str(),
            program.path.display()
        )),
        Ok(_) => {}
        Err(fault) => context.printer.note(fault.message),
    }
    Ok(Exit::Done)
}
