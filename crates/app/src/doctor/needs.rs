//! What types need from the machine, against what the repository grants. Information only: nothing here is a problem.

use std::collections::BTreeSet;

use mangrove_domain::{
    permission::{Grant, Grants, Permission, Permissions},
    ports::{Catalog, CatalogError},
    row::Row,
    source::{Kind, SourceId},
    state::State,
    type_name::TypeName,
};

/// What one type needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its source.
    pub source: SourceId,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub type_name: TypeName,
    /// What its code uses of the world outside: `fetch`, `node:fs`, `deno`, …; sorted.
    pub requirements: Vec<String>,
    /// The entry of `permissions:` that counts for it; `None` if none speaks of it.
    pub granted: Option<Grants>,
    /// The permissions that it can do nothing without and that are not granted.
    pub missing: BTreeSet<Permission>,
}

/// Every accepted type that needs something, in the order of the rows.
pub(super) async fn find(
    catalog: &dyn Catalog,
    rows: &[Row],
    permissions: &Permissions,
) -> Result<Vec<Need>, CatalogError> {
    let mut needs = Vec::new();
    for row in rows {
        let State::Indexed(indexed) = &row.state else { continue };
        let Some(description) = catalog.description(indexed.description).await? else { continue };
        if description.requirements.is_empty() {
            continue;
        }
        let granted = permissions.of(indexed.type_name.as_str(), &row.extension.name).cloned();
        let is_granted = |permission: &Permission| {
            granted.as_ref().and_then(|grants| grants.get(permission)).is_some_and(Grant::allows_anything)
        };
        let mut missing = Permission::needed(&description.requirements);
        missing.retain(|permission| !is_granted(permission));
        needs.push(Need {
            source: row.source.clone(),
            kind: row.kind.clone(),
            type_name: indexed.type_name.clone(),
            requirements: description.requirements,
            granted,
            missing,
        });
    }
    Ok(needs)
}
