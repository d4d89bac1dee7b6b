//! `mangrove scan`

use std::collections::{BTreeMap, BTreeSet};

use mangrove_app::{
    health,
    scan::{Detail, Report, RetryMode, ScanRequest},
};
use mangrove_domain::{
    plan::{Action, Scope, Step},
    problem::Severity,
    row::Row,
    source::SourceId,
    state::StateName,
};

use super::Context;
use crate::{
    args,
    documents::{ScanDocument, SourceDocument},
    errors::CommandError,
    exit::Exit,
    human,
    printer::Printer,
};

pub(crate) async fn run(context: &Context, arguments: &args::Scan) -> Result<Exit, CommandError> {
    let workspace = if arguments.dry_run { context.look().await? } else { context.open(arguments.jobs).await? };
    let scope = match &arguments.kind {
        None => Scope::Everything,
        Some(name) => Scope::Kinds([context.kind(name)?].into()),
    };
    let request = ScanRequest {
        retry: RetryMode::All,
        scope,
        dry_run: arguments.dry_run,
        rehash: arguments.rehash,
        allow_mass_removal: arguments.allow_mass_removal,
        prunes_orphans: false,
        detail: if arguments.all { Detail::Rows } else { Detail::Counts },
        ..workspace.scan_request(context.interrupts.cancellation())
    };
    let report = workspace.scanner.scan(&request).await?;
    tell(context, &report, &Telling { dry_run: arguments.dry_run, all: arguments.all, ..Telling::default() });
    let is_no = report.is_cancelled || (arguments.strict && is_unhealthy(&report));
    Ok(if is_no { Exit::No } else { Exit::Done })
}

/// True if a row or anything else leaves something to be desired.
pub(super) fn is_unhealthy(report: &Report) -> bool {
    report.rows.iter().any(|row| health::problem(row).is_some())
        || report.problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// How a scan is told.
pub(super) struct Telling {
    pub(super) schema: &'static str,
    pub(super) dry_run: bool,
    /// Every source, not only changed and unhealthy ones.
    pub(super) all: bool,
    /// Nothing but these.
    pub(super) only: Option<BTreeSet<SourceId>>,
    /// Where the catalog was moved before the scan.
    pub(super) set_aside: Option<String>,
}

impl Default for Telling {
    fn default() -> Self {
        Self { schema: "mangrove.scan/1", dry_run: false, all: false, only: None, set_aside: None }
    }
}

impl Telling {
    fn is_about(&self, source: &SourceId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(source))
    }
}

/// Tells what a scan did, as one document or as lines.
pub(super) fn tell(context: &Context, report: &Report, telling: &Telling) {
    let rows: BTreeMap<&SourceId, &Row> = report.rows.iter().map(|row| (&row.source, row.as_ref())).collect();
    let is_shown = |step: &&Step| {
        let row = rows.get(&step.source);
        let is_unhealthy = row.is_some_and(|row| health::problem(row).is_some());
        let is_planned = telling.dry_run && !matches!(step.action, Action::Keep);
        let is_listed = telling.all || telling.only.is_some();
        telling.is_about(&step.source)
            && (is_listed || is_unhealthy || is_planned || report.changed.contains(&step.source))
    };
    let shown: Vec<&Step> = report.steps.iter().filter(is_shown).collect();
    if context.printer.is_json() {
        let sources = shown.iter().map(|step| SourceDocument::new(step, rows.get(&step.source).copied())).collect();
        context.printer.document(
            &ScanDocument::new(report, sources, telling.dry_run).named(telling.schema, telling.set_aside.clone()),
        );
    } else {
        print(&context.printer, telling, report, &shown, &rows);
    }
}

fn print(printer: &Printer, telling: &Telling, report: &Report, shown: &[&Step], rows: &BTreeMap<&SourceId, &Row>) {
    if telling.dry_run {
        for step in shown.iter().filter(|step| !matches!(step.action, Action::Keep)) {
            printer.line(format!("{:<10} {}: {}", step.action.name(), step.source, step.verdict));
        }
    } else if telling.all || telling.only.is_some() {
        for step in shown {
            let state = rows.get(&step.source).map_or("gone", |row| row.state.name().as_str());
            printer.line(format!("{state:<20} {}", step.source));
        }
    }
    for row in report.rows.iter().filter(|row| telling.is_about(&row.source)) {
        if let Some(problem) = health::problem(row) {
            printer.problem(&problem);
        }
    }
    for problem in &report.problems {
        printer.problem(problem);
    }
    if telling.dry_run {
        let steps = human::count(looked_at(report), "source");
        let planned = shown.iter().filter(|step| !matches!(step.action, Action::Keep)).count();
        printer.status("Planned", format!("{steps} looked at, {planned} to be acted on; nothing was written"));
    } else if report.is_cancelled {
        printer.status("Stopped", format!("{}; the next scan goes on from here", summary(report)));
    } else {
        printer.status("Scanned", summary(report));
    }
}

/// Sources that a scan decided about. Where nothing has changed there are only counts, and each row was one step.
fn looked_at(report: &Report) -> u64 {
    let rows = report.kinds.values().map(health::Summary::rows).sum();
    if report.rows.is_empty() && report.steps.is_empty() { rows } else { report.steps.len() as u64 }
}

/// `12 models in 340 ms: 10 indexed, 2 failed to build (12 built)`.
fn summary(report: &Report) -> String {
    let mut states: BTreeMap<StateName, u64> = BTreeMap::new();
    for (state, count) in report.kinds.values().flat_map(|kind| &kind.states) {
        *states.entry(*state).or_default() += count;
    }
    states.retain(|_, count| *count > 0);
    let kinds: Vec<String> =
        report.kinds.iter().map(|(kind, summary)| human::count(summary.rows(), kind.as_str())).collect();
    let kinds = if kinds.is_empty() { "no extensions".to_owned() } else { kinds.join(", ") };
    let degraded: u64 = report.kinds.values().map(|kind| kind.degraded).sum();
    let mut parts: Vec<String> =
        states.into_iter().map(|(state, count)| format!("{count} {}", condition(state))).collect();
    if degraded > 0 {
        parts.push(format!("{degraded} of them on an earlier bundle"));
    }
    let states = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    let duration = human::duration(report.statistics.duration);
    format!("{kinds} in {duration}{states} ({} built)", report.statistics.built)
}

const fn condition(state: StateName) -> &'static str {
    match state {
        StateName::Indexed => "ready",
        StateName::Bundled => "waiting for inspection",
        StateName::BundleBuildFailed => "failed to build",
        StateName::ValidationFailed => "rejected",
        StateName::EntryPointUnreadable => "unreadable",
        StateName::OrphanedBundleOnly => "orphaned",
        StateName::Tombstoned => "leaving",
    }
}
