//! Why a source is in the state it is in, and what the next scan would do.

use std::sync::Arc;

use mangrove_domain::{index::TypeIndex, plan::Step, ports::AuditRecord, problem::Problem, row::Row, source::SourceId};

use crate::{
    attachment,
    scan::{self, Request, RetryMode, Scanner},
};

/// The answer for one source.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Which one.
    pub source: SourceId,
    /// What is remembered; `None` if nothing is yet.
    pub row: Option<Arc<Row>>,
    /// What the rules say now, and what a plain scan would do.
    pub step: Step,
    /// What is to be said of it as an add-on: what it waits for, what it lost.
    pub remarks: Vec<Problem>,
    /// Its history, oldest first.
    pub history: Vec<AuditRecord>,
}

/// The answers for a type name or a path; empty if nothing matches. Changes nothing.
pub async fn explain(scanner: &Scanner, query: &str) -> Result<Vec<Explanation>, scan::Error> {
    let request = Request { retry: RetryMode::All, dry_run: true, ..Request::default() };
    let (disk, catalog, plan) = scanner.look(&request).await?;
    let query = query.trim_start_matches("./");
    let index = TypeIndex::build(catalog.rows.iter().cloned().map(Arc::new));
    let remarks = attachment::problems(scanner.ports().catalog.as_ref(), &index).await?;
    let mut explanations = Vec::new();
    for step in plan.steps {
        let row = catalog.rows.iter().find(|row| row.source == step.source);
        let observation = disk.observations.iter().find(|observation| observation.source == step.source);
        let is_type = |name: &mangrove_domain::type_name::TypeName| name.as_str() == query;
        let matches = step.source.path.as_str() == query
            || step.source.to_string() == query
            || row.and_then(Row::type_name).is_some_and(is_type)
            || observation.and_then(|observation| observation.claimed_type.as_ref()).is_some_and(is_type);
        if matches {
            let history = scanner
                .ports()
                .catalog
                .transitions(&step.source)
                .await
                .map_err(|source| scan::Error::Catalog { doing: "reading", source })?;
            explanations.push(Explanation {
                source: step.source.clone(),
                row: row.cloned().map(Arc::new),
                remarks: remarks.iter().filter(|remark| remark.subject == step.source.to_string()).cloned().collect(),
                step,
                history,
            });
        }
    }
    Ok(explanations)
}
