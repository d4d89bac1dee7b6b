//! Outside programs.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    failure::Fault,
    program::{InstalledProgram, Program},
};

/// Called with the bytes that have come so far, and how many will, if that is known.
pub type TransferListener = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// The programs that bundling and running use.
///
/// Implementations MUST report a program that is not there, or does not run, as a [`Program`] with a fault; MUST verify
/// what they fetch, and put it in place only after it has run. The adapter is held to it by `tests/cli`.
#[async_trait]
pub trait Programs: Send + Sync {
    /// The programs that are used, and what is compiled in.
    async fn list(&self) -> Vec<Program>;

    /// Gets the program `deno` from a registry, unless the right version is installed already.
    async fn install_deno(&self, listener: Option<TransferListener>) -> Result<InstalledProgram, Fault>;
}
