//! Lists the alerts of a repository: how a program of another team uses Mangrove. The README says which part is whose.

mod alert;
mod literal;
mod one_file;
mod open;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use mangrove_app::scan::ScanRequest;
use mangrove_domain::{row::Row, state::State};

/// Exits with 1 if an alert cannot be used.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let directory = std::env::args_os().nth(1).context("usage: mangrove-embedding REPOSITORY")?;
    let directory = PathBuf::from(directory).canonicalize().context("cannot find the repository")?;
    let service = open::service(directory)?;
    let report = service.scan(&ScanRequest::default()).await?;
    let mut output = std::io::stdout().lock();
    for row in &report.rows {
        match row.type_name() {
            Some(type_name) if row.is_resolvable() => writeln!(output, "{type_name}")?,
            _ => writeln!(output, "{} cannot be used: {}", row.source, reason(row))?,
        }
    }
    for problem in report.problems.iter().chain(&service.take_notices()) {
        writeln!(output, "{}: {}", problem.subject, problem.message)?;
    }
    let is_healthy = report.rows.iter().all(|row| row.is_resolvable());
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn reason(row: &Row) -> String {
    if let State::ValidationFailed { violations, .. } = &row.state {
        return violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    }
    row.failure().map_or_else(|| row.state.name().to_string(), |failure| failure.latest_message.clone())
}
