//! What a scan is asked to do.

use std::{collections::BTreeSet, fmt, sync::Arc};

use mangrove_domain::{
    plan::Scope,
    ports::{Event, Progress},
    source::SourceId,
};
use tokio_util::sync::CancellationToken;

/// What a scan shall do.
#[derive(Clone)]
pub struct ScanRequest {
    /// Which failed rows with unchanged inputs are tried.
    pub retry: RetryMode,
    /// Which sources are in scope.
    pub scope: Scope,
    /// Plan and report, write nothing.
    pub dry_run: bool,
    /// Read every file, whatever its stat says.
    pub rehash: bool,
    /// Let removals pass that the guardrail would withhold.
    pub allow_mass_removal: bool,
    /// Believe removals at once; only for a scanner that [doubts](super::Scanner::doubt_removals) them.
    pub believes_removals: bool,
    /// Remove orphans instead of keeping them until their source is back.
    pub prunes_orphans: bool,
    /// What the caller wants to know if nothing has changed.
    pub detail: Detail,
    /// Ends the scan before its time: what is settled is committed, what is not is left for the next one.
    pub cancellation: CancellationToken,
    /// Is informed of how far this scan is.
    pub progress: Arc<dyn Progress>,
}

/// Which failed rows with unchanged inputs are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryMode {
    /// All of them: a scan on the command line, the start of a daemon.
    All,
    /// Those whose time has come.
    Due,
    /// These: a type that was asked for, `retry`.
    Only(BTreeSet<SourceId>),
    /// None: dry runs and looks.
    None,
}

/// What a caller wants to know of a scan that finds nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Every row and every step; and the snapshot is published.
    #[default]
    Rows,
    /// How many there are, and those of which something is to be said. If nothing has changed since the latest scan, no
    /// other row is read, and nothing is published but what comes of trying again what failed.
    Counts,
}

/// Which of the sources that a look saw are carried out: chosen from what it saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The sources in scope. Those that the look was not about stay out of scope.
    pub sources: BTreeSet<SourceId>,
    /// Those among them that are tried although their inputs did not change.
    pub retried: BTreeSet<SourceId>,
}

impl Default for ScanRequest {
    fn default() -> Self {
        Self {
            retry: RetryMode::All,
            scope: Scope::Everything,
            dry_run: false,
            rehash: false,
            allow_mass_removal: false,
            believes_removals: false,
            prunes_orphans: false,
            detail: Detail::Rows,
            cancellation: CancellationToken::new(),
            progress: Arc::new(NoProgress),
        }
    }
}

impl ScanRequest {
    /// Plans for all sources and writes nothing; only changed inputs would be tried.
    #[must_use]
    pub fn dry_run() -> Self {
        Self { retry: RetryMode::None, dry_run: true, ..Self::default() }
    }
}

impl fmt::Debug for ScanRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            retry, scope, dry_run, rehash, allow_mass_removal, believes_removals, prunes_orphans, detail, ..
        } = self;
        out.debug_struct("ScanRequest")
            .field("retry", retry)
            .field("scope", scope)
            .field("dry_run", dry_run)
            .field("rehash", rehash)
            .field("allow_mass_removal", allow_mass_removal)
            .field("believes_removals", believes_removals)
            .field("prunes_orphans", prunes_orphans)
            .field("detail", detail)
            .finish_non_exhaustive()
    }
}

/// Nobody wants to know.
struct NoProgress;

impl Progress for NoProgress {
    fn event(&self, _event: &Event<'_>) {}
}
