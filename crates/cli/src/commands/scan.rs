//! `mangrove scan`

use std::collections::BTreeMap;

use mangrove_app::{
    health,
    scan::{Report, Request, RetryMode},
};
use mangrove_domain::{
    plan::{Action, Scope, Step},
    problem::Severity,
    row::Row,
    source::{Kind, SourceId},
    state::StateName,
};

use super::Context;
use crate::{
    args,
    compose::Workspace,
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
    let request = Request {
        retry: RetryMode::All,
        scope,
        dry_run: arguments.dry_run,
        rehash: arguments.rehash,
        allow_mass_removal: arguments.allow_mass_removal,
    };
    carry_out(context, &workspace, &request, arguments).await
}

/// Carries a scan out and tells what came of it.
pub(crate) async fn carry_out(
    context: &Context,
    workspace: &Workspace,
    request: &Request,
    arguments: &args::Scan,
) -> Result<Exit, CommandError> {
    let report = workspace.scanner.scan(request).await?;
    let rows: BTreeMap<&SourceId, &Row> = report.rows.iter().map(|row| (&row.source, row.as_ref())).collect();
    let is_shown = |step: &&Step| {
        let row = rows.get(&step.source);
        let is_unhealthy = row.is_some_and(|row| health::problem(row).is_some());
        let is_planned = arguments.dry_run && !matches!(step.action, Action::Keep);
        let is_in_scope = match &request.scope {
            Scope::Sources(sources) => sources.contains(&step.source),
            Scope::Everything | Scope::Kinds(_) => true,
        };
        is_in_scope && (arguments.all || is_unhealthy || is_planned || report.changed.contains(&step.source))
    };
    let shown: Vec<&Step> = report.steps.iter().filter(is_shown).collect();

    if context.printer.is_json() {
        let sources = shown.iter().map(|step| SourceDocument::new(step, rows.get(&step.source).copied())).collect();
        context.printer.document(&ScanDocument::new(&report, sources, arguments.dry_run));
    } else {
        print(&context.printer, arguments, &report, &shown, &rows);
    }
    let is_unhealthy = report.rows.iter().any(|row| health::problem(row).is_some())
        || report.problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if arguments.strict && is_unhealthy { Exit::No } else { Exit::Done })
}

fn print(
    printer: &Printer,
    arguments: &args::Scan,
    report: &Report,
    shown: &[&Step],
    rows: &BTreeMap<&SourceId, &Row>,
) {
    if arguments.dry_run {
        for step in shown.iter().filter(|step| !matches!(step.action, Action::Keep)) {
            printer.line(format!("{:<10} {}: {}", step.action.name(), step.source, step.verdict));
        }
    } else if arguments.all {
        for step in shown {
            let state = rows.get(&step.source).map_or("gone", |row| row.state.name().as_str());
            printer.line(format!("{state:<20} {}", step.source));
        }
    }
    for row in shown.iter().filter_map(|step| rows.get(&step.source)) {
        if let Some(problem) = health::problem(row) {
            printer.problem(&problem);
        }
    }
    for problem in &report.problems {
        printer.problem(problem);
    }
    if arguments.dry_run {
        let steps = human::count(report.steps.len() as u64, "source");
        let planned = shown.iter().filter(|step| !matches!(step.action, Action::Keep)).count();
        printer.status("Planned", format!("{steps} looked at, {planned} to be acted on; nothing was written"));
    } else {
        printer.status("Scanned", summary(report));
    }
}

/// `12 models in 340 ms: 10 indexed, 2 failed to build (12 built)`.
fn summary(report: &Report) -> String {
    let mut kinds: BTreeMap<&Kind, u64> = BTreeMap::new();
    let mut states: BTreeMap<StateName, u64> = BTreeMap::new();
    for row in &report.rows {
        *kinds.entry(&row.kind).or_default() += 1;
        *states.entry(row.state.name()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, count)| human::count(count, kind.as_str())).collect();
    let kinds = if kinds.is_empty() { "no extensions".to_owned() } else { kinds.join(", ") };
    let degraded = report.rows.iter().filter(|row| row.degraded.is_some()).count();
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
