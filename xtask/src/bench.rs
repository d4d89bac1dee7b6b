//! Builds and runs the benchmarks; `design/performance.md` says what they measure.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// What can be measured alone.
const PARTS: [&str; 5] = ["--daemon", "--data", "--packages", "--scans", "--servers"];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    is_quick: bool,
    is_debug: bool,
    /// What is measured alone, as the benchmark calls it; `None` for everything.
    only: Option<&'static str>,
    real: Option<PathBuf>,
    json: Option<PathBuf>,
}

/// Runs them. True if all could be measured and no bound is missed; the quick form misses none.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let request = request(std::env::args().skip(2))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    // Cargo runs a benchmark in the directory of its package.
    let json = request.json.clone().unwrap_or_else(|| target.join("bench.json"));
    let json = absolute(json)?;
    let status = Command::new("cargo")
        .args(arguments(&request, json.into_os_string()))
        .current_dir(root)
        .status()
        .context("cannot run cargo")?;
    Ok(status.success())
}

fn absolute(path: impl Into<PathBuf>) -> Result<PathBuf> {
    let path = path.into();
    std::path::absolute(&path).with_context(|| format!("cannot tell where {} is", path.display()))
}

fn request(mut arguments: impl Iterator<Item = String>) -> Result<Request> {
    let mut request = Request { is_quick: false, is_debug: false, only: None, real: None, json: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => request.is_quick = true,
            "--debug" => request.is_debug = true,
            "--real" => request.real = Some(absolute(arguments.next().context("--real wants a directory")?)?),
            "--json" => request.json = Some(arguments.next().context("--json wants a file")?.into()),
            other => match PARTS.iter().find(|part| **part == other) {
                Some(part) => request.only = Some(part),
                None => bail!(
                    "unknown argument `{other}`; usage: cargo xtask bench [--quick] [--debug] [{}] [--real DIR] [--json FILE]",
                    PARTS.join("|")
                ),
            },
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
    arguments.extend(request.only);
    let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    if let Some(directory) = &request.real {
        arguments.extend(["--real".into(), directory.into()]);
    }
    arguments.extend(["--json".into(), json]);
    arguments
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
        let expected = Request { is_quick: true, is_debug: true, only: None, real: None, json };
        assert_eq!(asked, expected);
        let line = arguments(&asked, "/b.json".into()).join(" ".as_ref());
        assert_eq!(line, "bench --package mangrove-cli --bench whole_process --profile dev -- --quick --json /b.json");
        let line = arguments(&parse("").expect("no arguments"), "/b.json".into()).join(" ".as_ref());
        assert_eq!(line, "bench --package mangrove-cli --bench whole_process -- --json /b.json");
        for part in PARTS {
            let line = arguments(&parse(part).expect("a known argument"), "/b.json".into()).join(" ".as_ref());
            let expected = format!("bench --package mangrove-cli --bench whole_process -- {part} --json /b.json");
            assert_eq!(line.to_str(), Some(&*expected));
        }
    }

    #[test]
    fn a_repository_is_where_whoever_asks_has_it() {
        let asked = parse("--real a").expect("known arguments");
        let directory = std::env::current_dir().expect("a directory").join("a");
        let line = arguments(&asked, "/b.json".into()).join(" ".as_ref());
        let expected = format!("-- --real {} --json /b.json", directory.display());
        assert!(line.to_str().is_some_and(|line| line.ends_with(&expected)), "{}", line.display());
    }

    #[test]
    fn an_unknown_argument_is_an_error() {
        assert!(parse("--fast").is_err());
        assert!(parse("--json").is_err());
        assert!(parse("--real").is_err());
    }
}
