//! The kind `vault`: where secrets are kept. The rules are the table of `design/loaders.md`.

use mangrove_domain::{
    description::{Description, Violation},
    judge::Judge,
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
};

/// The loader of `export const vault = …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vault;

impl Loader for Vault {
    fn layout(&self) -> KindLayout {
        KindLayout::of("vault", "vaults")
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        Judge::factory(shape, site, "createProvider")
    }
}
