//! Why a source is in the state it is in, and what the next scan would do.

use std::{collections::BTreeSet, sync::Arc};

use mangrove_domain::{
    description::Description,
    index::TypeIndex,
    observation::{DiskView, Observation},
    plan::{self, Step},
    problem::Problem,
    row::Row,
    settle::AuditRecord,
    source::SourceId,
    type_name::TypeName,
};

use crate::{
    attachment, builtin, health,
    scan::{self, Observed, RetryMode, ScanRequest, Scanner},
    source_query::SourceQuery,
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
    /// What is to be said of it besides: what it waits for or lost as an add-on, that its bundle was shipped.
    pub remarks: Vec<Problem>,
    /// Its history, oldest first.
    pub history: Vec<AuditRecord>,
}

/// The answer for a file that is no source itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Which one.
    pub source: SourceId,
    /// The export names that would make it a source, sorted.
    pub export_names: BTreeSet<String>,
    /// The sources whose bundles it goes into, sorted.
    pub imported_by: BTreeSet<SourceId>,
    /// What a look at it found: that it exports another kind than its directory is for, that it cannot be read.
    pub remarks: Vec<Problem>,
}

/// What there is to say.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// For each source that was meant.
    pub explanations: Vec<Explanation>,
    /// For each helper that was meant.
    pub helpers: Vec<Helper>,
    /// The type that comes with the program, if that was meant.
    pub built_in: Option<&'static Arc<Description>>,
    /// A sentence with names that are near, if nothing was meant.
    pub nearest: Option<String>,
    /// What could not be looked into, if nothing was meant.
    pub unobservable: Vec<Problem>,
}

impl Answer {
    /// True if nothing was meant.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.explanations.is_empty() && self.helpers.is_empty() && self.built_in.is_none()
    }
}

/// The answer for a type name or a path. Changes nothing.
pub async fn explain(scanner: &Scanner, query: &SourceQuery) -> Result<Answer, scan::Error> {
    let request = ScanRequest { retry: RetryMode::All, ..ScanRequest::dry_run() };
    let (observed, sources) = match scanner.look_at_meant(&request, query).await? {
        Some(looked) => looked,
        None => {
            let mut observed = scanner.look_at_sources(&request).await?;
            let sources = query.sources(scanner.loaders(), &observed.disk, &observed.catalog);
            scanner.look_at_bundles_of(&mut observed, &sources).await?;
            (observed, sources)
        }
    };
    let planned = scanner.plan(&observed);
    let Observed { disk, catalog, .. } = &observed;
    let remarks = if catalog.rows.iter().any(Row::is_add_on) {
        let index = TypeIndex::build(catalog.rows.iter().cloned().map(Arc::new));
        attachment::problems(scanner.ports().catalog.as_ref(), &index).await.map_err(scan::Error::reading_catalog)?
    } else {
        Vec::new()
    };
    let mut answer = Answer::default();
    for step in planned.steps.into_iter().filter(|step| sources.contains(&step.source)) {
        let row = catalog.rows.iter().find(|row| row.source == step.source);
        let history = scanner.ports().catalog.transitions(&step.source).await.map_err(scan::Error::reading_catalog)?;
        let row = row.cloned().map(Arc::new);
        let subject = step.source.to_string();
        let damaged = catalog.damaged.iter().chain(&remarks).filter(|remark| remark.subject == subject).cloned();
        let mut remarks: Vec<Problem> = damaged.chain(row.as_deref().and_then(health::shipped)).collect();
        if let Some(row) = &row
            && scan::descriptions::is_lost(scanner.ports().catalog.as_ref(), row).await?
        {
            remarks.push(row.undescribed());
        }
        answer.explanations.push(Explanation { source: step.source.clone(), row, remarks, step, history });
    }
    if answer.explanations.is_empty() {
        answer.helpers = helpers(scanner, query, disk);
    }
    answer.built_in = TypeName::model(query.text()).ok().as_ref().and_then(builtin::model);
    if answer.is_empty() {
        answer.nearest = query.nearest(disk, catalog);
        answer.unobservable = plan::unobservable(disk);
    }
    Ok(answer)
}

/// The files that are meant and are no sources: those that export nothing known, and what sources import.
fn helpers(scanner: &Scanner, query: &SourceQuery, disk: &DiskView) -> Vec<Helper> {
    let mut meant: BTreeSet<SourceId> = disk.helpers.iter().filter(|helper| query.is_source(helper)).cloned().collect();
    let imports: Vec<(&Observation, BTreeSet<String>)> =
        disk.observations.iter().map(|observation| (observation, files(observation))).collect();
    for (observation, files) in &imports {
        let root = &observation.source.root;
        meant.extend(files.iter().filter_map(|file| {
            let path = mangrove_domain::source::RelativePath::parse(file).ok()?;
            let source = SourceId { root: root.clone(), path };
            query.is_source(&source).then_some(source)
        }));
    }
    let layouts = scanner.loaders().layouts();
    let export_names: BTreeSet<String> =
        layouts.iter().flat_map(|layout| &layout.export_names).map(ToString::to_string).collect();
    meant
        .into_iter()
        .map(|source| {
            let importers = imports.iter().filter(|(observation, files)| {
                observation.source.root == source.root && files.contains(source.path.as_str())
            });
            let subject = source.to_string();
            Helper {
                remarks: disk.problems.iter().filter(|problem| problem.subject == subject).cloned().collect(),
                imported_by: importers.map(|(observation, _)| observation.source.clone()).collect(),
                export_names: export_names.clone(),
                source,
            }
        })
        .collect()
}

/// The local files that a source's bundle is made of; a fingerprint names each by its path.
fn files(observation: &Observation) -> BTreeSet<String> {
    let lines = observation.inputs().and_then(|inputs| inputs.source.lines().ok()).unwrap_or_default();
    lines.into_iter().map(|line| line.key).collect()
}
