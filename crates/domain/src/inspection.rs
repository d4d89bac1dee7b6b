//! What a bundle exports.

use std::sync::Arc;

use crate::shape::Shape;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The export that was found, with its name; `None` if the bundle has none of them.
    pub export: Option<(Arc<str>, Shape)>,
    /// What the module needs that only a richer engine has, because it touched it while loading or names it in its
    /// own text; sorted.
    pub touched: Vec<String>,
    /// Remarks such as an inconvertible schema.
    pub notes: Vec<String>,
}
