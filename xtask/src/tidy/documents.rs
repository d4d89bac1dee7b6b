//! Rules about documents: they exist, they are linked, and what they claim is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{layers::section, tree::Tree};

const PROBLEM_CODES: &str = "crates/domain/src/problem/code.rs";
const INVARIANTS: std::ops::RangeInclusive<u32> = 1..=9;

pub(super) fn check(tree: &Tree, dependencies: &BTreeSet<String>) -> Vec<String> {
    [problem_pages(tree), unlinked_pages(tree), broken_links(tree), explained(tree, dependencies), invariants(tree)]
        .concat()
}

/// Every problem code has a page of its title, and every page a code.
fn problem_pages(tree: &Tree) -> Vec<String> {
    let codes = problem_codes(tree.text(PROBLEM_CODES).unwrap_or_default());
    let mut findings = Vec::new();
    if codes.is_empty() {
        findings.push(format!("{PROBLEM_CODES}: no problem code found"));
    }
    let pages: BTreeMap<&str, &str> = tree
        .ending(".md")
        .filter_map(|(path, text)| Some((path.strip_prefix("design/problems/")?.strip_suffix(".md")?, text)))
        .collect();
    for (code, title) in &codes {
        let expected = format!("# {code}: {title}");
        match pages.get(code.as_str()) {
            None => findings.push(format!("design/problems/{code}.md is missing; {PROBLEM_CODES} has the code")),
            Some(text) => {
                if text.lines().next() != Some(expected.as_str()) {
                    findings.push(format!("design/problems/{code}.md does not begin with `{expected}`"));
                }
                for heading in ["## What happened", "## Why", "## What to do"] {
                    if section(text, heading).trim().is_empty() {
                        findings.push(format!("design/problems/{code}.md has nothing under `{heading}`"));
                    }
                }
            }
        }
    }
    for page in pages.keys().filter(|page| !codes.contains_key(**page)) {
        findings.push(format!("design/problems/{page}.md explains a code that {PROBLEM_CODES} does not have"));
    }
    findings
}

/// Lines such as `UNKNOWN_TYPE = 101, "unknown type";`, by code.
fn problem_codes(text: &str) -> BTreeMap<String, String> {
    let mut codes = BTreeMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(" = ") else { continue };
        if !name
            .chars()
            .all(|character| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_')
        {
            continue;
        }
        let Some((number, title)) = value.split_once(", ") else { continue };
        let (Ok(number), Some(title)) = (number.parse::<u16>(), title.strip_suffix("\";")) else { continue };
        codes.insert(format!("MG{number:04}"), title.trim_start_matches('"').to_owned());
    }
    codes
}

/// Every page of `design/` is linked from the architecture or from the index.
fn unlinked_pages(tree: &Tree) -> Vec<String> {
    let mut linked = BTreeSet::new();
    for index in ["ARCHITECTURE.md", "design/README.md"] {
        let targets = links(tree.text(index).unwrap_or_default());
        linked.extend(targets.iter().filter_map(|link| resolve(index, link)));
    }
    let mut findings = Vec::new();
    for (path, _) in tree.ending(".md").filter(|(path, _)| path.starts_with("design/")) {
        let is_index = path == "design/README.md";
        let is_problem = path.starts_with("design/problems/");
        if !is_index && !is_problem && !linked.contains(path) {
            findings.push(format!("{path}: linked neither from ARCHITECTURE.md nor from design/README.md"));
        }
    }
    findings
}

/// Links between files lead to files.
fn broken_links(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for link in links(text) {
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with('#') {
                continue;
            }
            if !resolve(path, &link).is_some_and(|target| tree.has(&target)) {
                findings.push(format!("{path}: the link `{link}` leads nowhere"));
            }
        }
    }
    findings
}

/// The targets of `[text](target)` outside of code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second piece between back-ticks is code.
        let prose: String = line.split('`').step_by(2).collect();
        for piece in prose.split("](").skip(1) {
            if let Some((target, _)) = piece.split_once(')') {
                links.push(target.trim().to_owned());
            }
        }
    }
    links
}

/// The path from the repository's root that `link` in the file `from` leads to.
fn resolve(from: &str, link: &str) -> Option<String> {
    let target = link.split('#').next().unwrap_or_default();
    let mut segments: Vec<&str> = from.split('/').collect();
    segments.pop();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}

/// Every dependency has its line in `design/dependencies.md`, and every line its dependency.
fn explained(tree: &Tree, dependencies: &BTreeSet<String>) -> Vec<String> {
    let page = "design/dependencies.md";
    let text = tree.text(page).unwrap_or_default();
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for line in text.lines() {
        // `- `name`, `other`: why`
        let Some((names, _)) = line.strip_prefix("- ").and_then(|line| line.split_once(": ")) else { continue };
        lines.extend(names.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    let missing = dependencies.difference(&lines).map(|name| format!("{page}: no line says why we depend on {name}"));
    let surplus = lines.difference(dependencies).map(|name| format!("{page}: no manifest depends on {name}"));
    missing.chain(surplus).collect()
}

/// Every invariant has a line in `ARCHITECTURE.md` that names at least one test, and the tests exist.
fn invariants(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let table = section(tree.text("ARCHITECTURE.md").unwrap_or_default(), "## Invariants");
    for number in INVARIANTS {
        let Some(line) = table.lines().find(|line| line.starts_with(&format!("| I{number} |"))) else {
            findings.push(format!("ARCHITECTURE.md has no line for invariant I{number}"));
            continue;
        };
        let guard = line.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let tests: Vec<&str> = guard.split('`').skip(1).step_by(2).filter(|name| !name.contains([':', '/'])).collect();
        if tests.is_empty() {
            findings.push(format!("ARCHITECTURE.md: no test guards invariant I{number}"));
        }
        for test in tests {
            if !tree.ending(".rs").any(|(_, text)| defines(text, test)) {
                findings.push(format!("ARCHITECTURE.md: the test `{test}` that guards I{number} does not exist"));
            }
        }
    }
    findings
}

/// True if the text has a function of this name, generic or not.
fn defines(text: &str, function: &str) -> bool {
    text.match_indices(&format!("fn {function}")).any(|(at, found)| text[at + found.len()..].starts_with(['(', '<']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &str = "codes! {\n    /// Nothing.\n    UNKNOWN_TYPE = 101, \"unknown type\";\n}\n";
    const PAGE: &str = "# MG0101: unknown type\n\n## What happened\n\nx\n\n## Why\n\nx\n\n## What to do\n\nx\n";

    fn none() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn codes_and_pages_belong_together() {
        let page = "design/problems/MG0101.md";
        assert_eq!(problem_pages(&Tree::from([(PROBLEM_CODES, CODES), (page, PAGE)])), none());
        assert_eq!(problem_pages(&Tree::from([(PROBLEM_CODES, CODES)])).len(), 1, "a page is missing");
        assert_eq!(problem_pages(&Tree::from([(page, PAGE)])).len(), 2, "no codes, and a page without a code");
        let other = PAGE.replace("unknown type", "another title");
        assert_eq!(problem_pages(&Tree::from([(PROBLEM_CODES, CODES), (page, &other)])).len(), 1);
        let hollow = PAGE.replace("## Why\n\nx\n", "## Why\n");
        assert_eq!(problem_pages(&Tree::from([(PROBLEM_CODES, CODES), (page, &hollow)])).len(), 1);
    }

    #[test]
    fn a_page_that_no_index_links_is_found() {
        let index = "[States](states.md) and [a decision](decisions/0001-x.md)\n";
        let good = Tree::from([
            ("design/README.md", index),
            ("ARCHITECTURE.md", "[Errors](design/errors.md)\n"),
            ("design/states.md", ""),
            ("design/errors.md", ""),
            ("design/decisions/0001-x.md", ""),
        ]);
        assert_eq!(unlinked_pages(&good), none());
        let bad = Tree::from([("design/README.md", "`[code](lost.md)`\n"), ("design/lost.md", "")]);
        assert_eq!(unlinked_pages(&bad).len(), 1);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let good = Tree::from([
            (
                "design/a.md",
                "[b](b.md#part) [up](../README.md) [folder](problems/) [web](https://example.org/x) [here](#a)\n",
            ),
            ("design/b.md", "```\n[no](link.md)\n```\n"),
            ("design/problems/MG0101.md", ""),
            ("README.md", ""),
        ]);
        assert_eq!(broken_links(&good), none());
        let bad = Tree::from([("design/a.md", "[b](c.md) and [d](../../outside.md)\n")]);
        assert_eq!(broken_links(&bad).len(), 2);
    }

    #[test]
    fn dependencies_and_their_lines_belong_together() {
        let tree = Tree::from([("design/dependencies.md", "# D\n\n- `serde`, `serde_json`: JSON\n")]);
        let used = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(explained(&tree, &used(&["serde", "serde_json"])), none());
        assert_eq!(explained(&tree, &used(&["serde", "serde_json", "sqlx"])).len(), 1);
        assert_eq!(explained(&tree, &used(&["serde"])).len(), 1);
    }

    #[test]
    fn an_invariant_without_an_existing_test_is_found() {
        let table = |guard: &str| {
            let rows: Vec<String> = INVARIANTS.map(|number| format!("| I{number} | holds | {guard} |\n")).collect();
            let rows = rows.concat();
            format!("## Invariants\n\n| | what | guard |\n|---|---|---|\n{rows}")
        };
        let check = |architecture: &str| {
            invariants(&Tree::from([("ARCHITECTURE.md", architecture), ("a/tests/b.rs", "async fn it_holds() {}\n")]))
        };
        assert_eq!(check(&table("`it_holds`, in `a/tests`")), none());
        assert_eq!(check(&table("`it_breaks`")).len(), 9, "the test does not exist");
        assert_eq!(check(&table("by design")).len(), 9, "nothing guards it");
        assert_eq!(check("").len(), 9, "the table is not there");
    }
}
