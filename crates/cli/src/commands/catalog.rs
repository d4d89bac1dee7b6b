//! `mangrove catalog rebuild` and `mangrove catalog backup`

use std::path::Path;

use mangrove_app::upkeep;
use mangrove_domain::problem::Code;
use serde::Serialize;

use super::{Context, scan};
use crate::{compose, errors::CommandError, exit::Exit, human};

#[derive(Serialize)]
struct BackupDocument {
    schema: &'static str,
    file: String,
}

pub(crate) async fn rebuild(context: &Context, jobs: Option<u16>) -> Result<Exit, CommandError> {
    let repository = context.repository()?;
    let earlier = compose::earlier_catalog(context, &repository).await;
    let set_aside = compose::replace_catalog(context, &repository).await?;
    if let Some(path) = &set_aside {
        context.printer.status("Set aside", path.display().to_string());
    }
    let workspace = context.open(jobs).await?;
    workspace.take_over_store().await?;
    let kept = upkeep::take_over(&workspace.scanner, earlier).await?;
    if !kept.is_empty() {
        let sources = human::count(kept.len() as u64, "source");
        context.printer.status("Kept", format!("the earlier bundle of {sources} whose newest text does not work"));
    }
    let request = workspace.scan_request(context.interrupts.cancellation());
    let report = workspace.scanner.scan(&request).await?;
    let set_aside = set_aside.map(|path| path.display().to_string());
    scan::tell(
        context,
        &report,
        &scan::Telling { schema: "mangrove.catalog-rebuild/1", set_aside, ..scan::Telling::default() },
    );
    Ok(if report.is_cancelled { Exit::No } else { Exit::Done })
}

pub(crate) async fn back_up(context: &Context, file: &Path) -> Result<Exit, CommandError> {
    if file.symlink_metadata().is_ok() {
        let message = format!("{} is there already; a backup overwrites nothing", file.display());
        return Err(CommandError::usage(Some(Code::NOT_WRITABLE), message, Some("name a file that does not exist")));
    }
    compose::back_up_catalog(context, &context.repository()?, file).await?;
    let file = file.display().to_string();
    if context.printer.is_json() {
        context.printer.document(&BackupDocument { schema: "mangrove.catalog-backup/1", file });
    } else {
        context.printer.status("Copied", format!("the catalog to {file}"));
    }
    Ok(Exit::Done)
}
