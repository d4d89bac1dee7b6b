//! Manifests: to whom files belong, and entries that are listed rather than found (`design/origins.md`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use mangrove_domain::{
    document::Node,
    form::scalar_text,
    kind_layout::KindLayout,
    manifest::ExtensionManifest,
    ports::Documents,
    position::Position,
    problem::{Code, Problem},
    pulled::{self, MANIFEST, is_scoped_name},
    source::{Extension, Origin, RelativePath},
    version::CalendarVersion,
};

use super::{
    path::{join, parent},
    problems::warning,
    view::View,
};

/// The name of a manifest.
pub(super) const FILE: &str = MANIFEST;
/// Where the additional files of a pulled extension lie, beside its manifest.
const PULLED_FILES: &str = "files";

/// What a usable manifest says.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// Its name and version, if it has both.
    pub(super) extension: Option<Extension>,
    /// Entries are those that the lists name, whatever their directory is called (`paths.base: manifest`).
    pub(super) lists_entries: bool,
    /// By the directory name of a kind: what is listed, below the manifest.
    pub(super) lists: BTreeMap<Arc<str>, Vec<Listed>>,
    /// Files that code may ask for, as they are listed.
    additional_files: Vec<String>,
    /// Names of other extensions.
    dependencies: BTreeSet<String>,
}

impl Manifest {
    /// What code may ask for, of the manifest in `directory` of the root of `view`.
    fn facts(&self, view: &View, directory: &str) -> ExtensionManifest {
        let base =
            if view.root.origin == Origin::Pulled { join(directory, PULLED_FILES) } else { directory.to_owned() };
        let place = |listed: &String| {
            let inside = view.root.canonical(&join(&base, listed)).ok().flatten()?;
            Some(view.root.absolute(&inside)).filter(|path| path.is_file())
        };
        ExtensionManifest {
            files: self.additional_files.iter().map(|listed| (listed.clone(), place(listed))).collect(),
            dependencies: self.dependencies.clone(),
        }
    }
}

/// What the manifest that the file at `path` belongs to says: the nearest one above it that can be used.
pub(super) fn facts_of(view: &mut View, documents: &Arc<dyn Documents>, path: &str) -> Option<ExtensionManifest> {
    let mut manifests = Manifests::new(Arc::clone(documents), &[]);
    let mut directory = path;
    while !directory.is_empty() {
        directory = parent(directory);
        if let Reading::Read(manifest) = manifests.at(view, directory) {
            return Some(manifest.facts(view, directory));
        }
    }
    None
}

/// One listed path.
#[derive(Debug)]
pub(super) struct Listed {
    /// Below the root.
    pub(super) path: RelativePath,
    pub(super) position: Position,
}

/// What stands at a place where a manifest may stand.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    Absent,
    /// It cannot be used; why was reported.
    Unusable,
    Read(Arc<Manifest>),
}

/// The manifests of one root, each read once.
pub(super) struct Manifests {
    documents: Arc<dyn Documents>,
    /// The lists that count: the directory names of the kinds.
    keys: Vec<Arc<str>>,
    by_directory: HashMap<String, Reading>,
    pub(super) problems: Vec<Problem>,
}

impl Manifests {
    pub(super) fn new(documents: Arc<dyn Documents>, kinds: &[KindLayout]) -> Self {
        let keys = kinds.iter().map(|kind| Arc::clone(&kind.directory)).collect();
        Self { documents, keys, by_directory: HashMap::new(), problems: Vec::new() }
    }

    /// The manifest that stands in `directory`.
    pub(super) fn at(&mut self, view: &mut View, directory: &str) -> Reading {
        if let Some(known) = self.by_directory.get(directory) {
            return known.clone();
        }
        let reading = self.read(view, directory);
        self.by_directory.insert(directory.to_owned(), reading.clone());
        reading
    }

    /// The manifests that were read and can be used, sorted by their directories.
    pub(super) fn usable(&self) -> BTreeMap<&str, &Manifest> {
        let usable = self.by_directory.iter().filter_map(|(directory, reading)| match reading {
            Reading::Read(manifest) => Some((directory.as_str(), manifest.as_ref())),
            Reading::Absent | Reading::Unusable => None,
        });
        usable.collect()
    }

    fn read(&mut self, view: &mut View, directory: &str) -> Reading {
        let path = join(directory, FILE);
        let Some(record) = view.document(&path) else {
            return Reading::Absent;
        };
        let text = match record.text() {
            Ok(text) => text,
            Err(failure) => {
                let message = format!("the manifest cannot be read: {}", failure.message);
                self.problems.push(problem(&path, failure.code(), None, message));
                return Reading::Unusable;
            }
        };
        match self.documents.parse(&path, text) {
            Ok(document) => {
                let mut reader =
                    ManifestReader { path: &path, directory, is_usable: true, problems: &mut self.problems };
                let manifest = reader.manifest(&document.root, &self.keys);
                if reader.is_usable { Reading::Read(Arc::new(manifest)) } else { Reading::Unusable }
            }
            Err(error) => {
                let found = problem(&path, Code::MALFORMED_DOCUMENT, Some(error.position), error.message);
                self.problems.push(found);
                Reading::Unusable
            }
        }
    }
}

fn problem(path: &str, code: Code, position: Option<Position>, message: String) -> Problem {
    Problem::error(code, path, message)
        .at_if(position)
        .advise("the rows of the files around it are kept until the manifest is correct")
}

struct ManifestReader<'a> {
    path: &'a str,
    directory: &'a str,
    is_usable: bool,
    problems: &'a mut Vec<Problem>,
}

impl ManifestReader<'_> {
    /// What keeps the manifest from being understood.
    fn wrong(&mut self, node: &Node, message: String) {
        self.is_usable = false;
        let position = Some(node.position(self.path));
        self.problems.push(problem(self.path, Code::INVALID_DOCUMENT, position, message));
    }

    /// What breaks a rule for those who publish. The rest of the manifest counts.
    fn odd(&mut self, node: &Node, message: String) {
        self.problems.push(warning(Code::INVALID_DOCUMENT, self.path, message).at(node.position(self.path)));
    }

    fn manifest(&mut self, root: &Node, keys: &[Arc<str>]) -> Manifest {
        if root.as_map().is_none() {
            self.wrong(root, format!("a manifest must be a mapping, found {}", root.type_name()));
            return Manifest::default();
        }
        if let Some(node) = root.get("manifestVersion")
            && node.to_json().to_string() != "1"
        {
            self.odd(node, format!("`manifestVersion` should be 1, found {}", node.to_json()));
        }
        let name = self.text(root, "name", "`@collective/name`", is_scoped_name);
        let version =
            self.text(root, "version", "`YYYY.MM.DD.N` with a real date", |text| CalendarVersion::parse(text).is_ok());
        let extension = match (name, version) {
            (Some(name), Some(version)) => Some(Extension { name: name.into(), version: version.into() }),
            (None, _) | (_, None) => None,
        };
        let texts =
            |key: &str| root.get(key).and_then(Node::as_list).unwrap_or_default().iter().filter_map(Node::as_str);
        let dependencies = pulled::dependencies(root).into_iter().filter_map(|(_, name)| name).collect();
        let additional_files = texts("additionalFiles").map(str::to_owned).collect();
        let mut manifest = Manifest { extension, additional_files, dependencies, ..Manifest::default() };
        if let Some(node) = root.get("paths").and_then(|paths| paths.get("base")) {
            match node.as_str() {
                Some("manifest") => manifest.lists_entries = true,
                Some("typedDir") => {}
                Some(_) | None => {
                    let found = node.to_json();
                    self.odd(node, format!("`paths.base` should be typedDir or manifest, found {found}"));
                }
            }
        }
        for key in keys {
            if let Some(node) = root.get(key) {
                let base = if manifest.lists_entries { self.directory } else { "" };
                let listed = self.list(key, node, base);
                manifest.lists.insert(Arc::clone(key), listed);
            }
        }
        manifest
    }

    /// A text, if it is there. Any that is not empty will do; those who publish have to keep the rule.
    fn text(&mut self, root: &Node, key: &str, rule: &str, keeps: impl Fn(&str) -> bool) -> Option<String> {
        let node = root.get(key)?;
        let Some(text) = scalar_text(node).filter(|text| !text.is_empty()) else {
            let found = if node.as_str() == Some("") { "an empty string" } else { node.type_name() };
            self.wrong(node, format!("`{key}` must be a text, found {found}"));
            return None;
        };
        if !keeps(&text) {
            self.odd(node, format!("`{key}` of what is published is {rule}, found {text:?}"));
        }
        Some(text)
    }

    /// Paths that lead down. One that does not is refused; the others count.
    fn list(&mut self, key: &str, node: &Node, base: &str) -> Vec<Listed> {
        let Some(items) = node.as_list() else {
            self.odd(node, format!("`{key}` should be a list of paths, found {}", node.type_name()));
            return Vec::new();
        };
        let mut listed = Vec::new();
        for item in items {
            let position = item.position(self.path);
            let leads_down = |text: &str| !text.starts_with('/') && text.split('/').all(|segment| segment != "..");
            let path = item.as_str().filter(|text| leads_down(text)).map(|text| RelativePath::parse(&join(base, text)));
            if let Some(Ok(path)) = path {
                listed.push(Listed { path, position });
            } else {
                let found = item.to_json();
                let message = format!("`{key}` must list paths that lead down from the manifest, found {found}");
                let refused = warning(Code::INVALID_DOCUMENT, self.path, message).at(position);
                self.problems.push(refused.advise("the path is refused; the others count"));
            }
        }
        listed
    }
}

/// To whom the files of one root belong.
pub(super) struct Identities {
    /// For files that no manifest claims.
    own: Extension,
    /// Manifests have no say: the lockfile has.
    is_fixed: bool,
    /// Nothing above these directories is asked.
    tops: BTreeSet<String>,
    by_directory: HashMap<String, Identity>,
}

/// The extension of the files in one directory.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) extension: Extension,
    /// A manifest on the way cannot be used, so the extension may be another one.
    pub(super) is_unknown: bool,
}

impl Identities {
    pub(super) fn new(own: Extension, is_fixed: bool, tops: BTreeSet<String>) -> Self {
        Self { own, is_fixed, tops, by_directory: HashMap::new() }
    }

    /// The nearest manifest with a name and a version decides.
    pub(super) fn of(&mut self, view: &mut View, manifests: &mut Manifests, directory: &str) -> Identity {
        let own = Identity { extension: self.own.clone(), is_unknown: false };
        if self.is_fixed {
            return own;
        }
        if let Some(known) = self.by_directory.get(directory) {
            return known.clone();
        }
        let reading = manifests.at(view, directory);
        let is_unusable = matches!(reading, Reading::Unusable);
        let found = match &reading {
            Reading::Read(manifest) => manifest.extension.clone(),
            Reading::Absent | Reading::Unusable => None,
        };
        let mut identity = match found {
            Some(extension) => Identity { extension, is_unknown: false },
            None if directory.is_empty() || self.tops.contains(directory) => own,
            None => self.of(view, manifests, parent(directory)),
        };
        identity.is_unknown |= is_unusable;
        self.by_directory.insert(directory.to_owned(), identity.clone());
        identity
    }
}
