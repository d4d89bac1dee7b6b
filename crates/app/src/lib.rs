//! The use cases of Mangrove, over the ports of the domain.

pub mod types;
