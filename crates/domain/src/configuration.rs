//! What the configuration of a repository says.

use std::collections::BTreeSet;

use crate::{driver::Drivers, permission::Permissions};

/// What is in force of the configuration, apart from where sources lie, which every look at them reads again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InForce {
    /// What is granted to whom.
    pub permissions: Permissions,
    /// Which driver runs what.
    pub drivers: Drivers,
    /// The bundler that builds extensions: `auto`, `embedded` or `deno`.
    pub bundler: &'static str,
    /// The names of workflows of pulled extensions whose schedules are in force.
    pub allowed_schedules: BTreeSet<String>,
    /// The vault for what names none.
    pub default_vault: Option<String>,
}

/// The keys of `serve` in `mangrove.yaml`, sorted. What they mean is in `design/daemon.md`.
pub const SERVE_KEYS: [&str; 11] = [
    "grace",
    "hosts",
    "keepLogs",
    "keepRuns",
    "keepTransitions",
    "listen",
    "parallelRuns",
    "rescan",
    "sharedParallelRuns",
    "timeZone",
    "tokenFile",
];

/// The keys of `bundles` in `mangrove.yaml`, sorted. What they mean is in `design/bundle-store-s3.md`.
pub const BUNDLES_KEYS: [&str; 7] = ["allowHttp", "cacheSize", "credentials", "endpoint", "pathStyle", "region", "url"];
