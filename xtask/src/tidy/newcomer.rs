//! Whoever wants to change one thing finds its file by one look-up: `CONTRIBUTING.md` answers for the usual changes,
//! `ARCHITECTURE.md` names the same places, and the places exist.

use crate::{layers::section, tree::Tree};

const PAGE: &str = "CONTRIBUTING.md";
const MAP: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Where to change what";

/// What stands behind a path that does not exist yet.
const PLANNED: &str = "(planned)";

/// What the table has to answer.
const QUESTIONS: [&str; 7] = [
    "a retry class",
    "a problem code",
    "an SQLite pragma",
    "an npm header",
    "a kind",
    "an HTTP route",
    "an expression function",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let table = section(tree.text(PAGE).unwrap_or_default(), HEADING);
    let map = tree.text(MAP).unwrap_or_default();
    let mut findings = Vec::new();
    for question in QUESTIONS {
        let Some(answer) = table.lines().find_map(|line| line.strip_prefix(&format!("| {question} |"))) else {
            findings.push(format!("{PAGE}: the table below `{HEADING}` does not say where {question} goes"));
            continue;
        };
        let answers = paths(answer);
        if answers.is_empty() {
            findings.push(format!("{PAGE}: the line for {question} names no path"));
        }
        for (path, is_planned) in answers {
            if tree.has(path) == is_planned {
                let state = if is_planned { "exists already" } else { "does not exist" };
                findings.push(format!("{PAGE}: {path}, for {question}, {state}"));
            }
            let short = path.trim_start_matches("crates/").trim_end_matches('/');
            if !map.contains(short) {
                findings.push(format!("{MAP} does not name `{short}`, where {question} goes by {PAGE}"));
            }
        }
    }
    findings
}

/// The paths in a line, and whether they are only planned.
fn paths(answer: &str) -> Vec<(&str, bool)> {
    let mut paths = Vec::new();
    let mut pieces = answer.split('`').skip(1);
    while let (Some(quoted), Some(after)) = (pieces.next(), pieces.next()) {
        if quoted.contains('/') {
            paths.push((quoted, after.trim_start().starts_with(PLANNED)));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(answer: &str) -> String {
        let rows: Vec<String> = QUESTIONS.map(|question| format!("| {question} | {answer} |\n")).to_vec();
        format!("# C\n\n{HEADING}\n\n| for | change |\n|---|---|\n{}", rows.concat())
    }

    fn found(contributing: &str, architecture: &str) -> Vec<String> {
        check(&Tree::from([(PAGE, contributing), (MAP, architecture), ("crates/a/src/b.rs", "")]))
    }

    #[test]
    fn answers_that_exist_and_stand_on_the_map_pass() {
        assert_eq!(found(&page("`crates/a/src/b.rs`: `Class`"), "see `a/src/b.rs`"), Vec::<String>::new());
        assert_eq!(found(&page("`crates/z/src/` (planned)"), "see `z/src`"), Vec::<String>::new());
    }

    #[test]
    fn a_missing_or_wrong_answer_is_found() {
        let count = QUESTIONS.len();
        assert_eq!(found("", "").len(), count, "no table");
        assert_eq!(found(&page("somewhere"), "").len(), count, "no path");
        assert_eq!(found(&page("`crates/a/src/c.rs`"), "`a/src/c.rs`").len(), count, "no such file");
        assert_eq!(found(&page("`crates/a/src/b.rs` (planned)"), "`a/src/b.rs`").len(), count, "it is there by now");
        assert_eq!(found(&page("`crates/a/src/b.rs`"), "").len(), count, "not on the map");
    }
}
