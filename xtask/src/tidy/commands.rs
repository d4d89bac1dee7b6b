//! Crates below the faces of the program name no command line: they say what to do as a value (`domain::advice`), and
//! each face puts it in its own words.

use crate::tree::Tree;

/// The crates whose code answers people or composes the others.
const FACES: &[&str] = &["crates/cli/", "crates/daemon/", "crates/documents/", "crates/testkit/"];

/// The commands that a sentence might name.
const COMMANDS: &[&str] = &[
    "bundle", "cache", "catalog", "describe", "doctor", "explain", "init", "model", "retry", "run", "runtime", "scan",
    "types", "why", "workflow",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let is_library = |path: &str| {
        path.starts_with("crates/") && path.contains("/src/") && !FACES.iter().any(|face| path.starts_with(face))
    };
    for (path, text) in tree.ending(".rs").filter(|(path, _)| is_library(path)) {
        for (index, line) in text.lines().enumerate() {
            if let Some(command) = named(line) {
                findings.push(format!(
                    "{path}:{}: names `mangrove {command}`; a library gives advice as a value (crates/domain/src/advice.rs)",
                    index + 1
                ));
            }
        }
    }
    findings
}

/// The command that a line of code names; comments may name any.
fn named(line: &str) -> Option<&'static str> {
    if line.trim_start().starts_with("//") {
        return None;
    }
    line.split("mangrove ").skip(1).find_map(|rest| {
        let word = rest.split(|character: char| !character.is_ascii_lowercase()).next()?;
        COMMANDS.iter().copied().find(|command| *command == word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_names_a_command_is_found() {
        let tree = Tree::from([
            ("crates/app/src/health.rs", "/// As `mangrove why` shows.\nlet text = \"see `mangrove why a`\";\n"),
            ("crates/infra/src/seals.rs", "const HEADER: &[u8] = b\"mangrove seal 1\\n\";\n"),
            ("crates/documents/src/advice.rs", "let text = \"mangrove scan\";\n"),
            ("crates/app/tests/scan.rs", "let text = \"mangrove scan\";\n"),
        ]);
        assert_eq!(
            check(&tree),
            [
                "crates/app/src/health.rs:2: names `mangrove why`; a library gives advice as a value (crates/domain/src/advice.rs)"
            ]
        );
    }
}
