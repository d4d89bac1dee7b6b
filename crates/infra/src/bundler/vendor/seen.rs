//! What a build of a package showed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_npm::vendor::VendorRequest;

/// What a build showed. Modules are named by their ids.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The entries of the package.
    pub(super) entries: BTreeSet<String>,
    /// Modules that are no ES modules.
    pub(super) common_js: HashSet<String>,
    /// The names that an ES module exports.
    pub(super) exports: HashMap<String, Vec<String>>,
    /// Where a `require` leads, by the module that it stands in and its specifier.
    pub(super) requires: HashMap<(String, String), String>,
    /// What a module imports without a condition, by its specifiers.
    pub(super) imports: HashMap<String, BTreeMap<String, String>>,
    /// Specifiers of modules whose exports an ES module hands on.
    pub(super) stars: BTreeMap<String, BTreeSet<String>>,
    /// Modules with what they import and what is not installed.
    pub(super) absent: BTreeSet<(String, String)>,
    /// Bare specifiers of shared packages that were imported.
    pub(super) shared_imports: BTreeSet<String>,
    /// Imports of files outside of the fence. The build goes on with an external in the place of each, so that
    /// which one is told first does not depend on threads.
    pub(super) refusals: BTreeSet<Refusal>,
    /// Files `package.json` that are no JSON, with what the parser says.
    pub(super) malformed: BTreeSet<(PathBuf, String)>,
    /// Entries that cannot be found for a reason of which the bundler would say that it is its own fault, with it.
    pub(super) unresolvable: BTreeSet<(String, String)>,
}

impl Seen {
    /// A module that is loaded whenever an entry is, with a specifier of it that leads to nothing installed.
    pub(super) fn missing(&self) -> Option<&(String, String)> {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = self.entries.iter().map(String::as_str).collect();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(self.imports.get(id).into_iter().flat_map(BTreeMap::values).map(String::as_str));
            }
        }
        self.absent.iter().find(|(importer, _)| reached.contains(importer.as_str()))
    }
}

/// An import that leads outside of the package's own files.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    /// The id of the module that it stands in; `None` for an entry of the unit.
    pub(super) importer: Option<String>,
    /// As it is written; the id of a module where no import is to blame.
    pub(super) specifier: String,
    /// What a `package.json` makes of it, and the path of that file, where the import itself names nothing outside.
    pub(super) target: Option<(String, PathBuf)>,
}

impl Refusal {
    /// What is reported of it. `directory` is what paths are told relative to.
    pub(super) fn fault(&self, request: &VendorRequest, directory: &Path) -> Fault {
        let package = &request.package;
        let specifier = &self.specifier;
        let place = self.importer.as_ref().map(|importer| {
            let path = Path::new(importer).strip_prefix(directory).unwrap_or_else(|_| Path::new(importer));
            format!(" in {}", path.display())
        });
        let target = self.target.as_ref().map(|(target, manifest)| {
            let path = manifest.strip_prefix(directory).unwrap_or(manifest);
            format!("{} sends to `{target}` and so ", path.display())
        });
        let message = format!(
            "the package {package} imports `{specifier}`{}, which {}leads outside of the package's own files; \
             nothing of it was read",
            place.unwrap_or_default(),
            target.unwrap_or_default()
        );
        Fault::environment(Code::PACKAGE_IMPORT_OUTSIDE, format!("package:{package}"), message)
    }
}
