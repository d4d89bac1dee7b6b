//! Fixtures, strict fakes, faults and contract suites. A development dependency only.

mod archives;
pub mod certificates;
pub mod contract;
pub mod corpus;
pub mod environment;
pub mod extensions;
pub mod fakes;
pub mod fixture;
pub mod graphs;
pub mod http;
pub mod instant;
#[cfg(target_os = "linux")]
pub mod namespaces;
pub mod network;
pub mod postgres;
pub mod registry;
pub mod relay;
pub mod requests;
pub mod roots;
pub mod rows;
#[cfg(feature = "s3-server")]
pub mod s3_server;
pub mod sources;
pub mod stops;
pub mod web_server;
