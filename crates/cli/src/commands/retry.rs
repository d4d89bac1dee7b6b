//! `mangrove retry`

use mangrove_app::{
    retry::{self, Retried},
    scan::Request,
};
use mangrove_domain::problem::Code;

use super::{Context, scan};
use crate::{errors::CommandError, exit::Exit};

pub(crate) async fn run(context: &Context, query: Option<&str>) -> Result<Exit, CommandError> {
    let workspace = context.open(None).await?;
    let request = Request { cancellation: context.interrupts.cancellation(), ..Request::default() };
    let retried = retry::retry(&workspace.scanner, query, &request).await?;
    if let (Some(query), true, false) = (query, retried.sources.is_empty(), retried.report.is_cancelled) {
        return Err(unknown(query, &retried));
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

fn unknown(query: &str, retried: &Retried) -> CommandError {
    let hint = retried.nearest.clone().unwrap_or_else(|| "`mangrove types --all` lists all there is".to_owned());
    CommandError::no(Some(Code::UNKNOWN_NAME), format!("no source has the path or type `{query}`"), Some(&hint))
}
