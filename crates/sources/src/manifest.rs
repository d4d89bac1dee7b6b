//! Manifests: to whom files belong, and entries that are listed rather than found (`design/origins.md`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use mangrove_domain::{
    document::Node,
    kind_layout::KindLayout,
    ports::Documents,
    position::Position,
    problem::{Code, Problem},
    source::{Extension, RelativePath},
    version::CalendarVersion,
};

use super::{
    path::{join, parent},
    view::View,
};

/// The name of a manifest.
pub(super) const FILE: &str = "manifest.yaml";

/// What a usable manifest says.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// Its name and version, if it has both.
    pub(super) extension: Option<Extension>,
    /// Entries are those that the lists name, whatever their directory is called (`paths.base: manifest`).
    pub(super) lists_entries: bool,
    /// By the directory name of a kind: what is listed, below the manifest.
    pub(super) lists: BTreeMap<Arc<str>, Vec<Listed>>,
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
    fn wrong(&mut self, node: &Node, message: String) {
        self.is_usable = false;
        let position = Some(node.position(self.path));
        self.problems.push(problem(self.path, Code::INVALID_DOCUMENT, position, message));
    }

    fn manifest(&mut self, root: &Node, keys: &[Arc<str>]) -> Manifest {
        if root.as_map().is_none() {
            self.wrong(root, format!("a manifest must be a mapping, found {}", root.type_name()));
            return Manifest::default();
        }
        if let Some(node) = root.get("manifestVersion")
            && node.to_json().to_string() != "1"
        {
            self.wrong(node, format!("`manifestVersion` must be 1, found {}", node.to_json()));
        }
        let name = self.text(root, "name", |text| {
            let rest = text.strip_prefix('@').ok_or("must be `@collective/name`")?;
            let is_segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment != "..";
            let is_name = rest.contains('/') && rest.split('/').all(is_segment) && !rest.contains(char::is_whitespace);
            if is_name { Ok(()) } else { Err("must be `@collective/name`") }
        });
        let version = self.text(root, "version", |text| {
            CalendarVersion::parse(text).map(|_| ()).map_err(|_| "must be `YYYY.MM.DD.N` with a real date")
        });
        let extension = match (name, version) {
            (Some(name), Some(version)) => Some(Extension { name: name.into(), version: version.into() }),
            (None, _) | (_, None) => None,
        };
        let mut manifest = Manifest { extension, ..Manifest::default() };
        if let Some(node) = root.get("paths").and_then(|paths| paths.get("base")) {
            match node.as_str() {
                Some("manifest") => manifest.lists_entries = true,
                Some("typedDir") => {}
                Some(_) | None => {
                    let found = node.to_json();
                    self.wrong(node, format!("`paths.base` must be typedDir or manifest, found {found}"));
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

    /// A text that must satisfy a rule, if it is there.
    fn text(&mut self, root: &Node, key: &str, rule: impl Fn(&str) -> Result<(), &'static str>) -> Option<String> {
        let node = root.get(key)?;
        let Some(text) = node.as_str() else {
            self.wrong(node, format!("`{key}` must be a string, found {}", node.type_name()));
            return None;
        };
        if let Err(rule) = rule(text) {
            self.wrong(node, format!("`{key}` {rule}, found {text:?}"));
            return None;
        }
        Some(text.to_owned())
    }

    /// Paths that lead down. One that does not is refused; the others count.
    fn list(&mut self, key: &str, node: &Node, base: &str) -> Vec<Listed> {
        let Some(items) = node.as_list() else {
            self.wrong(node, format!("`{key}` must be a list of paths, found {}", node.type_name()));
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
                self.problems.push(
                    problem(self.path, Code::INVALID_DOCUMENT, Some(position), message)
                        .advise("the path is refused; the others count"),
                );
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
