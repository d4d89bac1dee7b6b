//! The time.

use crate::time::Timestamp;

/// Tells the time. Implementations MUST be cheap; two calls may go backwards when the system's clock does.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
