//! The rules of Mangrove: states, freshness, plan, claims, fingerprints, and the ports to the world.
//!
//! Pure code: no file system, no clock, no database, no async runtime. Time, digests, listings and random
//! numbers come in as values. The why is in `design/freshness.md` and its neighbours.
//!
//! # Adding a kind of extension
//!
//! A loader says where the sources of a kind lie and what their export must look like. It needs this crate and no other:
//!
//! ```toml
//! [dependencies]
//! mangrove-domain = { git = "https://github.com/mangrove-runtime/mangrove" }
//! ```
//!
//! ```
//! use mangrove_domain::{
//!     description::{Description, Violation},
//!     judge::Judge,
//!     kind_layout::KindLayout,
//!     ports::Loader,
//!     shape::{Shape, Site},
//!     source::{RelativePath, RootId, SourceId},
//! };
//!
//! /// Notifiers: `extensions/notifiers/*.ts` with `export const notifier = { type, name, description, createSender }`.
//! struct Notifier;
//!
//! impl Loader for Notifier {
//!     fn layout(&self) -> KindLayout {
//!         KindLayout::of("notifier", "notifiers")
//!     }
//!
//!     fn rule_version(&self) -> u32 {
//!         1
//!     }
//!
//!     fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
//!         Judge::factory(shape, site, "createSender")
//!     }
//! }
//!
//! // An inspector reports an export as a shape, and the loader judges it; no code runs here.
//! let export = Shape::Object(vec![
//!     ("type".to_owned(), Shape::String("@acme/mail".to_owned())),
//!     ("name".to_owned(), Shape::String("Mail".to_owned())),
//!     ("description".to_owned(), Shape::String("Sends mail".to_owned())),
//! ]);
//! let site = Site {
//!     source: SourceId { root: RootId::local(), path: RelativePath::parse("extensions/notifiers/mail.ts")? },
//!     export_name: "notifier".to_owned(),
//!     requirements: Vec::new(),
//!     notes: Vec::new(),
//! };
//! let violations = Notifier.describe(&export, &site).expect_err("a function is missing");
//! assert_eq!(violations[0].path, "createSender");
//! assert_eq!(violations[0].message, "expected a function, found nothing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `crates/loader-datastore` is such a crate with its tests, and `testkit::contract::loader` is what every loader must pass.
//!
//! # Where things are
//!
//! [`ports`] holds the traits that adapters implement. [`plan`] decides what a scan does, [`freshness`] what is stale and why,
//! [`settle`] what comes of an attempt, [`claims`] who has a type. What a person reads is a [`problem`], what an
//! adapter failed at a [`failure`].

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
#![expect(
    clippy::module_name_repetitions,
    reason = "a few types are named so that they read well without their module: `TypeName`, `SourceId`, `RunRecord`"
)]

pub mod advice;
pub mod attachment;
pub mod bundle;
pub mod cache;
pub mod checkout;
pub mod claims;
pub mod configuration;
pub mod data;
pub mod database;
pub mod definition;
pub mod description;
pub mod digest;
pub mod document;
pub mod drift;
pub mod driver;
pub mod failure;
pub mod fingerprint;
pub mod foreign_state;
pub mod form;
pub mod freshness;
pub mod glob;
pub mod host_grant;
pub mod index;
pub mod inputs;
pub mod inspection;
pub mod json;
pub mod json_text;
pub mod judge;
pub mod kind_layout;
pub mod manifest;
pub mod module_graph;
pub mod nearest;
pub mod observation;
pub mod outage;
pub mod package;
pub mod permission;
pub mod permission_use;
pub mod plan;
pub mod ports;
pub mod position;
pub mod problem;
pub mod program;
pub mod protected;
pub mod pulled;
pub mod report;
pub mod route;
pub mod row;
pub mod run;
pub mod seal;
pub mod selection;
pub mod settle;
pub mod shape;
pub mod shipped;
pub mod source;
pub mod state;
pub mod survey;
pub mod time;
pub mod type_name;
pub mod vault;
pub mod version;
pub mod watch;
pub mod workflow;
pub mod yaml_text;
