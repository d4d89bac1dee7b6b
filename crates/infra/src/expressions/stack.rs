//! Room for recursion: what is nested deeply is read and evaluated on a stack of its own.

/// How large that stack is; what is not used of it costs nothing.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Does the work on a large stack. `None` if it panicked, or there is no thread for it.
pub(super) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("expression".to_owned()).stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}
