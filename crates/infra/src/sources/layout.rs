//! The repository's marker, the directories of the kinds, and the identity of extensions.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    nearest,
    ports::{Document, Documents, KindLayout, Node},
    problem::{Code, Problem, Severity},
    source::{Extension, Origin, RelativePath, RootId},
};

use crate::faults::{Operation, io_fault};

use super::{
    view::{self, View},
    walk::{join, parent},
};

/// The markers of a repository, first in precedence first.
pub const MARKERS: [&str; 2] = ["mangrove.yaml", ".swamp.yaml"];

/// The directory of a repository's own extensions.
pub const EXTENSIONS_DIRECTORY: &str = "extensions";

/// Keys of `mangrove.yaml` apart from the directories of kinds.
const KNOWN_KEYS: [&str; 7] =
    ["repoId", "bundler", "deno", "driver", "permissions", "mangroveVersion", "initializedAt"];
const KNOWN_DIRECTORIES: [&str; 6] = ["models", "vaults", "drivers", "reports", "datastores", "workflows"];

/// The nearest directory at or above `start` that holds a marker.
#[must_use]
pub fn find_repository(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|directory| MARKERS.iter().any(|marker| directory.join(marker).is_file()))
        .map(Path::to_owned)
}

/// What the marker and the environment say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The name of the marker file; `None` if there is none.
    pub marker: Option<String>,
    /// The repository's identifier, which survives cloning and moving.
    pub repository_id: Option<Arc<str>>,
    /// Which bundler to use, as it is written.
    pub bundler: Option<String>,
    /// The program `deno`, as it is written.
    pub deno: Option<String>,
    /// `modelsDir` and the like, as they are written.
    directories: BTreeMap<String, String>,
    /// What is wrong with the marker.
    pub problems: Vec<Problem>,
}

impl Layout {
    /// Reads the marker at the top of `view`.
    pub(super) fn read(view: &mut View, documents: &dyn Documents) -> Result<Self, Fault> {
        for marker in MARKERS {
            if let Some(record) = view.document(marker) {
                let text = record.text().ok_or_else(|| {
                    let message = format!("{marker} cannot be read as text");
                    Fault::new(FailureClass::Environment, Code::UNREADABLE, format!("marker:{marker}"), message)
                })?;
                let document = documents.parse(marker, text).map_err(|error| {
                    let cause = format!("marker:{marker}");
                    Fault::new(FailureClass::Deterministic, Code::MALFORMED_DOCUMENT, cause, error.message)
                        .at(error.position)
                })?;
                return Ok(Self::of(marker, &document));
            }
        }
        Ok(Self::default())
    }

    /// Reads the marker of a repository, without looking at anything else in it.
    ///
    /// # Errors
    /// A fault if the marker cannot be read or parsed.
    pub fn of_repository(repository: &Path, documents: &dyn Documents) -> Result<Self, Fault> {
        let root = view::Root::open(RootId::local(), Origin::Local, repository.to_owned())
            .map_err(|error| io_fault(Operation::List, repository, &error))?;
        Self::read(&mut View::new(Arc::new(root), Arc::default(), None, false), documents)
    }

    fn of(marker: &str, document: &Document) -> Self {
        let mut layout = Self { marker: Some(marker.to_owned()), ..Self::default() };
        for (key_node, value) in document.root.as_map().unwrap_or_default() {
            let key = key_node.as_str().unwrap_or_default();
            match (key, value.as_str()) {
                ("repoId", Some(text)) => layout.repository_id = Some(text.into()),
                ("bundler", Some(text)) if marker == MARKERS[0] => layout.bundler = Some(text.to_owned()),
                ("deno", Some(text)) if marker == MARKERS[0] => layout.deno = Some(text.to_owned()),
                (key, Some(text)) if key.ends_with("Dir") => {
                    layout.directories.insert(key.to_owned(), text.to_owned());
                }
                _ => {}
            }
            let is_known = KNOWN_KEYS.contains(&key)
                || key.strip_suffix("Dir").is_some_and(|stem| KNOWN_DIRECTORIES.contains(&stem));
            if marker == MARKERS[0] && !is_known {
                layout.problems.push(unknown_key(marker, key, key_node));
            }
        }
        if document.root.as_map().is_none() && document.root.type_name() != "nothing" {
            layout.problems.push(Problem {
                code: Code::INVALID_DOCUMENT,
                severity: Severity::Error,
                subject: marker.to_owned(),
                position: Some(document.root.position(marker)),
                message: format!("expected a mapping, found {}", document.root.type_name()),
                hint: None,
            });
        }
        layout
    }

    /// The directory of one kind below the root: environment, then marker, then `extensions/<directory>`.
    pub(super) fn directory_of(
        &self,
        kind: &KindLayout,
        environment: &BTreeMap<String, String>,
        root: &Path,
    ) -> Result<String, Problem> {
        let name = kind.kind.as_str();
        let variable = format!("{}S_DIR", name.to_uppercase().replace('-', "_"));
        let from_environment = ["MANGROVE_", "SWAMP_"].iter().find_map(|prefix| {
            let variable = format!("{prefix}{variable}");
            environment.get(&variable).filter(|value| !value.is_empty()).map(|value| (variable, value.clone()))
        });
        let from_marker = || {
            let key = format!("{name}sDir");
            self.directories.get(&key).map(|value| (key, value.clone()))
        };
        let Some((origin, text)) = from_environment.or_else(from_marker) else {
            return Ok(join(EXTENSIONS_DIRECTORY, &kind.directory));
        };
        let relative = match Path::new(&text).strip_prefix(root) {
            Ok(below) => below.to_string_lossy().into_owned(),
            Err(_) => text.clone(),
        };
        match RelativePath::parse(&relative) {
            Ok(path) => Ok(path.as_str().to_owned()),
            Err(mangrove_domain::source::PathError::Empty) => Ok(String::new()),
            Err(error) => Err(Problem {
                code: Code::INVALID_DOCUMENT,
                severity: Severity::Error,
                subject: origin,
                position: None,
                message: format!("the directory of {name}s must lie inside the repository: {error}"),
                hint: Some("use a path relative to the repository".to_owned()),
            }),
        }
    }

    /// The extension of files that no manifest claims.
    pub(super) fn own_extension(&self) -> Extension {
        let id = self.repository_id.as_deref().unwrap_or("repository");
        Extension { name: format!("@local/{id}").into(), version: "0.0.0".into() }
    }
}

fn unknown_key(marker: &str, key: &str, node: &Node) -> Problem {
    let directories = KNOWN_DIRECTORIES.iter().map(|directory| format!("{directory}Dir"));
    let known: Vec<String> = KNOWN_KEYS.iter().map(|known| (*known).to_owned()).chain(directories).collect();
    Problem {
        code: Code::UNKNOWN_SETTING,
        severity: Severity::Warning,
        subject: marker.to_owned(),
        position: Some(node.position(marker)),
        message: format!("the setting `{key}` is not known"),
        hint: nearest::hint(key, known.iter().map(String::as_str)),
    }
}

/// The extensions of one survey: manifests, each read once.
pub(super) struct Extensions {
    documents: Arc<dyn Documents>,
    own: Extension,
    /// Nothing above these directories is asked.
    tops: BTreeSet<String>,
    by_directory: HashMap<String, Extension>,
    pub(super) problems: Vec<Problem>,
}

impl Extensions {
    pub(super) fn new(documents: Arc<dyn Documents>, own: Extension, kind_directories: &[String]) -> Self {
        let is_above = |path: &str| path == EXTENSIONS_DIRECTORY || path.starts_with("extensions/");
        let mut tops: BTreeSet<String> = kind_directories.iter().filter(|path| !is_above(path)).cloned().collect();
        tops.insert(EXTENSIONS_DIRECTORY.to_owned());
        Self { documents, own, tops, by_directory: HashMap::new(), problems: Vec::new() }
    }

    /// The extension that files in `directory` belong to: the nearest manifest with a name and a version.
    pub(super) fn of(&mut self, view: &mut View, directory: &str) -> Extension {
        if let Some(known) = self.by_directory.get(directory) {
            return known.clone();
        }
        let extension = match self.manifest(view, directory) {
            Some(extension) => extension,
            None if directory.is_empty() || self.tops.contains(directory) => self.own.clone(),
            None => self.of(view, parent(directory)),
        };
        self.by_directory.insert(directory.to_owned(), extension.clone());
        extension
    }

    fn manifest(&mut self, view: &mut View, directory: &str) -> Option<Extension> {
        let path = join(directory, "manifest.yaml");
        if view.node(&path) != view::Node::File {
            return None;
        }
        let record = view.document(&path)?;
        let report = |code, position, message: String| Problem {
            code,
            severity: Severity::Error,
            subject: path.clone(),
            position,
            message,
            hint: Some("the files around it count as the repository's own until it can be read".to_owned()),
        };
        let Some(text) = record.text() else {
            let message = "the manifest cannot be read as text".to_owned();
            self.problems.push(report(Code::UNREADABLE, None, message));
            return None;
        };
        match self.documents.parse(&path, text) {
            Ok(document) => {
                let text = |key| document.root.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
                Some(Extension { name: text("name")?.into(), version: text("version")?.into() })
            }
            Err(error) => {
                self.problems.push(report(Code::MALFORMED_DOCUMENT, Some(error.position), error.message));
                None
            }
        }
    }
}
