//! What gets extensions from elsewhere, and keeps them.

use std::sync::Arc;

use mangrove_app::extensions::ExtensionPorts;
use mangrove_fs::pulled::DiskPulledExtensions;
use mangrove_infra::extension_packages::LocalPackages;
use mangrove_npm::{
    extensions::{ARCHIVE_LIMIT_BYTES, HttpExtensionRegistry, Registries},
    registry::{Client, Limits, Proxies, SystemPause},
};

use super::Composition;

impl Composition {
    pub(super) fn extensions(&self) -> ExtensionPorts {
        let settings = &self.settings;
        let limits = Limits { body_bytes: ARCHIVE_LIMIT_BYTES, ..Limits::default() };
        let client =
            Client::new(Proxies::of(&settings.environment), limits, Arc::new(SystemPause), Arc::clone(&self.entropy));
        let registries =
            Registries::of(settings.extension_registry.as_deref(), &settings.environment, settings.is_offline);
        ExtensionPorts {
            registry: Arc::new(HttpExtensionRegistry::new(client, registries)),
            packages: Arc::new(LocalPackages::new(Arc::clone(&self.documents), Arc::new(self.pool.clone()))),
            pulled: Arc::new(DiskPulledExtensions::new(
                self.tree.repository(),
                self.tree.code_directory(),
                self.tree.layout().lockfile_places(),
            )),
        }
    }
}
