//! Packages that a module graph needs, and what became of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use crate::{bundle::StoredObject, fingerprint::Part};

/// Packages whose schemas have to be real, because their converters and checks run during inspection.
/// Schemas of any other origin are recognised by their form and work if they are part of the bundle itself.
pub const SCHEMA_LIBRARIES: [&str; 9] = [
    "zod",
    "@zod/core",
    "@zod/mini",
    "valibot",
    "@valibot/to-json-schema",
    "arktype",
    "@sinclair/typebox",
    "typebox",
    "@standard-schema/spec",
];

/// The specifiers of one module graph that are no local files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PackageRequest {
    /// As surveyed; `node:` built-ins and unsupported schemes included.
    pub specifiers: BTreeSet<String>,
    /// The `deno.lock` that governs the entry, absolute. What it locks comes before every other lock.
    pub lock: Option<PathBuf>,
}

/// Packages that are ready to import.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedPackages {
    /// From specifier to what an extension bundle imports instead: `../vendor/<digest>/<entry>.js`, or the
    /// specifier itself for `node:` built-ins.
    pub imports: BTreeMap<String, String>,
    /// What can be imported by name from the files of `imports`, as far as it is known.
    pub offers: BTreeMap<String, Arc<Offer>>,
    /// The vendor bundles behind the imports, with everything that they import, sorted.
    pub vendors: Vec<StoredObject>,
    /// The packages part as it resolved.
    pub packages: Part,
}

/// What can be imported by name from one file of a vendor bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The package that it was made from, `name@version`.
    pub package: String,
    /// The names that Node and Deno find, `default` among them if there is one.
    pub names: BTreeSet<String>,
    /// True if there may be others: what a built-in module of the engine exports is handed on.
    pub is_open: bool,
    /// The same with more names, if more are known.
    pub wide: Option<WideOffer>,
}

/// A second file for one entry of a package: one that sets `module.exports` may have members that Node and Deno do not
/// find, and code that bundlers were used for imports them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WideOffer {
    /// What an extension bundle imports: `../vendor/<digest>/<entry>~members.js`.
    pub import: String,
    /// Its names, those of the [`Offer`] among them.
    pub names: BTreeSet<String>,
}
