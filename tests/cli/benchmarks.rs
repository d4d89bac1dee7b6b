//! The code of `cargo xtask bench` works: everything is measured once, with the program of the tests. No figure is
//! compared with anything here; a busy machine must not fail a test.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

#[path = "../bench/measure/mod.rs"]
mod measure;

use measure::{
    Options,
    report::{Bound, Line, Report},
};

fn line(figure: f64, bound: Bound) -> Line {
    Line { bound: Some(bound), ..Line::new("a line", figure, "ms") }.against("another", figure / 2.0)
}

#[test]
fn everything_is_measured_and_every_number_is_one() {
    let options = Options { growth: true, entries: 24, services: 4, ..Options::quick() };
    let report = measure::run(Path::new(env!("CARGO_BIN_EXE_mangrove")), &options).expect("all can be measured");
    let whats: BTreeSet<&str> = report.lines.iter().map(|line| line.what.as_str()).collect();
    assert_eq!(whats.len(), report.lines.len(), "no line twice");
    for what in [
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
        "embedded step",
        "data.latest",
        "data.latest, no definition",
        "data query, index made",
        "data query",
        "data query, all contents",
        "data get, whole process",
        "data query, whole process",
        "growth of the cold scan",
        "growth of the warm scan",
        "idle daemon, memory",
        "idle daemon, share of a processor",
        "requests for a type, each second",
        "save to live, median",
        "save to live, 99th percentile",
        "growth of memory over reloads",
        "lateness of schedules, 99th percentile",
    ] {
        assert!(whats.contains(what), "no line `{what}`: {whats:?}");
    }
    for line in &report.lines {
        let may_be_nothing = line.unit == "exponent" || line.unit == "%" || line.what.starts_with("growth");
        assert!(line.figure.is_finite() && (may_be_nothing || line.figure > 0.0), "{}: {}", line.what, line.figure);
    }
    let document: Value = serde_json::from_str(&report.json()).expect("a JSON document");
    assert_eq!(document["entries"], 24);
    assert_eq!(document["lines"].as_array().map(Vec::len), Some(report.lines.len()));
    let table = report.table();
    assert!(report.lines.iter().all(|line| table.contains(&line.what)), "{table}");
}

/// The bounds are those of one repository; a smaller one would meet them for nothing.
#[test]
fn the_bounds_are_measured_on_the_reference_repository() {
    let full = Options::full();
    assert_eq!((full.entries, full.services, full.entry_bytes), (4_080, 658, 30_000));
    assert_eq!((full.runs, full.index_types, full.growth), (15, 100_000, true));
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
