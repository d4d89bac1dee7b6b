//! Imports that are refused, and what is said of them.

use mangrove_domain::{failure::Fault, module_graph::EdgeTarget, problem::Code};

use super::sources::Sources;

/// Why an import is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    InData,
    Missing,
    OutsideRoot,
    Required,
    Unreadable,
    Unsupported,
    Unserved,
}

impl Refusal {
    /// What is said of it.
    pub(super) fn fault(self, sources: &Sources, importer: &str, specifier: &str) -> Fault {
        let edge = sources.edges.get(&(importer.to_owned(), specifier.to_owned()));
        match self {
            Refusal::InData => Fault::deterministic(
                Code::UNSUPPORTED_SPECIFIER,
                format!("import:{specifier}"),
                format!("a module that stands in a `data:` address cannot import `{specifier}`, only what is built in"),
            ),
            Refusal::Unreadable => Fault::deterministic(
                Code::UNSUPPORTED_SPECIFIER,
                "import:data:",
                format!("the address `{}…` holds no text", specifier.chars().take(40).collect::<String>()),
            ),
            Refusal::Missing => Fault::deterministic(
                Code::UNRESOLVED_IMPORT,
                format!("import:{specifier}"),
                format!("cannot find `{specifier}`"),
            ),
            Refusal::Required => Fault::deterministic(
                Code::UNSUPPORTED_SPECIFIER,
                format!("import:{specifier}"),
                format!(
                    "`require(\"{specifier}\")`: of local files, only those that are CommonJS can `require`, and only what is built in; \
                     write `import` in its place"
                ),
            ),
            Refusal::OutsideRoot => Fault::deterministic(
                Code::IMPORT_OUTSIDE_ROOT,
                format!("import:{specifier}"),
                format!("`{specifier}` leads outside the root"),
            ),
            Refusal::Unserved => {
                let what = sources.unserved.get(&(importer.to_owned(), specifier.to_owned()));
                Fault::deterministic(
                    Code::UNSUPPORTED_SPECIFIER,
                    format!("import:{specifier}"),
                    format!("`{specifier}`: {} cannot be bundled", what.copied().unwrap_or("a module of WebAssembly")),
                )
            }
            Refusal::Unsupported => {
                let mapped = match edge {
                    Some(EdgeTarget::External(mapped)) if mapped != specifier => format!(" (mapped to `{mapped}`)"),
                    Some(_) | None => String::new(),
                };
                Fault::environment(
                    Code::UNSUPPORTED_SPECIFIER,
                    format!("import:{specifier}"),
                    format!("the embedded bundler cannot serve `{specifier}`{mapped}"),
                )
            }
        }
    }
}
