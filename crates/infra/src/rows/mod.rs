//! Rows of the catalog as they are stored, whichever engine keeps them: their encoding, a commit that is ready to be
//! written, and what a reader makes of what it finds.

mod batch;
pub(crate) mod record;
mod view;

pub(crate) use batch::{Batch, Current, Prepared, Written};
pub(crate) use view::{Stored, add_row, description, transition};

/// How many bundles and inspections are remembered; the oldest leave first.
pub const CACHED_ATTEMPTS: i64 = 40_000;
