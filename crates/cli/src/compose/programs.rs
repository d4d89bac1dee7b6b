//! Where outside programs are, and getting them.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    ports::{Programs, TransferListener},
    program::{InstalledProgram, Program},
};
use mangrove_infra::{
    bundler,
    runtime::{ProgramLocations, install, version::Versions},
};
use mangrove_npm::{NpmPackages, registry::Limits};

/// How long fetching a program may take: an archive of it is far larger than one of a package.
const FETCH_LIMIT: Duration = Duration::from_mins(15);

/// The programs of one repository.
pub(super) struct FoundPrograms {
    /// Makes the client that fetches: the same cache and settings as for packages, with other limits.
    packages: Box<dyn Fn(Limits) -> NpmPackages + Send + Sync>,
    places: RwLock<ProgramLocations>,
    versions: Versions,
}

impl FoundPrograms {
    pub(super) fn new(
        places: ProgramLocations,
        versions: Versions,
        packages: impl Fn(Limits) -> NpmPackages + Send + Sync + 'static,
    ) -> Self {
        Self { packages: Box::new(packages), places: RwLock::new(places), versions }
    }

    /// Looks elsewhere from now on.
    pub(super) fn replace_places(&self, places: ProgramLocations) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
    }

    fn places(&self) -> ProgramLocations {
        self.places.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn deno(&self) -> Program {
        let absent = Program { name: "deno", version: None, path: None, origin: None, fault: None };
        match self.places().deno() {
            Err(fault) => Program { fault: Some(fault), ..absent },
            Ok(found) => {
                let (version, fault) = match self.versions.of(&found.path).await {
                    Ok(version) => (Some(version), None),
                    Err(fault) => (None, Some(fault)),
                };
                Program { version, path: Some(found.path), origin: Some(found.origin.as_str()), fault, ..absent }
            }
        }
    }
}

#[async_trait]
impl Programs for FoundPrograms {
    async fn list(&self) -> Vec<Program> {
        let version = Some(bundler::embedded::VERSION.to_owned());
        let bundler = Program { name: "bundler", version, path: None, origin: Some("built-in"), fault: None };
        vec![bundler, self.deno().await]
    }

    async fn install_deno(&self, listener: Option<TransferListener>) -> Result<InstalledProgram, Fault> {
        let packages = (self.packages)(Limits { operation: FETCH_LIMIT, ..Limits::default() });
        if let Some(listener) = listener {
            packages.on_bytes(listener);
        }
        let installed = install::deno(&packages, &self.places(), &self.versions).await?;
        let size_bytes = tokio::fs::metadata(&installed.path).await.map_or(0, |metadata| metadata.len());
        let install::Installed { path, version, is_new } = installed;
        Ok(InstalledProgram { path, version, size_bytes, is_new })
    }
}
