//! The marker of a repository, and the directories of the kinds that it names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    configuration::{BUNDLES_KEYS, SERVE_KEYS},
    document::{Document, Node, NodeValue},
    driver::Drivers,
    failure::Fault,
    form::scalar_text,
    kind_layout::KindLayout,
    nearest,
    permission::Permissions,
    ports::Documents,
    position::Position,
    problem::{Code, Problem},
    pulled::LOCKFILE,
    source::{Extension, Kind, Origin, RelativePath, RootId},
};
use mangrove_fs::faults::{Operation, io_fault};

use super::{drivers, path::join, permissions, root::Root, view::View};

/// The markers of a repository, first in precedence first.
pub const MARKERS: [&str; 2] = ["mangrove.yaml", ".swamp.yaml"];

/// The directory of a repository's own extensions.
pub const EXTENSIONS_DIRECTORY: &str = "extensions";

/// Keys of `mangrove.yaml` apart from the directories of kinds.
const KNOWN_KEYS: [&str; 13] = [
    "repoId",
    "bundler",
    "bundles",
    "catalog",
    "defaultVault",
    "deno",
    "driver",
    "drivers",
    "permissions",
    "schedules",
    "serve",
    "mangroveVersion",
    "initializedAt",
];
const KNOWN_DIRECTORIES: [&str; 6] = ["models", "vaults", "drivers", "reports", "datastores", "workflows"];

/// The nearest directory at or above `start` that holds a marker.
#[must_use]
pub fn find_repository(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|directory| MARKERS.iter().any(|marker| is_marker(&directory.join(marker))))
        .map(Path::to_owned)
}

/// A marker that is a pipe or a link to nowhere is one: reading it says what is wrong with it.
fn is_marker(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
}

/// A setting that may hold a password: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretSetting {
    /// As it is written.
    pub text: String,
    /// Where it stands.
    pub position: Position,
}

impl fmt::Debug for SecretSetting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SecretSetting({}:{})", self.position.file, self.position.line)
    }
}

/// What the marker and the environment say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// The name of the marker file; `None` if there is none.
    pub marker: Option<String>,
    /// The repository's identifier, which survives cloning and moving.
    pub repository_id: Option<Arc<str>>,
    /// `modelsDir` and the like, as they are written, and where.
    directories: BTreeMap<String, (String, Position)>,
    /// The address of the database that keeps the catalog, as it is written; `None` for the file in the state directory.
    pub catalog: Option<SecretSetting>,
    /// Which bundler to use, as it is written.
    pub bundler: Option<String>,
    /// The program `deno`, as it is written.
    pub deno: Option<String>,
    /// What is granted to whom.
    pub permissions: Permissions,
    /// Which driver runs what.
    pub drivers: Drivers,
    /// What `serve` says, as it is written, and where: texts by key. Of a list, the elements with commas between them.
    pub serve: BTreeMap<String, (String, Position)>,
    /// What `bundles` says, as it is written, and where: texts by key. A text alone is that of `url`.
    pub bundles: BTreeMap<String, (String, Position)>,
    /// The names of workflows of pulled extensions whose schedules are in force: `schedules.allow`.
    pub allowed_schedules: BTreeSet<String>,
    /// The vault for what names none.
    pub default_vault: Option<String>,
    /// What is wrong with the marker.
    pub problems: Vec<Problem>,
}

impl Layout {
    /// The keys of `mangrove.yaml` that are understood, sorted; those below `serve` and `bundles` with `serve.` and
    /// `bundles.` before them.
    #[must_use]
    pub fn known_keys() -> Vec<String> {
        let directories = KNOWN_DIRECTORIES.iter().map(|directory| format!("{directory}Dir"));
        let serve = SERVE_KEYS.iter().map(|key| format!("serve.{key}"));
        let bundles = BUNDLES_KEYS.iter().map(|key| format!("bundles.{key}"));
        let known = KNOWN_KEYS.iter().map(|key| (*key).to_owned());
        let mut keys: Vec<String> = known.chain(directories).chain(serve).chain(bundles).collect();
        keys.sort_unstable();
        keys
    }

    /// Reads the marker in `directory`, the empty text being the root.
    pub(super) fn read(view: &mut View, documents: &dyn Documents, directory: &str) -> Result<Self, Fault> {
        for marker in MARKERS {
            let path = join(directory, marker);
            if let Some(record) = view.document(&path) {
                let text = record.text().map_err(|failure| failure.fault(&path, format!("marker:{path}")))?;
                let document = documents.parse(&path, text).map_err(|error| {
                    let cause = format!("marker:{path}");
                    Fault::deterministic(Code::MALFORMED_DOCUMENT, cause, error.message).at(error.position)
                })?;
                let layout = Self::of(&path, &document, marker == MARKERS[0])?;
                return Ok(Self { marker: Some(marker.to_owned()), ..layout });
            }
        }
        Ok(Self::default())
    }

    /// Reads the marker of a repository, without looking at anything else in it.
    ///
    /// # Errors
    /// A fault if the marker cannot be read or parsed.
    pub fn of_repository(repository: &Path, documents: &dyn Documents) -> Result<Self, Fault> {
        let root = Root::open(RootId::local(), Origin::Local, repository.to_owned())
            .map_err(|error| io_fault(Operation::List, repository, &error))?;
        Self::read(&mut View::new(Arc::new(root), Arc::default(), None, false), documents, "")
    }

    /// A marker that says something else than it must say is no reason to look elsewhere: a mistake in it is an
    /// error of the scan, since rows would leave for it.
    fn of(marker: &str, document: &Document, warns: bool) -> Result<Self, Fault> {
        let mut layout = Self::default();
        let members = match &document.root.value {
            NodeValue::Map(members) => members.as_slice(),
            NodeValue::Null => &[],
            NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) | NodeValue::List(_) => {
                return Err(wrong_form(marker, &document.root, "the file", "a mapping"));
            }
        };
        for (key_node, value) in members {
            let key = key_node.as_str().unwrap_or_default();
            let is_directory = key.strip_suffix("Dir").is_some_and(|stem| KNOWN_DIRECTORIES.contains(&stem));
            let text = || {
                let text = value.as_str().filter(|text| !text.is_empty());
                text.ok_or_else(|| wrong_form(marker, value, &format!("`{key}`"), "a string"))
            };
            if key == "repoId" {
                layout.repository_id = Some(text()?.into());
            } else if key == "defaultVault" {
                layout.default_vault = Some(text()?.to_owned());
            } else if key == "bundler" && warns {
                layout.bundler = Some(text()?.to_owned());
            } else if key == "catalog" && warns {
                layout.catalog = Some(SecretSetting { text: text()?.to_owned(), position: value.position(marker) });
            } else if key == "deno" && warns {
                layout.deno = Some(text()?.to_owned());
            } else if key == "permissions" && warns {
                layout.permissions = permissions::read(marker, value, &mut layout.problems);
            } else if key == "drivers" && warns {
                layout.drivers = drivers::read(marker, value, &mut layout.problems);
            } else if key == "schedules" && warns {
                layout.allowed_schedules = read_allowed(marker, value, &mut layout.problems)?;
            } else if key == "serve" && warns {
                layout.serve = read_section(marker, value, "serve", &SERVE_KEYS, &mut layout.problems)?;
            } else if key == "bundles" && warns {
                layout.bundles = read_bundles(marker, value, &mut layout.problems)?;
            } else if is_directory {
                layout.directories.insert(key.to_owned(), (text()?.to_owned(), value.position(marker)));
            } else if key.ends_with("Dir")
                && let Some(text) = value.as_str()
            {
                // Of a kind that a further loader may know.
                layout.directories.insert(key.to_owned(), (text.to_owned(), value.position(marker)));
            }
            if warns && !is_directory && !KNOWN_KEYS.contains(&key) {
                layout.problems.push(unknown_key(marker, key, key_node));
            }
        }
        Ok(layout)
    }

    /// The directory of one kind below `root`, the directory of the marker: environment, then marker, then
    /// `extensions/<directory>`.
    pub(super) fn directory_of(
        &self,
        kind: &KindLayout,
        environment: &BTreeMap<String, String>,
        root: &Path,
    ) -> Result<KindDirectory, Problem> {
        let name = kind.kind.as_str();
        let variable = format!("{}S_DIR", name.to_uppercase().replace('-', "_"));
        let from_environment = ["MANGROVE_", "SWAMP_"].iter().find_map(|prefix| {
            let variable = format!("{prefix}{variable}");
            environment.get(&variable).filter(|value| !value.is_empty()).map(|value| (variable, value.clone(), None))
        });
        let from_marker = || {
            let key = format!("{name}sDir");
            let (value, position) = self.directories.get(&key)?;
            Some((key, value.clone(), Some(position.clone())))
        };
        let Some((setting, text, position)) = from_environment.or_else(from_marker) else {
            return Ok(KindDirectory { directory: join(EXTENSIONS_DIRECTORY, &kind.directory), setting: None });
        };
        let relative = match Path::new(&text).strip_prefix(root) {
            Ok(below) => below.to_string_lossy().into_owned(),
            Err(_) => text.clone(),
        };
        let place = |directory: String| KindDirectory { directory, setting: Some((setting.clone(), position.clone())) };
        match RelativePath::parse(&relative) {
            Ok(path) => Ok(place(path.as_str().to_owned())),
            Err(mangrove_domain::source::PathError::Empty) => Ok(place(String::new())),
            Err(error) => Err(Problem::error(
                Code::INVALID_DOCUMENT,
                setting,
                format!("the directory of {name}s must lie inside the repository: {error}"),
            )
            .at_if(position)
            .advise("use a path relative to the repository")),
        }
    }

    /// Where the lockfile of pulled extensions may lie, below the root: in the directory of the models. The first one that
    /// is there counts; a new one is written to the first place.
    #[must_use]
    pub fn lockfile_places(&self) -> Vec<String> {
        let configured = self.directory_setting("modelsDir").map(|directory| join(directory, LOCKFILE));
        let configured = configured.and_then(|path| RelativePath::parse(&path).ok()).map(|path| path.to_string());
        let usual = join(EXTENSIONS_DIRECTORY, &join("models", LOCKFILE));
        configured.into_iter().chain([usual]).collect()
    }

    /// What a setting says, as it is written.
    pub(super) fn directory_setting(&self, key: &str) -> Option<&str> {
        self.directories.get(key).map(|(text, _)| text.as_str())
    }

    /// The extension of files that no manifest claims.
    pub(super) fn own_extension(&self) -> Extension {
        let id = self.repository_id.as_deref().unwrap_or("repository");
        Extension { name: format!("@local/{id}").into(), version: "0.0.0".into() }
    }
}

/// What `schedules` says: `allow`, a list of names of workflows.
fn read_allowed(marker: &str, node: &Node, problems: &mut Vec<Problem>) -> Result<BTreeSet<String>, Fault> {
    let members = node.as_map().ok_or_else(|| wrong_form(marker, node, "`schedules`", "a mapping"))?;
    let mut allowed = BTreeSet::new();
    for (key_node, value) in members {
        let key = key_node.as_str().unwrap_or_default();
        if key != "allow" {
            let message = format!("the setting `schedules.{key}` is not known");
            let problem = Problem::warning(Code::UNKNOWN_SETTING, marker, message).at(key_node.position(marker));
            problems.push(problem.advise_if(nearest::hint(key, ["allow"])));
            continue;
        }
        let names = value.as_list().map(|items| items.iter().map(scalar_text).collect::<Option<Vec<String>>>());
        let names = names.flatten();
        allowed.extend(names.ok_or_else(|| wrong_form(marker, value, "`schedules.allow`", "a list of names"))?);
    }
    Ok(allowed)
}

/// What a section such as `serve` says. Its values are texts, numbers or lists of texts; whoever asks knows what they mean.
fn read_section(
    marker: &str,
    node: &Node,
    section: &str,
    known: &[&str],
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<String, (String, Position)>, Fault> {
    let members = node.as_map().ok_or_else(|| wrong_form(marker, node, &format!("`{section}`"), "a mapping"))?;
    let mut settings = BTreeMap::new();
    for (key_node, value) in members {
        let key = key_node.as_str().unwrap_or_default();
        if !known.contains(&key) {
            let message = format!("the setting `{section}.{key}` is not known");
            let problem = Problem::warning(Code::UNKNOWN_SETTING, marker, message).at(key_node.position(marker));
            problems.push(problem.advise_if(nearest::hint(key, known.iter().copied())));
            continue;
        }
        let text = match &value.value {
            NodeValue::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(scalar_text).collect();
                items.map(|items| items.join(","))
            }
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) | NodeValue::Map(_) => {
                scalar_text(value)
            }
        };
        let text =
            text.ok_or_else(|| wrong_form(marker, value, &format!("`{section}.{key}`"), "a text or a list of texts"))?;
        settings.insert(key.to_owned(), (text, value.position(marker)));
    }
    Ok(settings)
}

/// What `bundles` says: an address, or a mapping with it.
fn read_bundles(
    marker: &str,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<String, (String, Position)>, Fault> {
    if let Some(url) = node.as_str() {
        return Ok(BTreeMap::from([("url".to_owned(), (url.to_owned(), node.position(marker)))]));
    }
    read_section(marker, node, "bundles", &BUNDLES_KEYS, problems)
}

/// Where the sources of one kind lie.
pub(super) struct KindDirectory {
    /// Below the root; empty for the root itself.
    pub(super) directory: String,
    /// The key or variable that says so, and where it stands; `None` if nothing does.
    pub(super) setting: Option<(String, Option<Position>)>,
}

impl KindDirectory {
    /// The problem of a directory that is configured and not there; `None` where nothing names it.
    pub(super) fn missing(&self, kind: &Kind) -> Option<Problem> {
        let (setting, position) = self.setting.clone()?;
        Some(
            Problem::error(
                Code::MISSING_DIRECTORY,
                setting,
                format!(
                    "the directory `{}` does not exist; the {kind}s that the catalog knows are kept",
                    self.directory
                ),
            )
            .at_if(position)
            .advise("create the directory, or correct the setting"),
        )
    }
}

fn wrong_form(marker: &str, node: &Node, what: &str, expected: &str) -> Fault {
    let message = format!(
        "{what} must be {expected}, found {}",
        match node.as_str() {
            Some("") => "an empty string",
            _ => node.type_name(),
        }
    );
    Fault::deterministic(Code::INVALID_DOCUMENT, format!("marker:{marker}"), message).at(node.position(marker))
}

fn unknown_key(marker: &str, key: &str, node: &Node) -> Problem {
    let directories = KNOWN_DIRECTORIES.iter().map(|directory| format!("{directory}Dir"));
    let known: Vec<String> = KNOWN_KEYS.iter().map(|known| (*known).to_owned()).chain(directories).collect();
    Problem::warning(Code::UNKNOWN_SETTING, marker.to_owned(), format!("the setting `{key}` is not known"))
        .at(node.position(marker))
        .advise_if(nearest::hint(key, known.iter().map(String::as_str)))
}
