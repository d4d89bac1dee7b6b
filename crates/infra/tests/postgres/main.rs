//! The databases on a real PostgreSQL server: the contracts of their ports, and what a server does that a file does not.

mod builds;
mod checkouts;
mod contracts;
mod cuts;
mod outages;
mod roles;
mod shared_runs;
mod writers;

use std::time::Duration;

use mangrove_infra::postgres::{Address, BusyPolicy, OpenMode, PostgresCatalog, PostgresRuns};

/// As long as the server of a test may be gone without anybody noticing.
fn patient() -> BusyPolicy {
    BusyPolicy { busy_timeout: Duration::from_secs(5), attempts: 4 }
}

/// For those who wait for an error.
fn impatient() -> BusyPolicy {
    BusyPolicy { busy_timeout: Duration::from_millis(200), attempts: 1 }
}

fn address(url: &str) -> Address {
    Address::parse(url).expect("an address")
}

fn catalog(url: &str) -> PostgresCatalog {
    PostgresCatalog::with_patience(address(url), OpenMode::ReadWrite, patient())
}

/// How long nothing may be heard of a process of these tests before others count it as gone.
const LEASE: Duration = Duration::from_secs(2);

fn runs(url: &str) -> PostgresRuns {
    PostgresRuns::with_limits(address(url), OpenMode::ReadWrite, patient(), LEASE)
}

fn reader(url: &str) -> PostgresCatalog {
    PostgresCatalog::with_patience(address(url), OpenMode::ReadOnly, patient())
}
