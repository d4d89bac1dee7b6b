//! The threads on which the bundler works.

use std::{io, sync::OnceLock};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};
use tokio::runtime::{Builder, Runtime};

/// Deeply nested expressions are walked recursively; the usual 2 MB end at a few hundred levels.
const STACK_BYTES: usize = 8 << 20;

/// A runtime for bundling on this many threads. It has several threads' semantics even with one: the bundler
/// blocks in place.
pub(super) fn build(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("bundler")
        .thread_stack_size(STACK_BYTES)
        .enable_time()
        .build()
}

/// The runtime that all bundles of this process share.
pub(super) fn shared() -> Result<&'static Runtime, Fault> {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = SHARED.get() {
        return Ok(runtime);
    }
    let built = build(1).map_err(|error| {
        Fault::new(
            FailureClass::Environment,
            Code::WORKER_UNAVAILABLE,
            "worker",
            format!("cannot start the bundler's threads: {error}"),
        )
    })?;
    Ok(SHARED.get_or_init(|| built))
}
