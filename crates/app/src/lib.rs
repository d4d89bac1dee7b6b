//! The use cases of Mangrove, over the ports of the domain: scan, types on demand, loaders, doctor, workflows.
//!
//! # Using Mangrove in a program of your own
//!
//! Take the use cases, the domain with its ports, and the adapters that you do not replace by your own:
//!
//! ```toml
//! [dependencies]
//! mangrove-app = { git = "https://github.com/mangrove-runtime/mangrove" }
//! mangrove-domain = { git = "https://github.com/mangrove-runtime/mangrove" }
//! mangrove-fs = { git = "https://github.com/mangrove-runtime/mangrove" }
//! mangrove-infra = { git = "https://github.com/mangrove-runtime/mangrove" }
//! mangrove-sources = { git = "https://github.com/mangrove-runtime/mangrove" }
//!
//! [dev-dependencies]
//! mangrove-testkit = { git = "https://github.com/mangrove-runtime/mangrove" }
//! ```
//!
//! A [`Service`](service::Service) is built from one adapter for each port. `examples/embedding/src/open.rs` does it over a
//! directory and a database. In a test the fakes of `mangrove-testkit` serve:
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//!
//! use mangrove_app::{
//!     loaders::Registry,
//!     scan::{Ports, ScanRequest},
//!     service::{Parts, Repository, Service},
//! };
//! use mangrove_domain::ports::NoBuildLocks;
//! use mangrove_testkit::fakes::{
//!     ManualClock, MemoryCatalog, MemoryDefinitionFiles, MemorySeals, MemoryStore, MemoryTree, NeverAsked,
//!     ScriptedBundler, ScriptedInspector, ScriptedPackages, SeededEntropy,
//! };
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let tree = Arc::new(MemoryTree::new());
//! let ports = Ports {
//!     tree: tree.clone(),
//!     packages: Arc::new(ScriptedPackages::new()),
//!     bundler: Arc::new(ScriptedBundler::new()),
//!     store: Arc::new(MemoryStore::default()),
//!     inspector: Arc::new(ScriptedInspector::new()),
//!     catalog: Arc::new(MemoryCatalog::default()),
//!     seals: Arc::new(MemorySeals::default()),
//!     locks: Arc::new(NoBuildLocks),
//!     leases: None,
//!     clock: Arc::new(ManualClock::default()),
//!     entropy: Arc::new(SeededEntropy::new(1)),
//! };
//! let repository = Repository {
//!     directory: "/repository".into(),
//!     environment: BTreeMap::new(),
//!     definitions: Arc::new(MemoryDefinitionFiles::new()),
//!     files: Arc::new(NeverAsked),
//!     documents: Arc::new(NeverAsked),
//!     expressions: Arc::new(NeverAsked),
//!     schemas: Arc::new(NeverAsked),
//! };
//! let service = Service::new(Parts { ports, loaders: Registry::built_in(), jobs: 2, repository });
//!
//! // A file of the fake: which type it claims, and that it exports a model.
//! tree.write("models/dns.ts", "type @acme/dns\nexport model\n");
//! let report = service.scan(&ScanRequest::default()).await?;
//! assert_eq!(report.statistics.built, 1);
//! assert!(report.rows[0].is_resolvable());
//!
//! // Nothing has changed: nothing is built.
//! let report = service.scan(&ScanRequest::default()).await?;
//! assert_eq!(report.statistics.built, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! [`service`] is everything that can be asked of a repository, as one object that lives as long as the process. [`scan`] is the
//! pipeline below it, [`types`] and [`on_demand`] give a type that is ready to run, [`workflow`] runs workflows, [`why`] and
//! [`doctor`] explain. [`loaders`] are the built-in kinds; how to add one, the page of `mangrove-domain` says.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod attachment;
pub mod builtin;
pub mod catalogue;
pub mod data;
pub mod doctor;
pub mod extensions;
pub mod health;
pub mod loaders;
pub mod method;
pub mod missing_type;
pub mod on_demand;
pub mod render;
pub mod retry;
pub mod scan;
pub mod secrets;
pub mod self_contained;
pub mod service;
pub mod single;
pub mod source_query;
mod spans;
pub mod types;
pub mod upkeep;
pub mod vault;
pub mod why;
pub mod workflow;
