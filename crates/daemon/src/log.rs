//! What a daemon says in its log of what happens in its repository.

use std::{collections::BTreeMap, time::Duration};

use mangrove_app::{scan::Publication, service::Upkeep};
use mangrove_domain::{
    index::TypeIndex,
    problem::{Problem, Severity},
    settle::{AuditRecord, Transition},
    state::StateName,
    watch::Coverage,
};

/// What was said last of something that goes on, so that it is said once.
#[derive(Debug, Default)]
pub(crate) struct Said(Option<String>);

impl Said {
    /// True if something else was said last, or nothing. It counts as said then.
    pub(crate) fn is_new(&mut self, what: &impl ToString) -> bool {
        let what = what.to_string();
        if self.0.as_ref() == Some(&what) {
            return false;
        }
        self.0 = Some(what);
        true
    }

    /// It is over.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

/// What came into another state, and what began to fail.
pub(crate) fn publication(publication: &Publication, index: &TypeIndex) {
    for AuditRecord { source, transition } in &publication.transitions {
        let Transition { from, to, reason, .. } = transition;
        let from = from.map_or("new", StateName::as_str);
        tracing::info!(%source, from, to = to.as_str(), reason, "a source came into another state");
    }
    let rows = publication.changed.iter().filter_map(|source| index.row(source));
    for (row, failure) in rows.filter_map(|row| Some((row, row.failure()?))) {
        let type_name = row.type_name().or(row.claimed_type.as_ref()).map(ToString::to_string);
        let (code, message) = (failure.code.to_string(), failure.latest_message.as_str());
        // Said once; that it goes on is in the catalog.
        if failure.attempts == 1 {
            tracing::warn!(source = %row.source, type_name, code, message, "a source is failing");
        }
    }
}

/// What is wrong with a configuration that was read again.
pub(crate) fn configuration(problems: &[Problem]) {
    for problem in problems {
        tracing::error!(code = %problem.code, subject = problem.subject, "{}", problem.message);
    }
}

/// What a look found wrong beside the failures of rows.
pub(crate) fn look(problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        tracing::warn!(code = %problem.code, subject = problem.subject, "{}", problem.message);
    }
}

/// What cannot be watched.
pub(crate) fn coverage(coverage: &Coverage, rescan: Duration) {
    if let Some(reason) = &coverage.reason {
        let (unwatched, rescan) = (coverage.unwatched.len(), rescan.as_secs());
        tracing::warn!(unwatched, reason, "changes there are noticed at the next look, at least every {rescan} s");
    }
}

/// Which files of workflows cannot be used, of each problem once.
pub(crate) fn broken_files(before: &BTreeMap<String, Problem>, now: &BTreeMap<String, Problem>) {
    for (file, problem) in now.iter().filter(|(file, problem)| before.get(*file) != Some(*problem)) {
        let line = problem.position.as_ref().map(|position| position.line);
        tracing::warn!(
            file,
            line,
            code = %problem.code,
            "it cannot be used; a workflow that it had before is started as it was then: {}",
            problem.message
        );
    }
}

/// Says what daily upkeep did.
pub(crate) fn upkeep(upkeep: &Upkeep, duration: Duration) {
    let Upkeep { pruned, runs, logs, transitions, claims, data, failures } = upkeep;
    tracing::info!(
        bundles = pruned.bundles.files,
        packages = pruned.packages.files,
        requirements = pruned.requirements,
        leftovers = pruned.leftovers,
        runs,
        logs,
        transitions,
        claims,
        data,
        milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        "removed what nothing needs any more"
    );
    for problem in &pruned.withheld {
        tracing::warn!(code = %problem.code, subject = problem.subject, "bundles stay: {}", problem.message);
    }
    for (doing, error) in failures {
        tracing::error!(error, "{doing} failed; it is tried again in a day");
    }
}
