//! Looking types up in the catalog, without building anything.

use mangrove_domain::{source::Kind, type_name::TypeName};

use crate::{
    attachment::{self, Composed},
    scan::{self, Scanner},
    types::NotReady,
};

/// The type with its add-ons.
pub async fn describe(
    scanner: &Scanner,
    kind: &Kind,
    type_name: &TypeName,
) -> Result<Result<Composed, NotReady>, scan::Error> {
    let index = scanner.load().await?;
    let Some(row) = index.resolve(kind, type_name) else {
        return Ok(Err(NotReady::explain(&index, kind, type_name, None)));
    };
    let catalog = scanner.ports().catalog.as_ref();
    Ok(attachment::compose(catalog, &index, row).await?.ok_or_else(|| {
        let remark = "the catalog has lost its description; it comes back when the source changes".to_owned();
        NotReady::explain(&index, kind, type_name, Some(remark))
    }))
}
