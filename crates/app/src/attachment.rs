//! Types with their add-ons, read from the catalog by what one snapshot says.

use std::sync::Arc;

use mangrove_domain::{
    attachment::{Attachment, Collision, attach, waiting},
    description::Description,
    index::TypeIndex,
    ports::{Catalog, CatalogError},
    problem::Problem,
    row::Row,
    state::State,
};

/// A type as callers see it.
#[derive(Clone, Debug)]
pub struct Composed {
    /// The row that resolves it.
    pub row: Arc<Row>,
    /// What it offers together with its add-ons.
    pub attachment: Attachment,
    /// The add-ons that take part, in order of precedence.
    pub add_ons: Vec<Arc<Row>>,
    /// The add-ons that are left out, because the catalog has lost their description.
    pub undescribed: Vec<Arc<Row>>,
}

/// The type that `row` resolves in this snapshot, with the add-ons of the same snapshot; `None` if the catalog has
/// lost its description. An add-on whose description is lost is left out.
pub async fn compose(
    catalog: &dyn Catalog,
    index: &TypeIndex,
    row: &Arc<Row>,
) -> Result<Option<Composed>, CatalogError> {
    let add_ons = row.type_name().map_or_else(Vec::new, |name| index.add_ons(&row.kind, name));
    compose_of(catalog, row, add_ons).await
}

/// As [`compose`], with these add-ons.
pub(crate) async fn compose_of(
    catalog: &dyn Catalog,
    row: &Arc<Row>,
    add_ons: Vec<Arc<Row>>,
) -> Result<Option<Composed>, CatalogError> {
    let Some(base) = description(catalog, row).await? else { return Ok(None) };
    let (mut described, mut undescribed) = (Vec::with_capacity(add_ons.len()), Vec::new());
    for add_on in add_ons {
        match description(catalog, &add_on).await? {
            Some(description) => described.push((add_on, description)),
            None => undescribed.push(add_on),
        }
    }
    let parts: Vec<_> = described.iter().map(|(row, description)| (&row.source, description)).collect();
    let attachment = attach((&row.source, &base), &parts);
    let add_ons = described.into_iter().map(|(row, _)| row).collect();
    Ok(Some(Composed { row: Arc::clone(row), attachment, add_ons, undescribed }))
}

async fn description(catalog: &dyn Catalog, row: &Row) -> Result<Option<Description>, CatalogError> {
    let State::Indexed(indexed) = &row.state else { return Ok(None) };
    catalog.description(indexed.description).await
}

/// What add-ons lose to others, and which wait for their type; sorted by type.
pub async fn problems(catalog: &dyn Catalog, index: &TypeIndex) -> Result<Vec<Problem>, CatalogError> {
    let mut problems = waiting(index);
    for (kind, type_name) in index.extended_types() {
        let Some(row) = index.resolve(&kind, &type_name) else { continue };
        if let Some(composed) = compose(catalog, index, row).await? {
            problems.extend(composed.attachment.collisions.iter().map(Collision::problem));
        }
    }
    Ok(problems)
}
