//! What a bundle exports.

use std::sync::Arc;

use crate::shape::Shape;

/// Of what [`Inspection::touched`] may name, what the embedded engine has as well. `fetch` is still told to people, since
/// it needs a grant.
const EMBEDDED: &[&str] = &[
    "Blob",
    "CustomEvent",
    "DOMException",
    "Event",
    "EventTarget",
    "File",
    "FormData",
    "Headers",
    "ReadableStream",
    "Request",
    "Response",
    "fetch",
];

/// Those of the requirements of a description that the embedded engine does not meet, in their order. Without one, code
/// runs in the embedded engine.
pub fn beyond_embedded(requirements: &[String]) -> impl Iterator<Item = &str> {
    requirements.iter().map(String::as_str).filter(|requirement| !EMBEDDED.contains(requirement))
}

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

#[cfg(test)]
mod tests {
    use super::beyond_embedded;

    #[test]
    fn fetch_and_what_belongs_to_it_need_no_other_engine() {
        let beyond = |requirements: &[&str]| {
            let requirements: Vec<String> = requirements.iter().map(|name| (*name).to_owned()).collect();
            beyond_embedded(&requirements).map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(beyond(&["Headers", "fetch"]), "");
        assert_eq!(beyond(&["Deno", "WebSocket", "fetch", "node:fs"]), "Deno WebSocket node:fs");
    }
}
