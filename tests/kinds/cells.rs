//! One cell of the matrix: what happens to a repository, and what a warm and a cold scan make of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use mangrove_app::scan::{RetryMode, ScanRequest};
use mangrove_domain::{
    digest::Digest,
    failure::FailureClass,
    fingerprint::Inputs,
    problem::Code,
    row::Row,
    source::{Extension, Kind, Origin, SourceId},
    state::{State, StateName},
    type_name::TypeName,
};
use mangrove_infra::worker::Pool;
use mangrove_testkit::sources::SAMPLES;

use crate::world::{Process, Repository, Seen, pool};

/// Where the state of a repository lies, below it.
const STATE: &str = ".mangrove";

/// What happens. After each step a new process scans; what is said of a cell is what the last one did.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) steps: &'static [fn(&Repository)],
}

/// Everything of a row that must not depend on how it came about.
#[derive(Clone, Debug, PartialEq)]
struct Essence {
    kind: Kind,
    origin: Origin,
    extension: Extension,
    state: StateName,
    type_name: Option<TypeName>,
    description: Option<Digest>,
    entry_digest: Option<Digest>,
    bundle: Option<Digest>,
    built: Option<Inputs>,
    attempted: Option<Inputs>,
    rule_version: u32,
    failure: Option<(FailureClass, Code)>,
}

impl Essence {
    fn of(row: &Row) -> Self {
        Self {
            kind: row.kind.clone(),
            origin: row.origin,
            extension: row.extension.clone(),
            state: row.state.name(),
            type_name: row.type_name().cloned(),
            description: row.state.indexed().map(|indexed| indexed.description),
            entry_digest: row.entry_digest,
            bundle: row.bundle().map(|bundle| bundle.entry.key.digest()),
            built: row.built.clone(),
            attempted: row.attempted.clone(),
            rule_version: row.rule_version,
            failure: row.failure().map(|failure| (failure.class, failure.code)),
        }
    }
}

/// True for a row that keeps something that a cold start cannot know.
fn has_history(row: &Row) -> bool {
    match row.state {
        State::Indexed(_) | State::Bundled { .. } | State::ValidationFailed { .. } => row.degraded.is_some(),
        State::BundleBuildFailed { .. } => !row.rejected_before.is_empty(),
        State::EntryPointUnreadable { .. } | State::OrphanedBundleOnly { .. } | State::Tombstoned { .. } => true,
    }
}

/// Runs the cells and renders what differs from a repository in which nothing happened.
pub(crate) async fn table(cells: &[Cell]) -> String {
    let pool = pool();
    let repository = Repository::new();
    let state = repository.tree.path(STATE);
    let process = Process::start(&repository, &state, &pool).await;
    let before = process.scan(&ScanRequest::default()).await;
    process.end().await;
    assert_eq!(before.report.statistics.built, 15, "before anything happens");
    let mut blocks = Vec::with_capacity(cells.len());
    for cell in cells {
        blocks.push(run(cell, &repository, &before, &pool).await);
    }
    blocks.join("\n")
}

async fn run(cell: &Cell, untouched: &Repository, before: &Seen, pool: &Pool) -> String {
    let name = cell.name;
    // Another place makes no difference (fault 16), and what was built once need not be built for every cell.
    let repository = untouched.copy();
    let state = repository.tree.path(STATE);
    let mut last = None;
    for step in cell.steps {
        if let Some((_, process)) = last.take() {
            Process::end(process).await;
        }
        step(&repository);
        let process = Process::start(&repository, &state, pool).await;
        last = Some((process.scan(&ScanRequest::default()).await, process));
    }
    let (warm, process) = last.expect("a cell has steps");
    let mut gone = BTreeMap::new();
    for source in before.rows.keys().filter(|source| !warm.rows.contains_key(source)) {
        let last = process.history(source).await.pop().expect("an audit line");
        gone.insert(source.clone(), last.transition.reason);
    }
    process.end().await;
    check_rest(name, &repository, &state, pool, &warm).await;

    let elsewhere = tempfile::tempdir().expect("a directory");
    let process = Process::start(&repository, elsewhere.path(), pool).await;
    let cold = process.scan(&ScanRequest::default()).await;
    process.end().await;
    check_cold(name, &warm, &cold);
    render(name, before, &warm, &cold, &gone)
}

/// Another scan finds nothing to do but to try what failed, and a timer finds nothing at all.
async fn check_rest(name: &str, repository: &Repository, state: &std::path::Path, pool: &Pool, warm: &Seen) {
    let process = Process::start(repository, state, pool).await;
    let failed = warm.rows.values().filter(|row| {
        row.state.name() == StateName::BundleBuildFailed || (row.degraded.is_some() && row.attempted.is_some())
    });
    let failed: BTreeSet<SourceId> = failed.map(|row| row.source.clone()).collect();
    assert_eq!(process.attempts(RetryMode::All).await, failed, "{name}: what a scan tries");
    assert!(process.attempts(RetryMode::Due).await.is_empty(), "{name}: what a timer tries");
    let quiet = process.scan(&ScanRequest { retry: RetryMode::Due, ..ScanRequest::default() }).await;
    assert_eq!(quiet.rows, warm.rows, "{name}: another scan changes nothing");
    assert_eq!(quiet.report.changed, BTreeSet::new(), "{name}");
    process.end().await;
}

/// Cold equals warm on rows without history. A row with history names the failure that a cold start meets, and only
/// rows of its type may be shadowed otherwise.
fn check_cold(name: &str, warm: &Seen, cold: &Seen) {
    let type_of = |row: &Row| row.type_name().map(|type_name| (row.kind.clone(), type_name.clone()));
    let historic = warm.rows.values().filter(|row| has_history(row));
    let touched: BTreeSet<(Kind, TypeName)> = historic.filter_map(type_of).collect();
    for (source, row) in &warm.rows {
        let other = cold.rows.get(source);
        if has_history(row) {
            let failure = |row: &Row| row.failure().map(|failure| (failure.class, failure.code));
            if let Some(other) = other {
                assert_eq!(failure(row), failure(other), "{name}: {source}, warm and cold");
            }
            continue;
        }
        let other = other.unwrap_or_else(|| panic!("{name}: a cold start has no row of {source}"));
        assert_eq!(Essence::of(row), Essence::of(other), "{name}: {source}, warm and cold");
        let extension = match row.origin {
            Origin::Local => "@local/00000000-0000-4000-8000-000000000001",
            Origin::Mounted => "@mount/shared",
            Origin::Pulled => "@acme/tools",
        };
        assert_eq!(&*row.extension.name, extension, "{name}: {source} belongs to where it lies");
        if !type_of(row).is_some_and(|of| touched.contains(&of)) {
            let shadow = |row: &Row| (row.shadowed_by.clone(), row.shadow_fallback);
            assert_eq!(shadow(row), shadow(other), "{name}: {source}, warm and cold");
        }
    }
    let extra: Vec<&SourceId> = cold.rows.keys().filter(|source| !warm.rows.contains_key(source)).collect();
    assert!(extra.is_empty(), "{name}: only a cold start has {extra:?}");
    for (of, source) in warm.resolved.iter().filter(|(of, _)| !touched.contains(of)) {
        assert_eq!(cold.resolved.get(of), Some(source), "{name}: what {} resolves to", of.1);
    }
}

/// One block for a cell: a line for each source that is not as it was before. All kinds must give the same.
fn render(name: &str, before: &Seen, warm: &Seen, cold: &Seen, gone: &BTreeMap<SourceId, String>) -> String {
    let blocks: Vec<String> = SAMPLES.iter().map(|sample| of_kind(sample.kind, before, warm, cold, gone)).collect();
    for (sample, block) in SAMPLES.iter().zip(&blocks) {
        assert_eq!(block, &blocks[0], "{name}: the {} differs from the {}", sample.kind, SAMPLES[0].kind);
    }
    format!("{name}\n{}", blocks[0])
}

fn of_kind(kind: &str, before: &Seen, warm: &Seen, cold: &Seen, gone: &BTreeMap<SourceId, String>) -> String {
    let directory = format!("{kind}s/");
    let shorten = |text: &str| {
        text.replace("mount:mounts/shared/extensions/", "mount/")
            .replace("pulled:@acme/tools/", "pulled/")
            .replace("extensions/", "local/")
            .replace(&directory, "")
    };
    let shown = |source: &SourceId| shorten(&source.to_string());
    let line = |row: &Row| {
        let mut text = row.state.name().to_string();
        if row.degraded.is_some() {
            text.push_str(", degraded");
        }
        if let Some(type_name) = row.type_name() {
            let _ = write!(text, " {type_name}");
        }
        if let Some(failure) = row.failure() {
            let _ = write!(text, " ({} {})", failure.class, failure.code);
        }
        if let Some(by) = &row.shadowed_by {
            let _ = write!(text, " behind {}", shown(by));
        }
        if row.shadow_fallback {
            text.push_str(" standing in");
        }
        text
    };
    let with_bundle = |row: &Row| {
        let was = before.rows.get(&row.source).and_then(Row::bundle);
        let bundle = match (was, row.bundle()) {
            (Some(was), Some(is)) if was == is => "",
            (Some(_), Some(_)) => ", new bundle",
            (Some(_), None) => ", no bundle",
            (None, _) => "",
        };
        format!("{}{bundle}", line(row))
    };
    let is_ours = |source: &&SourceId| source.path.as_str().contains(&directory);
    let sources: BTreeSet<&SourceId> =
        before.rows.keys().chain(warm.rows.keys()).chain(cold.rows.keys()).filter(is_ours).collect();
    let mut lines = Vec::new();
    for source in sources {
        let (was, is) = (before.rows.get(source), warm.rows.get(source));
        let Some(is) = is else {
            lines.push(format!("  {:<18} gone: {}", shown(source), shorten(&gone[source])));
            continue;
        };
        let text = with_bundle(is);
        if was.is_some_and(|was| with_bundle(was) == text) && was.map(Essence::of) == Some(Essence::of(is)) {
            continue;
        }
        lines.push(format!("  {:<18} {text}", shown(source)));
        let cold = cold.rows.get(source).map_or_else(|| "no row".to_owned(), line);
        if cold != line(is) {
            lines.push(format!("  {:<18} cold: {cold}", ""));
        }
    }
    let resolved = |seen: &Seen| -> BTreeMap<TypeName, SourceId> {
        let ours = seen.resolved.iter().filter(|((of, _), _)| of.as_str() == kind);
        ours.map(|((_, name), source)| (name.clone(), source.clone())).collect()
    };
    let (was, is, is_cold) = (resolved(before), resolved(warm), resolved(cold));
    let names: BTreeSet<&TypeName> = was.keys().chain(is.keys()).chain(is_cold.keys()).collect();
    for name in names {
        let of = |map: &BTreeMap<TypeName, SourceId>| map.get(name).map_or_else(|| "nothing".to_owned(), &shown);
        if was.get(name) != is.get(name) || is.get(name) != is_cold.get(name) {
            let cold = if of(&is_cold) == of(&is) { String::new() } else { format!(", cold: {}", of(&is_cold)) };
            lines.push(format!("  {name} is {}{cold}", of(&is)));
        }
    }
    if lines.is_empty() {
        lines.push("  as before".to_owned());
    }
    let built = warm.report.statistics.built;
    let kinds = u64::try_from(SAMPLES.len()).expect("a few");
    assert_eq!(built % kinds, 0, "every kind is built as often");
    lines.push(format!("  {} built, {} written", built / kinds, warm.report.changed.len() / SAMPLES.len()));
    lines.join("\n") + "\n"
}
