//! The databases of a repository as files.

use std::path::Path;

use async_trait::async_trait;

use super::{CatalogError, StagedCatalog};
use crate::{database::DatabaseFault, problem::Problem};

/// What is done to the databases as whole files, beside what the ports [`Catalog`](super::Catalog) and
/// [`RunStore`](super::RunStore) do with their contents.
///
/// Implementations MUST change nothing in [`check`](Self::check) and [`back_up_catalog`](Self::back_up_catalog); MUST
/// let a backup appear whole or not at all, and never in the place of something; MUST report each notice once. Contract:
/// `testkit::contract::databases`.
#[async_trait]
pub trait Databases: Send + Sync {
    /// Reads every database as a whole and gives those that cannot be used, and why. One that is not there yet is in
    /// order.
    async fn check(&self) -> Vec<DatabaseFault>;

    /// True if there is a catalog, in whatever condition. Does not make one.
    async fn has_catalog(&self) -> bool;

    /// Copies the catalog as of this moment to a file that does not exist yet; others may write meanwhile.
    ///
    /// # Errors
    /// There is no catalog, or the file is there already or cannot be written.
    async fn back_up_catalog(&self, target: &Path) -> Result<(), CatalogError>;

    /// Makes an empty catalog beside the one in use.
    ///
    /// # Errors
    /// It cannot be written.
    async fn stage_catalog(&self) -> Result<Box<dyn StagedCatalog>, CatalogError>;

    /// What had to be done to open the databases and was not reported yet: a damaged one was set aside.
    fn take_notices(&self) -> Vec<Problem>;
}
