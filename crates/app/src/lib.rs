//! The use cases of Mangrove, over the ports of the domain.

pub mod method;
pub mod secrets;
pub mod types;
pub mod workflow;
