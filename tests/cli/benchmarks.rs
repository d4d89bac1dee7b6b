//! The code of `cargo xtask bench` works: everything is measured once, with the program of the tests. No figure is
//! compared with anything here; a busy machine must not fail a test.

use std::{collections::BTreeSet, path::Path};

use mangrove_testkit::corpus::Corpus;
use serde_json::Value;

#[path = "../bench/measure/mod.rs"]
mod measure;

use measure::{
    Only, Options,
    callgrind::Part,
    report::{Bound, Line, Report},
};

fn line(figure: f64, bound: Bound) -> Line {
    Line { bound: Some(bound), ..Line::new("a line", figure, "ms") }.against("another", figure / 2.0)
}

/// A report of one part, in which these lines are, and every figure is a number.
fn measured(part: &str, whats: &[&str]) -> Report {
    let only = Only::named(part);
    assert!(only.is_some(), "{part} is a part");
    let options = Options { growth: &[3, 6, 12], entries: 24, services: 4, packages: None, only, ..Options::quick() };
    let report = measure::run(Path::new(env!("CARGO_BIN_EXE_mangrove")), &options).expect("all can be measured");
    let found: BTreeSet<&str> = report.lines.iter().map(|line| line.what.as_str()).collect();
    assert_eq!(found.len(), report.lines.len(), "no line twice");
    for what in whats {
        assert!(found.contains(what), "no line `{what}`: {found:?}");
    }
    for line in &report.lines {
        let Some(figure) = line.figure else {
            assert!(line.note.is_some(), "{} says why", line.what);
            continue;
        };
        let may_be_nothing = line.unit == "exponent" || line.unit == "%" || line.what.starts_with("growth");
        assert!(figure.is_finite() && (may_be_nothing || figure > 0.0), "{}: {figure}", line.what);
    }
    let document: Value = serde_json::from_str(&report.json()).expect("a JSON document");
    assert_eq!(document["entries"], 24);
    assert_eq!(document["lines"].as_array().map(Vec::len), Some(report.lines.len()));
    let table = report.table();
    assert!(report.lines.iter().all(|line| table.contains(&line.what)), "{table}");
    report
}

#[test]
fn scans_and_other_commands_are_measured() {
    let report = measured(
        "--scans",
        &[
            "cold scan, per entry",
            "cold scan, peak memory",
            "git status",
            "git status, untracked cache",
            "warm scan",
            "warm scan, untracked cache",
            "warm scan, 0.3 % unhealthy",
            "warm scan, 0.3 % unhealthy, beyond the attempts",
            "scan --rehash",
            "types",
            "describe",
            "why",
            "resolve a type",
            "cold scan with a package, per entry",
            "catalog, all rows",
            "catalog, commit of 1000 rows",
            "catalog on PostgreSQL, all rows",
            "catalog on PostgreSQL, commit of 1000 rows",
            "plain stat",
            "hash everything",
            "size of the program",
            "time to first byte, --version",
            "time to first byte, types",
            "one shared file edited",
            "one shared file edited, beyond the builds",
            "cold scan, peak memory, 6 entries",
            "cold scan, peak memory, 12 entries",
            "growth of peak memory",
            "growth of the cold scan",
            "growth of the warm scan",
        ],
    );
    // What only the benchmark itself can measure, with what the machine has.
    let elsewhere = BTreeSet::from([
        "warm scan, instructions",
        "resolve a type, instructions",
        "catalog, commit of 1000 rows, instructions",
    ]);
    assert_eq!(report.unmeasured().into_iter().collect::<BTreeSet<_>>(), elsewhere);
}

#[test]
fn a_daemon_is_measured() {
    measured(
        "--daemon",
        &[
            "idle daemon, memory",
            "idle daemon, share of a processor",
            "requests for a type, each second",
            "save to live, median",
            "save to live, 99th percentile",
            "growth of memory over reloads",
            "growth of open descriptors over reloads",
            "lateness of schedules, 99th percentile",
        ],
    );
}

#[test]
fn data_and_steps_are_measured() {
    measured(
        "--data",
        &[
            "embedded step",
            "data.latest",
            "data.latest, no definition",
            "data query, index made",
            "data query",
            "data query, all contents",
            "data get, whole process",
            "data query, whole process",
        ],
    );
}

#[test]
fn what_machines_share_is_measured() {
    let report = measured(
        "--servers",
        &[
            "catalog, all rows",
            "catalog, commit of 1000 rows",
            "catalog on PostgreSQL, all rows",
            "catalog on PostgreSQL, commit of 1000 rows",
            "cold start of a second node, per entry",
        ],
    );
    assert!(report.unmeasured().is_empty(), "the tests have a server");
}

/// The bounds are those of one repository; a smaller one would meet them for nothing.
#[test]
fn the_bounds_are_measured_on_the_reference_repository() {
    let full = Options::full();
    assert_eq!((full.entries, full.services, full.entry_bytes), (4_080, 658, 30_000));
    assert_eq!((full.runs, full.index_types), (15, 100_000));
    assert_eq!(full.growth, [500, 1_000, 2_000, 4_000, 8_000]);
    let packages = full.packages.map(|packages| (packages.entries, packages.unhealthy));
    assert_eq!((packages, full.sample), (Some((4_000, 12)), 20));
    assert_eq!((full.catalog_rows, full.data_items, full.steps), (100_000, 100_000, 200));
    let daemon = full.daemon;
    assert_eq!((daemon.edits, daemon.reloads, daemon.clients, daemon.schedules), (200, 1_000, 200, 10_000));
}

#[test]
fn a_program_that_fails_is_no_measurement() {
    let error = measure::run(Path::new("/no/such/program"), &Options::quick()).err().map(|error| format!("{error:#}"));
    assert!(error.is_some_and(|error| error.contains("/no/such/program")));
}

#[test]
fn a_missed_bound_is_said_and_not_hidden() {
    let verdicts = |line: Line| line.verdict();
    assert_eq!(verdicts(line(10.0, Bound::FigureAtMost(10.0))), Some("ok"));
    assert_eq!(verdicts(line(10.1, Bound::FigureAtMost(10.0))), Some("short"));
    assert_eq!(verdicts(line(10.0, Bound::RatioAtMost(2.0))), Some("ok"));
    assert_eq!(verdicts(line(10.0, Bound::RatioAtMost(1.9))), Some("short"));
    assert_eq!(verdicts(line(10.0, Bound::RatioAtLeast(2.0))), Some("ok"));
    assert_eq!(verdicts(line(10.0, Bound::RatioAtLeast(2.1))), Some("short"));
    assert_eq!(Line::new("a line", 1.0, "ms").verdict(), None);
    let report = Report { lines: vec![line(10.1, Bound::FigureAtMost(10.0))], ..Report::default() };
    assert!(report.table().contains("short"));
    let document: Value = serde_json::from_str(&report.json()).expect("a JSON document");
    assert_eq!(document["lines"][0]["verdict"], "short");
}

/// With small packages in the place of the real ones, which need a network.
#[test]
fn packages_are_measured() {
    let mut options = Options { only: Only::named("--packages"), runs: 1, ..Options::quick() };
    // One in each of six ways, and one that is healthy.
    if let Some(packages) = &mut options.packages {
        packages.entries = 7;
    }
    let report = measure::run(Path::new(env!("CARGO_BIN_EXE_mangrove")), &options).expect("all can be measured");
    let mut whats: Vec<&str> = report.lines.iter().map(|line| line.what.as_str()).collect();
    whats.sort_unstable();
    let expected = [
        "cold scan, store and inspections cached, per entry",
        "cold scan, zod in every entry, peak memory",
        "cold scan, zod in every entry, per entry",
        "cold scan, zod in twice as many entries, peak memory",
        "deno bundle and import, zod in every entry, per entry",
        "growth of peak memory, zod in every entry",
        "scan --rehash, zod in every entry",
        "warm scan, zod in every entry",
        "warm scan, zod in every entry, beyond the attempts",
    ];
    assert_eq!(whats, expected);
    assert_eq!(report.unmeasured(), [expected[4]], "Deno knows no stand-ins");
    assert!(report.lines.iter().all(|line| line.figure.is_none_or(|figure| figure > 0.0)));
}

#[test]
fn parts_have_names() {
    assert_eq!(Only::named("--data"), Some(Only::Data));
    assert_eq!(Only::named("--daemon"), Some(Only::Daemon));
    assert_eq!(Only::named("--servers"), Some(Only::Servers));
    assert_eq!(Only::named("--everything"), None);
}

/// What callgrind counts is this in a process of its own.
#[test]
fn what_is_counted_can_be_repeated() {
    for part in ["resolve", "commit"] {
        Part::named(part).expect("a part").repeat(1).expect("carried out");
    }
    assert_eq!(Part::named("scan"), None);
}

#[test]
fn what_is_not_measured_is_neither_ok_nor_short() {
    let line = Line::unmeasured("a line", "ms", "no registry").at_most(10.0).against("another", 1.0);
    assert_eq!((line.verdict(), line.ratio), (Some("not measured"), None));
    let report = Report { lines: vec![line], ..Report::default() };
    assert!(report.missed().is_empty());
    assert_eq!(report.unmeasured(), ["a line"]);
    assert!(report.table().contains("not measured") && report.table().contains("(no registry)"));
    let document: Value = serde_json::from_str(&report.json()).expect("a JSON document");
    assert_eq!(document["lines"][0]["figure"], Value::Null);
    assert_eq!(document["lines"][0]["note"], "no registry");
}

#[test]
fn a_repository_on_disk_is_measured_in_a_copy() {
    let directory = tempfile::tempdir().expect("a directory");
    for root in ["one", "two/inner"] {
        let healthy = Corpus { entries: 3, services: 1, broken: 0, invalid: 0 };
        healthy.write(&directory.path().join(root)).expect("a repository");
    }
    let options = Options::quick();
    let program = Path::new(env!("CARGO_BIN_EXE_mangrove"));
    let report = measure::real::run(program, directory.path(), &options).expect("all can be measured");
    assert_eq!((report.entries, report.extensions), (6, 2));
    assert!(report.missed().is_empty());
    assert_eq!(report.unmeasured(), ["deno bundle and import, per entry"]);
    assert!(!directory.path().join("one/.mangrove").exists() && !directory.path().join("one/.git").exists());
    let error = measure::real::run(program, &directory.path().join("two/inner/extensions"), &options).err();
    assert!(error.is_some_and(|error| error.to_string().contains("no root")));
}

#[test]
fn the_exponent_is_that_of_the_curve() {
    let curve = |power: f64| [500.0, 1_000.0, 2_000.0_f64].map(|size| (size, 3.0 * size.powf(power)));
    for power in [0.0, 1.0, 2.0] {
        assert!((measure::exponent(&curve(power)) - power).abs() < 1e-9);
    }
}

#[test]
fn a_report_names_the_lines_whose_bound_is_missed() {
    let named = |what: &str, figure| Line { what: what.to_owned(), ..line(figure, Bound::FigureAtMost(2.0)) };
    let report = Report { lines: vec![named("within", 2.0), named("beyond", 2.1)], ..Report::default() };
    assert_eq!(report.missed(), ["beyond"]);
}
