//! `imports` of a package.json: the names that begin with `#` and mean something in its package alone (`design/discovery.md`).

use std::collections::BTreeMap;

use mangrove_domain::{
    document::Node,
    json::Json,
    module_graph::EdgeTarget,
    source::{PathError, RelativePath},
};

use super::{
    path::join,
    view::{Node as PathNode, View},
};

/// What Deno asks for, first met first taken.
const CONDITIONS: [&str; 5] = ["deno", "node", "import", "module-sync", "default"];

/// The scheme of what a package.json asks for and no registry serves: `package.json:name@workspace:*`.
pub(super) const UNSERVED: &str = "package.json:";

/// What one package.json says of such names.
#[derive(Debug, Default)]
pub(super) struct PackageImports {
    /// Where it lies, below the root.
    directory: String,
    /// By name, which may have one `*`.
    members: Vec<(String, Json)>,
}

/// Where such a name leads.
pub(super) enum Named {
    /// A place below the root, or why it is none.
    Place(EdgeTarget),
    /// Another specifier: a package, or what is built in.
    Other(String),
}

/// The dependencies of a package.json, by what sources call them. What no registry serves keeps its place under the scheme
/// [`UNSERVED`], so that the failure can say what stands there.
pub(super) fn dependencies(root: &Node) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for key in ["peerDependencies", "optionalDependencies", "devDependencies", "dependencies"] {
        for (name, range) in root.get(key).and_then(Node::as_map).unwrap_or_default() {
            if let (Some(name), Some(range)) = (name.as_str(), range.as_str()) {
                let range = range.trim();
                let target = match range.strip_prefix("npm:") {
                    Some(alias) => format!("npm:{alias}"),
                    None if range.contains([':', '/']) => format!("{UNSERVED}{name}@{range}"),
                    None if range.is_empty() => format!("npm:{name}"),
                    None => format!("npm:{name}@{range}"),
                };
                found.insert(name.to_owned(), target);
            }
        }
    }
    found
}

/// True for a name that only a package.json can explain.
pub(super) fn is_own_name(specifier: &str) -> bool {
    specifier.starts_with('#')
}

impl PackageImports {
    /// What a package.json in this directory says.
    pub(super) fn of(root: &Node, directory: &str) -> Self {
        let members = root.get("imports").map(Node::to_json);
        let members = members.as_ref().and_then(Json::as_object).unwrap_or_default().to_vec();
        Self { directory: directory.to_owned(), members }
    }

    /// Where `specifier` leads; `None` if nothing is said of it.
    pub(super) fn resolve(&self, view: &mut View, specifier: &str) -> Option<Named> {
        let (value, star) = self.member(specifier)?;
        let target = chosen(value)?.replace('*', star);
        if target.starts_with("../") || target.starts_with('/') {
            return Some(Named::Place(EdgeTarget::OutsideRoot));
        }
        if !target.starts_with("./") {
            return Some(Named::Other(target));
        }
        Some(Named::Place(match RelativePath::parse(&join(&self.directory, &target)) {
            // Here, and only here, a path means exactly what it says.
            Ok(path) if view.node(path.as_str()) == PathNode::File => EdgeTarget::File(path),
            Ok(path) if view.node(path.as_str()) == PathNode::Outside => EdgeTarget::OutsideRoot,
            Ok(_) | Err(PathError::Empty) => EdgeTarget::Missing,
            Err(PathError::Outside(_) | PathError::Absolute(_)) => EdgeTarget::OutsideRoot,
        }))
    }

    /// The member that speaks of a name, and what stands for its `*`. A name itself comes before patterns, and of those the
    /// one with the longest beginning.
    fn member<'s>(&self, specifier: &'s str) -> Option<(&Json, &'s str)> {
        if let Some((_, value)) = self.members.iter().find(|(name, _)| name == specifier && !name.contains('*')) {
            return Some((value, ""));
        }
        let patterns = self.members.iter().filter_map(|(name, value)| {
            let (before, after) = name.split_once('*')?;
            let star = specifier.strip_prefix(before)?.strip_suffix(after)?;
            (!star.is_empty()).then_some((before.len(), value, star))
        });
        patterns.max_by_key(|(length, ..)| *length).map(|(_, value, star)| (value, star))
    }
}

/// The target under the conditions that count.
fn chosen(value: &Json) -> Option<String> {
    match value {
        Json::String(target) => Some(target.clone()),
        Json::Array(choices) => choices.iter().find_map(chosen),
        Json::Object(members) => {
            let met = members.iter().filter(|(condition, _)| CONDITIONS.contains(&condition.as_str()));
            met.map(|(_, choice)| choice).find_map(chosen)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}
