//! `mangrove catalog rebuild`, `mangrove catalog migrate` and `mangrove catalog backup`

use std::path::Path;

use mangrove_app::service::{Access, Rebuilt};
use mangrove_domain::problem::Code;
use serde::Serialize;

use super::{Context, scan};
use crate::{
    args,
    compose::{self, MigrateError},
    errors::CommandError,
    exit::Exit,
    human,
};

#[derive(Serialize)]
struct BackupDocument {
    schema: &'static str,
    file: String,
}

pub(crate) async fn run(context: &Context, command: args::Catalog) -> Result<Exit, CommandError> {
    match command {
        args::Catalog::Rebuild { jobs } => rebuild(context, jobs).await,
        args::Catalog::Migrate { grant } => migrate(context, grant.as_deref()).await,
        args::Catalog::Backup { file } => back_up(context, &file).await,
    }
}

async fn rebuild(context: &Context, jobs: Option<u16>) -> Result<Exit, CommandError> {
    let service = context.open(jobs)?;
    let request = service.scan_request(context.interrupts.cancellation());
    let outcome = service.rebuild_catalog(&request).await;
    let set_aside = match &outcome {
        Ok(rebuilt) => rebuilt.set_aside.as_ref(),
        Err(error) => error.set_aside.as_ref(),
    };
    if let Some(path) = set_aside {
        context.printer.status("Set aside", path.display().to_string());
    }
    let Rebuilt { set_aside, kept, report } = outcome.map_err(|error| error.source)?;
    if !kept.is_empty() {
        let sources = human::count(kept.len() as u64, "source");
        context.printer.status("Kept", format!("the earlier bundle of {sources} whose current version fails"));
    }
    let set_aside = set_aside.map(|path| path.display().to_string());
    scan::print_report(
        context,
        &report,
        &scan::Presentation { schema: "mangrove.catalog-rebuild/1", set_aside, ..scan::Presentation::default() },
    );
    Ok(if report.is_cancelled { Exit::No } else { Exit::Done })
}

#[derive(Serialize)]
struct MigrateDocument {
    schema: &'static str,
    catalog: String,
}

async fn migrate(context: &Context, role: Option<&str>) -> Result<Exit, CommandError> {
    let settings = context.settings(Access::ReadWrite, None)?;
    let catalog = compose::migrate_catalog(&settings, role).await.map_err(|error| match error {
        MigrateError::Compose(error) => error.into(),
        MigrateError::Catalog(error) => error.into(),
        MigrateError::NoRoles => CommandError::usage(
            Some(Code::INVALID_INPUT),
            "`--grant` names a role of a database server, and the catalog is a file",
            Some("`catalog:` in mangrove.yaml, or `MANGROVE_CATALOG`, names a database"),
        ),
    })?;
    if context.printer.is_json() {
        context.printer.document(&MigrateDocument { schema: "mangrove.catalog-migrate/1", catalog });
    } else {
        context.printer.status("Prepared", format!("the catalog {catalog}"));
    }
    Ok(Exit::Done)
}

async fn back_up(context: &Context, file: &Path) -> Result<Exit, CommandError> {
    if file.symlink_metadata().is_ok() {
        let message = format!("{} already exists; a backup does not overwrite files", file.display());
        return Err(CommandError::usage(Some(Code::NOT_WRITABLE), message, Some("name a file that does not exist")));
    }
    context.look()?.back_up_catalog(file).await?;
    let file = file.display().to_string();
    if context.printer.is_json() {
        context.printer.document(&BackupDocument { schema: "mangrove.catalog-backup/1", file });
    } else {
        context.printer.status("Copied", format!("the catalog to {file}"));
    }
    Ok(Exit::Done)
}
