//! Which files the program really opens, as the kernel sees it.

use std::{collections::BTreeSet, process::Command};

use crate::sandbox::{Sandbox, has_program};

/// The source files, relative to the repository, that `mangrove` with these arguments opens, in whatever process of
/// it. `None` if there is no `strace` and this is not continuous integration.
pub(crate) fn opened_sources(sandbox: &Sandbox, arguments: &[&str]) -> Option<BTreeSet<String>> {
    if !has_program("strace", "which files are opened") {
        return None;
    }
    let log = tempfile::NamedTempFile::new().expect("a file for the trace");
    let mut command = Command::new("strace");
    sandbox.prepare(&mut command);
    command.args(["-f", "-qq", "-y", "-e", "trace=open,openat,openat2", "-o"]).arg(log.path());
    let output = command.arg(env!("CARGO_BIN_EXE_mangrove")).args(arguments).output().expect("strace starts");
    assert!(output.status.success(), "{arguments:?} under strace: {}", String::from_utf8_lossy(&output.stderr));
    let trace = std::fs::read_to_string(log.path()).expect("the trace");
    Some(opened(&trace, sandbox.tree.root().to_str().expect("a path in UTF-8")))
}

/// Source files that were opened with success. With `-y` a line ends with ` = 5</absolute/path>`.
fn opened(trace: &str, root: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for line in trace.lines() {
        let Some(path) = line.rsplit_once(" = ").and_then(|(_, result)| result.split_once('<')) else { continue };
        let Some(relative) = path.1.trim_end().strip_suffix('>').and_then(|path| path.strip_prefix(root)) else {
            continue;
        };
        let is_source = [".ts", ".tsx", ".mts", ".json"].iter().any(|end| relative.ends_with(end));
        if is_source && !relative.starts_with("/.mangrove/") {
            files.insert(relative.trim_start_matches('/').to_owned());
        }
    }
    files
}

#[test]
fn a_trace_is_read_right() {
    let trace = "12 openat(AT_FDCWD</r>, \"extensions/a.ts\", O_RDONLY|O_CLOEXEC) = 5</r/extensions/a.ts>\n\
                 12 openat(AT_FDCWD</r>, \"extensions/b.ts\", O_RDONLY) = -1 ENOENT (No such file or directory)\n\
                 13 openat(4</r/extensions>, \"c.ts\", O_RDONLY) = 6</r/extensions/c.ts>\n\
                 13 openat(AT_FDCWD</r>, \"/r/.mangrove/x.json\", O_RDONLY) = 7</r/.mangrove/x.json>\n";
    let expected: Vec<String> = vec!["extensions/a.ts".to_owned(), "extensions/c.ts".to_owned()];
    assert_eq!(opened(trace, "/r").into_iter().collect::<Vec<_>>(), expected);
}
