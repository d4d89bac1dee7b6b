//! A local module graph: files and the edges between them.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crate::{digest::Digest, fingerprint::Part, json::Json, source::RelativePath};

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
