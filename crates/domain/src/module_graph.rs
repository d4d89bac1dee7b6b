//! A local module graph: files and the edges between them.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crate::{digest::Digest, failure::Fault, fingerprint::Part, json::Json, position::Position, source::RelativePath};

/// A local module graph: files and the edges between them.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleGraph {
    /// The entry's path.
    pub entry: RelativePath,
    /// Every file that the entry reaches, itself included, sorted by path.
    pub files: Vec<SourceFile>,
    /// Every import of every file.
    pub edges: Vec<Edge>,
    /// The source part that these bytes make.
    pub source: Part,
    /// The config part in force.
    pub config: Part,
    /// Settings in force that the bundler applies, an object of `{jsx…}` with sorted keys; an empty one where there are none.
    pub compiler_options: Json,
    /// The `deno.lock` that governs the entry, absolute; `None` if there is none.
    pub lock: Option<PathBuf>,
    /// The configuration in force as files, for a bundler that reads them itself: `deno.json` or `package.json`,
    /// an import map, and the `deno.lock` beside them. Empty where nothing is in force.
    pub config_files: Vec<ConfigFile>,
}

impl ModuleGraph {
    /// The specifiers that it needs from outside.
    #[must_use]
    pub fn externals(&self) -> BTreeSet<&str> {
        let external = self.edges.iter().filter_map(|edge| match &edge.target {
            EdgeTarget::External(specifier) => Some(specifier.as_str()),
            EdgeTarget::File(_) | EdgeTarget::Missing | EdgeTarget::OutsideRoot => None,
        });
        external.collect()
    }

    /// Where something from outside is imported: its first place in the first file that does so. `None` if that cannot be told.
    #[must_use]
    pub fn place_of(&self, external: &str) -> Option<Position> {
        let is_it = |edge: &&Edge| matches!(&edge.target, EdgeTarget::External(name) if name == external);
        self.edges.iter().filter(is_it).find_map(|edge| {
            let file = self.files.iter().find(|file| file.path == edge.importer)?;
            let text = std::str::from_utf8(&file.bytes).ok()?;
            let before = import_of(text, &edge.specifier)?;
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            Some(Position { file: edge.importer.to_string(), line: number(line), column: number(column) })
        })
    }

    /// A fault about an import, with its place.
    #[must_use]
    pub fn placed(&self, fault: Fault) -> Fault {
        let place = fault.cause.0.strip_prefix("specifier:").and_then(|specifier| self.place_of(specifier));
        match place {
            Some(place) if fault.position.is_none() => fault.at(place),
            Some(_) | None => fault,
        }
    }
}

/// What stands before a specifier where it is imported, else before the first text of these words.
fn import_of<'a>(text: &'a str, specifier: &str) -> Option<&'a str> {
    let texts = || {
        let quoted = ['"', '\'', '`'].map(|quote| format!("{quote}{specifier}{quote}"));
        let mut places: Vec<usize> =
            quoted.iter().flat_map(|quoted| text.match_indices(quoted.as_str()).map(|(at, _)| at)).collect();
        places.sort_unstable();
        places.into_iter().filter_map(move |at| text.get(..at))
    };
    let imports = |before: &&str| {
        let before = before.trim_end().trim_end_matches('(').trim_end();
        ["from", "import"].iter().any(|word| before.ends_with(word))
    };
    texts().find(imports).or_else(|| texts().next())
}

/// A configuration file, reduced to the settings that the config part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path below the root of the entry.
    pub path: RelativePath,
    /// What it is.
    pub kind: ConfigKind,
    /// JSON text.
    pub text: String,
}

/// What a configuration file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// `deno.json`, whatever its name on disk is.
    Deno,
    /// The file that `importMap` names.
    ImportMap,
    /// `package.json`; in force only for graphs with bare specifiers.
    Package,
    /// `deno.lock` beside one of them.
    Lock,
}

/// One file with the bytes that were hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the root of the entry.
    pub path: RelativePath,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Their digest.
    pub digest: Digest,
}

/// One import, re-export or literal `import()`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The importing file.
    pub importer: RelativePath,
    /// The specifier as it is written.
    pub specifier: String,
    /// Where it leads.
    pub target: EdgeTarget,
}

/// Where an import leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeTarget {
    /// A local file.
    File(RelativePath),
    /// Something from outside, by its specifier after import maps: `npm:zod@4`, `node:fs`, `jsr:…`.
    External(String),
    /// A local path where nothing is.
    Missing,
    /// A local path outside the root.
    OutsideRoot,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(text: &str, specifier: &str, target: &str) -> ModuleGraph {
        let path = RelativePath::parse("models/a.ts").expect("a path");
        let file = SourceFile { path: path.clone(), bytes: Arc::from(text.as_bytes()), digest: Digest::of(b"") };
        let edge = Edge {
            importer: path.clone(),
            specifier: specifier.to_owned(),
            target: EdgeTarget::External(target.to_owned()),
        };
        let part = || Part::of([]);
        ModuleGraph {
            entry: path,
            files: vec![file],
            edges: vec![edge],
            source: part(),
            config: part(),
            compiler_options: Json::Null,
            lock: None,
            config_files: Vec::new(),
        }
    }

    #[test]
    fn an_import_has_a_place() {
        for (text, specifier, place) in [
            ("// \"jsr:@std/x\"\nimport { x } from 'jsr:@std/x';", "jsr:@std/x", Some((2, 19))),
            ("const s = \"jsr:@std/x\";\n\nawait import( \"jsr:@std/x\" );", "jsr:@std/x", Some((3, 15))),
            ("import 'jsr:@std/x/more';\nexport * from\n  \"jsr:@std/x\";", "jsr:@std/x", Some((3, 3))),
            ("const ö = require('x')", "x", Some((1, 19))),
            ("import 'y';", "x", None),
        ] {
            let found = graph(text, specifier, "jsr:@std/x@1").place_of("jsr:@std/x@1");
            assert_eq!(found.as_ref().map(|at| (at.line, at.column)), place, "{text}");
            assert!(found.is_none_or(|at| at.file == "models/a.ts"));
        }
        assert_eq!(graph("import 'x'", "x", "npm:x@1").place_of("npm:x@2"), None);
    }

    #[test]
    fn a_fault_about_an_import_gets_its_place_unless_it_has_one() {
        use crate::problem::Code;
        let graph = graph("import 'x'", "x", "jsr:x");
        let fault = |cause: &str| Fault::environment(Code::UNSUPPORTED_SPECIFIER, cause, "no");
        assert_eq!(graph.placed(fault("specifier:jsr:x")).position.map(|at| at.column), Some(8));
        assert_eq!(graph.placed(fault("package:jsr:x")).position, None);
        let other = Position { file: "b.ts".to_owned(), line: 7, column: 1 };
        assert_eq!(graph.placed(fault("specifier:jsr:x").at(other.clone())).position, Some(other));
    }
}
