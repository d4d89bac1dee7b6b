//! The pages that a daemon shows people.
