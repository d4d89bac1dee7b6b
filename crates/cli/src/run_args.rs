//! What is wanted of a run, of a workflow or of one method, as clap reads it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use mangrove_domain::{driver, report::ReportOptions, time::parse_duration};

/// What is wanted of a run, beside its inputs.
#[derive(Debug, Default, Args)]
pub(crate) struct Wanted {
    /// A label of the run; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) tags: Vec<(String, String)>,
    /// End the run as cancelled after this time: seconds, or a duration such as 30s, 5m or 1h
    #[arg(long, value_name = "DURATION", value_parser = time_limit)]
    pub(crate) timeout: Option<Duration>,
    /// Let the run fail only for assertions that are at least this severe
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<Severity>,
    /// Report the assertions as `JUnit` XML, on standard output unless `--out` names a file
    #[arg(long)]
    pub(crate) junit: bool,
    /// Where to write that report
    #[arg(long, value_name = "FILE", requires = "junit")]
    pub(crate) out: Option<PathBuf>,
    /// Let this driver run the methods, or none: run them here [default: what `drivers:` of mangrove.yaml says]
    #[arg(long, value_name = "TYPE|none", value_parser = driver_name)]
    pub(crate) driver: Option<String>,
    /// Not supported: no evaluated copies are kept
    #[arg(long)]
    pub(crate) last_evaluated: bool,
    #[command(flatten)]
    pub(crate) checks: Checks,
    #[command(flatten)]
    pub(crate) reports: Reports,
}

/// How bad it is if an assertion does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Severity {
    /// Good to know
    Low,
    /// To be looked at
    Medium,
    /// Wrong
    High,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn time_limit(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    seconds
        .or_else(|| parse_duration(text))
        .ok_or_else(|| "expected seconds, or a duration such as 90s, 5m or 1h".to_owned())
}

fn driver_name(text: &str) -> Result<String, String> {
    match driver::check_name(text) {
        None => Ok(text.to_owned()),
        Some(reason) => Err(reason),
    }
}

/// Which checks are left out.
#[expect(clippy::struct_field_names, reason = "clap makes the names of options of them")]
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Checks {
    /// Run no checks before methods, but for those that a definition requires
    #[arg(long)]
    pub(crate) skip_checks: bool,
    /// Leave out this check; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) skip_check: Vec<String>,
    /// Leave out checks with this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) skip_check_label: Vec<String>,
}

impl Checks {
    /// True if any are left out.
    pub(crate) const fn is_any(&self) -> bool {
        self.skip_checks || !self.skip_check.is_empty() || !self.skip_check_label.is_empty()
    }
}

/// Which reports are made.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reports {
    /// Make no reports, but for those that a file requires
    #[arg(long = "skip-reports")]
    pub(crate) skip_all: bool,
    /// Leave out this report; may be given several times
    #[arg(long = "skip-report", value_name = "NAME")]
    pub(crate) skip: Vec<String>,
    /// Leave out reports with this label; may be given several times
    #[arg(long = "skip-report-label", value_name = "LABEL")]
    pub(crate) skip_labels: Vec<String>,
    /// Make only this report; may be given several times
    #[arg(long = "report", value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Make only reports with this label; may be given several times
    #[arg(long = "report-label", value_name = "LABEL")]
    pub(crate) only_labels: Vec<String>,
}

impl From<&Reports> for ReportOptions {
    fn from(given: &Reports) -> Self {
        Self {
            skip_all: given.skip_all,
            skip: given.skip.clone(),
            skip_labels: given.skip_labels.clone(),
            only: given.only.clone(),
            only_labels: given.only_labels.clone(),
        }
    }
}
