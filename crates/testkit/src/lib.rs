//! Fixtures, strict fakes, faults and contract suites. A development dependency only.

mod archives;
pub mod contract;
pub mod corpus;
pub mod environment;
pub mod extensions;
pub mod fakes;
pub mod fixture;
pub mod graphs;
pub mod http;
pub mod instant;
pub mod network;
pub mod postgres;
pub mod registry;
pub mod requests;
pub mod roots;
pub mod rows;
#[cfg(feature = "s3-server")]
pub mod s3_server;
pub mod sources;
pub mod stops;
pub mod web_server;
