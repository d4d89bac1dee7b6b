//! `mangrove catalog`

use std::path::Path;

use mangrove_app::scan::Request;
use serde::Serialize;

use super::{Context, scan};
use crate::{args, compose, errors::CommandError, exit::Exit};

#[derive(Serialize)]
struct BackupDocument {
    schema: &'static str,
    file: String,
}

/// The remedy for a catalog that nothing else mends: it holds nothing that the sources do not give again, but for the
/// history of transitions, which stays in the file that is set aside.
pub(crate) async fn rebuild(context: &Context) -> Result<Exit, CommandError> {
    let repository = context.repository()?;
    if let Some(aside) = compose::set_catalog_aside(context, &repository).await? {
        context.printer.status("Set aside", format!("the catalog; it now lies at {}", aside.display()));
    }
    let workspace = context.open(None).await?;
    scan::carry_out(context, &workspace, &Request::default(), &args::Scan::default()).await
}

pub(crate) async fn back_up(context: &Context, file: &Path) -> Result<Exit, CommandError> {
    compose::back_up_catalog(context, &context.repository()?, file).await?;
    if context.printer.is_json() {
        let file = file.display().to_string();
        context.printer.document(&BackupDocument { schema: "mangrove.catalog-backup/1", file });
    } else {
        context.printer.status("Wrote", file.display().to_string());
    }
    Ok(Exit::Done)
}
