//! What the page of a run shows, piece by piece.

pub(crate) mod log;
pub(crate) mod now;
pub(crate) mod problem;
pub(crate) mod steps;
pub(crate) mod written;
