//! A disk that is full, and then is not. The message says so, and nothing is lost.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use crate::{Outcome, repository::Repository};

/// Mounts a small disk for the state and scans; makes it larger and scans again. Prints the exit codes.
const SCRIPT: &str = r#"
set -u
mount -t tmpfs -o size=400k drill .mangrove || exit 99
"$@" scan >first.out 2>first.err; echo "$?" >codes
mount -o remount,size=64m .mangrove || exit 99
"$@" scan >second.out 2>second.err; echo "$?" >>codes
"$@" workflow run hello >third.out 2>third.err; echo "$?" >>codes
"#;

pub(crate) fn run(_: &mut Rng) -> Result<Outcome> {
    let repository = Repository::new()?;
    for number in 0..40 {
        let text = crate::repository::model("", &format!("@drill/large{number}"), &"words ".repeat(4_000));
        repository.write(&format!("extensions/models/large{number}.ts"), &text)?;
    }
    fs::create_dir_all(repository.path(".mangrove"))?;
    let ended = repository.start_under(&["unshare", "--mount", "sh", "-c", SCRIPT, "drill"], &[])?;
    let ended = ended.end(crate::repository::TIME_LIMIT)?;
    let Ok(codes) = fs::read_to_string(repository.path("codes")) else {
        return Ok(Outcome::Skipped(format!("needs root, to mount a small disk: {}", ended.stderr.trim())));
    };
    let read = |name: &str| fs::read_to_string(repository.path(name)).with_context(|| name.to_owned());
    let codes: Vec<&str> = codes.lines().collect();
    let first = read("first.err")? + &read("first.out")?;
    ensure!(codes.first() != Some(&"0"), "a scan on a full disk succeeded: {first}");
    ensure!(
        first.contains("MG0402") && first.contains("full"),
        "the message does not say that the disk is full: {first}"
    );
    ensure!(!first.contains("catalog rebuild"), "a full disk is no reason to rebuild the catalog: {first}");
    ensure!(
        codes.get(1) == Some(&"0"),
        "with room again, the scan fails: {}{}",
        read("second.err")?,
        read("second.out")?
    );
    ensure!(codes.get(2) == Some(&"0"), "with room again, the run fails: {}{}", read("third.err")?, read("third.out")?);
    Ok(Outcome::Held("a scan on a full disk says so; with room again, the next one is whole".to_owned()))
}
