//! The kind `driver`: where methods run. The rules are the table of `design/loaders.md`.

use mangrove_domain::{
    description::{Description, Violation},
    judge::Judge,
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
};

/// The loader of `export const driver = …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Driver;

impl Loader for Driver {
    fn layout(&self) -> KindLayout {
        KindLayout::of("driver", "drivers")
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        Judge::factory(shape, site, "createDriver")
    }
}
