//! Looking types up in the catalog, without building anything.

use std::sync::Arc;

use mangrove_domain::{description::Description, row::Row, source::Kind, state::State, type_name::TypeName};

use crate::{
    scan::{self, Scanner},
    types::NotReady,
};

/// The row that resolves a type, with its description.
pub async fn describe(
    scanner: &Scanner,
    kind: &Kind,
    type_name: &TypeName,
) -> Result<Result<(Arc<Row>, Description), NotReady>, scan::Error> {
    let index = scanner.load().await?;
    let Some(row) = index.resolve(kind, type_name) else {
        return Ok(Err(NotReady::explain(&index, kind, type_name, None)));
    };
    let State::Indexed(indexed) = &row.state else {
        return Ok(Err(NotReady::explain(&index, kind, type_name, None)));
    };
    let description = scanner
        .ports()
        .catalog
        .description(indexed.description)
        .await
        .map_err(|source| scan::Error::Catalog { doing: "reading", source })?;
    Ok(match description {
        Some(description) => Ok((Arc::clone(row), description)),
        None => {
            let remark = "the catalog has lost its description; it comes back when the source changes".to_owned();
            Err(NotReady::explain(&index, kind, type_name, Some(remark)))
        }
    })
}
