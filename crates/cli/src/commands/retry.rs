//! `mangrove retry`

use super::{Context, current_directory, query, scan, why};
use crate::{errors::CommandError, exit::Exit};

pub(crate) async fn run(context: &Context, text: Option<&str>) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let request = service.scan_request(context.interrupts.cancellation());
    let here = current_directory();
    let retried = service.retry(text.map(|text| query(text, here.as_deref())), &request).await?;
    if let (Some(text), true, false) = (text, retried.sources.is_empty(), retried.report.is_cancelled) {
        return Err(why::unknown(service.directory(), text, retried.nearest, &retried.unobservable));
    }
    let only = Some(retried.sources.clone());
    scan::print_report(
        context,
        &retried.report,
        &scan::Presentation { schema: "mangrove.retry/1", only, ..scan::Presentation::default() },
    );
    if retried.sources.is_empty() && !context.printer.is_json() {
        context.printer.note("nothing has failed or is degraded");
    }
    let is_done = retried.unhealthy().next().is_none() && !retried.report.is_cancelled;
    Ok(if is_done { Exit::Done } else { Exit::No })
}
