//! `mangrove retry`

use std::collections::BTreeSet;

use mangrove_app::{
    scan::{Request, RetryMode},
    why,
};
use mangrove_domain::{plan::Scope, source::SourceId};

use super::{Context, scan};
use crate::{args, errors::CommandError, exit::Exit};

pub(crate) async fn run(context: &Context, query: Option<&str>) -> Result<Exit, CommandError> {
    let workspace = context.open(None).await?;
    let sources: BTreeSet<SourceId> = if let Some(query) = query {
        let explanations = why::explain(&workspace.scanner, query).await?;
        if explanations.is_empty() {
            return Err(super::why::unknown(query));
        }
        explanations.into_iter().map(|explanation| explanation.source).collect()
    } else {
        let index = workspace.scanner.load().await?;
        index.rows().filter(|row| row.failure().is_some()).map(|row| row.source.clone()).collect()
    };
    if sources.is_empty() {
        context.printer.status("Retried", "nothing: no source has failed");
    }
    let request = Request { retry: RetryMode::Scope, scope: Scope::Sources(sources), ..Request::default() };
    // Asked for by name: said of each, healthy or not.
    let arguments = args::Scan { all: query.is_some(), ..args::Scan::default() };
    scan::carry_out(context, &workspace, &request, &arguments).await
}
