//! What the log of a daemon says of what has happened.

use std::time::Duration;

use mangrove_app::{scan::Publication, service::Upkeep};
use mangrove_domain::{
    index::TypeIndex,
    settle::{AuditRecord, Transition},
    state::StateName,
};

/// Says what became of sources. `index` is what was published.
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

/// Says what daily upkeep did.
pub(crate) fn upkeep(upkeep: &Upkeep, duration: Duration) {
    let Upkeep { pruned, runs, logs, transitions, claims, failures } = upkeep;
    tracing::info!(
        bundles = pruned.bundles.files,
        packages = pruned.packages.files,
        leftovers = pruned.leftovers,
        runs,
        logs,
        transitions,
        claims,
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
