//! What the configuration of a repository says.

use crate::permission::Permissions;

/// What is in force of the configuration, apart from where sources lie, which every look at them reads again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// What is granted to whom.
    pub permissions: Permissions,
    /// The bundler that builds extensions: `auto`, `embedded` or `deno`.
    pub bundler: &'static str,
}

/// The keys of `serve` in `mangrove.yaml`, sorted. What they mean is in `design/daemon.md`.
pub const SERVE_KEYS: [&str; 9] =
    ["grace", "hosts", "keepLogs", "keepRuns", "keepTransitions", "listen", "parallelRuns", "rescan", "tokenFile"];
