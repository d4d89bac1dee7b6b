//! The loaders of the built-in kinds, and the registry in which guests stand beside them.

mod driver;
mod extension;
mod model;
mod report;
mod sections;
mod vault;

use std::{collections::BTreeMap, sync::Arc};

use mangrove_domain::{kind_layout::KindLayout, ports::Loader, source::Kind};

pub use driver::Driver;
pub use model::Model;
pub use report::Report;
pub use vault::Vault;

/// The loaders that are in force, one per kind.
#[derive(Clone, Default)]
pub struct Registry {
    loaders: BTreeMap<Kind, Arc<dyn Loader>>,
}

impl Registry {
    /// The built-in loaders.
    #[must_use]
    pub fn built_in() -> Self {
        Self::default().with(Arc::new(Model)).with(Arc::new(Vault)).with(Arc::new(Driver)).with(Arc::new(Report))
    }

    /// With one more loader; it replaces an earlier one of the same kind.
    #[must_use]
    pub fn with(mut self, loader: Arc<dyn Loader>) -> Self {
        self.loaders.insert(loader.layout().kind, loader);
        self
    }

    /// The loader of this kind.
    #[must_use]
    pub fn get(&self, kind: &Kind) -> Option<&Arc<dyn Loader>> {
        self.loaders.get(kind)
    }

    /// Where the sources of every kind lie and how they are recognised, sorted by kind.
    #[must_use]
    pub fn layouts(&self) -> Vec<KindLayout> {
        self.loaders.values().map(|loader| loader.layout()).collect()
    }

    /// The rule version of every kind.
    #[must_use]
    pub fn rule_versions(&self) -> BTreeMap<Kind, u32> {
        self.loaders.iter().map(|(kind, loader)| (kind.clone(), loader.rule_version())).collect()
    }
}
