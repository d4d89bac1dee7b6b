//! What a scan did and found.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    plan::{Action, Plan, Step},
    problem::Problem,
    row::Row,
    source::{Kind, SourceId},
    survey::SurveyStatistics,
};

use crate::health::Summary;

/// What a scan did and found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many rows there are now, and in which condition.
    pub kinds: BTreeMap<Kind, Summary>,
    /// All rows as they are now, sorted by source; where counts are enough ([`Detail::Counts`](super::Detail)) and nothing
    /// has changed, only those of which something is to be said.
    pub rows: Vec<Arc<Row>>,
    /// What was decided for each source, sorted; of a source without a row here, only if it has changed.
    pub steps: Vec<Step>,
    /// How many sources something was decided for.
    pub looked_at: u64,
    /// Steps that the guardrail withheld.
    pub withheld: Vec<Step>,
    /// Sources whose row was written, deleted, or could not be.
    pub changed: BTreeSet<SourceId>,
    /// What is wrong besides the rows' own failures.
    pub problems: Vec<Problem>,
    /// What it cost.
    pub statistics: Statistics,
    /// True if it was cancelled before everything was settled.
    pub is_cancelled: bool,
}

/// What a scan cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Builds that were started.
    pub built: u64,
    /// Inspections that were started.
    pub inspected: u64,
    /// Files that were opened.
    pub files_read: u64,
    /// Directories that were listed.
    pub directories_listed: u64,
    /// From start to end.
    pub duration: Duration,
}

impl Report {
    /// Of a scan that was cancelled before it had seen everything: it did nothing.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { is_cancelled: true, ..Self::default() }
    }

    /// A later pass replaces what an earlier one said of the same sources.
    pub(super) fn merge(&mut self, plan: &Plan) {
        if self.steps.is_empty() {
            self.steps.clone_from(&plan.steps);
        } else {
            for step in plan.steps.iter().filter(|step| !matches!(step.action, Action::Keep)) {
                self.put_step(step);
            }
        }
        self.withheld.extend(plan.withheld.iter().cloned());
        self.add_problems(plan.problems.iter().cloned());
    }

    /// What is decided for the source of this step is this.
    pub(super) fn put_step(&mut self, step: &Step) {
        match self.steps.binary_search_by(|known| known.source.cmp(&step.source)) {
            Ok(index) => self.steps[index] = step.clone(),
            Err(index) => self.steps.insert(index, step.clone()),
        }
    }

    /// Adds what no earlier pass said already.
    pub(super) fn add_problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    pub(super) fn add_cost(&mut self, of_survey: SurveyStatistics) {
        self.statistics.files_read += of_survey.files_read;
        self.statistics.directories_listed += of_survey.directories_listed;
    }
}
