//! The threads on which the bundler works.

use std::{io, sync::OnceLock};

use mangrove_domain::{failure::Fault, problem::Code};
use tokio::runtime::{Builder, Runtime};

/// Deeply nested expressions are walked recursively; the usual 2 MB end at a few hundred levels.
const STACK_BYTES: usize = 8 << 20;

/// How many threads read files. The bundler asks for all modules that it knows of at once, each on a thread of its
/// own: where reading is slow, a package of some hundred modules would reserve gigabytes for their stacks, and the
/// limit of the worker's memory would end it.
const READERS: usize = 4;

/// A runtime for bundling on this many threads. It has several threads' semantics even with one: the bundler
/// blocks in place.
pub(super) fn build(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("bundler")
        .thread_stack_size(STACK_BYTES)
        .max_blocking_threads(READERS)
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
        Fault::environment(Code::WORKER_UNAVAILABLE, "worker", format!("cannot start the bundler's threads: {error}"))
    })?;
    Ok(SHARED.get_or_init(|| built))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::{Arc, Condvar, Mutex},
        thread::{self, ThreadId},
    };

    use super::*;

    #[derive(Default)]
    struct Readers {
        started: usize,
        threads: HashSet<ThreadId>,
        is_open: bool,
    }

    #[test]
    fn reads_that_hang_take_few_threads() {
        let runtime = build(1).unwrap();
        let readers: Arc<(Mutex<Readers>, Condvar)> = Arc::default();
        // A thread for each of these would be started here, before any of them is let go on.
        let reads: Vec<_> = (0..200)
            .map(|_| {
                let readers = Arc::clone(&readers);
                runtime.spawn_blocking(move || {
                    let (readers, changed) = &*readers;
                    let mut state = readers.lock().unwrap();
                    state.started += 1;
                    state.threads.insert(thread::current().id());
                    changed.notify_all();
                    drop(changed.wait_while(state, |state| !state.is_open).unwrap());
                })
            })
            .collect();
        let (state, changed) = &*readers;
        let mut state = changed.wait_while(state.lock().unwrap(), |state| state.started < READERS).unwrap();
        state.is_open = true;
        changed.notify_all();
        drop(state);
        runtime.block_on(async {
            for read in reads {
                read.await.unwrap();
            }
        });
        assert_eq!(readers.0.lock().unwrap().threads.len(), READERS);
    }
}
