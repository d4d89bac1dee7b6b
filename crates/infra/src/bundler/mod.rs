//! The embedded bundler: extension bundles from bytes in memory, vendor bundles from unpacked packages.
//!
//! Both run in worker children (`crate::worker`), because hostile input can end the process; the why is in
//! `design/bundling.md`.

mod diagnostics;
pub mod embedded;
mod options;
pub(crate) mod requirements;
mod runtime;
pub mod vendor;
