//! The manifest of a package.

use std::collections::{BTreeMap, BTreeSet};

use crate::{document::Node, source::RelativePath, version::CalendarVersion};

use super::name::is_scoped_name;

/// What a manifest may list. An extension that lists none of it is none.
const LISTS: [&str; 9] =
    ["models", "workflows", "vaults", "drivers", "datastores", "reports", "skills", "files", "additionalFiles"];

/// What the manifest of a package says. Those who publish have to keep its rules; what lies in a repository need not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageManifest {
    /// `@collective/name`
    pub name: String,
    /// `YYYY.MM.DD.N`
    pub version: String,
    /// The names of the extensions that it needs.
    pub dependencies: Vec<String>,
    /// Files that are programs, as it names them.
    pub binaries: BTreeSet<String>,
    /// What it lists, by the name of the list.
    pub lists: BTreeMap<&'static str, Vec<RelativePath>>,
    /// The lists have paths from the manifest on, instead of from the directory of a kind on.
    pub lists_from_manifest: bool,
}

impl PackageManifest {
    /// Reads a manifest by the rules for archives.
    ///
    /// # Errors
    /// Everything that is wrong, each with its node.
    pub fn read(root: &Node) -> Result<Self, Vec<(&Node, String)>> {
        let mut manifest = Self::default();
        let mut wrong = Vec::new();
        if root.as_map().is_none() {
            return Err(vec![(root, format!("a manifest must be a mapping, found {}", root.type_name()))]);
        }
        if let Some(node) = root.get("manifestVersion")
            && node.to_json().to_string() != "1"
        {
            wrong.push((node, format!("`manifestVersion` must be 1, found {}", node.to_json())));
        }
        let mut text = |key: &str, rule: &str, is_right: &dyn Fn(&str) -> bool| {
            let found = root.get(key);
            match found.and_then(Node::as_str).filter(|text| is_right(text)) {
                Some(text) => text.to_owned(),
                None => {
                    let value = found.map_or_else(|| "nothing".to_owned(), |node| node.to_json().to_string());
                    wrong.push((found.unwrap_or(root), format!("`{key}` must be {rule}, found {value}")));
                    String::new()
                }
            }
        };
        manifest.name = text("name", "`@collective/name`", &is_scoped_name);
        let is_version = |text: &str| CalendarVersion::parse(text).is_ok();
        manifest.version = text("version", "`YYYY.MM.DD.N` with a real date", &is_version);
        if let Some(node) = root.get("paths").and_then(|paths| paths.get("base")) {
            match node.as_str() {
                Some("manifest") => manifest.lists_from_manifest = true,
                Some("typedDir") => {}
                Some(_) | None => {
                    wrong.push((node, format!("`paths.base` must be typedDir or manifest, found {}", node.to_json())));
                }
            }
        }
        for key in LISTS {
            let Some(node) = root.get(key) else { continue };
            match node.as_list() {
                Some(items) => {
                    let (paths, leading_up): (Vec<_>, Vec<_>) = items.iter().partition(|item| listed(item).is_some());
                    manifest.lists.insert(key, paths.into_iter().filter_map(listed).collect());
                    wrong.extend(leading_up.into_iter().map(|item| {
                        let found = item.to_json();
                        (item, format!("`{key}` must list paths that lead down from the manifest, found {found}"))
                    }));
                }
                None => wrong.push((node, format!("`{key}` must be a list of paths, found {}", node.type_name()))),
            }
        }
        if manifest.lists.values().all(Vec::is_empty) {
            wrong.push((root, "a manifest must list something, such as `models`".to_owned()));
        }
        for (item, name) in dependencies(root) {
            match name {
                Some(name) => manifest.dependencies.push(name),
                None => {
                    let found = item.to_json();
                    wrong.push((
                        item,
                        format!("`dependencies` must name extensions such as `@collective/name`, found {found}"),
                    ));
                }
            }
        }
        let binaries = root.get("binaries").and_then(Node::as_list).unwrap_or_default();
        manifest.binaries = binaries.iter().filter_map(Node::as_str).map(str::to_owned).collect();
        if wrong.is_empty() { Ok(manifest) } else { Err(wrong) }
    }

    /// True for a file that the manifest calls a program: by its path, by its path below `files`, or by its name.
    #[must_use]
    pub fn is_binary(&self, path: &RelativePath) -> bool {
        let path = path.as_str();
        let name = path.rsplit('/').next().unwrap_or(path);
        let below = path.strip_prefix("files/").unwrap_or(path);
        let names = [path, below, name];
        self.binaries.iter().any(|binary| names.contains(&binary.strip_prefix("./").unwrap_or(binary)))
    }
}

/// A path that leads down.
fn listed(item: &Node) -> Option<RelativePath> {
    let text = item.as_str()?;
    let leads_down = text.split('/').all(|segment| segment != "..");
    RelativePath::parse(text).ok().filter(|_| leads_down)
}

/// The names under `dependencies`: a list of names or of mappings with a `name`, or a mapping by names. Ranges of versions
/// say nothing: the newest one is taken. What names none comes without a name.
#[must_use]
pub fn dependencies(root: &Node) -> Vec<(&Node, Option<String>)> {
    let named = |node: &Node| {
        let text = node.as_str().or_else(|| node.get("name")?.as_str())?;
        let name = match text.rsplit_once('@') {
            Some((name, _)) if !name.is_empty() => name,
            Some(_) | None => text,
        };
        is_scoped_name(name).then(|| name.to_owned())
    };
    let Some(node) = root.get("dependencies") else { return Vec::new() };
    match (node.as_list(), node.as_map()) {
        (Some(items), _) => items.iter().map(|item| (item, named(item))).collect(),
        (None, Some(members)) => members.iter().map(|(key, _)| (key, named(key))).collect(),
        (None, None) if node.type_name() == "nothing" => Vec::new(),
        (None, None) => vec![(node, None)],
    }
}
