//! Scans.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_app::{
    health::{self, Summary},
    scan::{Report, Statistics},
};
use mangrove_domain::{row::Row, source::SourceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    moment,
    problem::{ProblemDocument, problems},
    source::SourceDocument,
};

/// `scan --json`, and what other commands that scan print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanDocument {
    /// `mangrove.scan/1`, or the name of another command that scans.
    pub schema: String,
    /// True if nothing was written.
    pub dry_run: bool,
    /// True if it was ended before everything was settled.
    pub cancelled: bool,
    /// Where the catalog was moved before the scan; left out if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// How many sources there are now, and what it cost.
    pub summary: SummaryDocument,
    /// The sources that this scan changed or found unhealthy; all of them if that was asked for.
    pub sources: Vec<SourceDocument>,
    /// What is wrong besides.
    pub problems: Vec<ProblemDocument>,
}

/// How many sources there are, in which state, and what a scan cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryDocument {
    /// How many sources are in each state; states without any are left out.
    pub states: BTreeMap<String, u64>,
    /// How many run on their last good bundle.
    pub degraded: u64,
    /// How many are shadowed.
    pub shadowed: u64,
    /// How many builds were started.
    pub built: u64,
    /// How many inspections were started.
    pub inspected: u64,
    /// How many files were opened.
    pub files_read: u64,
    /// How many directories were listed.
    pub directories_listed: u64,
    /// From start to end, in milliseconds.
    pub duration_ms: u64,
}

impl ScanDocument {
    /// What a scan did, with these sources.
    #[must_use]
    pub fn new(report: &Report, sources: Vec<SourceDocument>, dry_run: bool) -> Self {
        let Statistics { built, inspected, files_read, directories_listed, duration } = report.statistics;
        let mut states: BTreeMap<String, u64> = BTreeMap::new();
        for (state, count) in report.kinds.values().flat_map(|kind| &kind.states) {
            *states.entry(state.as_str().to_owned()).or_default() += count;
        }
        states.retain(|_, count| *count > 0);
        let count = |of: fn(&Summary) -> u64| report.kinds.values().map(of).sum();
        Self {
            schema: "mangrove.scan/1".to_owned(),
            dry_run,
            cancelled: report.is_cancelled,
            set_aside: None,
            summary: SummaryDocument {
                states,
                degraded: count(|kind| kind.degraded),
                shadowed: count(|kind| kind.shadowed),
                built,
                inspected,
                files_read,
                directories_listed,
                duration_ms: moment::millis(duration),
            },
            sources,
            problems: problems(&report.problems),
        }
    }

    /// What a scan did, with the sources that it changed or found unhealthy; where some are named, with these.
    #[must_use]
    pub fn of_report(report: &Report, only: Option<&BTreeSet<SourceId>>) -> Self {
        let rows: BTreeMap<&SourceId, &Row> = report.rows.iter().map(|row| (&row.source, row.as_ref())).collect();
        let is_listed = |source: &SourceId| match only {
            Some(only) => only.contains(source),
            None => {
                let is_unhealthy = rows.get(source).is_some_and(|row| health::problem(row).is_some());
                is_unhealthy || report.changed.contains(source)
            }
        };
        let listed = report.steps.iter().filter(|step| is_listed(&step.source));
        let sources = listed.map(|step| SourceDocument::new(step, rows.get(&step.source).copied())).collect();
        Self::new(report, sources, false)
    }

    /// The same for another command that scans.
    #[must_use]
    pub fn named(mut self, schema: &str, set_aside: Option<String>) -> Self {
        schema.clone_into(&mut self.schema);
        self.set_aside = set_aside;
        self
    }
}
