//! The catalog as a whole: rebuilding it, backing it up.

use std::path::{Path, PathBuf};

use mangrove_domain::{database::Database, source::SourceId};

use super::{base::Service, error::ServiceError};
use crate::{
    scan::{Report, ScanRequest},
    upkeep::{self, Earlier},
};

/// A catalog that was rebuilt.
#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// Where the earlier one lies now; `None` if there was none, or if the rebuild was stopped and it is where it was.
    pub set_aside: Option<PathBuf>,
    /// Sources whose newest text does not work and whose earlier bundle was taken over.
    pub kept: Vec<SourceId>,
    /// What the scan made of the sources.
    pub report: Report,
}

/// A catalog that could not be rebuilt, or was and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("rebuilding the catalog")]
pub struct RebuildError {
    /// What came back.
    pub source: ServiceError,
    /// Where the earlier one lies now; `None` if it is where it was.
    pub set_aside: Option<PathBuf>,
}

impl From<ServiceError> for RebuildError {
    fn from(source: ServiceError) -> Self {
        Self { source, set_aside: None }
    }
}

impl Service {
    /// Builds the catalog again from the sources and puts it in the place of the one in use, whatever is in that. The rows
    /// that run on an earlier bundle, which no source can give back, are taken over. Until the new one is complete, everybody
    /// sees the old one; it stays if the rebuild fails or is stopped.
    ///
    /// # Errors
    /// [`RebuildError`].
    pub async fn rebuild_catalog(&self, request: &ScanRequest) -> Result<Rebuilt, RebuildError> {
        let earlier = self.earlier_rows().await?;
        let staged = self.databases()?.stage_catalog().await.map_err(ServiceError::Catalog)?;
        let scanner = self.scanner.over(staged.catalog(), &staged.attempt_cache());
        let kept = upkeep::take_over(&scanner, earlier).await.map_err(ServiceError::Scan)?;
        let report = scanner.scan(request).await.map_err(ServiceError::Scan)?;
        if report.is_cancelled {
            return Ok(Rebuilt { report, ..Rebuilt::default() });
        }
        let set_aside = staged.put_in_place().await.map_err(ServiceError::Catalog)?;
        match self.scanner.load().await {
            Ok(_) => Ok(Rebuilt { set_aside, kept, report }),
            Err(error) => Err(RebuildError { source: ServiceError::Scan(error), set_aside }),
        }
    }

    /// What the catalog has and no source can give back; nothing if it is damaged or cannot be read.
    async fn earlier_rows(&self) -> Result<Earlier, ServiceError> {
        let databases = self.databases()?;
        // Before it is opened: opening would make one, and set a damaged one aside.
        if !databases.has_catalog().await {
            return Ok(Earlier::default());
        }
        let unusable = databases.check().await;
        if unusable.iter().any(|unusable| unusable.database == Database::Catalog) {
            return Ok(Earlier::default());
        }
        Ok(Earlier::of(self.scanner.ports().catalog.as_ref()).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "nothing is taken over from the earlier catalog");
            Earlier::default()
        }))
    }

    /// Copies the catalog to a file that does not exist yet.
    ///
    /// # Errors
    /// There is no catalog, or the file is there already or cannot be written.
    pub async fn back_up_catalog(&self, target: &Path) -> Result<(), ServiceError> {
        Ok(self.databases()?.back_up_catalog(target).await?)
    }
}
