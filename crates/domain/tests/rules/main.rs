//! The rules of the domain, tested as text: a small notation in, a table out ([`notation`] explains it).
//!
//! Tables are snapshots; `INSTA_UPDATE=always cargo test -p mangrove-domain` writes those that are files.
//! `design/states.md` is rewritten by `UPDATE_DESIGN=1 cargo test -p mangrove-domain`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod absent;
mod attachment;
mod claims;
mod decide;
mod faults;
mod index;
mod inputs;
mod notation;
mod plan;
mod properties;
mod removals;
mod seal;
mod settle;
mod shipped;
mod states;
mod values;
mod vaults;
mod world;
