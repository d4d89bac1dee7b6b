//! A node that begins with nothing but its sources, where another one has filled the catalog on a server and the bucket.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::{
    postgres::{Listens, PostgresServer, Setup},
    s3_server::{BUCKET, S3Server},
};
use tempfile::TempDir;

use super::{Options, as_number, catalog::NO_SERVER, median, milliseconds, process::Program, report::Line, summary};

const RUNS: usize = 3;

const WHAT: &str = "cold start of a second node, per entry";

/// The first scan of a checkout that has no state, when the rows are on a server of PostgreSQL and the bundles in a bucket of
/// S3, both on this machine.
pub(super) fn measure(program: &Path, options: &Options) -> Result<[Line; 1]> {
    if !PostgresServer::is_installed() {
        return Ok([Line::unmeasured(WHAT, "ms", NO_SERVER)]);
    }
    // The server of S3 answers on threads of its own.
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    let bucket = runtime.block_on(S3Server::start());
    let listens = Some(Listens::Here);
    let server = PostgresServer::start_with(Setup { is_durable: true, listens, ..Setup::default() });
    let catalog = server.network_url(&server.create_database());
    let node = |checkout: &TempDir| {
        let node = Program::new(program, checkout.path()).with_environment("MANGROVE_CATALOG", &catalog);
        S3Server::credentials().iter().fold(node, |node, (name, value)| node.with_environment(name, value))
    };
    let (first, second) = (checkout(options, &bucket)?, checkout(options, &bucket)?);
    expect(&node(&first).output(&["scan", "--json"])?, options.entries, options.entries)?;
    let node = node(&second);
    let (mut times, mut requests) = (Vec::new(), 0);
    for _ in 0..RUNS {
        if let Err(error) = fs::remove_dir_all(second.path().join(".mangrove")) {
            ensure!(error.kind() == std::io::ErrorKind::NotFound, "the state cannot be removed: {error}");
        }
        let before = bucket.requests();
        let cold = node.watched(&["scan", "--json"])?;
        requests = bucket.requests() - before;
        expect(&cold.stdout, options.entries, 0)?;
        times.push(cold.wall);
    }
    let counted = format!("{} entries, {requests} requests to the bucket", options.entries);
    let each = milliseconds(median(&mut times)) / as_number(options.entries);
    Ok([Line::new(WHAT, each, "ms").at_most(1.5).after(RUNS).noting(&counted)])
}

/// The repository of the bounds, whose bundles go to this bucket.
fn checkout(options: &Options, bucket: &S3Server) -> Result<TempDir> {
    let checkout = super::repository(options)?;
    let marker = checkout.path().join("mangrove.yaml");
    let text = fs::read_to_string(&marker).context("no marker")?;
    let endpoint = bucket.endpoint();
    let bundles = format!("bundles:\n  url: s3://{BUCKET}/bench\n  endpoint: {endpoint}\n  allowHttp: true\n");
    fs::write(marker, text + &bundles).context("cannot write the marker")?;
    Ok(checkout)
}

/// Every entry is accepted, and so many were built and inspected, or the time means nothing.
fn expect(stdout: &str, entries: usize, built: usize) -> Result<()> {
    let summary = summary(stdout)?;
    let of = |count: &serde_json::Value| count.as_u64().and_then(|count| usize::try_from(count).ok());
    ensure!(
        of(&summary["states"]["Indexed"]) == Some(entries)
            && of(&summary["built"]) == Some(built)
            && of(&summary["inspected"]) == Some(built),
        "{entries} entries should be accepted, {built} of them built: {summary}"
    );
    Ok(())
}
