//! The rules of Mangrove: states, freshness, plan, claims, fingerprints, and the ports to the world.
//!
//! Pure code: no file system, no clock, no database, no async runtime. Time, digests, listings and random
//! numbers come in as values. The why is in `design/freshness.md` and its neighbours.

#![expect(
    clippy::module_name_repetitions,
    reason = "a few types are named so that they read well without their module: `TypeName`, `SourceId`, `RunRecord`"
)]

pub mod attachment;
pub mod bundle;
pub mod claims;
pub mod data;
pub mod definition;
pub mod description;
pub mod digest;
pub mod document;
pub mod drift;
pub mod failure;
pub mod fingerprint;
pub mod form;
pub mod freshness;
pub mod glob;
pub mod index;
pub mod inspection;
pub mod json;
pub mod judge;
pub mod kind_layout;
pub mod module_graph;
pub mod nearest;
pub mod observation;
pub mod package;
pub mod permission;
pub mod plan;
pub mod ports;
pub mod position;
pub mod problem;
pub mod route;
pub mod row;
pub mod run;
pub mod seal;
pub mod settle;
pub mod shape;
pub mod shipped;
pub mod source;
pub mod state;
pub mod survey;
pub mod time;
pub mod type_name;
pub mod version;
pub mod workflow;
