//! The use cases of Mangrove, over the ports of the domain: scan, types on demand, loaders, doctor, workflows.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod attachment;
pub mod catalogue;
pub mod doctor;
pub mod health;
pub mod loaders;
pub mod method;
pub mod on_demand;
pub mod render;
pub mod retry;
pub mod scan;
pub mod secrets;
pub mod service;
pub mod single;
pub mod source_query;
pub mod types;
pub mod upkeep;
pub mod why;
pub mod workflow;
