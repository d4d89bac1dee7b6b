//! What a parser tells of one module; implemented in process and by the worker pool.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::failure::Fault;
use serde::{Deserialize, Serialize};

/// Parses one module. Hostile input costs the one call at most.
#[async_trait]
#[expect(clippy::module_name_repetitions, reason = "it is used from afar, where `Parser` alone says little")]
pub trait ModuleParser: Send + Sync {
    /// The module record of `bytes`, whose file is called `path` (its extension decides the dialect).
    /// `Err` if the parser died or could not be started; a syntax error is part of the answer.
    async fn parse(&self, path: &str, bytes: Arc<[u8]>) -> Result<ParsedModule, Fault>;
}

/// What one module imports and exports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParsedModule {
    /// The first syntax error, if it does not parse.
    pub syntax_error: Option<SyntaxError>,
    /// Static imports, side-effect imports, re-exports and literal `import()`, in their order, without
    /// type-only ones.
    pub imports: Vec<Import>,
    /// What its JSX calls; `None` if it has none.
    pub jsx: Option<JsxRuntime>,
    /// Where it says `import.meta`, in its order: from which byte to which, a mark at its beginning included. Of a file that does not
    /// parse, none.
    pub import_metas: Vec<(u32, u32)>,
    /// The names it exports, sorted; `export *` is not followed. Of a file that does not parse, the names
    /// that a scan of its tokens finds.
    pub exports: Vec<String>,
    /// The line of each of them, from 1, in the same order.
    pub export_lines: Vec<u32>,
    /// For exports that are object literals: the literal values of `type` and `name` at their first depth.
    pub literals: Vec<ExportLiteral>,
}

impl ParsedModule {
    /// Takes up exports by where they stand in `text`, in any order; of several of one name the first counts.
    pub(super) fn set_exports(&mut self, text: &str, mut exports: Vec<(usize, String)>) {
        // The lines are counted once for all, so that many exports cost no more than one.
        exports.sort();
        let (mut line, mut counted) = (1_u32, 0_usize);
        let mut placed = Vec::with_capacity(exports.len());
        for (offset, name) in exports {
            let lines = text.get(counted..offset).unwrap_or_default().matches('\n').count();
            line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            counted = counted.max(offset);
            placed.push((name, line));
        }
        placed.sort();
        placed.dedup_by(|later, first| later.0 == first.0);
        (self.exports, self.export_lines) = placed.into_iter().unzip();
    }

    /// The line of an export, from 1.
    #[must_use]
    pub fn export_line(&self, name: &str) -> Option<u32> {
        let index = self.exports.iter().position(|export| export == name)?;
        self.export_lines.get(index).copied()
    }
}

/// Where the functions come from that the JSX of a module calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JsxRuntime {
    /// From where the configuration says.
    Configured,
    /// From a module, whatever the configuration says: a comment of the file says so (`@jsxRuntime`).
    Automatic,
    /// From a module below this specifier: a comment of the file says so (`@jsxImportSource`).
    Below(String),
}

/// A place that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What the parser says.
    pub message: String,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// As it is written.
    pub specifier: String,
    /// True for a literal `import()`.
    pub is_dynamic: bool,
    /// The import attribute `type`: `json`, `text`, ….
    pub attribute: Option<String>,
}

/// The literal value of a key of an exported object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLiteral {
    /// The export.
    pub export: String,
    /// `type` or `name`.
    pub key: String,
    /// The text.
    pub value: String,
    /// The line of the export, from 1.
    pub line: u32,
}
