//! The time.

use crate::time::Timestamp;

/// Tells the time. Implementations MUST be cheap; two calls may go backwards when the system's clock does.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
