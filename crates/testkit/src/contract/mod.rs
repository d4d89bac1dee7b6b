//! Contract suites: one per port, run by the fake and by every adapter.

mod documents;

pub use documents::documents;
