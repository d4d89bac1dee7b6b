//! Descriptions that the catalog has lost: the row that names one is inspected again.
//!
//! A snapshot of the catalog does not read descriptions, so it does not see that one is damaged. Whoever needs them looks
//! here: a request for a type at those of its rows, a scan that reads everything again and the doctor at all of them.

use std::collections::BTreeSet;

use mangrove_domain::{observation::CatalogView, ports::Catalog, row::Row, source::SourceId};

use super::error::Error;

/// Reads the descriptions of the rows that are meant, and takes note of those that are gone or damaged.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn check(
    catalog: &dyn Catalog,
    view: &mut CatalogView,
    is_meant: impl Fn(&SourceId) -> bool,
) -> Result<(), Error> {
    let mut lost = BTreeSet::new();
    for row in view.rows.iter().filter(|row| is_meant(&row.source)) {
        if is_lost(catalog, row).await? {
            lost.insert(row.source.clone());
        }
    }
    view.lose_descriptions(&lost);
    Ok(())
}

/// True if the catalog has no usable description for this row, and should have one.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn is_lost(catalog: &dyn Catalog, row: &Row) -> Result<bool, Error> {
    let Some(indexed) = row.state.indexed() else { return Ok(false) };
    let description = catalog.description(indexed.description).await.map_err(Error::reading_catalog)?;
    Ok(description.is_none())
}
