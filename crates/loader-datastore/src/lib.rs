//! The kind `datastore`: where extensions keep their data.
//!
//! A loader in a crate of its own, as anybody can write one: it uses the domain and nothing else. The README tells how
//! to make another kind from it.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

use std::sync::Arc;

use mangrove_domain::{
    description::{Description, Violation},
    judge::Judge,
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
};

/// The loader, ready to be registered.
#[must_use]
pub fn loader() -> Arc<dyn Loader> {
    Arc::new(Datastore)
}

struct Datastore;

impl Loader for Datastore {
    fn layout(&self) -> KindLayout {
        KindLayout::of("datastore", "datastores")
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        Judge::factory(shape, site, "createProvider")
    }
}
