//! Builds and runs the benchmarks; `design/performance.md` says what they measure.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    is_quick: bool,
    is_debug: bool,
    only_daemon: bool,
    only_data: bool,
    json: Option<PathBuf>,
}

/// Runs them. True if all could be measured and no bound is missed; the quick form misses none.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let request = request(std::env::args().skip(2))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    // Cargo runs a benchmark in the directory of its package.
    let json = request.json.clone().unwrap_or_else(|| target.join("bench.json"));
    let json = std::path::absolute(json).context("cannot tell where to write the JSON document")?;
    let status = Command::new("cargo")
        .args(arguments(&request, json.into_os_string()))
        .current_dir(root)
        .status()
        .context("cannot run cargo")?;
    Ok(status.success())
}

fn request(mut arguments: impl Iterator<Item = String>) -> Result<Request> {
    let mut request = Request { is_quick: false, is_debug: false, only_daemon: false, only_data: false, json: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => request.is_quick = true,
            "--debug" => request.is_debug = true,
            "--daemon" => request.only_daemon = true,
            "--data" => request.only_data = true,
            "--json" => request.json = Some(arguments.next().context("--json wants a file")?.into()),
            other => bail!(
                "unknown argument `{other}`; usage: cargo xtask bench [--quick] [--debug] [--daemon] [--data] [--json FILE]"
            ),
        }
    }
    Ok(request)
}

fn arguments(request: &Request, json: OsString) -> Vec<OsString> {
    let mut arguments = vec!["bench", "--package", "mangrove-cli", "--bench", "whole_process"];
    if request.is_debug {
        arguments.extend(["--profile", "dev"]);
    }
    arguments.push("--");
    if request.is_quick {
        arguments.push("--quick");
    }
    if request.only_daemon {
        arguments.push("--daemon");
    }
    if request.only_data {
        arguments.push("--data");
    }
    arguments.push("--json");
    arguments.into_iter().map(OsString::from).chain([json]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request> {
        request(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_passed_on() {
        let asked = parse("--quick --debug --json a.json").expect("known arguments");
        let json = Some("a.json".into());
        let expected = Request { is_quick: true, is_debug: true, only_daemon: false, only_data: false, json };
        assert_eq!(asked, expected);
        let line = arguments(&asked, "/b.json".into()).join(" ".as_ref());
        assert_eq!(line, "bench --package mangrove-cli --bench whole_process --profile dev -- --quick --json /b.json");
        let line = arguments(&parse("").expect("no arguments"), "/b.json".into()).join(" ".as_ref());
        assert_eq!(line, "bench --package mangrove-cli --bench whole_process -- --json /b.json");
        for part in ["--daemon", "--data"] {
            let line = arguments(&parse(part).expect("a known argument"), "/b.json".into()).join(" ".as_ref());
            let expected = format!("bench --package mangrove-cli --bench whole_process -- {part} --json /b.json");
            assert_eq!(line.to_str(), Some(&*expected));
        }
    }

    #[test]
    fn an_unknown_argument_is_an_error() {
        assert!(parse("--fast").is_err());
        assert!(parse("--json").is_err());
    }
}
