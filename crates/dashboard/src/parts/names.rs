//! What people call things.

use mangrove_domain::{row::Row, source::Origin};

/// Where a source comes from: this repository, or an extension and how it came here.
pub(crate) fn extension(row: &Row) -> String {
    match row.origin {
        Origin::Local => "this repository".to_owned(),
        Origin::Mounted | Origin::Pulled => {
            format!("{} {} ({})", row.extension.name, row.extension.version, row.origin.as_str())
        }
    }
}
