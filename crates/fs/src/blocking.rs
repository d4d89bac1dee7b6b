//! Work that waits for the disk, off the threads that serve tasks.

use thiserror::Error;

/// The work ended without a result: it panicked, or the runtime is shutting down.
#[derive(Debug, Error)]
#[error("the task ended early: {0}")]
pub struct Unfinished(#[from] tokio::task::JoinError);

/// Runs `work` on a thread that may block. Must be called within a Tokio runtime.
///
/// # Errors
/// [`Unfinished`] if the work panicked or was not started any more; the panic goes no further.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unfinished> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn gives_the_value_of_the_work() {
        assert_eq!(run(blocking(|| 7)).expect("a value"), 7);
    }

    #[test]
    fn a_panic_is_an_error_and_says_what_it_was() {
        let error = run(blocking(|| -> () { panic!("a failed task") })).expect_err("a panic");
        let text = error.to_string();
        assert!(text.starts_with("the task ended early: ") && text.contains("a failed task"), "{text}");
    }
}
