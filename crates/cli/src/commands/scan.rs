//! `mangrove scan`

use std::collections::{BTreeMap, BTreeSet};

use mangrove_app::{
    health,
    scan::{Detail, Report, RetryMode, ScanRequest},
};
use mangrove_documents::{ScanDocument, SourceDocument};
use mangrove_domain::{
    plan::{Action, Scope, Step},
    problem::Severity,
    row::Row,
    source::SourceId,
    state::StateName,
};

use super::Context;
use crate::{args, errors::CommandError, exit::Exit, human, printer::Printer};

pub(crate) async fn run(context: &Context, arguments: &args::Scan) -> Result<Exit, CommandError> {
    let service = if arguments.dry_run { context.look()? } else { context.open(arguments.jobs)? };
    let scope = match &arguments.kind {
        None => Scope::Everything,
        Some(name) => Scope::Kinds([Context::kind(&service, name)?].into()),
    };
    let request = ScanRequest {
        retry: RetryMode::All,
        scope,
        dry_run: arguments.dry_run,
        rehash: arguments.rehash,
        allow_mass_removal: arguments.allow_mass_removal,
        prunes_orphans: false,
        detail: if arguments.all { Detail::Rows } else { Detail::Counts },
        ..service.scan_request(context.interrupts.cancellation())
    };
    let report = service.scan(&request).await?;
    let presentation = Presentation { dry_run: arguments.dry_run, all: arguments.all, ..Presentation::default() };
    print_report(context, &report, &presentation);
    let is_no = report.is_cancelled || (arguments.strict && is_unhealthy(&report));
    Ok(if is_no { Exit::No } else { Exit::Done })
}

/// True if a row is unhealthy or anything else is in error.
pub(super) fn is_unhealthy(report: &Report) -> bool {
    report.rows.iter().any(|row| health::problem(row).is_some())
        || report.problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// How a scan is presented.
pub(super) struct Presentation {
    pub(super) schema: &'static str,
    pub(super) dry_run: bool,
    /// Every source, not only changed and unhealthy ones.
    pub(super) all: bool,
    /// Nothing but these.
    pub(super) only: Option<BTreeSet<SourceId>>,
    /// Where the catalog was moved before the scan.
    pub(super) set_aside: Option<String>,
}

impl Default for Presentation {
    fn default() -> Self {
        Self { schema: "mangrove.scan/1", dry_run: false, all: false, only: None, set_aside: None }
    }
}

impl Presentation {
    fn is_about(&self, source: &SourceId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(source))
    }
}

/// Prints what a scan did, as one document or as lines.
pub(super) fn print_report(context: &Context, report: &Report, presentation: &Presentation) {
    context.print_notices();
    let rows: BTreeMap<&SourceId, &Row> = report.rows.iter().map(|row| (&row.source, row.as_ref())).collect();
    let is_shown = |step: &&Step| {
        let row = rows.get(&step.source);
        let is_unhealthy = row.is_some_and(|row| health::problem(row).is_some());
        let is_planned = presentation.dry_run && !matches!(step.action, Action::Keep);
        let is_listed = presentation.all || presentation.only.is_some();
        presentation.is_about(&step.source)
            && (is_listed || is_unhealthy || is_planned || report.changed.contains(&step.source))
    };
    let shown: Vec<&Step> = report.steps.iter().filter(is_shown).collect();
    if context.printer.is_json() {
        let sources = shown.iter().map(|step| SourceDocument::new(step, rows.get(&step.source).copied())).collect();
        context.printer.document(
            &ScanDocument::new(report, sources, presentation.dry_run)
                .named(presentation.schema, presentation.set_aside.clone()),
        );
    } else {
        print(&context.printer, presentation, report, &shown, &rows);
    }
}

fn print(
    printer: &Printer,
    presentation: &Presentation,
    report: &Report,
    shown: &[&Step],
    rows: &BTreeMap<&SourceId, &Row>,
) {
    if presentation.dry_run {
        for step in shown.iter().filter(|step| !matches!(step.action, Action::Keep)) {
            printer.line(format!("{:<10} {}: {}", step.action.name(), step.source, step.verdict));
        }
    } else if presentation.all || presentation.only.is_some() {
        for step in shown {
            let state = rows.get(&step.source).map_or("gone", |row| row.state.name().as_str());
            printer.line(format!("{state:<20} {}", step.source));
        }
    }
    for row in report.rows.iter().filter(|row| presentation.is_about(&row.source)) {
        if let Some(problem) = health::problem(row) {
            printer.problem(&problem);
        }
    }
    for problem in &report.problems {
        printer.problem(problem);
    }
    if presentation.dry_run {
        let steps = human::count(report.looked_at, "source");
        let planned = shown.iter().filter(|step| !matches!(step.action, Action::Keep)).count();
        printer.status("Planned", format!("work for {planned} of {steps}; nothing was written"));
    } else if report.is_cancelled {
        printer.status("Stopped", format!("{}; the next scan continues from here", summary(report)));
    } else {
        printer.status("Scanned", summary(report));
    }
}

/// `12 models in 340 ms: 10 indexed (1 degraded), 2 failed to build (12 built)`.
fn summary(report: &Report) -> String {
    let mut states: BTreeMap<StateName, u64> = BTreeMap::new();
    for (state, count) in report.kinds.values().flat_map(|kind| &kind.states) {
        *states.entry(*state).or_default() += count;
    }
    states.retain(|_, count| *count > 0);
    let degraded: u64 = report.kinds.values().map(|kind| kind.degraded).sum();
    let kinds: Vec<String> =
        report.kinds.iter().map(|(kind, summary)| human::count(summary.rows(), kind.as_str())).collect();
    let kinds = if kinds.is_empty() { "no extensions".to_owned() } else { kinds.join(", ") };
    let part = |(state, count)| match state {
        // Only such rows have an earlier bundle to run on.
        StateName::Indexed if degraded > 0 => format!("{count} indexed ({degraded} degraded)"),
        state => format!("{count} {}", condition(state)),
    };
    let parts: Vec<String> = states.into_iter().map(part).collect();
    let states = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    let duration = human::duration(report.statistics.duration);
    format!("{kinds} in {duration}{states} ({} built)", report.statistics.built)
}

const fn condition(state: StateName) -> &'static str {
    match state {
        StateName::Indexed => "indexed",
        StateName::Bundled => "waiting for inspection",
        StateName::BundleBuildFailed => "failed to build",
        StateName::ValidationFailed => "rejected",
        StateName::EntryPointUnreadable => "unreadable",
        StateName::OrphanedBundleOnly => "orphaned",
        StateName::Tombstoned => "removed",
    }
}
