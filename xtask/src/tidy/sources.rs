//! Rules about source files and text files in general.

use crate::tree::Tree;

/// A file longer than this is two files (`CONTRIBUTING.md`); tests do not count.
const LONGEST_FILE: usize = 500;

/// Files that are longer today. The list may only become shorter.
const LONGER_FILES: &[&str] = &[];

/// What must not stand in Rust code, cut in two so that this file may say it.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("to", "do!(", "unfinished code"),
    ("unimple", "mented!(", "unfinished code"),
    ("db", "g!(", "a leftover of debugging"),
    ("#[ig", "nore", "a test that is not run"),
];

/// Where machines keep their users and their work, cut in two for the same reason.
const MACHINE_PATHS: &[(&str, &str)] = &[("/wo", "rk/"), ("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/")];

/// Endings of files that people write as text.
const TEXT: &[&str] =
    &[".rs", ".md", ".toml", ".yaml", ".yml", ".json", ".ts", ".tsx", ".js", ".sql", ".sh", ".ci/run"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    [
        too_long(tree, LONGER_FILES),
        forbidden(tree),
        unnamed_test_targets(tree),
        unreachable_modules(tree),
        files_beside_folders(tree),
        white_space(tree),
        machine_paths(tree),
        clocks_and_files(tree),
    ]
    .concat()
}

fn too_long(tree: &Tree, known: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut long = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| !is_test(path)) {
        let length = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if length > LONGEST_FILE {
            long.push(path);
            if !known.contains(&path) {
                findings.push(format!("{path}: {length} lines without its tests, at most {LONGEST_FILE}"));
            }
        }
    }
    let done = known.iter().filter(|path| !long.contains(path));
    findings.extend(
        done.map(|path| format!("{path} is no longer too long; take it out of the list in xtask/src/tidy/sources.rs")),
    );
    findings
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn forbidden(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for (number, line) in text.lines().enumerate() {
            for (start, end, reason) in FORBIDDEN {
                if line.contains(&[*start, *end].concat()) {
                    findings.push(format!("{path}:{}: `{start}{end}`: {reason}", number + 1));
                }
            }
        }
    }
    findings
}

/// A test target outside of a crate's `tests/` runs only if a manifest names it.
fn unnamed_test_targets(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, _) in tree.ending("/main.rs").filter(|(path, _)| path.starts_with("tests/")) {
        if !tree.ending("Cargo.toml").any(|(_, manifest)| manifest.contains(&format!("/{path}\""))) {
            findings.push(format!("{path}: no manifest names this test target, so it never runs"));
        }
    }
    findings
}

/// A file that no `mod` names is not compiled, and nobody is told.
fn unreachable_modules(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, _) in tree.ending(".rs").filter(|(path, _)| !is_target(path)) {
        let Some((directory, file)) = path.rsplit_once('/') else { continue };
        let (directory, module) = if file == "mod.rs" {
            directory.rsplit_once('/').unwrap_or(("", directory))
        } else {
            (directory, file.trim_end_matches(".rs"))
        };
        let parents = [
            format!("{directory}/mod.rs"),
            format!("{directory}/lib.rs"),
            format!("{directory}/main.rs"),
            format!("{directory}.rs"),
        ];
        let mut parents = parents.iter().filter_map(|parent| tree.text(parent)).peekable();
        let declaration = format!("mod {module};");
        // A crate's `tests/<folder>/…` may hang on any test target; those share no fixed parent.
        let is_named = if parents.peek().is_some() {
            parents.any(|text| text.lines().any(|line| line.trim_end().ends_with(&declaration)))
        } else {
            tree.ending(".rs").any(|(_, text)| text.contains(&declaration) || text.contains(&format!("{file}\"")))
        };
        if !is_named {
            findings.push(format!("{path}: no `{declaration}` names this file, so it is never compiled"));
        }
    }
    findings
}

/// The file of a module that has a folder is `mod.rs` in it, so that all of the module moves together.
fn files_beside_folders(tree: &Tree) -> Vec<String> {
    let folder = |path: &str| path.trim_end_matches(".rs").to_owned();
    let beside = tree.ending(".rs").filter(|(path, _)| {
        let inside = format!("{}/", folder(path));
        !is_target(path) && tree.ending(".rs").any(|(other, _)| other.starts_with(&inside))
    });
    beside.map(|(path, _)| format!("{path}: belongs in its folder, as {}/mod.rs", folder(path))).collect()
}

/// True for the first file of a library, program, test, example, bench or build script.
fn is_target(path: &str) -> bool {
    if path.ends_with("/lib.rs") || path.ends_with("/main.rs") || path.ends_with("build.rs") {
        return true;
    }
    let Some((directory, _)) = path.rsplit_once('/') else { return true };
    (path.starts_with("crates/") || path.starts_with("examples/"))
        && ["/tests", "/examples", "/benches", "/src/bin"].iter().any(|folder| directory.ends_with(folder))
        && !directory.contains("/src/") | directory.ends_with("/src/bin")
}

fn white_space(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| TEXT.iter().any(|end| path.ends_with(end))) {
        if !text.is_empty() && !text.ends_with('\n') {
            findings.push(format!("{path}: the last line does not end with a line break"));
        }
        for (number, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(format!("{path}:{}: white space at the end of the line", number + 1));
            }
        }
    }
    findings
}

fn machine_paths(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (number, line) in text.lines().enumerate() {
            for (start, end) in MACHINE_PATHS {
                if starts_a_path(line, &[*start, *end].concat()) {
                    findings.push(format!("{path}:{}: `{start}{end}` is a path of one machine", number + 1));
                }
            }
        }
    }
    findings
}

/// Libraries that may read clocks and write files as they like: the crate that does it for the others, and tests.
const FREE_LIBRARIES: &[&str] = &["crates/fs/src/lib.rs", "crates/fuzz/src/lib.rs", "crates/testkit/src/lib.rs"];

/// What turns on the list of `clippy.toml` for a library, but not for its tests.
const METHODS_ARE_CHECKED: &str = "#![cfg_attr(not(test), warn(clippy::disallowed_methods))]";

/// Every library lets clippy look for clocks and for files that are not written atomically.
fn clocks_and_files(tree: &Tree) -> Vec<String> {
    let libraries = tree.ending("/src/lib.rs").filter(|(path, _)| path.starts_with("crates/"));
    let mut findings = Vec::new();
    for (path, text) in libraries.filter(|(path, _)| !FREE_LIBRARIES.contains(path)) {
        if !text.lines().any(|line| line == METHODS_ARE_CHECKED) {
            findings.push(format!("{path}: the line `{METHODS_ARE_CHECKED}` is missing"));
        }
    }
    findings
}

/// True if `directory` occurs where a path begins, and not in the middle of one.
fn starts_a_path(line: &str, directory: &str) -> bool {
    line.match_indices(directory)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}*~".contains(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let code = "// x\n".repeat(LONGEST_FILE);
        let with_tests = format!("{code}#[cfg(test)]\n{code}");
        let too_much = format!("{code}// y\n");
        let good = Tree::from([("a/src/lib.rs", with_tests.as_str()), ("tests/cli/long.rs", too_much.as_str())]);
        assert_eq!(too_long(&good, &[]), none());
        let bad = Tree::from([("a/src/lib.rs", too_much.as_str())]);
        assert_eq!(too_long(&bad, &[]), ["a/src/lib.rs: 501 lines without its tests, at most 500"]);
        assert_eq!(too_long(&bad, &["a/src/lib.rs"]), none(), "an exception");
        assert_eq!(too_long(&good, &["a/src/lib.rs"]).len(), 1, "an exception that is not needed");
    }

    #[test]
    fn each_forbidden_word_is_found() {
        for (start, end, _) in FORBIDDEN {
            let text = format!("fn f() {{}}\n    {start}{end}\n");
            let findings = forbidden(&Tree::from([("a/src/lib.rs", text.as_str())]));
            assert_eq!(findings.len(), 1, "{start}{end}");
            assert!(findings[0].starts_with("a/src/lib.rs:2: "), "{findings:?}");
        }
        assert_eq!(forbidden(&Tree::from([("a/src/lib.rs", "// a todo list, ignored\n")])), none());
    }

    #[test]
    fn a_test_target_that_no_manifest_names_is_found() {
        let named = "[[test]]\nname = \"cli\"\npath = \"../../tests/cli/main.rs\"\n";
        let good = Tree::from([("crates/cli/Cargo.toml", named), ("tests/cli/main.rs", "")]);
        assert_eq!(unnamed_test_targets(&good), none());
        let bad = Tree::from([("crates/cli/Cargo.toml", named), ("tests/serve/main.rs", "")]);
        assert_eq!(unnamed_test_targets(&bad).len(), 1);
    }

    #[test]
    fn a_module_that_nobody_names_is_found() {
        let good = Tree::from([
            ("crates/a/src/lib.rs", "pub mod one;\nmod two;\n"),
            ("crates/a/src/one.rs", ""),
            ("crates/a/src/two/mod.rs", "mod three;\n"),
            ("crates/a/src/two/three.rs", "mod four;\n"),
            ("crates/a/src/two/three/four.rs", ""),
            ("crates/a/tests/whole.rs", "mod common;\n"),
            ("crates/a/tests/common/mod.rs", ""),
            ("crates/a/examples/shown.rs", ""),
            ("examples/a/src/main.rs", "mod one;\n"),
            ("examples/a/src/one.rs", ""),
            ("examples/a/tests/whole.rs", ""),
            ("tests/cli/main.rs", "mod scan;\n"),
            ("tests/cli/scan.rs", ""),
        ]);
        assert_eq!(unreachable_modules(&good), none());
        let bad = Tree::from([
            ("crates/a/src/lib.rs", "mod one;\n"),
            ("crates/a/src/one.rs", ""),
            ("crates/a/src/lost.rs", ""),
            ("crates/a/src/lone/mod.rs", ""),
            ("tests/cli/main.rs", "mod scan;\n"),
            ("tests/cli/scan.rs", ""),
            ("tests/cli/forgotten.rs", ""),
        ]);
        let findings = unreachable_modules(&bad);
        assert_eq!(findings.len(), 3, "{findings:?}");
    }

    #[test]
    fn a_file_beside_its_folder_is_found() {
        let good = Tree::from([
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/one/mod.rs", ""),
            ("crates/a/src/one/two.rs", ""),
            ("crates/a/src/one_more.rs", ""),
            ("crates/a/tests/whole.rs", ""),
            ("crates/a/tests/whole/part.rs", ""),
        ]);
        assert_eq!(files_beside_folders(&good), none());
        let bad = Tree::from([("crates/a/src/one.rs", ""), ("crates/a/src/one/two.rs", "")]);
        assert_eq!(
            files_beside_folders(&bad),
            ["crates/a/src/one.rs: belongs in its folder, as crates/a/src/one/mod.rs"]
        );
    }

    #[test]
    fn white_space_at_ends_is_found() {
        assert_eq!(white_space(&Tree::from([("a.md", "one\n\ntwo\n"), ("empty.rs", "")])), none());
        assert_eq!(white_space(&Tree::from([("a.md", "one \n")])), ["a.md:1: white space at the end of the line"]);
        assert_eq!(white_space(&Tree::from([("a.rs", "one\n\ttwo\t\n")])).len(), 1);
        assert_eq!(white_space(&Tree::from([("a.ts", "one")])).len(), 1);
    }

    #[test]
    fn a_library_whose_methods_are_not_checked_is_found() {
        let text = format!("//! A crate.\n\n{METHODS_ARE_CHECKED}\n");
        let good = Tree::from([("crates/a/src/lib.rs", text.as_str()), ("crates/fs/src/lib.rs", "")]);
        assert_eq!(clocks_and_files(&good), none());
        assert_eq!(clocks_and_files(&Tree::from([("crates/a/src/lib.rs", "//! A crate.\n")])).len(), 1);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for (start, end) in MACHINE_PATHS {
            let text = format!("see {start}{end}me/x\n");
            assert_eq!(machine_paths(&Tree::from([("a.md", text.as_str())])).len(), 1, "{start}{end}");
            let inside = format!("see repository{start}{end}x\n");
            assert_eq!(machine_paths(&Tree::from([("a.md", inside.as_str())])), none());
        }
    }
}
