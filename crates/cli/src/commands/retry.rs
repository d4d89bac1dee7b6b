//! `mangrove retry`

use mangrove_app::retry;

use super::{Context, scan, why};
use crate::{errors::CommandError, exit::Exit};

pub(crate) async fn run(context: &Context, query: Option<&str>) -> Result<Exit, CommandError> {
    let workspace = context.open(None).await?;
    let request = workspace.scan_request(context.interrupts.cancellation());
    let sought = match query {
        Some(query) => Some(why::sought(&workspace, query).await?),
        None => None,
    };
    let retried = retry::retry(&workspace.scanner, sought.as_ref(), &request).await?;
    if let (Some(sought), true, false) = (&sought, retried.sources.is_empty(), retried.report.is_cancelled) {
        return Err(why::unknown(&workspace.repository, sought, retried.nearest, &retried.unobservable));
    }
    let only = Some(retried.sources.clone());
    scan::tell(
        context,
        &retried.report,
        &scan::Telling { schema: "mangrove.retry/1", only, ..scan::Telling::default() },
    );
    if retried.sources.is_empty() && !context.printer.is_json() {
        context.printer.note("nothing has failed or is degraded");
    }
    let is_done = retried.unhealthy().next().is_none() && !retried.report.is_cancelled;
    Ok(if is_done { Exit::Done } else { Exit::No })
}
